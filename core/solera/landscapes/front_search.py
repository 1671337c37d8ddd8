"""The front of functions that cost nothing: many draws, then mutations of whatever is not dominated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from solera.landscapes.pareto import hypervolume, nondominated

Floats = NDArray[np.float64]

#: Draws to begin with, rounds of mutation, children in each, members kept.
_DRAWS, _ROUNDS, _CHILDREN, _KEPT = 1024, 14, 256, 128


def predicted_front(
    functions: Callable[[Floats], Floats], known: Floats, draws: Floats, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """The points of [-1, 1]^d that no others dominate under the functions.

    Args:
        functions: Points (n, d) to minimised objectives (n, m).
        known: Points to begin from beside the draws, shape (k, d).
        draws: Even draws, shape (n, d).
        generator: Draws the mutations.

    Returns:
        Points (f, d) and their objectives (f, m), ends first: row j is best in objective j.
    """
    points = np.vstack([known, draws])
    values = functions(points)
    points, values = thinned(points, values, _KEPT)
    for step in range(_ROUNDS):
        children = _mutated(points, values, 0.5 * 0.72**step, generator)
        points, values = np.vstack([points, children]), np.vstack([values, functions(children)])
        points, values = thinned(points, values, _KEPT)
    ends = list(dict.fromkeys(int(i) for i in values.argmin(axis=0)))
    order = [*ends, *(i for i in range(len(points)) if i not in ends)]
    return points[order], values[order]


def thinned(points: Floats, values: Floats, most: int) -> tuple[Floats, Floats]:
    """What is not dominated; of more than ``most`` the ends and those with most room around them."""
    front = np.flatnonzero(nondominated(values))
    _, first = np.unique(values[front], axis=0, return_index=True)
    front = front[np.sort(first)]
    if len(front) > most:
        room = crowding(values[front])
        front = front[np.sort(np.argsort(-room, kind="stable")[:most])]
    return points[front], values[front]


def crowding(values: Floats) -> Floats:
    """Deb's crowding distance of mutually non-dominated points, shape (n,); infinite at the ends."""
    n, m = values.shape
    room = np.zeros(n)
    for j in range(m):
        order = np.argsort(values[:, j], kind="stable")
        spread = float(values[order[-1], j] - values[order[0], j]) or 1.0
        room[order[[0, -1]]] = np.inf
        with np.errstate(invalid="ignore"):  # beside an infinite value there is no telling, and such points come last
            room[order[1:-1]] += (values[order[2:], j] - values[order[:-2], j]) / spread
    return room


def _mutated(points: Floats, values: Floats, width: float, generator: np.random.Generator) -> Floats:
    """Children: members moved along some coordinates, or part of the way to a neighbour; the ends have more of them."""
    n, d = points.shape
    ends = values.argmin(axis=0)
    parents = np.concatenate([np.repeat(ends, 16), generator.integers(n, size=_CHILDREN - 16 * len(ends))])
    moved = generator.random((_CHILDREN, d)) < max(1.0 / d, 0.35)
    moved[np.arange(_CHILDREN), generator.integers(d, size=_CHILDREN)] = True
    children = points[parents] + width * moved * generator.standard_normal((_CHILDREN, d))
    blended = generator.random(_CHILDREN) < 0.3
    other = points[generator.integers(n, size=_CHILDREN)]
    share = generator.random((_CHILDREN, 1)) * 1.5 - 0.25
    children = np.where(blended[:, None], points[parents] + share * (other - points[parents]), children)
    return np.asarray(np.clip(children, -1.0, 1.0))


def greedy_gain(values: Floats, known: Floats, reference: Floats, n: int, taken: Floats) -> list[int]:
    """The points that add most to the hypervolume, one after another.

    Args:
        values: Candidates, shape (k, m), minimised.
        known: What is covered already, shape (j, m).
        reference: Shape (m,).
        n: How many.
        taken: More points that will be there, shape (i, m).

    Returns:
        Places among the candidates, at most ``n``; fewer where nothing more is gained.
    """
    front = np.vstack([known, taken])
    front = front[nondominated(front)] if len(front) else front
    chosen: list[int] = []
    for _ in range(min(n, len(values))):
        gains = gain(values, front, reference)
        gains[chosen] = 0.0
        best = int(np.argmax(gains))
        if not gains[best] > 0:
            break
        chosen.append(best)
        front = np.vstack([front, values[best]])
        front = front[nondominated(front)]
    return chosen


def gain(values: Floats, front: Floats, reference: Floats) -> Floats:
    """How much each of some points would add to the hypervolume of a front, shape (k,)."""
    inside = front[(front < reference).all(axis=1)] if len(front) else front
    if values.shape[1] == 2:
        return _gain_in_the_plane(values, inside, reference)
    found = np.zeros(len(values))
    for i, point in enumerate(values):
        if (point < reference).all():
            alone = float(np.prod(reference - point))
            found[i] = alone - (hypervolume(np.maximum(inside, point), reference) if len(inside) else 0.0)
    return found


def _gain_in_the_plane(values: Floats, front: Floats, reference: Floats) -> Floats:
    """The area of each point's rectangle less what the staircase of the front covers of it."""
    steps = front[np.lexsort((front[:, 1], front[:, 0]))]
    left = np.concatenate([[-np.inf], steps[:, 0]])
    right = np.append(steps[:, 0], reference[0])
    top = np.concatenate([[reference[1]], steps[:, 1]])
    width = np.clip(right[None, :] - np.maximum(left[None, :], values[:, :1]), 0.0, None)
    height = np.clip(top[None, :] - values[:, 1:], 0.0, None)
    outside = (values >= reference).any(axis=1)
    return np.where(outside, 0.0, (width * height).sum(axis=1))
