"""Every point of an even grid, coarse first, so that a picture is there early."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from solera.api import Ask, Extent, History, InputError, Param, Seed, Space

#: More points than this are a mistake.
_MOST = 1_000_000
#: Points handed out at once, for as many lanes as there are.
_ROUND = 64


class Grid:
    """Score every point of an even grid, coarse first.

    Both ends of every coordinate are on the grid. The order is nested: the corners, then the points a grid of 3, 5, 9,
    17 ... per coordinate adds, each grid point exactly once; a picture of what is there gets finer all over.

    It needs no more than an aggregate score.

    Args:
        points: How many points along each coordinate.
        shape: How many along each of them, such as ``"51x31"``; overrides ``points``.

    Raises:
        InputError: The shape cannot be read.
    """

    name = "grid"

    def __init__(
        self,
        *,
        points: Annotated[int, Param(2, 1001, title="Points per axis", help="Points along each coordinate.")] = 21,
        shape: Annotated[str, Param(help="Points along each coordinate, such as 51x31; overrides points.")] = "",
    ) -> None:
        self._points = points
        self._shape = _parsed(shape)
        self._cells: dict[Hashable, NDArray[np.intp]] = {}

    def plan(self, space: Space) -> Extent:
        """As many points as the grid has; along a coordinate that is not real, no more than it has values."""
        shape = self._shape or (self._points,) * len(space.coords)
        shape = (
            tuple(min(size, len(coord.values) or size) for size, coord in zip(shape, space.coords, strict=False))
            + shape[len(space.coords) :]
        )
        if len(shape) != len(space.coords):
            names = ", ".join(coord.name for coord in space.coords)
            raise InputError(
                f"The grid's shape {'x'.join(map(str, shape))} has {len(shape)} axes; the family has "
                f"{len(space.coords)} coordinates ({names})."
            )
        total = int(np.prod(shape, dtype=np.float64))
        if total > _MOST:
            raise InputError(
                f"A grid of {'x'.join(map(str, shape))} has {total:,} points; at most {_MOST:,} are scored."
            )
        return Extent(total if space.region is None else len(self._inside(space, shape)), shape, rounds=(_ROUND,))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The next points in nested order, those outside the family's region left out."""
        shape = self.plan(space).shape
        asks = []
        for cell in self._inside(space, shape)[len(history) : len(history) + n]:
            index = tuple(map(int, cell))
            asks.append(Ask(_at(space, shape, index), index))
        return asks

    def _inside(self, space: Space, shape: tuple[int, ...]) -> NDArray[np.intp]:
        key = (shape, space.region, space.coords)
        if key not in self._cells:
            cells = nested_cells(shape)
            if space.region is not None:
                cells = cells[[space.region.contains(_at(space, shape, tuple(cell))) for cell in cells]]
            self._cells[key] = cells
        return self._cells[key]


def _at(space: Space, shape: tuple[int, ...], cell: tuple[int, ...]) -> tuple[float, ...]:
    shares = (i / (size - 1) for i, size in zip(cell, shape, strict=True))
    return tuple(coord.at(float(share)) for coord, share in zip(space.coords, shares, strict=True))


def nested_cells(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """All cells of a grid, coarse grids first; within one, row-major.

    Returns:
        Shape (product of ``shape``, len(shape)).
    """
    levels = [_levels(size) for size in shape]
    cells = np.indices(shape).reshape(len(shape), -1)
    level = np.max([axis[index] for axis, index in zip(levels, cells, strict=True)], axis=0)
    order = np.argsort(level, kind="stable")
    return np.ascontiguousarray(cells[:, order].T)


def _levels(size: int) -> NDArray[np.intp]:
    """For each index along an axis the first of the grids with 2, 3, 5, 9 ... points that has it."""
    found = np.full(size, -1, dtype=np.intp)
    level, points = 0, 2
    while (found < 0).any():
        here = np.unique(np.round(np.linspace(0, size - 1, min(points, size))).astype(np.intp))
        found[here[found[here] < 0]] = level
        level, points = level + 1, 2 * points - 1
    return found


def _parsed(shape: str) -> tuple[int, ...]:
    if not shape:
        return ()
    parts = shape.lower().replace("×", "x").split("x")
    if not all(part.strip().isdigit() and int(part) >= 2 for part in parts):
        raise InputError(f"A grid's shape is written like 51x31, each number 2 or more; got '{shape}'.")
    return tuple(map(int, parts))
