"""Who is on the front of two scores, and who might be: fast enough to be asked at every redraw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from solera.runs.points import Points
from solera_app.views.facts import ColumnFacts

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Errors = Callable[[int, NDArray[np.int64], NDArray[np.int64]], Floats]
_PAIRS = 1 << 18  # compared at once


def comparable(points: Points, columns: Sequence[ColumnFacts]) -> Floats:
    """Scores of points as a front is taken of them, shape (n, m): minimised.

    NaN where a score is missing or infinite, and where a point was scored on fewer samples than others: a search that
    gives better candidates more samples drops the others on the way.
    """
    places = [column.place for column in columns]
    values: Floats = points.values[:, places] * np.array([1.0 if column.lower else -1.0 for column in columns])
    counts = points.counts[:, places]
    part = (counts < counts.max(axis=0, initial=0)).any(axis=1)
    values[part | ~np.isfinite(values).all(axis=1)] = np.nan
    return values


def front_of_two(points: Floats) -> Mask:
    """Which points no other dominates; of equal points all or none. As ``solera.landscapes.pareto.nondominated``.

    Args:
        points: Shape (n, 2), minimised; a row with NaN is on no front.

    Returns:
        Shape (n,).
    """
    mask = np.zeros(len(points), dtype=bool)
    rows = np.nonzero(~np.isnan(points).any(axis=1))[0]
    if not rows.size:
        return mask
    order = rows[np.lexsort((points[rows, 1], points[rows, 0]))]
    x, y = points[order, 0], points[order, 1]
    # Lowest second score among points whose first is strictly smaller, and among those of the same first.
    first_of_x = np.concatenate(([True], x[1:] != x[:-1]))
    group = np.cumsum(first_of_x) - 1
    lowest_here = y[first_of_x]  # sorted by y within a group
    before = np.concatenate(([np.inf], np.minimum.accumulate(lowest_here)[:-1]))
    mask[order] = (y == lowest_here[group]) & (y < before[group])
    return mask


def front_of(points: Floats) -> Mask:
    """Which points no other dominates, of two objectives or more; shape (n, m), minimised."""
    if points.shape[1] == 2:
        return front_of_two(points)
    from solera.landscapes.pareto import nondominated

    return nondominated(points)


def within_noise(points: Floats, errors: Errors, front: Mask) -> Mask:
    """Points off the front that no front point beats in every score by more than two standard errors.

    Args:
        points: Shape (n, m), minimised.
        errors: Column and positions (a,), (b,) of points -> standard errors of their differences, shape (a, b).
        front: Shape (n,).
    """
    doubt = np.zeros(len(points), dtype=bool)
    best = np.nonzero(front)[0]
    if not best.size:
        return doubt
    rows = np.nonzero(~front & ~np.isnan(points).any(axis=1))[0]
    for few in (4, 16, best.size):  # a few points of the front beat nearly all; what is left is held against every one
        rows = rows[~_beaten(points, errors, rows, best[:: max(best.size // few, 1)])]
    doubt[rows] = True
    return doubt


def _beaten(points: Floats, errors: Errors, rows: NDArray[np.int64], best: NDArray[np.int64]) -> Mask:
    """Which of some rows one of the best beats in every score by more than two standard errors."""
    beaten = np.zeros(rows.size, dtype=bool)
    step = max(_PAIRS // max(best.size, 1), 1)
    for start in range(0, rows.size, step):
        some = rows[start : start + step]
        by = np.ones((some.size, best.size), dtype=bool)
        for column in range(points.shape[1]):
            gap = points[some, None, column] - points[None, best, column]
            by &= gap > 2 * errors(column, some, best)
        beaten[start : start + step] = by.any(axis=1)
    return beaten
