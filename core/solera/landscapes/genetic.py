"""NSGA-III (Deb & Jain 2014) on functions that cost nothing, with the settings that MAP uses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from solera.landscapes.pareto import nondominated, ranks

Floats = NDArray[np.float64]

#: Simulated binary crossover and polynomial mutation.
_ETA, _CROSSED, _MUTATED = 20.0, 0.7, 0.3


def reference_points(objectives: int, divisions: Sequence[int], scales: Sequence[float]) -> Floats:
    """Directions of NSGA-III: layers of the simplex, each drawn together towards its middle; in lexical order.

    Args:
        objectives: How many.
        divisions: Of each layer.
        scales: Of each layer; 1 leaves it at the simplex.

    Returns:
        Shape (k, objectives), rows that total 1, each once.
    """
    layers = []
    for parts, scale in zip(divisions, scales, strict=True):
        marks = itertools.combinations(range(parts + objectives - 1), objectives - 1)
        cuts = np.array([(-1, *mark, parts + objectives - 1) for mark in marks], dtype=np.float64)
        layers.append((np.diff(cuts, axis=1) - 1) / parts * scale + (1 - scale) / objectives)
    return np.asarray(np.unique(np.vstack(layers), axis=0), dtype=np.float64)


def nsga3(
    functions: Callable[[Floats], Floats],
    low: Floats,
    high: Floats,
    generator: np.random.Generator,
    *,
    population: int = 100,
    generations: int = 25,
    divisions: Sequence[int] = (2, 1),
    scales: Sequence[float] = (1.0, 0.5),
) -> tuple[Floats, Floats]:
    """Every point met that no other dominates.

    Args:
        functions: Points (n, d) to minimised objectives (n, m).
        low: Shape (d,).
        high: Shape (d,).
        generator: Draws everything.
        population: Members.
        generations: How many.
        divisions: See :func:`reference_points`.
        scales: See :func:`reference_points`.

    Returns:
        Points (k, d) and their objectives (k, m).
    """
    points = low + (high - low) * generator.random((population, len(low)))
    values = functions(points)
    directions = reference_points(values.shape[1], divisions, scales)
    met, best = points, values
    for _ in range(generations):
        children = _varied(points, low, high, generator)
        met, best = _fame(np.vstack([met, children]), np.vstack([best, functions(children)]))
        points, values = np.vstack([points, children]), np.vstack([values, functions(children)])
        kept = survivors(values, population, directions, generator)
        points, values = points[kept], values[kept]
    return _fame(met, best)


def _fame(points: Floats, values: Floats) -> tuple[Floats, Floats]:
    front = nondominated(values)
    return points[front], values[front]


def survivors(values: Floats, n: int, directions: Floats, generator: np.random.Generator) -> NDArray[np.int64]:
    """Who of a population goes on: whole fronts, then those that fill the emptiest niches of the last one.

    Args:
        values: Shape (k, m), minimised and finite.
        n: How many go on; at most k.
        directions: Shape (r, m).
        generator: Breaks ties.
    """
    levels = ranks(values)
    order = np.argsort(levels, kind="stable")
    last = int(levels[order[n - 1]])
    sure, doubtful = np.flatnonzero(levels < last), np.flatnonzero(levels == last)
    missing = n - len(sure)
    if missing == len(doubtful):
        return np.sort(np.concatenate([sure, doubtful]))
    pool = np.concatenate([sure, doubtful])
    niche, distance = _niches(values[pool], directions)
    counts = np.bincount(niche[: len(sure)], minlength=len(directions))
    left = list(range(len(sure), len(pool)))
    chosen: list[int] = []
    while len(chosen) < missing:
        open_ = np.unique(niche[left])
        emptiest = open_[counts[open_] == counts[open_].min()]
        place = int(generator.choice(emptiest))
        members = [i for i in left if niche[i] == place]
        pick = min(members, key=lambda i: distance[i]) if counts[place] == 0 else int(generator.choice(members))
        chosen.append(pick)
        left.remove(pick)
        counts[place] += 1
    return np.sort(np.concatenate([sure, pool[chosen]]))


def _niches(values: Floats, directions: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The nearest direction of each point, after the axes are scaled by the intercepts of the extremes."""
    ideal = values.min(axis=0)
    moved = values - ideal
    m = values.shape[1]
    weights = np.full((m, m), 1e6) - (1e6 - 1) * np.eye(m)
    extremes = moved[[int(np.argmin((moved * weight).max(axis=1))) for weight in weights]]
    worst = moved.max(axis=0)
    try:
        intercepts = 1 / np.linalg.solve(extremes, np.ones(m))
    except np.linalg.LinAlgError:
        intercepts = worst
    bad = ~np.isfinite(intercepts) | (intercepts <= 1e-12)
    scaled = moved / np.maximum(np.where(bad.any(), worst, intercepts), 1e-12)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    along = scaled @ unit.T
    apart = np.sqrt(np.maximum((scaled**2).sum(axis=1)[:, None] - along**2, 0.0))
    niche = apart.argmin(axis=1)
    return niche, apart[np.arange(len(scaled)), niche]


def _varied(points: Floats, low: Floats, high: Floats, generator: np.random.Generator) -> Floats:
    """Children by simulated binary crossover of shuffled pairs, then polynomial mutation; kept within the bounds."""
    n, d = points.shape
    children = points[generator.permutation(n)].copy()
    for i in range(0, n - 1, 2):
        if generator.random() < _CROSSED:
            children[i], children[i + 1] = _crossed(children[i], children[i + 1], generator)
    draws = generator.random((n, d))
    moved = (generator.random((n, 1)) < _MUTATED) & (generator.random((n, d)) < 1.0 / d)
    down = (2 * draws) ** (1 / (_ETA + 1)) - 1
    up = 1 - (2 * (1 - draws)) ** (1 / (_ETA + 1))
    children += np.where(moved, np.where(draws < 0.5, down, up) * (high - low), 0.0)
    return np.asarray(np.clip(children, low, high), dtype=np.float64)


def _crossed(a: Floats, b: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
    u = generator.random(len(a))
    beta = np.where(u <= 0.5, (2 * u) ** (1 / (_ETA + 1)), (1 / (2 * (1 - u))) ** (1 / (_ETA + 1)))
    swap = generator.random(len(a)) < 0.5
    first, second = 0.5 * ((1 + beta) * a + (1 - beta) * b), 0.5 * ((1 - beta) * a + (1 + beta) * b)
    return np.where(swap, first, second), np.where(swap, second, first)
