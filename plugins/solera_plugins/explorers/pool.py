"""A pool of models to make soups of: coordinates of 0 and 1 say which of them are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solera.api import METRICS, History, InputError, Space

Ingredients = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """The models of a family whose coordinates are their shares in an average.

    Attributes:
        names: What each model is called, in the order of the coordinates.
        columns: The objectives; a soup's score is their mean.
        sign: 1 where smaller is better, else -1.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    sign: float

    @staticmethod
    def of(space: Space, explorer: str) -> Pool:
        """The pool of a space.

        Raises:
            InputError: A coordinate does not reach from 0 to 1, there is one model only, the coordinates leave the
                rest to a first model, or the objectives are of several metrics.
        """
        if space.region is not None and space.region.kind == "simplex":
            raise InputError(
                f"'{explorer}' makes soups of models that are each in or out; in this family of blends the first model "
                "gets what the others leave. Make a family of which models are in: {subset: [A, B, C]}."
            )
        odd = [coord.name for coord in space.coords if coord.low > 0 or coord.high < 1]
        if odd or len(space.coords) < 2:
            got = f"{', '.join(odd)} cannot be both" if odd else f"the family has {len(space.coords)} coordinate"
            raise InputError(
                f"'{explorer}' makes soups of two models or more, each with a coordinate that is 0 (left out) or 1 "
                f"(in); {got}. Make a family of which models are in: {{subset: [A, B, C]}}."
            )
        metrics = {space.columns[i].metric for i in space.objectives}
        if len(metrics) != 1:
            raise InputError(
                f"The score of a soup is the mean of its objectives, which must be of one metric; got "
                f"{', '.join(sorted(metrics)) or 'none'}. Name objectives of one metric."
            )
        sign = 1.0 if METRICS[metrics.pop()].better == "lower" else -1.0
        alone = {at: label for label, at in space.labels.items()}
        count = len(space.coords)
        names = tuple(alone.get(_unit(i, count), coord.title) for i, coord in enumerate(space.coords))
        return Pool(names, tuple(space.objectives), sign)

    def __len__(self) -> int:
        return len(self.names)

    def point(self, ingredients: Ingredients) -> tuple[float, ...]:
        """The coordinates of an even average."""
        return tuple(float(i in ingredients) for i in range(len(self)))

    def ingredients(self, coords: Sequence[float]) -> Ingredients:
        """Which models are in at coordinates."""
        return tuple(i for i, share in enumerate(coords) if share > 0)

    def losses(self, history: History) -> NDArray[np.float64]:
        """The scores of a history, smaller being better; shape (n,), NaN where one could not be computed."""
        return np.asarray(self.sign * history.values[:, list(self.columns)].mean(axis=1), dtype=np.float64)

    def score(self, loss: float) -> float:
        """A loss as a person reads it."""
        return float(self.sign * loss)

    def said(self, ingredients: Ingredients) -> str:
        """``"a, b and 3 more"``."""
        shown = ", ".join(self.names[i] for i in ingredients[:4])
        return shown + (f" and {len(ingredients) - 4} more" if len(ingredients) > 4 else "")


def _unit(i: int, count: int) -> tuple[float, ...]:
    return tuple(float(i == other) for other in range(count))
