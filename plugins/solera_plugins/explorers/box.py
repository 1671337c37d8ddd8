"""The coordinates of a search as a unit box."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.api import InputError, Seed, Space

Floats = NDArray[np.float64]


class Box:
    """Points of a space as shares of the way from ``low`` to ``high``, and back.

    Args:
        space: With real coordinates and whole numbers only.

    Raises:
        InputError: A coordinate is a choice, between whose places there is no way.
    """

    def __init__(self, space: Space) -> None:
        choices = [coord.name for coord in space.coords if coord.kind == "choice"]
        if choices:
            raise InputError(
                f"A surrogate is smooth in its coordinates; {', '.join(choices)} is a choice. Search with pareto "
                "(nsga2, nsga3 or tpe), or fix the choice.",
                coords=choices,
            )
        self._space, self._coords = space, space.coords

    def shares(self, points: ArrayLike) -> Floats:
        """Points (n, d) as shares (n, d)."""
        table = np.array(points, dtype=np.float64).reshape(-1, len(self._coords))
        for column, coord in zip(table.T, self._coords, strict=True):
            if coord.log:
                column[:] = (np.log(column) - math.log(coord.low)) / (math.log(coord.high) - math.log(coord.low))
            else:
                column[:] = (column - coord.low) / (coord.high - coord.low)
        return table

    def point(self, shares: Sequence[float] | Floats) -> tuple[float, ...]:
        """One row of shares as a point of the family's region; whole numbers are rounded."""
        if self._space.region is not None:
            return placed(self._space, np.asarray(shares, dtype=np.float64))[0]
        found = []
        for coord, share in zip(self._coords, shares, strict=True):
            value = (
                coord.at(min(max(float(share), 0.0), 1.0))
                if coord.kind == "real"
                else float(round(coord.low + float(share) * (coord.high - coord.low)))
            )
            found.append(min(max(value, coord.low), coord.high))
        return tuple(found)


def placed(space: Space, shares: Floats) -> tuple[tuple[float, ...], Floats]:
    """The point at shares of all ranges, choices and whole numbers having equal parts of theirs.

    Args:
        space: Of any coordinates.
        shares: Shape (d,); what lies outside [0, 1] is taken to the nearer end.

    Returns:
        The point, which is one of the family's region; and the shares that stand for it: those given, or those of the
        point where it had to be moved into the region.
    """
    inside = np.clip(shares, 0.0, 1.0)
    if space.region is None:
        values = (coord.at(float(x)) for coord, x in zip(space.coords, inside, strict=True))
        return tuple(min(max(x, c.low), c.high) for c, x in zip(space.coords, values, strict=True)), shares
    low = np.array([coord.low for coord in space.coords])
    wide = np.array([coord.high for coord in space.coords]) - low
    wanted = low + inside * wide
    point = space.nearest(wanted.tolist())
    return point, shares if space.region.contains(wanted.tolist()) else (np.array(point) - low) / wide


def named_points(space: Space) -> list[tuple[float, ...]]:
    """The named models within the bounds and the family's region, each place once."""
    inside = [
        tuple(map(float, at))
        for at in space.labels.values()
        if all(coord.low <= value <= coord.high for coord, value in zip(space.coords, at, strict=True))
        and (space.region is None or space.region.contains(at))
    ]
    return list(dict.fromkeys(inside))


def corners(space: Space) -> list[tuple[float, ...]]:
    """Where all coordinates are low, and where one of them is high; in the family's region."""
    low = tuple(coord.low for coord in space.coords)
    ends = [low, *((*low[:i], coord.high, *low[i + 1 :]) for i, coord in enumerate(space.coords))]
    return [space.nearest(end) for end in ends]


def sobol(coords: int, n: int, seed: Seed) -> Floats:
    """A scrambled Sobol sequence in the unit box, shape (n, coords)."""
    from scipy.stats import qmc

    drawn = qmc.Sobol(coords, scramble=True, rng=seed.numpy()).random_base2(max(n - 1, 1).bit_length())
    return np.asarray(drawn[:n], dtype=np.float64)
