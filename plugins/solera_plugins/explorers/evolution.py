"""Evolution of merges in parameter space: CMA-ES over a family's coordinates."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from solera.api import Ask, Extent, History, InputError, Param, Remark, Seed, Space
from solera_plugins.explorers.fitness import Fitness

Floats = NDArray[np.float64]


class Evolution:
    """Evolve coordinates by CMA-ES, as evolutionary merging does with the densities and weights of layers.

    Akiba et al. 2024, Evolutionary optimization of model merging recipes, in parameter space: CMA-ES (Hansen 2016) in
    the unit box that the coordinates' ranges make, from the middle or another share of the way, with a step of a sixth.
    Generations are asked for whole. A point without a score counts as the worst. Random methods of a recipe draw from
    its seed, so equal points score alike.

    It needs no more than an aggregate score.

    Args:
        points: How many points to score.
        population: Points of a generation; 0 is 4 + 3 ln(coordinates), rounded down.
        start: Where the first generation lies, as a share of each range.
        step: The first standard deviation, as a share of each range.
        weights: What each objective counts, such as "0.7, 0.3"; empty counts all the same.
    """

    name = "evolution"

    def __init__(
        self,
        *,
        points: Annotated[int, Param(4, 1_000_000, help="Points to score.")] = 200,
        population: Annotated[int, Param(0, 10_000, help="Points of a generation; 0 goes by the coordinates.")] = 0,
        start: Annotated[float, Param(0, 1, step=0.05, help="Where it begins, as a share of each range.")] = 0.5,
        step: Annotated[float, Param(0.001, 1, help="First standard deviation, as a share of each range.")] = 1 / 6,
        weights: Annotated[
            str, Param(help="What each objective counts, such as 0.7, 0.3; empty is all the same.")
        ] = "",
    ) -> None:
        self._points = points
        self._population = population
        self._start = start
        self._step = step
        self._weights = weights
        self._replay: _Replay | None = None

    def plan(self, space: Space) -> Extent:
        """As many points as were asked for.

        Raises:
            InputError: There is one coordinate only, or the objectives cannot be weighed.
        """
        if len(space.coords) < 2:
            raise InputError(
                f"CMA-ES moves in two coordinates or more; the family has {len(space.coords)}. For one coordinate take "
                "a grid or a line search."
            )
        Fitness.of(space, self.name, self._weights)
        size = self._size(space)
        return Extent(self._points, least=min(size, self._points), rounds=(size,))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The rest of the generation, or the next one: the search is played again where it is not remembered."""
        replay = self._replay
        if replay is None or not replay.continues(space, history, seed):
            replay = self._replay = _Replay(space, seed, self._size(space), self._start, self._step)
        fitness = Fitness.of(space, self.name, self._weights)
        replay.tell(history, fitness.losses(history))
        size = self._size(space)
        stop = min(len(history) + n, self._points, (len(history) // size + 1) * size)
        return [Ask(replay.point(number)) for number in range(len(history), stop)]

    def remark(self, space: Space, history: History) -> Remark:
        """After each generation its best and its middle."""
        size = self._size(space)
        if len(history) % size:
            return Remark()
        fitness = Fitness.of(space, self.name, self._weights)
        newest = fitness.losses(history)[-size:]
        if np.isnan(newest).all():
            return Remark(text=f"Generation {len(history) // size}: no point has a score.")
        best, middle = fitness.score(float(np.nanmin(newest))), fitness.score(float(np.nanmedian(newest)))
        return Remark({"generation:best": best, "generation:middle": middle})

    def _size(self, space: Space) -> int:
        return self._population or 4 + math.floor(3 * math.log(len(space.coords)))


class _Replay:
    """CMA-ES that has been told the whole generations of a history.

    Args:
        space: What is explored.
        seed: The exploration's.
        size: Points of a generation.
        start: Share of each range where it begins.
        step: First standard deviation.
    """

    def __init__(self, space: Space, seed: Seed, size: int, start: float, step: float) -> None:
        self._space, self._seed, self._size = space, seed, size
        count = len(space.coords)
        drawn = seed.child("evolution").integer() % 2**32
        bounds = np.tile([0.0, 1.0], (count, 1))
        self._cma = CMA(np.full(count, float(start)), step, bounds=bounds, seed=drawn, population_size=size)
        self._asked: list[Floats] = []
        self._points: list[tuple[float, ...]] = []
        self._told: list[float] = []

    def continues(self, space: Space, history: History, seed: Seed) -> bool:
        """Whether a history goes on from exactly what was told and asked here."""
        known = self._points[: len(history)]
        told = len(self._told)
        same = (space, seed) == (self._space, self._seed) and told <= len(history)
        return same and known == [tuple(row) for row in history.coords.tolist()][: len(known)]

    def tell(self, history: History, losses: Floats) -> None:
        """Take in the whole generations of a history that are new."""
        while len(self._told) + self._size <= len(history):
            begin = len(self._told)
            self.point(begin + self._size - 1)
            values = [float("inf") if math.isnan(loss) else float(loss) for loss in losses[begin : begin + self._size]]
            if any(math.isfinite(value) for value in values):
                worst = max(value for value in values if math.isfinite(value))
                values = [value if math.isfinite(value) else worst + 1.0 for value in values]
            else:
                values = [0.0] * self._size
            self._cma.tell(list(zip(self._asked[begin:], values, strict=True)))
            self._told += values

    def point(self, number: int) -> tuple[float, ...]:
        """The coordinates of a point of the generation that is open; drawn in order."""
        while len(self._points) <= number:
            shares = self._cma.ask()
            self._asked.append(shares)
            self._points.append(tuple(c.at(float(share)) for c, share in zip(self._space.coords, shares, strict=True)))
        return self._points[number]
