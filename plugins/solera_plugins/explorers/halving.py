"""Successive halving for one objective or several: many candidates on few samples, the better ones on more."""

from __future__ import annotations

import itertools
import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from solera.api import Ask, Extent, History, Param, Remark, Seed, Space, front_search, pareto
from solera_plugins.explorers.box import named_points, placed, sobol


class Halving:
    """Score many candidates on few samples, and the best of them on more and more.

    A rung is a number of validation samples. After each, the best share of the candidates goes on: by the fronts they
    are on, and on one front by the room around them (with one objective, by the score). Only the samples that are new
    are scored; per-sample scores are kept with the run. A task that cannot be scored in part, such as one that gives
    only an aggregate, is scored whole on the first rung, and costs nothing on the others.

    Args:
        candidates: How many begin: the named models, then even draws.
        samples: Samples of each task on the first rung.
        factor: How many times fewer candidates, on how many times more samples, the next rung has.
    """

    name = "halving"

    def __init__(
        self,
        *,
        candidates: Annotated[int, Param(4, 100_000, help="How many begin.")] = 64,
        samples: Annotated[int, Param(1, 1_000_000, help="Samples of each task on the first rung.")] = 32,
        factor: Annotated[int, Param(2, 10, help="Fewer candidates and more samples from rung to rung.")] = 2,
    ) -> None:
        self._candidates = candidates
        self._samples = samples
        self._factor = factor

    def plan(self, space: Space) -> Extent:
        """A round for each rung."""
        rungs = self.rungs(space)
        initial = rungs[0][0] if len(space.objectives) > 1 else 0
        return Extent(sum(n for n, _ in rungs), initial=initial, rounds=(*(n for n, _ in rungs), 1), partial=True)

    def rungs(self, space: Space) -> list[tuple[int, int]]:
        """Candidates and samples of each rung; the last has 0 for all samples."""
        whole = max((space.counts[i] for i in space.objectives), default=0) if space.counts else 0
        most = whole or self._samples * self._factor**2  # not known: three rungs
        found, n, samples = [], self._candidates, self._samples
        while samples < most and n > 1:
            found.append((n, samples))
            n, samples = math.ceil(n / self._factor), samples * self._factor
        return [*found, (n, 0)]

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The candidates; then those of the last rung that are worth more samples."""
        start, before = 0, 0
        for count, samples in self.rungs(space):
            if len(history) < start + count:
                done = len(history) - start
                if start == 0:
                    places = self._first(space, seed)
                else:
                    rung = history.until(start).since(before)
                    places = [tuple(map(float, rung.coords[row])) for row in best_rows(space, rung)[:count]]
                return [Ask(at, samples=samples) for at in places[done : min(done + n, count)]]
            before, start = start, start + count
        return []

    def remark(self, space: Space, history: History) -> Remark:
        """At the end of a rung: how many go on, and whether a task could not be scored in part."""
        start, rungs = 0, self.rungs(space)
        for (count, samples), (more, next_) in itertools.pairwise(rungs):
            start += count
            if len(history) == start:
                whole = ""
                if history.counts is not None and (history.counts[-1, list(space.objectives)] > samples).any():
                    whole = " Tasks that cannot be scored in part were scored whole."
                on = f"{next_} samples" if next_ else "all samples"
                return Remark(text=f"{more} of {count} candidates go on from {samples} samples to {on}.{whole}")
        return Remark()

    def _first(self, space: Space, seed: Seed) -> list[tuple[float, ...]]:
        """The named models, then even draws, over the places of a choice too."""
        drawn = sobol(len(space.coords), self._candidates, seed.child("halving"))
        return [*named_points(space), *(placed(space, row)[0] for row in drawn)][: self._candidates]


def best_rows(space: Space, history: History) -> list[int]:
    """Rows from best to worst: by front, then by the room around them; what has no score comes last."""
    values = space.minimised(history.values)
    levels = pareto.ranks(values)
    room = np.zeros(len(values))
    for level in range(int(levels.max(initial=-1)) + 1):
        rows: NDArray[np.intp] = np.flatnonzero(levels == level)
        room[rows] = front_search.crowding(values[rows])
    return [int(row) for row in np.lexsort((np.arange(len(values)), -room, np.where(levels < 0, len(values), levels)))]
