"""Iso-lines of a grid by marching squares, vectorised; cells that touch a value that is not finite have none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: For each of the sixteen corner patterns (bit 0 lower left, then counter-clockwise) the edges a line joins.
#: Edges: 0 lower, 1 right, 2 upper, 3 left. The saddles 5 and 10 are listed with their centre above the level.
_JOINS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((3, 0),), 2: ((0, 1),), 3: ((3, 1),), 4: ((1, 2),), 5: ((3, 2), (0, 1)), 6: ((0, 2),), 7: ((3, 2),),
    8: ((2, 3),), 9: ((0, 2),), 10: ((3, 0), (1, 2)), 11: ((1, 2),), 12: ((3, 1),), 13: ((0, 1),), 14: ((3, 0),),
}  # fmt: skip


def contour(values: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """The line of one level as separate segments.

    Args:
        values: Shape (rows, columns).
        level: Finite.

    Returns:
        Shape (n, 2, 2): n segments, their two ends, each as (column, row) in grid indices.
    """
    grid = np.asarray(values, dtype=np.float64)
    if min(grid.shape) < 2:
        return np.empty((0, 2, 2))
    corners = (grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1])
    with np.errstate(invalid="ignore"):
        pattern = sum((corner > level).astype(np.uint8) << bit for bit, corner in enumerate(corners))
        centre = sum(corners) / 4 > level
        finite = np.isfinite(sum(corners))
    case = np.where(finite, pattern, 0)
    # A saddle whose centre lies below the level joins the other way round: as its opposite pattern does.
    case = np.where(((case == 5) | (case == 10)) & ~centre, 15 - case, case)
    rows, cols = np.nonzero((case > 0) & (case < 15))
    found = case[rows, cols]
    ends = _edge_points([corner[rows, cols] for corner in corners], rows, cols, level)
    pieces = []
    for number, joins in _JOINS.items():
        chosen = np.nonzero(found == number)[0]
        pieces += [np.stack((ends[a][chosen], ends[b][chosen]), axis=1) for a, b in joins if chosen.size]
    return np.concatenate(pieces) if pieces else np.empty((0, 2, 2))


def _edge_points(
    corners: list[NDArray[np.float64]], rows: NDArray[np.intp], cols: NDArray[np.intp], level: float
) -> list[NDArray[np.float64]]:
    """Where the level crosses each of the four edges, (n, 2) as (column, row); meaningless where it does not."""
    lower_left, lower_right, upper_right, upper_left = corners

    def fraction(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        gap = b - a
        return np.clip((level - a) / np.where(gap == 0, 1.0, gap), 0.0, 1.0)

    x, y = cols.astype(np.float64), rows.astype(np.float64)
    return [
        np.column_stack((x + fraction(lower_left, lower_right), y)),
        np.column_stack((x + 1, y + fraction(lower_right, upper_right))),
        np.column_stack((x + fraction(upper_left, upper_right), y + 1)),
        np.column_stack((x, y + fraction(lower_left, upper_left))),
    ]
