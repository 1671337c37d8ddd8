"""Pareto sets: which points no other beats, how much they cover, and which of them noise could take away.

Everything here minimises; turn scores round first (:meth:`solera.landscapes.explorer.Space.minimised`). A point with a
NaN is on no front and covers nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.errors import InputError
from solera.tasks.scores import Score, difference, metric

Floats = NDArray[np.float64]
Membership = Literal["front", "possible", "dominated"]


def nondominated(points: ArrayLike) -> NDArray[np.bool_]:
    """Which points no other dominates; of equal points all or none.

    Time n log n for up to three objectives (Kung, Luccio & Preparata 1975), n times the front's size beyond.

    Args:
        points: Shape (n, m), minimised. n may be 0.

    Returns:
        Shape (n,). False where a value is NaN.
    """
    values = _table(points)
    rows = np.flatnonzero(~np.isnan(values).any(axis=1))
    mask = np.zeros(len(values), dtype=np.bool_)
    if len(rows):
        unique, place = np.unique(values[rows], axis=0, return_inverse=True)
        mask[rows] = _unbeaten(unique)[place.reshape(-1)]
    return mask


def ranks(points: ArrayLike) -> NDArray[np.int64]:
    """How many fronts lie before each point's own: 0 on the front, 1 on the front of the rest, and so on.

    Time n log n for two objectives (the longest chain of points, each dominating the next, by patience sorting); beyond
    fronts are taken off one after another.

    Args:
        points: Shape (n, m), minimised. n may be 0.

    Returns:
        int64, shape (n,); -1 where a value is NaN. Equal points have equal ranks.
    """
    values = _table(points)
    rows = np.flatnonzero(~np.isnan(values).any(axis=1))
    found = np.full(len(values), -1, dtype=np.int64)
    if not len(rows):
        return found
    unique, place = np.unique(values[rows], axis=0, return_inverse=True)
    if values.shape[1] == 2:
        levels = _chains(unique[:, 1].tolist())
    else:
        levels, left, level = np.empty(len(unique), dtype=np.int64), np.arange(len(unique)), 0
        while len(left):
            front = _unbeaten(unique[left])
            levels[left[front]] = level
            left, level = left[~front], level + 1
    found[rows] = levels[place.reshape(-1)]
    return found


def _chains(heights: Sequence[float]) -> NDArray[np.int64]:
    """For points in order of the first objective: how many of a longest chain lie before each."""
    lowest: list[float] = []  # of the points that end a chain of so many; ascending
    levels = np.empty(len(heights), dtype=np.int64)
    for i, height in enumerate(heights):
        level = bisect_right(lowest, height)
        levels[i] = level
        if level == len(lowest):
            lowest.append(height)
        else:
            lowest[level] = height
    return levels


def _unbeaten(values: Floats) -> NDArray[np.bool_]:
    """Which of different points, in lexical order, no other dominates."""
    n, m = values.shape
    if m == 1:
        return np.asarray(np.arange(n) == 0)
    if m == 2:
        lowest = np.minimum.accumulate(values[:, 1])
        return np.concatenate([[True], values[1:, 1] < lowest[:-1]])
    if m == 3:
        return _unbeaten_in_space(values)
    mask = np.ones(n, dtype=np.bool_)
    for i in range(n):  # whatever dominates a point comes before it
        if mask[i]:
            mask[i + 1 :] &= ~(values[i + 1 :] >= values[i]).all(axis=1)
    return mask


def _unbeaten_in_space(values: Floats) -> NDArray[np.bool_]:
    """A sweep along the first objective over the staircase of the other two."""
    mask = np.zeros(len(values), dtype=np.bool_)
    across, down = [-np.inf], [np.inf]
    for i, (x, y) in enumerate(values[:, 1:].tolist()):
        k = bisect_right(across, x)
        if down[k - 1] <= y:
            continue
        mask[i] = True
        _step(across, down, k, x, y)
    return mask


def _step(across: list[float], down: list[float], k: int, x: float, y: float) -> None:
    """Put a point into a staircase (``across`` ascending, ``down`` descending) at ``k``; what it covers goes."""
    first = k - 1 if across[k - 1] == x else k
    stop = first
    while stop < len(down) and down[stop] >= y:
        stop += 1
    across[first:stop], down[first:stop] = [x], [y]


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """The volume that points dominate, up to a reference; exact in any dimension.

    Args:
        points: Shape (n, m), minimised. Only points strictly better than the reference in every objective count;
            equal points count once.
        reference: Shape (m,). Fix it before the search: volumes with different references cannot be compared.
    """
    values, corner = _table(points), np.asarray(reference, dtype=np.float64)
    if values.shape[1] != corner.size:
        raise InputError(f"The reference has {corner.size} objectives, the points {values.shape[1]}.")
    inside = values[np.all(values < corner, axis=1)]
    return _volume(inside[nondominated(inside)], corner)


def contributions(points: ArrayLike, reference: ArrayLike) -> Floats:
    """How much the hypervolume would lose without each point; 0 for dominated and repeated points.

    Args:
        points: Shape (n, m), minimised.
        reference: Shape (m,).

    Returns:
        Shape (n,), non-negative.
    """
    values = _table(points)
    lost = np.zeros(len(values))
    total = hypervolume(values, reference)
    for i in np.flatnonzero(nondominated(values)):
        lost[i] = max(total - hypervolume(np.delete(values, i, axis=0), reference), 0.0)
    return lost


def membership(scores: Sequence[Sequence[Score]]) -> tuple[Membership, ...]:
    """How sure a place on the front is, by paired differences on the same samples.

    ``"dominated"``: some point is better in every objective beyond noise. ``"front"``: against each other point it is
    better in some objective beyond noise, so none can dominate it. ``"possible"``: neither can be said. Noise is two
    standard errors of the paired difference; without per-sample values nothing is beyond it. A point with a NaN is
    dominated, and no other is held against it; what is infinite is so beyond noise.

    Args:
        scores: One row per point, one score per objective, the same columns in each row.
    """
    there = [row for row in scores if not any(math.isnan(score.value) for score in row)]
    n = len(there)
    better = np.zeros((n, n, len(there[0]) if n else 0), dtype=bool)  # [i, j, k]: i beats j in k beyond noise
    for i in range(n):
        for j in range(i):
            for k, (a, b) in enumerate(zip(there[i], there[j], strict=True)):
                gap = difference(a, b)
                if not gap.within_noise or math.isinf(gap.value):
                    a_wins = (gap.value < 0) == (metric(a.column.metric).better == "lower")
                    better[i, j, k], better[j, i, k] = a_wins, not a_wins
    places = iter(range(n))
    return tuple(
        "dominated" if any(math.isnan(score.value) for score in row) else _place(next(places), better) for row in scores
    )


def _place(i: int, better: NDArray[np.bool_]) -> Membership:
    others = np.arange(len(better)) != i
    if better[others, i].all(axis=1).any():
        return "dominated"
    return "front" if better[i, others].any(axis=1).all() else "possible"


def _table(points: ArrayLike) -> Floats:
    values: NDArray[Any] = np.asarray(points, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(f"Points are a table of shape (points, objectives); got shape {values.shape}.")
    return values


def _volume(front: Floats, reference: Floats) -> float:
    """Hypervolume of mutually non-dominated points, all better than the reference.

    By slices along the last objective: taken in its order, each point adds ``reference - value`` there times what it
    alone covers, among the points so far, in the other objectives.
    """
    if len(front) == 0:
        return 0.0
    if front.shape[1] == 1:
        return float(reference[0] - front[:, 0].min())
    if front.shape[1] == 3:
        return _volume_in_space(front - reference)
    if front.shape[1] == 2:
        steps = front[np.lexsort((front[:, 1], front[:, 0]))]
        heights = np.append(reference[1], steps[:-1, 1]) - steps[:, 1]
        return float(((reference[0] - steps[:, 0]) * np.maximum(heights, 0.0)).sum())
    ordered = front[np.argsort(front[:, -1], kind="stable")]
    flat, corner = ordered[:, :-1], reference[:-1]
    total = 0.0
    for i, point in enumerate(flat):
        covered = np.maximum(flat[:i], point)
        alone = float(np.prod(corner - point)) - _volume(_distinct(covered), corner)
        total += float(reference[-1] - ordered[i, -1]) * max(alone, 0.0)
    return total


def _volume_in_space(front: Floats) -> float:
    """Volume below 0 of points with three negative objectives: areas of a growing staircase, slice by slice."""
    ordered = front[np.lexsort(front.T)].tolist()
    across, down = [-np.inf, 0.0], [0.0, -np.inf]
    total, area = 0.0, 0.0
    for i, (x, y, z) in enumerate(ordered):
        k = bisect_right(across, x)
        if down[k - 1] > y:
            first = k - 1 if across[k - 1] == x else k
            stop, left, height, more = first, x, down[k - 1], 0.0
            while down[stop] >= y:
                more += (across[stop] - left) * (height - y)
                left, height = across[stop], down[stop]
                stop += 1
            more += (across[stop] - left) * (height - y)
            across[first:stop], down[first:stop] = [x], [y]
            area += more
        total += area * ((ordered[i + 1][2] if i + 1 < len(ordered) else 0.0) - z)
    return total


def _distinct(points: Floats) -> Floats:
    unique: Floats = np.unique(points, axis=0)
    return unique[nondominated(unique)]
