"""How two lists of numbers agree: correlations with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solera.api import Seed

Floats = NDArray[np.float64]

#: Resamples behind an interval, and the share of them it leaves out at each end.
_RESAMPLES, _TAIL = 2000, 0.025


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with the interval that 95% of resamples lie in; NaN where there are too few points."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Correlations of two lists.

    Attributes:
        pearson: Of the numbers.
        spearman: Of their ranks.
        count: Pairs with both numbers.
    """

    pearson: Interval
    spearman: Interval
    count: int

    def numbers(self) -> dict[str, float]:
        """By name, for a run."""
        found: dict[str, float] = {}
        for name, interval in (("pearson", self.pearson), ("spearman", self.spearman)):
            found |= {name: interval.value, f"{name} low": interval.low, f"{name} high": interval.high}
        return found

    def __str__(self) -> str:
        return f"Pearson {self.pearson}, Spearman {self.spearman} over {self.count}"


def agreement(x: Floats, y: Floats, seed: int = 0) -> Agreement:
    """Pearson's and Spearman's correlation with percentile intervals from pairs drawn anew.

    Args:
        x: Shape (n,). Pairs with a NaN are left out; with fewer than three, or no spread, all is NaN.
        y: Shape (n,).
        seed: Of the resamples.
    """
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    rng = Seed(seed).child("agreement").numpy()
    drawn = rng.integers(0, max(len(x), 1), (_RESAMPLES, len(x)))
    return Agreement(_interval(x, y, drawn), _interval(ranks(x), ranks(y), drawn, again=True), int(known.sum()))


def ranks(values: Floats) -> Floats:
    """Ranks from 1 along the last axis, equal values sharing the mean of theirs; of the same shape."""
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    new = np.ones(values.shape, dtype=bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    places = np.broadcast_to(np.arange(values.shape[-1]), values.shape)
    first = np.maximum.accumulate(np.where(new, places, 0), axis=-1)
    after = np.where(np.roll(new, -1, axis=-1), places, values.shape[-1])
    after[..., -1:] = values.shape[-1] - 1
    last = np.minimum.accumulate(after[..., ::-1], axis=-1)[..., ::-1]
    found = np.empty(values.shape)
    np.put_along_axis(found, order, (first + last) / 2.0 + 1.0, axis=-1)
    return found


def _interval(x: Floats, y: Floats, drawn: NDArray[np.int64], again: bool = False) -> Interval:
    if len(x) < 3 or not np.ptp(x) or not np.ptp(y):
        return Interval(float("nan"), float("nan"), float("nan"))
    rows_x, rows_y = x[drawn], y[drawn]
    if again:  # ranks of a resample are those within it
        rows_x, rows_y = ranks(rows_x), ranks(rows_y)
    resampled = _pearson(rows_x, rows_y)
    low, high = np.nanquantile(resampled, [_TAIL, 1 - _TAIL])
    return Interval(float(_pearson(x[None], y[None])[0]), float(low), float(high))


def _pearson(x: Floats, y: Floats) -> Floats:
    """Row by row; NaN where a row has no spread."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1)))
