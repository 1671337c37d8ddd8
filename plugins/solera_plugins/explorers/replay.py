"""CMA-ES as a function of a history: played again from its seed, and remembered while the history goes on."""

from __future__ import annotations

import math

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from solera.api import History, Seed, Space
from solera_plugins.explorers.box import placed

Floats = NDArray[np.float64]


def generation(coords: int) -> int:
    """Points of a generation of CMA-ES (Hansen 2016)."""
    return 4 + math.floor(3 * math.log(coords))


class Replay:
    """CMA-ES in the unit box that has been told the whole generations of a history.

    Where a point that it drew was moved into the family's region, it is told the point that was scored.

    Args:
        space: What is explored.
        seed: Of its draws.
        size: Points of a generation.
        start: Share of each range where it begins.
        step: First standard deviation, as a share of each range.
    """

    def __init__(self, space: Space, seed: Seed, size: int, start: float = 0.5, step: float = 1 / 6) -> None:
        self._space, self._seed, self._size = space, seed, size
        count = len(space.coords)
        bounds = np.tile([0.0, 1.0], (count, 1))
        drawn = seed.integer() % 2**32
        self._cma = CMA(np.full(count, float(start)), step, bounds=bounds, seed=drawn, population_size=size)
        self._asked: list[Floats] = []
        self._points: list[tuple[float, ...]] = []
        self._told: list[float] = []
        #: Whether it said after some generation that going on is of no use.
        self.stopped = False

    def continues(self, space: Space, seed: Seed, history: History, losses: Floats) -> bool:
        """Whether a history goes on from exactly what was asked and told here.

        Args:
            space: What is explored.
            seed: Of the draws.
            history: All points so far.
            losses: One number for each, shape (n,), smaller being better; NaN where there is none.
        """
        if (space, seed) != (self._space, self._seed) or len(self._told) > len(history):
            return False
        known = self._points[: len(history)]
        same = known == [tuple(row) for row in history.coords[: len(known)].tolist()]
        return same and np.array_equal(self._told, losses[: len(self._told)], equal_nan=True)

    def tell(self, losses: Floats) -> None:
        """Take in the whole generations of a history that are new, by the losses of all its points."""
        while len(self._told) + self._size <= len(losses):
            begin = len(self._told)
            self.point(begin + self._size - 1)
            newest = losses[begin : begin + self._size].tolist()
            worst = max((loss for loss in newest if math.isfinite(loss)), default=0.0)
            values = [loss if math.isfinite(loss) else worst + 1.0 for loss in newest]
            self._cma.tell(list(zip(self._asked[begin:], values, strict=True)))
            self._told += newest
            self.stopped = self.stopped or self._cma.should_stop()

    def point(self, number: int) -> tuple[float, ...]:
        """The coordinates of a point of the generation that is open; drawn in order."""
        while len(self._points) <= number:
            shares = self._cma.ask()
            point, shares = placed(self._space, shares)
            self._asked.append(shares)
            self._points.append(point)
        return self._points[number]
