"""Soups that need no choosing on the way: the average of all, and every average there is."""

from __future__ import annotations

from itertools import combinations, islice
from math import comb
from typing import Annotated

import numpy as np

from solera.api import Ask, Extent, History, InputError, Param, Remark, Seed, Space
from solera_plugins.explorers.pool import Pool

#: Averages an exhaustive search takes on at most.
_MOST = 20_000

#: Averages asked for at once.
_ROUND = 64


class UniformSoup:
    """Score every model alone, then the average of all.

    Wortsman et al. 2022, Model soups. It needs no more than an aggregate score.
    """

    name = "uniform_soup"

    def plan(self, space: Space) -> Extent:
        """One point for each model and one for the average.

        Raises:
            InputError: The coordinates are not shares of two models or more.
        """
        count = len(Pool.of(space, self.name))
        return Extent(count + 1, (), count, count + 1, (count, 1))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The models in order, then all of them."""
        pool = Pool.of(space, self.name)
        steps = [(i,) for i in range(len(pool))] + [tuple(range(len(pool)))]
        return [Ask(pool.point(step)) for step in steps[len(history) : len(history) + n]]

    def remark(self, space: Space, history: History) -> Remark:
        """At the end, how the average compares with the best model."""
        pool = Pool.of(space, self.name)
        losses = pool.losses(history)
        if len(history) <= len(pool) or np.isnan(losses[:-1]).all():
            return Remark()
        best = int(np.nanargmin(losses[:-1]))
        gap = history.difference(len(pool), best, pool.columns)
        error = "" if np.isnan(gap.stderr) else f" ± {gap.stderr:.2g}"
        return Remark(
            {"soup:size": float(len(pool)), "soup:gain": gap.value},
            f"The average of all {len(pool)} models scores {pool.score(losses[-1]):.4g}, {gap.value:+.2g}{error} "
            f"beside the best of them ({pool.names[best]}).",
        )

    def chosen(self, space: Space, history: History) -> list[tuple[float, ...]]:
        """The average."""
        pool = Pool.of(space, self.name)
        everything = pool.point(tuple(range(len(pool))))
        return [everything] if everything in {tuple(row) for row in history.coords.tolist()} else []


class ExhaustiveSoup:
    """Score the average of every subset of a small pool, small subsets first.

    The best of very many averages is chosen by noise as well as by merit: what it is worth, the report split says. It
    needs no more than an aggregate score.

    Args:
        largest: Most models in an average; 0 is the whole pool.
    """

    name = "exhaustive_soup"

    def __init__(self, *, largest: Annotated[int, Param(0, 64, help="Most models in a soup; 0 is all.")] = 0) -> None:
        self._largest = largest

    def plan(self, space: Space) -> Extent:
        """As many points as there are subsets.

        Raises:
            InputError: The coordinates are not shares of two models or more, or there are too many subsets.
        """
        count = len(Pool.of(space, self.name))
        total = sum(comb(count, size) for size in range(1, self._size(count) + 1))
        if total > _MOST:
            raise InputError(
                f"{count} models have {total:,} averages of up to {self._size(count)}; at most {_MOST:,} are scored. "
                "Set 'largest', or let 'greedy_soup' choose."
            )
        return Extent(total, (), min(count, total), rounds=(min(_ROUND, total),))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The next subsets by size, then in order."""
        pool = Pool.of(space, self.name)
        subsets = (s for size in range(1, self._size(len(pool)) + 1) for s in combinations(range(len(pool)), size))
        return [Ask(pool.point(step)) for step in islice(subsets, len(history), len(history) + n)]

    def remark(self, space: Space, history: History) -> Remark:
        """The best soup so far, when it is the newest."""
        pool = Pool.of(space, self.name)
        losses = pool.losses(history)
        if np.isnan(losses).all() or int(np.nanargmin(losses)) != len(history) - 1:
            return Remark()
        ingredients = pool.ingredients(history.coords[-1].tolist())
        return Remark(
            {"soup:size": float(len(ingredients)), "soup:score": pool.score(losses[-1])},
            f"Best so far, {pool.score(losses[-1]):.4g}: {pool.said(ingredients)}." if len(ingredients) > 1 else "",
        )

    def _size(self, count: int) -> int:
        return min(self._largest or count, count)
