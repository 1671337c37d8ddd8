"""How near a set of points comes to a reference front.

Everything minimises, and fronts are compared as they are given: normalise objectives by a fixed ideal and nadir first
where their units differ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.errors import InputError

Floats = NDArray[np.float64]


def epsilon(points: ArrayLike, front: ArrayLike) -> float:
    """The additive epsilon indicator: how far the points must be moved for each of the front to be covered.

    Zitzler et al. 2003. Compatible with dominance.

    Args:
        points: Shape (n, m), n >= 1.
        front: The reference, shape (k, m), k >= 1.
    """
    a, r = _pair(points, front)
    return float((a[None] - r[:, None]).max(axis=2).min(axis=1).max())


def epsilon_ratio(points: ArrayLike, front: ArrayLike) -> float:
    """The multiplicative epsilon indicator: by what factor the points must shrink for each of the front to be covered.

    Raises:
        InputError: A value is not above 0.
    """
    a, r = _pair(points, front)
    if not ((a > 0).all() and (r > 0).all()):
        raise InputError("Ratios of objectives need values above 0; use the additive indicator.")
    return float((a[None] / r[:, None]).max(axis=2).min(axis=1).max())


def inverted_distance(points: ArrayLike, front: ArrayLike) -> float:
    """IGD: mean distance from each point of the front to the nearest of the points. Not compatible with dominance."""
    a, r = _pair(points, front)
    return float(np.linalg.norm(a[None] - r[:, None], axis=2).min(axis=1).mean())


def inverted_distance_plus(points: ArrayLike, front: ArrayLike) -> float:
    """IGD+: as IGD, but only what is worse than the front counts (Ishibuchi et al. 2015). Compatible with dominance."""
    a, r = _pair(points, front)
    return float(np.linalg.norm(np.maximum(a[None] - r[:, None], 0.0), axis=2).min(axis=1).mean())


def distance(points: ArrayLike, front: ArrayLike) -> float:
    """GD: mean distance from each of the points to the nearest of the front."""
    a, r = _pair(points, front)
    return float(np.linalg.norm(a[:, None] - r[None], axis=2).min(axis=1).mean())


def _pair(points: ArrayLike, front: ArrayLike) -> tuple[Floats, Floats]:
    a, r = np.asarray(points, dtype=np.float64), np.asarray(front, dtype=np.float64)
    if a.ndim != 2 or r.ndim != 2 or a.shape[1] != r.shape[1] or not len(a) or not len(r):
        raise InputError(
            f"Two sets of points with the same objectives are compared; got shapes {a.shape} and {r.shape}."
        )
    return a, r
