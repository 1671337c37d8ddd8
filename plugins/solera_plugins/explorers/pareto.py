"""A search for the trade-offs between two or more objectives, by Optuna's samplers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState, create_trial

from solera.api import Ask, Extent, History, InputError, Param, Seed, Space

Sampler = Literal["nsga2", "gp", "tpe", "random"]


class Pareto:
    """Search the trade-offs between two or more objectives.

    It starts from the models that have names and lie within the bounds (the base, the experts), then samples. Where
    there are fewer than two of those, the first ``population`` points are the yardstick of the hypervolume.

    Each point is drawn by a sampler of its own, seeded from the exploration's seed and the point's number, over an
    Optuna study that holds exactly the history; so what is asked depends on nothing else.

    Args:
        sampler: ``"nsga2"`` (a genetic search), ``"gp"`` (Gaussian processes; the fewest points, up to a second of
            thought for each), ``"tpe"`` (Parzen estimators) or ``"random"``.
        points: How many points to score.
        population: Individuals of an NSGA-II generation.
    """

    name = "pareto"

    def __init__(
        self,
        *,
        sampler: Annotated[Sampler, Param(help="How points are proposed.")] = "nsga2",
        points: Annotated[int, Param(4, 100_000, help="Points to score.")] = 120,
        population: Annotated[int, Param(4, 1000, help="Points of an NSGA-II generation.")] = 20,
    ) -> None:
        self._sampler: Sampler = sampler
        self._points = points
        self._population = population
        self._replay: _Replay | None = None

    def plan(self, space: Space) -> Extent:
        """As many points as were asked for.

        Raises:
            InputError: There are fewer than two objectives.
        """
        if len(space.objectives) < 2:
            names = ", ".join(space.columns[i].name for i in space.objectives) or "none"
            raise InputError(f"A search for trade-offs needs two objectives or more, from two tasks; got {names}.")
        named = len(_named(space))
        initial = named if named >= 2 else self._population
        return Extent(self._points, (), min(initial, self._points))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The named models first, then what the sampler proposes."""
        replay = self._replay
        if replay is None or not replay.continues(space, history, seed):
            replay = self._replay = _Replay(space, seed, self._sampler == "nsga2")
        replay.tell(history, self._make)
        named = _named(space)
        stop = min(len(history) + n, self._points)
        return [
            Ask(replay.ask(named[number] if number < len(named) else None, self._make(number, seed)))
            for number in range(len(history), stop)
        ]

    def _make(self, number: int, seed: Seed) -> BaseSampler:
        """The sampler of one point."""
        drawn = seed.child("pareto", str(number)).integer() % 2**32
        match self._sampler:
            case "nsga2":
                return NSGAIISampler(population_size=self._population, seed=drawn)
            case "gp":
                return GPSampler(seed=drawn)
            case "tpe":
                return TPESampler(seed=drawn, multivariate=True)
            case "random":
                return RandomSampler(seed=drawn)


def _named(space: Space) -> list[tuple[float, ...]]:
    """The named models within the bounds, each place once."""
    inside = [
        tuple(map(float, at))
        for at in space.labels.values()
        if all(coord.low <= value <= coord.high for coord, value in zip(space.coords, at, strict=True))
    ]
    return list(dict.fromkeys(inside))


class _Replay:
    """An Optuna study that holds exactly a history, and the points asked for beyond it."""

    def __init__(self, space: Space, seed: Seed, genetic: bool) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would announce each study on stderr
        self._space, self._seed, self._genetic = space, seed, genetic
        self._study = optuna.create_study(directions=["minimize"] * len(space.objectives))
        self._bounds = {c.name: FloatDistribution(c.low, c.high, log=c.log) for c in space.coords}
        self._asked: list[tuple[float, ...]] = []
        self._open: dict[int, Trial] = {}
        self._told = 0

    def continues(self, space: Space, history: History, seed: Seed) -> bool:
        """Whether a history goes on from exactly what was asked here."""
        if (space, seed) != (self._space, self._seed) or not self._told <= len(history) <= len(self._asked):
            return False
        return self._asked[: len(history)] == [tuple(row) for row in history.coords.tolist()]

    def tell(self, history: History, make: Callable[[int, Seed], BaseSampler]) -> None:
        """Take in the points of a history that are new."""
        values = self._space.minimised(history.values)
        for number in range(self._told, len(history)):
            coords = tuple(history.coords[number].tolist())
            if number == len(self._asked):
                self._replay(coords, values[number], make(number, self._seed))
            if number in self._open:
                failed = bool(np.isnan(values[number]).any())
                trial = self._open.pop(number)
                self._study.tell(trial, None if failed else values[number].tolist(), _state(failed))
        self._told = len(history)

    def ask(self, coords: tuple[float, ...] | None, sampler: BaseSampler) -> tuple[float, ...]:
        """The next point: the one given, or one the sampler draws."""
        self._study.sampler = sampler
        if coords is not None:
            self._study.enqueue_trial(dict(zip(self._bounds, coords, strict=True)))
        trial = self._study.ask(self._bounds)
        asked = tuple(float(trial.params[name]) for name in self._bounds)
        self._open[len(self._asked)] = trial
        self._asked.append(asked)
        return asked

    def _replay(self, coords: tuple[float, ...], values: NDArray[np.float64], sampler: BaseSampler) -> None:
        if self._genetic:  # a generation is something that only asking assigns
            self.ask(coords, sampler)
            return
        failed = bool(np.isnan(values).any())
        self._study.add_trial(
            create_trial(
                params=dict(zip(self._bounds, coords, strict=True)),
                distributions=dict(self._bounds),
                values=None if failed else values.tolist(),
                state=_state(failed),
            )
        )
        self._asked.append(coords)


def _state(failed: bool) -> TrialState:
    return TrialState.FAIL if failed else TrialState.COMPLETE
