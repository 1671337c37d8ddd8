"""Evolution of merges in parameter space: CMA-ES over a family's coordinates."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from solera.api import Ask, Extent, History, InputError, Param, Remark, Seed, Space
from solera_plugins.explorers.fitness import Fitness
from solera_plugins.explorers.replay import Replay, generation


class Evolution:
    """Evolve coordinates by CMA-ES, as evolutionary merging does with the densities and weights of layers.

    Akiba et al. 2024, Evolutionary optimization of model merging recipes, in parameter space: CMA-ES (Hansen 2016) in
    the unit box that the coordinates' ranges make, from the middle or another share of the way, with a step of a sixth.
    Generations are asked for whole. A point outside the family's region is moved to the nearest one in
    it. A point without a score counts as the worst. Random methods of a recipe draw from its seed, so equal points
    score alike.

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
        self._replay: Replay | None = None

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
        losses, size = Fitness.of(space, self.name, self._weights).losses(history), self._size(space)
        own, replay = seed.child("evolution"), self._replay
        if replay is None or not replay.continues(space, own, history, losses):
            replay = self._replay = Replay(space, own, size, self._start, self._step)
        replay.tell(losses)
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
        return self._population or generation(len(space.coords))
