"""Pareto sets: which points no other beats, how much they cover, and which of them noise could take away.

Everything here minimises; turn scores round first (:meth:`solera.landscapes.explorer.Space.minimised`). A point with a
NaN is on no front and covers nothing.
"""

from __future__ import annotations

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

    Args:
        points: Shape (n, m), minimised. n may be 0.

    Returns:
        Shape (n,). False where a value is NaN.
    """
    values = _table(points)
    mask = np.zeros(len(values), dtype=np.bool_)
    front = np.empty((0, values.shape[1]))
    for i in np.lexsort(values.T[::-1]):  # whatever dominates a point sorts before it
        if np.isnan(values[i]).any():
            continue
        beaten = np.all(front <= values[i], axis=1) & np.any(front < values[i], axis=1)
        if not beaten.any():
            mask[i] = True
            front = np.vstack([front, values[i]])
    return mask


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
    standard errors of the paired difference; without per-sample values nothing is beyond it.

    Args:
        scores: One row per point, one score per objective, the same columns in each row.
    """
    n = len(scores)
    better = np.zeros((n, n, len(scores[0]) if n else 0), dtype=bool)  # [i, j, k]: i beats j in k beyond noise
    for i in range(n):
        for j in range(i):
            for k, (a, b) in enumerate(zip(scores[i], scores[j], strict=True)):
                gap = difference(a, b)
                if not gap.within_noise:
                    a_wins = (gap.value < 0) == (metric(a.column.metric).better == "lower")
                    better[i, j, k], better[j, i, k] = a_wins, not a_wins
    return tuple(_place(i, better) for i in range(n))


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


def _distinct(points: Floats) -> Floats:
    unique: Floats = np.unique(points, axis=0)
    return unique[nondominated(unique)]
