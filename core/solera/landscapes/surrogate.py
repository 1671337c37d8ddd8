"""What a search believes of an objective: a ridge quadratic of its logarithm or log-odds, a process on what is left.

A loss is positive and moves by factors between models, so its logarithm is often nearer to a quadratic than itself; an
error rate lies between 0 and 1, so its log-odds is. Which it is, is told by the points: the scale is chosen on which
they are likelier when left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.landscapes.quadratic import Ridge, Trend, coefficients, fit_ridge
from solera.landscapes.residual_process import ResidualProcess, fit_process
from solera.tasks.scores import Column, metric

__all__ = ["Scale", "Surrogate", "Transform", "Trend", "coefficients", "fit_surrogate", "left_out", "transforms_of"]

Floats = NDArray[np.float64]
Scale = Literal["identity", "log", "logit"]

#: What stands for a loss of nothing.
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Transform:
    """How a minimised objective is seen by a surrogate.

    Attributes:
        scale: ``"log"`` of what lies above ``floor``; ``"logit"`` of a share; ``"identity"``.
        floor: What the objective cannot go below (log), or its value where the share is 0 (logit).
        least: Shares nearer to 0 or 1 than this are taken to be there.
    """

    scale: Scale
    floor: float = 0.0
    least: float = 1e-3

    def there(self, values: ArrayLike) -> Floats:
        """Minimised objective to surrogate's scale."""
        y = np.asarray(values, dtype=np.float64) - self.floor
        if self.scale == "log":
            return np.asarray(np.log(np.maximum(y, _LEAST)))
        if self.scale == "logit":
            share = np.clip(y, self.least, 1 - self.least)
            return np.asarray(np.log(share / (1 - share)))
        return y

    def back(self, values: Floats) -> Floats:
        """The inverse of :meth:`there`."""
        if self.scale == "log":
            return np.asarray(np.exp(np.minimum(values, 700.0)) + self.floor)
        if self.scale == "logit":
            return np.asarray(0.5 * (1 + np.tanh(0.5 * values)) + self.floor)
        return values + self.floor

    def steepness(self, values: ArrayLike) -> float:
        """Sum of the logarithms of the slopes at some values: what a likelihood on this scale has beside the errors."""
        y = np.asarray(values, dtype=np.float64) - self.floor
        if self.scale == "log":
            return -float(np.log(np.maximum(y, _LEAST)).sum())
        if self.scale == "logit":
            share = np.clip(y, self.least, 1 - self.least)
            return -float(np.log(share * (1 - share)).sum())
        return 0.0


def transforms_of(column: Column, count: int = 0) -> tuple[Transform, ...]:
    """The scales on which a column may be near to a quadratic, the likeliest first.

    Args:
        column: The objective.
        count: Samples behind a value; shares below half a sample cannot be told from 0.
    """
    kind = metric(column.metric)
    if kind.low is not None and kind.high is not None and kind.high - kind.low == 1:
        least = 0.5 / count if count else 1e-3
        return Transform("logit", -kind.high if kind.better == "higher" else kind.low, least), Transform("identity")
    if kind.low is not None and kind.better == "lower":
        # A perplexity is 1 at best, but its logarithm, the loss, is what moves by additions: floor 0.
        return Transform("log", 0.0 if kind.aggregate == "exp-mean" else kind.low), Transform("identity")
    return (Transform("identity"),)


@dataclass(frozen=True, slots=True, eq=False)
class Surrogate:
    """One objective over coordinates in [-1, 1].

    Attributes:
        transform: Its scale.
        ridge: The trend.
        process: On the trend's residuals; None where it does not help.
        error: Root mean square of the leave-one-out errors, on the transform's scale.
    """

    transform: Transform
    ridge: Ridge
    process: ResidualProcess | None
    error: float

    def there(self, points: Floats) -> Floats:
        """Predictions on the transform's scale, shape (n,)."""
        trend = self.ridge(points)
        return trend if self.process is None else trend + self.process(points)

    def __call__(self, points: Floats) -> Floats:
        """Predictions of the minimised objective, shape (n,), at points of shape (n, d)."""
        return self.transform.back(self.there(points))


def fit_surrogate(
    points: Floats, values: Floats, transforms: Sequence[Transform], trend: Trend = "quadratic"
) -> Surrogate:
    """Fit trend and process; the process is dropped if it makes the leave-one-out error no smaller.

    Args:
        points: Shape (n, d), in [-1, 1].
        values: Shape (n,), the minimised objective, finite.
        transforms: Its scale; of several that on which the values are likelier when left out (a normal likelihood of
            the trend's errors, with the slopes of the scale).
        trend: Which terms the trend has.
    """
    fits = [(transform, fit_ridge(points, transform.there(values), trend)) for transform in transforms]
    transform, ridge = max(fits, key=lambda fit: _likelihood(fit[1].left_out) + fit[0].steepness(values))
    y = transform.there(values)
    alone = _root_mean_square(ridge.left_out)
    residual = y - ridge(points)
    if len(y) < 4 or _root_mean_square(residual) < 1e-9 * max(float(np.abs(y).max()), 1e-9):
        return Surrogate(transform, ridge, None, alone)
    process = fit_process(points, residual)
    both = _root_mean_square(left_out(ridge, residual, process))
    return Surrogate(transform, ridge, process, both) if both < alone else Surrogate(transform, ridge, None, alone)


def left_out(ridge: Ridge, residual: Floats, process: ResidualProcess) -> Floats:
    """For each point the error of trend and process fitted without it, with their strengths as they are; shape (n,).

    Leaving point i out adds ``hat[:, i] * e_i`` to the residuals, e_i being its error under the trend alone; of those
    the process leaves ``(inverse r)_i / inverse_ii`` unexplained (Rasmussen & Williams 2006, section 5.4.2).
    """
    without = residual[:, None] + ridge.hat * ridge.left_out  # column i: residuals of the trend without point i
    inverse = process.inverse
    return np.asarray(np.einsum("ij,ji->i", inverse, without) / np.diag(inverse), dtype=np.float64)


def _likelihood(errors: Floats) -> float:
    return -0.5 * len(errors) * float(np.log(np.maximum((errors**2).mean(), 1e-300)))


def _root_mean_square(values: Floats) -> float:
    return float(np.sqrt((values**2).mean()))
