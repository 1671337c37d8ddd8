"""Who is on the front of two scores, and who might be: fast enough to be asked at every redraw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_BLOCK = 512


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


def within_noise(points: Floats, stderrs: Floats, front: Mask) -> Mask:
    """Points off the front that no front point beats in both scores by more than two standard errors.

    The error of a difference takes the two scores as independent; scores of one task on the same samples agree more
    than that, so paired errors would leave fewer points in doubt.

    Args:
        points: Shape (n, 2), minimised.
        stderrs: Shape (n, 2); NaN (unknown) counts as 0.
        front: Shape (n,).
    """
    error = np.nan_to_num(stderrs, nan=0.0)
    best, best_error = points[front], error[front]
    doubt = np.zeros(len(points), dtype=bool)
    if not len(best):
        return doubt
    for start in range(0, len(points), _BLOCK):
        rows = slice(start, start + _BLOCK)
        gap = points[rows, None, :] - best[None, :, :]
        noise = 2 * np.hypot(error[rows, None, :], best_error[None, :, :])
        beaten = np.all(gap > noise, axis=2)
        doubt[rows] = ~np.any(beaten, axis=1)
    return doubt & ~front & ~np.isnan(points).any(axis=1)
