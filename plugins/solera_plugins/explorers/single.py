"""A search for the best model by one objective: along a line, by Gaussian processes, Parzen estimators, or CMA-ES."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from optuna.samplers import BaseSampler, GPSampler, TPESampler

from solera.api import Ask, Extent, History, InputError, Param, Seed, Space
from solera_plugins.explorers.box import Box, named_points
from solera_plugins.explorers.replay import Replay, generation
from solera_plugins.explorers.studies import Bounds, Study

Floats = NDArray[np.float64]
Method = Literal["auto", "line", "gp", "tpe", "cmaes"]

#: Most coordinates that processes and estimators are used for, and most points that a process is asked after.
_FEW, _PROCESS = 20, 150
#: Points of a line before it closes in, and how near to a known point (as a share of the range) it asks again.
_COARSE, _NEAR = 5, 1e-3


class Single:
    """Search for the best model by one objective.

    It needs no more than an aggregate score.

    Args:
        method: ``"line"`` (one coordinate: a coarse look, then parabolas through the best three points), ``"gp"``,
            ``"tpe"``, or ``"cmaes"`` (for many coordinates, such as one for each layer). ``"auto"`` takes the line for
            one real coordinate, processes up to 20 coordinates (estimators after 150 points, and where a coordinate is
            a choice), and CMA-ES beyond.
        points: How many points to score.
        batch: Points asked for at once by processes and estimators; CMA-ES asks for a generation.
    """

    name = "single"

    def __init__(
        self,
        *,
        method: Annotated[Method, Param(help="How points are proposed.")] = "auto",
        points: Annotated[int, Param(3, 100_000, help="Points to score.")] = 40,
        batch: Annotated[int, Param(1, 1000, help="Points asked for at once by gp and tpe.")] = 1,
    ) -> None:
        self._method: Method = method
        self._points = points
        self._batch = batch
        self._study: Study | None = None
        self._replay: Replay | None = None

    def plan(self, space: Space) -> Extent:
        """As many points as were asked for.

        Raises:
            InputError: There is not exactly one objective, or the method cannot take these coordinates.
        """
        if len(space.objectives) != 1:
            names = ", ".join(space.columns[i].name for i in space.objectives) or "none"
            raise InputError(f"This search makes one objective good; got {names}. Name one, or use map or pareto.")
        method = self._resolved(space)
        if method == "line" and (len(space.coords) > 1 or space.coords[0].kind != "real"):
            raise InputError(f"A line search has one real coordinate; this family has {len(space.coords)}.")
        if method == "cmaes":
            Box(space)
            if len(space.coords) < 2:
                raise InputError("CMA-ES needs two coordinates or more; search one with method line.")
            return Extent(self._points, rounds=(generation(len(space.coords)),))
        if method == "line":
            return Extent(self._points, rounds=(_COARSE, 1))
        return Extent(self._points, rounds=(self._batch,))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The next points."""
        n = min(n, self._points - len(history))
        if n <= 0:
            return []
        method = self._resolved(space)
        if method == "line":
            return [Ask(at) for at in _along(space, history, n)]
        if method == "cmaes":
            return [Ask(at) for at in self._generation(space, history, n, seed)]
        given = named_points(space)[len(history) : len(history) + n]
        if len(given) == n:
            return [Ask(at) for at in given]
        if self._study is None or not self._study.continues(space, history, seed):
            self._study = Study(space, seed, partial(_sampler, method), self.plan(space).round_at)
        return [Ask(at) for at in [*given, *self._study.ask(history, n - len(given), skip=len(given))]]

    def _resolved(self, space: Space) -> Method:
        if self._method != "auto":
            return self._method
        if len(space.coords) == 1 and space.coords[0].kind == "real":
            return "line"
        kinds = {coord.kind for coord in space.coords}
        if len(space.coords) > _FEW and "choice" not in kinds:
            return "cmaes"
        return "tpe" if "choice" in kinds or self._points > _PROCESS else "gp"

    def _generation(self, space: Space, history: History, n: int, seed: Seed) -> list[tuple[float, ...]]:
        """The rest of a generation of CMA-ES or the next one; it begins in the middle of the box."""
        losses, size = space.minimised(history.values)[:, 0], generation(len(space.coords))
        own, replay = seed.child("cmaes"), self._replay
        if replay is None or not replay.continues(space, own, history, losses):
            replay = self._replay = Replay(space, own, size)
        replay.tell(losses)
        stop = min(len(history) + n, (len(history) // size + 1) * size)
        return [] if replay.stopped else [replay.point(number) for number in range(len(history), stop)]


def _sampler(method: Method, seed: int, bounds: Bounds) -> BaseSampler:
    """The sampler of one point."""
    return GPSampler(seed=seed) if method == "gp" else TPESampler(seed=seed, multivariate=True)


def _along(space: Space, history: History, n: int) -> list[tuple[float, ...]]:
    """A coarse look at a line, then the lowest point of a parabola, or the middle of the wider gap beside the best."""
    box = Box(space)
    if len(history) < _COARSE:
        return [box.point([i / (_COARSE - 1)]) for i in range(len(history), min(len(history) + n, _COARSE))]
    known, values = box.shares(history.coords)[:, 0], space.minimised(history.values)[:, 0]
    there = np.isfinite(values)
    x, rows = np.unique(known[there], return_index=True)
    y = values[there][rows]
    if not len(x):
        return []
    best = int(np.argmin(y))
    left, right = (x[best - 1] if best else x[best]), (x[best + 1] if best + 1 < len(x) else x[best])
    guesses = [_lowest(x[best - 1 : best + 2], y[best - 1 : best + 2])] if 0 < best < len(x) - 1 else []
    gaps = [(left + x[best]) / 2, (right + x[best]) / 2]
    guesses += gaps if x[best] - left > right - x[best] else gaps[::-1]
    for guess in guesses:
        if left < guess < right and np.abs(known - guess).min() > _NEAR:
            return [box.point([guess])]
    return []  # as near as it will come


def _lowest(x: Floats, y: Floats) -> float:
    """Where the parabola through three points is lowest; NaN if it is none that opens upwards."""
    a, b, _ = np.polyfit(x - x[1], y, 2)
    return float(x[1] - b / (2 * a)) if a > 0 else math.nan
