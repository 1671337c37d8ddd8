"""MAP as published (Li et al. 2024, arXiv 2406.07529): where it samples, how it draws more, how a point is picked.

The source's habits are kept where they decide numbers, and said where they are left: bins nobody has visited are never
drawn; the evaluated points are scored in their bins however often the surrogate was fitted again (the source scores the
first ones only).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.errors import InputError
from solera.landscapes.quadratic import LinkedQuadratic

Floats = NDArray[np.float64]
Bin = tuple[int, ...]

#: Standard deviation of the jitter of equal coefficients.
_JITTER = 0.1
#: Resamples of a bin's error, and the part that each drops.
_RESAMPLES, _DROPPED = 30, 0.2
#: How far from 0 a drawn point may lie.
_FARTHEST = 1.5


def budget(tasks: int) -> int:
    """Points that MAP plans for: twice the coefficients of the quadratic."""
    return (tasks + 1) * (tasks + 2)


def sample(tasks: int, n: int, generator: np.random.Generator, isotropic: float = 0.2) -> Floats:
    """Coefficients to evaluate first: the models alone, some equal ones and some nearly equal, the rest off a grid.

    Args:
        tasks: How many coefficients.
        n: How many points; at least ``tasks``.
        generator: Draws them.
        isotropic: The share of equal and nearly equal ones among what is not a model alone.

    Returns:
        Shape (n, tasks), in [0, 1]; fewer where the grid has no more.

    Raises:
        InputError: There are fewer points than models.
    """
    if n < tasks:
        raise InputError(f"The {tasks} models alone take {tasks} points; {n} were given.", needed=tasks)
    alone = np.eye(tasks)
    extra = round(isotropic * (n - tasks))
    level = generator.random((extra, 1))
    equal = np.repeat(level, tasks, axis=1)
    jittered = slice(extra // 2, None)
    equal[jittered] = np.clip(equal[jittered] + _JITTER * generator.standard_normal((extra - extra // 2, tasks)), 0, 1)
    per_axis = math.ceil((n / 0.5) ** (1 / tasks) - 1e-9)
    grid = np.array(list(itertools.product(np.linspace(0, 1, max(per_axis, 2)), repeat=tasks)))
    grid = grid[on_grid(grid)]
    rest = grid[generator.permutation(len(grid))[: n - tasks - extra]]
    return np.vstack([equal, alone, rest])


def on_grid(points: Floats) -> NDArray[np.bool_]:
    """Which points of a grid are sampled: those that are no model alone, do not total 1 and are not all equal."""
    alone = ((points == 1).sum(axis=1) == 1) & ((points == 0).sum(axis=1) == points.shape[1] - 1)
    return np.asarray(~alone & ~np.isclose(points.sum(axis=1), 1) & (np.ptp(points, axis=1) > 0))


def hyperspherical(points: ArrayLike) -> tuple[Floats, Floats]:
    """Radius and angles of points in the positive orthant.

    Args:
        points: Shape (n, d), d >= 2.

    Returns:
        Radii (n,) and angles (n, d - 1) in [0, pi / 2]; angle k is between axis k and what comes after it.
    """
    x = np.asarray(points, dtype=np.float64)
    rest = np.sqrt(np.cumsum(x[:, ::-1] ** 2, axis=1)[:, ::-1])
    return rest[:, 0], np.arctan2(rest[:, 1:], x[:, :-1])


def cartesian(radii: ArrayLike, angles: ArrayLike) -> Floats:
    """The inverse of :func:`hyperspherical`, shape (n, d)."""
    phi = np.asarray(angles, dtype=np.float64)
    sines = np.hstack([np.ones((len(phi), 1)), np.cumprod(np.sin(phi), axis=1)])
    cosines = np.hstack([np.cos(phi), np.ones((len(phi), 1))])
    return np.asarray(np.asarray(radii)[:, None] * sines * cosines, dtype=np.float64)


def bins_of(angles: Floats, tasks: int) -> list[Bin]:
    """The bin of each direction: 4 to an angle, 2 from four models on."""
    count = 4 if tasks < 4 else 2
    places = np.clip((angles / (math.pi / 2) * count).astype(int), 0, count - 1)
    return [tuple(map(int, row)) for row in places]


def bin_scores(
    bins: Sequence[Bin], errors: Floats, generator: np.random.Generator, weight: float = 0.5
) -> dict[Bin, float]:
    """How badly the surrogate does in each visited bin: mean squared error, and how uncertain that mean is.

    Args:
        bins: Of each point.
        errors: The surrogate's error at each point, shape (n,).
        generator: Draws the resamples; each drops a fifth of what the one before left.
        weight: Of the standard deviation over resamples.
    """
    found = {}
    for place in dict.fromkeys(bins):
        squares = np.array([e**2 for at, e in zip(bins, errors, strict=True) if at == place])
        means, kept = [], np.ones(len(squares), dtype=bool)
        for _ in range(_RESAMPLES):
            left = kept & (generator.random(len(squares)) >= _DROPPED)
            kept = left if left.any() else kept
            means.append(float(squares[kept].mean()))
        found[place] = float(squares.mean()) + weight * float(np.std(means))
    return found


def probabilities(scores: ArrayLike, temperature: float = 0.07) -> Floats:
    """Softmax of scores; a score of minus infinity is never drawn.

    Raises:
        InputError: No score is finite.
    """
    x = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(x).any():
        raise InputError("No bin has been visited, so none can be drawn.")
    with np.errstate(under="ignore"):
        raised = np.exp((x - x.max()) / temperature)
    return np.asarray(raised / raised.sum())


def draw(scores: Mapping[Bin, float], tasks: int, n: int, generator: np.random.Generator) -> Floats:
    """Points in bins drawn by their scores: even angles within, radii from 0.2 to 0.8, clipped to what is allowed.

    Returns:
        Shape (n, tasks), in [0, 1.5].
    """
    places, count = list(scores), 4 if tasks < 4 else 2
    chosen = generator.choice(len(places), size=n, p=probabilities([scores[place] for place in places]))
    corner = np.array([places[i] for i in chosen], dtype=np.float64).reshape(n, tasks - 1)
    angles = (corner + generator.random((n, tasks - 1))) / count * (math.pi / 2)
    return np.clip(cartesian(generator.uniform(0.2, 0.8, n), angles), 0.0, _FARTHEST)


def preferred(values: ArrayLike, preference: ArrayLike, *, higher: bool = True) -> int:
    """The point that a preference picks: the largest (smallest) product with the normalised preference.

    Args:
        values: Shape (n, m).
        preference: Shape (m,); only its direction counts.
        higher: Whether higher values are better.
    """
    weights = np.asarray(preference, dtype=np.float64)
    products = np.asarray(values, dtype=np.float64) @ (weights / np.linalg.norm(weights))
    return int(np.argmax(products) if higher else np.argmin(products))


def nearest_pair(scores: Sequence[float]) -> tuple[int, int]:
    """The two models whose scores are closest, the first such pair."""
    pairs = itertools.combinations(range(len(scores)), 2)
    return min(pairs, key=lambda pair: abs(scores[pair[0]] - scores[pair[1]]))


def front_of(models: Sequence[LinkedQuadratic], points: Floats) -> Floats:
    """Predictions of several surrogates, shape (n, m)."""
    return np.stack([model(points) for model in models], axis=1)
