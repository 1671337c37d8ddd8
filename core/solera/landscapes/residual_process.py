"""A Gaussian process on what a trend leaves over: Matern-5/2 with a length of its own along each coordinate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

Floats = NDArray[np.float64]

#: Bounds of the lengths (points lie in [-1, 1]) and of the noise's share of the variance.
_LENGTHS = (0.1, 20.0)
_NOISE = (1e-6, 1.0)
#: Widths of the log-normal priors: of lengths around sqrt(d), of the amplitude around the residuals' own.
_WIDTH = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class ResidualProcess:
    """A fitted process.

    Attributes:
        points: Shape (n, d).
        lengths: Shape (d,).
        amplitude: Standard deviation of the process.
        noise: Variance of the values around it, as a share of the amplitude's square.
        solved: The inverse covariance times the residuals, shape (n,); of unit amplitude.
        inverse: The inverse covariance of unit amplitude, shape (n, n).
    """

    points: Floats
    lengths: Floats
    amplitude: float
    noise: float
    solved: Floats
    inverse: Floats

    def __call__(self, points: ArrayLike) -> Floats:
        """Predictions of the residual, shape (m,), at points of shape (m, d)."""
        return self.between(np.asarray(points, dtype=np.float64)) @ self.solved

    def deviation(self, points: ArrayLike) -> Floats:
        """Standard deviation of the prediction, without the noise, shape (m,)."""
        k = self.between(np.asarray(points, dtype=np.float64))
        return np.asarray(self.amplitude * np.sqrt(np.maximum(1 - ((k @ self.inverse) * k).sum(axis=1), 0.0)))

    def between(self, points: Floats) -> Floats:
        """Correlations of points with those it was fitted to, shape (m, n)."""
        return _matern(_distance(points / self.lengths, self.points / self.lengths))


def fit_process(points: ArrayLike, residuals: ArrayLike) -> ResidualProcess:
    """Lengths, amplitude and noise by the largest marginal likelihood with weak priors.

    Args:
        points: Shape (n, d), in [-1, 1].
        residuals: Shape (n,), finite.
    """
    x, y = np.asarray(points, dtype=np.float64), np.asarray(residuals, dtype=np.float64)
    d = x.shape[1]
    scale = float(np.sqrt((y**2).mean())) or 1.0
    y = y / scale
    squares = (x[:, None, :] - x[None, :, :]) ** 2
    centre = np.full(d, 0.5 * np.log(d) + 0.2)
    bounds = [tuple(np.log(_LENGTHS))] * d + [tuple(np.log(_NOISE))]
    starts = [np.append(centre, np.log(noise)) for noise in (1e-3, 1e-1)]
    fits = [
        minimize(
            _objective, start, args=(squares, y, centre), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 40},
        )
        for start in starts
    ]  # fmt: skip
    theta: Floats = np.asarray(min(fits, key=lambda fit: float(fit.fun)).x, dtype=np.float64)
    lengths, noise = np.asarray(np.exp(theta[:d]), dtype=np.float64), math.exp(theta[d])
    k = _matern(np.sqrt((squares / lengths**2).sum(axis=2)))
    inverse = _inverse(k + noise * np.eye(len(x)))[0]
    solved = inverse @ y
    amplitude = math.sqrt(max(float(y @ solved) / len(y), 1e-12))
    return ResidualProcess(x, lengths, scale * amplitude, noise, scale * solved, inverse)


def _objective(theta: Floats, squares: Floats, y: Floats, centre: Floats) -> tuple[float, Floats]:
    """Negative log marginal likelihood with the amplitude maximised out, less the priors; and its gradient."""
    n, d = len(y), squares.shape[2]
    lengths, noise = np.exp(theta[:d]), float(np.exp(theta[d]))
    scaled = squares / lengths**2
    r = np.sqrt(scaled.sum(axis=2))
    decay = np.exp(-np.sqrt(5.0) * r)
    k = (1 + np.sqrt(5.0) * r + 5.0 / 3.0 * r**2) * decay
    inverse, half = _inverse(k + noise * np.eye(n))
    solved = inverse @ y
    variance = max(float(y @ solved) / n, 1e-12)
    apart = (theta[:d] - centre) / _WIDTH
    value = 0.5 * n * np.log(variance) + half + 0.5 * float(apart @ apart)
    slope = inverse - np.outer(solved, solved) / variance
    weight = slope * (5.0 / 3.0) * (1 + np.sqrt(5.0) * r) * decay
    gradient = np.append(
        0.5 * np.einsum("ij,ijk->k", weight, scaled, optimize=False) + apart / _WIDTH, 0.5 * noise * np.trace(slope)
    )
    return float(value), gradient


def _inverse(matrix: Floats) -> tuple[Floats, float]:
    """The inverse of a positive definite matrix, and half the logarithm of its determinant."""
    factor, _ = cho_factor(matrix, lower=True, check_finite=False)
    half = float(np.log(np.diag(factor)).sum())
    inverse, _ = dpotri(factor, lower=1)
    lower_half = np.tril(inverse)
    return lower_half + np.tril(inverse, -1).T, half


def _distance(a: Floats, b: Floats) -> Floats:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def _matern(r: Floats) -> Floats:
    return np.asarray((1 + np.sqrt(5.0) * r + 5.0 / 3.0 * r**2) * np.exp(-np.sqrt(5.0) * r))
