"""Scores on part of the samples, growing: what was scored once is not scored again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from solera.seeds import Seed
from solera.tasks.scores import Score, aggregate
from solera.tasks.task import Divisible, Evaluator

if TYPE_CHECKING:
    from torch import nn

    from solera.context import Context

Samples = NDArray[np.float32]


class Portions:
    """The per-sample values of points, kept while points are scored on more and more samples.

    Samples are taken in one fixed random order, the same for every task with as many samples, whatever a run's seed is;
    so the first n of them are those of any other point scored on n, and errors of differences are paired. A task whose
    evaluator cannot be divided, or that gives no per-sample values, is scored whole.

    Args:
        evaluators: In the order of their columns.
    """

    def __init__(self, evaluators: Sequence[Evaluator]) -> None:
        self._evaluators = tuple(evaluators)
        self._orders = [Seed(0).child("portions").numpy().permutation(each.count) for each in evaluators]
        self._parts: dict[tuple[int, int, int], Evaluator] = {}
        self._known: dict[tuple[int, tuple[float, ...]], tuple[Samples, ...]] = {}
        self._wholes: dict[tuple[int, tuple[float, ...]], tuple[Score, ...]] = {}  # of what cannot be divided

    def remember(self, coords: tuple[float, ...], samples: Sequence[Samples | None]) -> None:
        """Take over what another run or lane has scored at a point.

        Args:
            coords: Where.
            samples: For each column float32 of shape (m,), as a score that :meth:`score` gave carried them; None where
                there are none.
        """
        rest = list(samples)
        for i, evaluator in enumerate(self._evaluators):
            columns = [rest.pop(0) for _ in evaluator.columns]
            kept = [each for each in columns if each is not None and each.size <= evaluator.count]
            if len(kept) < len(columns) or len({each.size for each in kept}) != 1:
                continue
            if kept[0].size == evaluator.count:
                kept = [each[self._orders[i]] for each in kept]
            if kept[0].size > self._count(i, coords):
                self._known[i, coords] = tuple(kept)

    def score(self, coords: tuple[float, ...], n: int, network: nn.Module, context: Context) -> tuple[Score, ...]:
        """Scores on the first ``n`` samples of each task, of a network that holds the weights of a point.

        Values come from all samples that are asked for, those known already among them. Where they are all there are,
        they are in the task's own order.
        """
        return tuple(score for i in range(len(self._evaluators)) for score in self._one(i, coords, n, network, context))

    def knows(self, coords: tuple[float, ...]) -> bool:
        """Whether a point has been scored on any sample."""
        places = [(i, coords) for i in range(len(self._evaluators))]
        return any(place in self._known or place in self._wholes for place in places)

    def complete(self, coords: tuple[float, ...], n: int) -> bool:
        """Whether a point needs no network any more to be scored on ``n`` samples."""
        return all(
            (i, coords) in self._wholes or self._count(i, coords) >= min(n, evaluator.count)
            for i, evaluator in enumerate(self._evaluators)
        )

    def known(self, coords: tuple[float, ...], n: int) -> tuple[Score, ...]:
        """The scores of a point that is :meth:`complete`."""
        return tuple(
            score for i, e in enumerate(self._evaluators) for score in self._gathered(i, coords, min(n, e.count))
        )

    def _one(
        self, i: int, coords: tuple[float, ...], n: int, network: nn.Module, context: Context
    ) -> tuple[Score, ...]:
        evaluator = self._evaluators[i]
        if not isinstance(evaluator, Divisible):
            if (i, coords) not in self._wholes:
                self._wholes[i, coords] = evaluator(network, context)
            return self._wholes[i, coords]
        start, stop = self._count(i, coords), min(n, evaluator.count)
        if start < stop:
            part = self._parts.get((i, start, stop))
            if part is None:
                part = self._parts[i, start, stop] = evaluator.part(self._orders[i][start:stop])
            new = [score.samples for score in part(network, context)]
            old = self._known.get((i, coords), (np.empty(0, dtype=np.float32),) * len(new))
            self._known[i, coords] = tuple(
                np.concatenate([a, b]) for a, b in zip(old, new, strict=True) if b is not None
            )
        return self._gathered(i, coords, stop)

    def _gathered(self, i: int, coords: tuple[float, ...], stop: int) -> tuple[Score, ...]:
        if (i, coords) in self._wholes:
            return self._wholes[i, coords]
        evaluator, order = self._evaluators[i], self._orders[i][:stop]
        groups = getattr(evaluator, "groups", None)
        places = np.argsort(order) if stop == evaluator.count else np.arange(stop)
        rows = order[places]
        return tuple(
            aggregate(column, values[:stop][places], None if groups is None else groups[rows])
            for column, values in zip(evaluator.columns, self._known[i, coords], strict=True)
        )

    def _count(self, i: int, coords: tuple[float, ...]) -> int:
        return self._known[i, coords][0].size if (i, coords) in self._known else 0
