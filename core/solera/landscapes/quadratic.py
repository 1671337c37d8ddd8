"""Quadratic surrogates of scores over coordinates: as published by MAP, and by ridge with a leave-one-out error.

MAP (Li et al. 2024, arXiv 2406.07529) fits each metric by ``link(c'Qc + b'c + e)`` to a few merged models, since a
metric is nearly quadratic around a merge. Terms are ordered squares, cross products, linear, constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.errors import InputError

Floats = NDArray[np.float64]
Link = Literal["identity", "sigmoid", "softplus"]
Trend = Literal["quadratic", "squares"]

#: Strengths of the ridge that leave-one-out chooses among, relative to the design's mean square.
RIDGES: Floats = np.asarray(10.0 ** np.arange(-9, 2.1, 0.5))


def coefficients(coords: int, trend: Trend = "quadratic") -> int:
    """Coefficients of a surrogate: (d+1)(d+2)/2, or 2d+1 without cross products."""
    return 2 * coords + 1 if trend == "squares" else (coords + 1) * (coords + 2) // 2


def design(points: ArrayLike, trend: Trend = "quadratic") -> Floats:
    """The terms of points: squares, cross products i < j row by row, linear terms, constant.

    Args:
        points: Shape (n, d).
        trend: ``"squares"`` leaves the cross products out.

    Returns:
        Shape (n, coefficients(d, trend)).
    """
    x = np.asarray(points, dtype=np.float64)
    rows, columns = np.triu_indices(x.shape[1], 1)
    cross = x[:, rows] * x[:, columns] if trend == "quadratic" else x[:, :0]
    return np.hstack([x**2, cross, x, np.ones((len(x), 1))])


def linked(values: Floats, link: Link) -> Floats:
    """A link function, element by element."""
    if link == "sigmoid":
        return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), dtype=np.float64)
    return np.logaddexp(0.0, values) if link == "softplus" else values


@dataclass(frozen=True, slots=True, eq=False)
class LinkedQuadratic:
    """``link(design(c) @ parameters)``.

    Attributes:
        parameters: Shape (p,).
        link: Applied to the quadratic.
        error: Sum of squared errors over the points it was fitted to.
    """

    parameters: Floats
    link: Link
    error: float

    def __call__(self, points: ArrayLike) -> Floats:
        """Predictions, shape (n,), at points of shape (n, d)."""
        return linked(design(points) @ self.parameters, self.link)


def fit_linked(points: ArrayLike, values: ArrayLike, link: Link = "identity") -> LinkedQuadratic:
    """Least squares as MAP does it; no definiteness is asked of Q.

    Args:
        points: Shape (n, d).
        values: Shape (n,).
        link: ``"sigmoid"`` for shares, ``"softplus"`` for losses.

    Raises:
        InputError: There are fewer points than coefficients.
    """
    x, y = design(points), np.asarray(values, dtype=np.float64)
    n, p = x.shape
    if n < p:
        raise InputError(
            f"A quadratic of {np.shape(points)[1]} coordinates has {p} coefficients; {n} points cannot fit it. "
            f"Score {p} points or more.",
            needed=p,
            points=n,
        )
    start: Floats = np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], dtype=np.float64)
    if link == "identity":
        return LinkedQuadratic(start, link, float(((x @ start - y) ** 2).sum()))
    from scipy.optimize import least_squares

    def residuals(b: Floats) -> Floats:
        return linked(x @ b, link) - y

    def slopes(b: Floats) -> Floats:
        z = x @ b
        s = linked(z, "sigmoid")
        return np.asarray((s * (1 - s) if link == "sigmoid" else s)[:, None] * x)

    starts = [np.ones(p), np.linalg.lstsq(x, _unlinked(y, link), rcond=None)[0]]  # the source's, and a robust one
    fits = [least_squares(residuals, each, jac=slopes, method="lm", max_nfev=200 * (p + 1)) for each in starts]
    best = min(fits, key=lambda fit: float(fit.cost))
    return LinkedQuadratic(np.asarray(best.x), link, 2 * float(best.cost))


def _unlinked(values: Floats, link: Link) -> Floats:
    if link == "sigmoid":
        inside = np.clip(values, 1e-3, 1 - 1e-3)
        return np.asarray(np.log(inside / (1 - inside)))
    above = np.maximum(values, 1e-6)
    return np.asarray(above + np.log(-np.expm1(-above)))


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """A polynomial fitted by ridge; the constant is not shrunk.

    Attributes:
        weights: Shape (p - 1,), of the centred terms.
        centre: Mean of the terms, shape (p - 1,).
        constant: Mean of the values.
        trend: Which terms.
        hat: What the values were multiplied by to get the fit, shape (n, n).
        left_out: For each point the error of a fit without it, shape (n,).
    """

    weights: Floats
    centre: Floats
    constant: float
    trend: Trend
    hat: Floats
    left_out: Floats

    def __call__(self, points: ArrayLike) -> Floats:
        """Predictions, shape (n,), at points of shape (n, d) in [-1, 1]."""
        return self.constant + (design(points, self.trend)[:, :-1] - self.centre) @ self.weights


def fit_ridge(points: ArrayLike, values: ArrayLike, trend: Trend = "quadratic") -> Ridge:
    """Ridge regression, its strength chosen by the leave-one-out error in closed form.

    Args:
        points: Shape (n, d), in [-1, 1].
        values: Shape (n,), finite.
        trend: Which terms.
    """
    x, y = design(points, trend)[:, :-1], np.asarray(values, dtype=np.float64)
    centre, constant = x.mean(axis=0), float(y.mean())
    u, s, vt = np.linalg.svd(x - centre, full_matrices=False)
    along = u.T @ (y - constant)
    scale = float((s**2).mean()) or 1.0

    def left_out(ridge: float) -> Floats:
        shrink = s**2 / (s**2 + ridge * scale)
        residual = y - constant - u @ (shrink * along)
        levers = 1.0 / len(y) + (u**2) @ shrink
        return np.asarray(residual / np.maximum(1 - levers, 1e-9), dtype=np.float64)

    errors = [float((left_out(ridge) ** 2).mean()) for ridge in RIDGES]
    ridge = float(RIDGES[int(np.argmin(errors))])
    shrink = s**2 / (s**2 + ridge * scale)
    weights = vt.T @ (s / (s**2 + ridge * scale) * along)
    hat = 1.0 / len(y) + (u * shrink) @ u.T
    return Ridge(weights, centre, constant, trend, hat, left_out(ridge))
