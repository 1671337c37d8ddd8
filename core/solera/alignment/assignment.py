"""The best permutation of one group: a linear assignment, in two levels where units must stay with their cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from solera.alignment.symmetry import Group


@dataclass(frozen=True, slots=True)
class Gain:
    """What is gained where a unit of the model goes to a place of the reference.

    Attributes:
        units: Shape (size, size) float64: [place, unit].
        cells: Shape (cells, cells) float64: the same for tensors along which only cells move.
    """

    units: NDArray[np.float64]
    cells: NDArray[np.float64]

    @classmethod
    def none(cls, group: Group) -> Gain:
        """Nothing gained anywhere."""
        return cls(np.zeros((group.size, group.size)), np.zeros((group.cells, group.cells)))

    def of(self, group: Group, permutation: NDArray[np.int64]) -> float:
        """The sum a permutation gains."""
        cells = permutation[:: group.inner] // group.inner
        whole = self.units[np.arange(group.size), permutation].sum()
        return float(whole + self.cells[np.arange(group.cells), cells].sum())


def assign(group: Group, gain: Gain) -> NDArray[np.int64]:
    """The permutation of greatest gain among those a group allows, exactly.

    With several cells the best order of units is found for every pair of cells, then the best pairing of cells.
    """
    if group.cells == 1:
        return np.asarray(linear_sum_assignment(gain.units, maximize=True)[1], dtype=np.int64)
    n, inner = group.cells, group.inner
    blocks = gain.units.reshape(n, inner, n, inner).transpose(0, 2, 1, 3)
    values = gain.cells.copy()
    orders = np.zeros((n, n, inner), dtype=np.int64)
    for i in range(n):
        for j in range(n):
            places, units = linear_sum_assignment(blocks[i, j], maximize=True)
            orders[i, j] = units
            values[i, j] += blocks[i, j][places, units].sum()
    cells = linear_sum_assignment(values, maximize=True)[1]
    return np.concatenate([cells[i] * inner + orders[i, cells[i]] for i in range(n)]).astype(np.int64)
