"""The best permutation of a group: a linear assignment, in two levels where units must stay with their cell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from solera.alignment.symmetry import Group

#: Fewest units of which an assignment may take longer than a person waits for a cancel.
_LONG = 1024


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


def assign(
    groups: Sequence[Group], gains: Sequence[Gain], check: Callable[[], None] = lambda: None
) -> list[NDArray[np.int64]]:
    """The permutations of greatest gain among those that groups allow whose cells move together, exactly.

    With several cells the best order of the units of each group is found for every pair of cells, then the best pairing
    of cells.

    Args:
        groups: One, or several of as many cells.
        gains: One for each.
        check: Called now and then; raises what is to end it.
    """
    if len(groups) == 1 and groups[0].cells == 1:
        return [_solve(gains[0].units, check)]
    n = groups[0].cells
    values = np.zeros((n, n))
    orders = []
    for group, gain in zip(groups, gains, strict=True):
        inner = group.inner
        blocks = np.ascontiguousarray(gain.units.reshape(n, inner, n, inner).transpose(0, 2, 1, 3))
        values += gain.cells
        order = np.zeros((n, n, inner), dtype=np.int64)
        for i, j in np.ndindex(n, n):
            if j == 0:
                check()
            places, units = linear_sum_assignment(blocks[i, j], maximize=True)
            order[i, j] = units
            values[i, j] += blocks[i, j][places, units].sum()
        orders.append(order)
    cells = linear_sum_assignment(values, maximize=True)[1]
    return [
        np.concatenate([cells[i] * order.shape[2] + order[i, cells[i]] for i in range(n)]).astype(np.int64)
        for order in orders
    ]


def _solve(gain: NDArray[np.float64], check: Callable[[], None]) -> NDArray[np.int64]:
    """The assignment of greatest gain, while somebody may ask to stop.

    SciPy cannot be stopped within one (20 seconds for 8192 units that fit nowhere in particular): it runs in a thread,
    which is left to itself where it is not waited for.
    """
    if len(gain) < _LONG:
        return np.asarray(linear_sum_assignment(gain, maximize=True)[1], dtype=np.int64)
    found: list[NDArray[np.int64]] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            found.append(np.asarray(linear_sum_assignment(gain, maximize=True)[1], dtype=np.int64))
        except ValueError as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="assignment", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.05)
        check()
    if failed:
        raise failed[0]
    return found[0]
