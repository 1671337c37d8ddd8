"""Evolution of merges in data-flow space: which layers follow one another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from solera.api import Ask, Extent, History, InputError, Param, Remark, Seed, Space
from solera_plugins.explorers.fitness import Fitness

Floats = NDArray[np.float64]

#: How often a child has two parents, and how often a run of slots is turned instead of single ones.
_CROSSED, _RUN = 0.7, 0.4

#: Standard deviation of a factor's change, as a share of its range.
_NUDGE = 0.1

#: How often a child that was there before is drawn anew.
_TRIES = 50


@dataclass(frozen=True, slots=True)
class _Genome:
    """How the coordinates of a family of stacks are read.

    Attributes:
        slots: Where the slots are, in order.
        sources: Which layer each slot is.
        pairs: Where the factor of two layers is.
    """

    slots: NDArray[np.intp]
    sources: tuple[int, ...]
    pairs: dict[tuple[int, int], int]

    @staticmethod
    def of(space: Space, explorer: str) -> _Genome:
        slots, sources, pairs = [], [], {}
        for k, coord in enumerate(space.coords):
            slot, pair = re.fullmatch(r"slot_\d+_(\d+)", coord.name), re.fullmatch(r"w_(\d+)_(\d+)", coord.name)
            if slot:
                slots.append(k)
                sources.append(int(slot[1]))
            elif pair:
                pairs[int(pair[1]), int(pair[2])] = k
        if space.kind != "stack" or len(slots) < 2:
            raise InputError(
                f"'{explorer}' chooses layers: it takes a family {{stack: [A, B]}}, not one of the kind "
                f"'{space.kind or 'unknown'}'."
            )
        return _Genome(np.array(slots), tuple(sources), pairs)

    def used(self, point: Floats) -> list[int]:
        """Where the factors are that a point's path uses."""
        path = [source for k, source in zip(self.slots, self.sources, strict=True) if point[k] > 0.5]
        return sorted({self.pairs[pair] for pair in pairwise(path) if pair in self.pairs})


class LayerEvolution:
    """Evolve which layers of some models follow one another, and how the stream is scaled between them.

    Akiba et al. 2024, Evolutionary optimization of model merging recipes, in data-flow space, with a search of our own:
    genomes are the slots that are on, so their paths differ in length. Children take a part of the row from one parent
    and the rest from the other, then slots are turned on or off, one here and there or a run of neighbours; of the
    factors only those a child's path uses are changed. The best of everything scored so far are parents (plus
    selection). It begins with the models as they are. A point without a score is never a parent.

    It needs no more than an aggregate score.

    Args:
        points: How many points to score.
        population: Points of a generation, half as many parents.
        longest: Most layers a child may have; 0 leaves it to the family.
        weights: What each objective counts, such as "0.7, 0.3"; empty counts all the same.
    """

    name = "layer_evolution"

    def __init__(
        self,
        *,
        points: Annotated[int, Param(4, 1_000_000, help="Points to score.")] = 200,
        population: Annotated[int, Param(4, 10_000, help="Points of a generation.")] = 16,
        longest: Annotated[int, Param(0, 10_000, help="Most layers of a child; 0 leaves it to the family.")] = 0,
        weights: Annotated[
            str, Param(help="What each objective counts, such as 0.7, 0.3; empty is all the same.")
        ] = "",
    ) -> None:
        self._points = points
        self._population = population
        self._longest = longest
        self._weights = weights

    def plan(self, space: Space) -> Extent:
        """As many points as were asked for.

        Raises:
            InputError: The family is none of stacks, or the objectives cannot be weighed.
        """
        _Genome.of(space, self.name)
        Fitness.of(space, self.name, self._weights)
        size = min(self._population, self._points)
        return Extent(self._points, least=min(size + 1, self._points), rounds=(size,))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The models themselves, then children of the best; each drawn from the seed and its number alone."""
        genome = _Genome.of(space, self.name)
        begun = len(history) // self._population * self._population
        parents = self._parents(space, history.until(begun))
        stop = min(len(history) + n, self._points, begun + self._population)
        taken = {tuple(row) for row in history.coords.tolist()}
        asks: list[Ask] = []
        for number in range(len(history), stop):
            point = self._point(space, genome, parents, number, seed, taken)
            taken.add(point)
            asks.append(Ask(point))
        return asks

    def remark(self, space: Space, history: History) -> Remark:
        """How many layers the newest point has; the best so far, when it is the newest."""
        genome = _Genome.of(space, self.name)
        fitness = Fitness.of(space, self.name, self._weights)
        losses = fitness.losses(history)
        depth = int((history.coords[-1][genome.slots] > 0.5).sum())
        numbers = {"depth": float(depth)}
        if np.isnan(losses).all() or int(np.nanargmin(losses)) != len(history) - 1:
            return Remark(numbers)
        path = [space.coords[k].title for k in genome.slots.tolist() if history.coords[-1][k] > 0.5]
        text = f"Best so far, {fitness.score(losses[-1]):.4g}, {depth} layers: {', '.join(path)}."
        return Remark({**numbers, "best": fitness.score(float(losses[-1]))}, text)

    def _parents(self, space: Space, history: History) -> Floats:
        """The best points, best first; shape (parents, coordinates)."""
        losses = Fitness.of(space, self.name, self._weights).losses(history)
        order = [i for i in np.argsort(losses, kind="stable").tolist() if not np.isnan(losses[i])]
        return np.asarray(history.coords[order[: max(self._population // 2, 2)]], dtype=np.float64)

    def _point(
        self, space: Space, genome: _Genome, parents: Floats, number: int, seed: Seed, taken: set[tuple[float, ...]]
    ) -> tuple[float, ...]:
        named = list(space.labels.values())
        if number < min(len(named), self._population):
            return tuple(map(float, named[number]))
        pool = parents if len(parents) else np.array(named, dtype=np.float64)
        rng = seed.child("layers", str(number)).numpy()
        child = tuple(pool[0].tolist())
        for _ in range(_TRIES):
            child = tuple(map(float, self._child(space, genome, pool, rng)))
            if child not in taken:
                break
        return child

    def _child(self, space: Space, genome: _Genome, pool: Floats, rng: np.random.Generator) -> Floats:
        first, second = (pool[min(rng.integers(len(pool), size=2))] for _ in range(2))
        child = first.copy()
        count = len(genome.slots)
        if rng.random() < _CROSSED:
            cut = genome.slots[int(rng.integers(1, count)) :]
            child[cut] = second[cut]
        if rng.random() < _RUN:
            start = int(rng.integers(count))
            run = genome.slots[start : start + int(rng.geometric(0.4))]
            child[run] = 1.0 - child[run[0]]
        else:
            turned = genome.slots[rng.random(count) < 1.5 / count]
            child[turned] = 1.0 - child[turned]
        self._mend(genome, child, rng)
        for k in genome.used(child):
            coord = space.coords[k]
            if rng.random() < 0.5:
                moved = child[k] + rng.normal() * _NUDGE * (coord.high - coord.low)
                child[k] = min(max(moved, coord.low), coord.high)
        return np.asarray(child, dtype=np.float64)

    def _mend(self, genome: _Genome, child: Floats, rng: np.random.Generator) -> None:
        """One layer at least, and no more than wanted."""
        on = genome.slots[child[genome.slots] > 0.5]
        if not len(on):
            child[genome.slots[int(rng.integers(len(genome.slots)))]] = 1.0
        elif self._longest and len(on) > self._longest:
            child[rng.permutation(on)[self._longest :]] = 0.0
