"""One number for a point of several objectives: their weighted mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solera.api import METRICS, History, InputError, Space


@dataclass(frozen=True, slots=True)
class Fitness:
    """A weighted mean of the objectives.

    Attributes:
        columns: The objectives.
        weights: What each counts; they total 1.
        sign: 1 where smaller is better, else -1.
    """

    columns: tuple[int, ...]
    weights: tuple[float, ...]
    sign: float

    @staticmethod
    def of(space: Space, explorer: str, weights: str = "") -> Fitness:
        """The fitness of a space.

        Raises:
            InputError: There is no objective, they are of several metrics, or the weights do not fit them.
        """
        metrics = sorted({space.columns[i].metric for i in space.objectives})
        if len(metrics) != 1:
            raise InputError(
                f"'{explorer}' makes the mean of its objectives good, so they must be of one metric; got "
                f"{', '.join(metrics) or 'none'}. Name objectives of one metric."
            )
        sign = 1.0 if METRICS[metrics[0]].better == "lower" else -1.0
        return Fitness(tuple(space.objectives), _read(weights, len(space.objectives)), sign)

    def losses(self, history: History) -> NDArray[np.float64]:
        """Smaller is better; shape (n,), NaN where an objective could not be computed."""
        return np.asarray(self.sign * history.values[:, list(self.columns)] @ np.array(self.weights), dtype=np.float64)

    def score(self, loss: float) -> float:
        """A loss as a person reads it."""
        return self.sign * loss


def _read(text: str, count: int) -> tuple[float, ...]:
    if not text.strip():
        return (1.0 / count,) * count
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or min(numbers) < 0 or sum(numbers) <= 0:
        raise InputError(f"Weights are one number of 0 or more for each of the {count} objectives; got '{text}'.")
    return tuple(number / sum(numbers) for number in numbers)
