"""The greedy soup: models are tried in order of their own scores, and stay in if the average does not suffer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from solera.api import Ask, Extent, History, Param, Remark, Seed, Space
from solera_plugins.explorers.pool import Ingredients, Pool

Accept = Literal["not_worse", "better", "surely_better", "not_surely_worse"]


@dataclass(frozen=True, slots=True)
class _Soup:
    """A soup as far as a history goes.

    Attributes:
        ingredients: In the order they were taken.
        row: Where its score is in the history.
        taken: The rows at which the soup grew, the best single model first.
        waiting: Models still to be tried, best first.
    """

    ingredients: Ingredients
    row: int
    taken: tuple[int, ...]
    waiting: Ingredients


class GreedySoup:
    """Begin with the best model; add each next one where the average with it is good enough.

    Wortsman et al. 2022, Model soups, which takes what is not worse; its code takes only what is better. With values
    per sample, ``surely_better`` wants a gain of more than ``errors`` standard errors of the paired difference, and
    ``not_surely_worse`` lets a loss within them pass. Where a task gives only an aggregate there is no such error, and
    these two fall back to ``better`` and ``not_worse``, which the run says.

    Of equally good models the last is tried first. A model without a score is left out. The search split is used once
    for each model: every soup on the way is scored again on the report split.

    Args:
        accept: When an average is good enough.
        errors: Standard errors of the paired difference that are taken for noise.
    """

    name = "greedy_soup"

    def __init__(
        self,
        *,
        accept: Annotated[Accept, Param(help="When a model is taken.")] = "not_worse",
        errors: Annotated[
            float, Param(0, 10, step=0.5, help="Standard errors of a paired difference that count as noise.")
        ] = 2.0,
    ) -> None:
        self._accept: Accept = accept
        self._errors = errors

    def plan(self, space: Space) -> Extent:
        """Every model alone, then at most one average for each but the best.

        Raises:
            InputError: The coordinates are not shares of two models or more.
        """
        count = len(Pool.of(space, self.name))
        return Extent(2 * count - 1, (), count, count + 1, (count, 1))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The models in order; then, one at a time, the soup with the next best model."""
        pool = Pool.of(space, self.name)
        if len(history) < len(pool):
            return [Ask(pool.point((i,))) for i in range(len(history), min(len(history) + n, len(pool)))]
        soup = self._soup(pool, history)
        if soup is None or not soup.waiting:
            return []
        return [Ask(pool.point((*soup.ingredients, soup.waiting[0])))]

    def remark(self, space: Space, history: History) -> Remark:
        """Whether the newest soup was taken, of how many models it is, and what it scores."""
        pool = Pool.of(space, self.name)
        if len(history) < len(pool):
            return Remark()
        soup = self._soup(pool, history)
        newest = len(history) - 1
        if soup is None:
            return Remark(text="No model has a score, so there is nothing to make a soup of.")
        if newest < len(pool):
            return Remark(self._numbers(pool, history, soup), self._start(space, pool, history, soup))
        before = self._soup(pool, history.until(newest))
        assert before is not None
        gap = history.difference(newest, before.row, pool.columns)
        error = "" if math.isnan(gap.stderr) else f" ± {gap.stderr:.2g}"
        said = "Took" if soup.row == newest else "Left"
        return Remark(
            self._numbers(pool, history, soup) | {"soup:taken": float(soup.row == newest)},
            f"{said} {pool.names[before.waiting[0]]}: {gap.value:+.3g}{error}; {len(soup.ingredients)} in the soup, "
            f"{pool.score(pool.losses(history)[soup.row]):.4g}.",
        )

    def chosen(self, space: Space, history: History) -> list[tuple[float, ...]]:
        """The soup after each model it took."""
        pool = Pool.of(space, self.name)
        soup = self._soup(pool, history) if len(history) >= len(pool) else None
        return [] if soup is None else [tuple(map(float, history.coords[row])) for row in soup.taken]

    def _soup(self, pool: Pool, history: History) -> _Soup | None:
        """The soup that a history with every single model comes to; None if none of them has a score."""
        losses = pool.losses(history)
        order = sorted((i for i in range(len(pool)) if not math.isnan(losses[i])), key=lambda i: -losses[i])[::-1]
        if not order:
            return None
        best = order.pop(0)
        ingredients: Ingredients = (best,)
        row, taken = best, [best]
        for candidate in range(len(pool), len(history)):
            index = order.pop(0)
            if self._good(pool, history, candidate, row):
                ingredients, row = (*ingredients, index), candidate
                taken.append(candidate)
        return _Soup(ingredients, row, tuple(taken), tuple(order))

    def _good(self, pool: Pool, history: History, candidate: int, row: int) -> bool:
        gap = history.difference(candidate, row, pool.columns)
        worse = pool.sign * gap.value
        if math.isnan(worse):
            return False
        noise = 0.0 if math.isnan(gap.stderr) else self._errors * gap.stderr
        match self._accept:
            case "not_worse":
                return worse <= 0
            case "better":
                return worse < 0
            case "surely_better":
                return worse < -noise
            case "not_surely_worse":
                return worse <= noise

    def _numbers(self, pool: Pool, history: History, soup: _Soup) -> dict[str, float]:
        return {"soup:size": float(len(soup.ingredients)), "soup:score": pool.score(pool.losses(history)[soup.row])}

    def _start(self, space: Space, pool: Pool, history: History, soup: _Soup) -> str:
        parts = [f"The soup begins with {pool.names[soup.row]}, the best of {len(pool)} models alone."]
        left = [pool.names[i] for i in range(len(pool)) if math.isnan(pool.losses(history)[i])]
        if left:
            parts.append(f"Left out, for want of a score: {', '.join(left)}.")
        if not space.paired and self._accept in ("surely_better", "not_surely_worse"):
            instead = "better" if self._accept == "surely_better" else "not_worse"
            parts.append(f"The task gives only an aggregate, so '{self._accept}' cannot be told; '{instead}' is used.")
        return " ".join(parts)
