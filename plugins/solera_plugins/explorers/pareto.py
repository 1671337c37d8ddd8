"""A search for the trade-offs between two or more objectives, by Optuna's samplers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from solera.api import Ask, Extent, History, InputError, Param, Seed, Space

Sampler = Literal["nsga2", "gp", "tpe", "random"]
Bounds = Mapping[str, BaseDistribution]
Given = Mapping[str, float]


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
            replay = self._replay = _Replay(space, seed, self._make)
        replay.tell(history)
        named = _named(space)
        stop = min(len(history) + n, self._points)
        return [Ask(replay.ask(*named[number : number + 1])) for number in range(len(history), stop)]

    def _make(self, seed: Seed, bounds: Bounds, given: Given | None) -> BaseSampler:
        """The sampler of one point."""
        drawn = seed.integer() % 2**32
        match self._sampler:
            case "nsga2":
                return _Genetic(bounds, self._population, drawn, given)
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


class _Genetic(NSGAIISampler):  # type: ignore[misc]  # optuna is not read by mypy
    """NSGA-II that also takes points it is given into its generations.

    Optuna leaves enqueued trials out of them, so neither named models nor a resumed history would ever be parents.
    """

    def __init__(self, bounds: Bounds, population: int, seed: int, given: Given | None) -> None:
        super().__init__(population_size=population, seed=seed)
        self._bounds = bounds
        self._given = given

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return dict(self._bounds)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if self._given is None:
            drawn: dict[str, Any] = super().sample_relative(study, trial, search_space)
            return drawn
        self.get_parent_population(study, self.get_trial_generation(study, trial))
        return dict(self._given)


class _Replay:
    """An Optuna study that holds exactly a history, and the points asked for beyond it.

    Args:
        space: What is explored.
        seed: The exploration's.
        make: ``make(seed, bounds, given)``: the sampler of one point.
    """

    def __init__(self, space: Space, seed: Seed, make: Callable[[Seed, Bounds, Given | None], BaseSampler]) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # it would announce studies and fallbacks on stderr
        self._space, self._seed, self._make = space, seed, make
        self._study = optuna.create_study(directions=["minimize"] * len(space.objectives))
        self._bounds: Bounds = {c.name: FloatDistribution(c.low, c.high, log=c.log) for c in space.coords}
        self._asked: list[tuple[float, ...]] = []
        self._open: dict[int, Trial] = {}
        self._told = 0

    def continues(self, space: Space, history: History, seed: Seed) -> bool:
        """Whether a history goes on from exactly what was asked here."""
        if (space, seed) != (self._space, self._seed) or not self._told <= len(history) <= len(self._asked):
            return False
        return self._asked[: len(history)] == [tuple(row) for row in history.coords.tolist()]

    def tell(self, history: History) -> None:
        """Take in the points of a history that are new. A point with a NaN is one that failed."""
        values = self._space.minimised(history.values)
        for number in range(self._told, len(history)):
            failed = bool(np.isnan(values[number]).any())
            scores, state = (None, TrialState.FAIL) if failed else (values[number].tolist(), TrialState.COMPLETE)
            if number == len(self._asked):
                self.ask(tuple(history.coords[number].tolist()))
            self._study.tell(self._open.pop(number), scores, state)
        self._told = len(history)

    def ask(self, coords: tuple[float, ...] | None = None) -> tuple[float, ...]:
        """The next point: the one given, or one the sampler draws."""
        given = None if coords is None else dict(zip(self._bounds, coords, strict=True))
        number = len(self._asked)
        self._study.sampler = self._make(self._seed.child("pareto", str(number)), self._bounds, given)
        if given is not None and not isinstance(self._study.sampler, _Genetic):
            self._study.enqueue_trial(given)
        trial = self._open[number] = self._study.ask(dict(self._bounds))
        self._asked.append(tuple(float(trial.params[name]) for name in self._bounds))
        return self._asked[number]
