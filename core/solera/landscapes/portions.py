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
    evaluator cannot be divided, or that gives no per-sample values, is scored whole, once per point.

    Args:
        evaluators: In the order of their columns.
    """

    def __init__(self, evaluators: Sequence[Evaluator]) -> None:
        self._evaluators = tuple(evaluators)
        self._orders = [Seed(0).child("portions").numpy().permutation(each.count) for each in evaluators]
        self._parts: dict[tuple[int, int, int], Evaluator] = {}
        self._known: dict[tuple[int, tuple[float, ...]], tuple[Samples, ...]] = {}
        self._wholes: dict[tuple[int, tuple[float, ...]], tuple[Score, ...]] = {}  # of what cannot be divided
        self._blunt: set[int] = set()  # which could be divided but give no values per sample

    def remember(self, coords: tuple[float, ...], scores: Sequence[Score | Samples | None]) -> None:
        """Take over what another run or lane has scored at a point.

        Args:
            coords: Where.
            scores: For each column its score, or the float32 values per sample alone, of shape (m,), as a score that
                :meth:`score` gave carried them; None where nothing is known. A score without values per sample serves
                a task that is scored whole.
        """
        rest = list(scores)
        for i, evaluator in enumerate(self._evaluators):
            columns = [rest.pop(0) for _ in evaluator.columns]
            if not isinstance(evaluator, Divisible) or any(isinstance(e, Score) and e.samples is None for e in columns):
                self._take_whole(i, coords, columns)
                continue
            values = [each.samples if isinstance(each, Score) else each for each in columns]
            kept = [each for each in values if each is not None and each.size <= evaluator.count]
            if len(kept) < len(columns) or len({each.size for each in kept}) != 1:
                continue
            if kept[0].size == evaluator.count:
                kept = [each[self._orders[i]] for each in kept]
            if kept[0].size > self._count(i, coords):
                self._known[i, coords] = tuple(kept)

    def _take_whole(self, i: int, coords: tuple[float, ...], columns: Sequence[Score | Samples | None]) -> None:
        """Keep the scores of a task that is scored whole, if they are of all its samples."""
        evaluator = self._evaluators[i]
        whole = evaluator.count
        found = [
            aggregate(column, each, getattr(evaluator, "groups", None)) if isinstance(each, np.ndarray) else each
            for column, each in zip(evaluator.columns, columns, strict=True)
            if isinstance(each, Score) or (each is not None and each.size == whole)
        ]
        if len(found) == len(columns) and all(score.count == whole for score in found):
            self._wholes.setdefault((i, coords), tuple(found))

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
        if (i, coords) in self._wholes:
            return self._wholes[i, coords]
        if not isinstance(evaluator, Divisible) or i in self._blunt:
            return self._scored_whole(i, coords, network, context)
        start, stop = self._count(i, coords), min(n, evaluator.count)
        if start < stop:
            part = self._parts.get((i, start, stop))
            if part is None:
                part = self._parts[i, start, stop] = evaluator.part(self._orders[i][start:stop])
            new = [score.samples for score in part(network, context)]
            gained = [values for values in new if values is not None]
            if len(gained) < len(new):
                self._blunt.add(i)
                return self._scored_whole(i, coords, network, context)
            old = self._known.get((i, coords), (np.empty(0, dtype=np.float32),) * len(new))
            self._known[i, coords] = tuple(np.concatenate(pair) for pair in zip(old, gained, strict=True))
        return self._gathered(i, coords, stop)

    def _scored_whole(
        self, i: int, coords: tuple[float, ...], network: nn.Module, context: Context
    ) -> tuple[Score, ...]:
        self._wholes[i, coords] = self._evaluators[i](network, context)
        return self._wholes[i, coords]

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
