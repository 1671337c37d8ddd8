"""Optuna's samplers as functions of a history: a study in memory that holds exactly the points of the history.

Each point is drawn by a sampler of its own, seeded from the exploration's seed and the point's number; trials that were
only asked for are closed at once, and enter the study again with their scores. So a study that is made anew from a run
file asks what one that was there all the time would have asked, and making it costs time in proportion to its points.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from solera.api import History, Seed, Space

Bounds = Mapping[str, BaseDistribution]
#: Where a trial keeps which generation it is of.
_GENERATION = "solera:generation"
#: ``make(seed, bounds)``: the sampler of one point.
Make = Callable[[int, Bounds], BaseSampler]


def bounds_of(space: Space) -> dict[str, BaseDistribution]:
    """The coordinates as Optuna sees them; a choice is one of its places."""
    found: dict[str, BaseDistribution] = {}
    for coord in space.coords:
        if coord.kind == "choice":
            found[coord.name] = CategoricalDistribution(tuple(range(len(coord.choices))))
        elif coord.kind == "whole":
            found[coord.name] = IntDistribution(int(coord.low), int(coord.high))
        else:
            found[coord.name] = FloatDistribution(coord.low, coord.high, log=coord.log)
    return found


class _Genetic:
    """Draws all coordinates together from the first point on, in the generation that the study says."""

    bounds: Bounds
    generation: int

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return dict(self.bounds)

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        return self.generation

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [trial for trial in done if trial.system_attrs.get(_GENERATION) == generation]


class Nsga2(_Genetic, NSGAIISampler):  # type: ignore[misc]  # optuna is not read by mypy
    """NSGA-II over the whole space."""

    def __init__(self, bounds: Bounds, population: int, seed: int) -> None:
        super().__init__(population_size=population, seed=seed)
        self.bounds, self.generation = bounds, 0


class Nsga3(_Genetic, NSGAIIISampler):  # type: ignore[misc]
    """NSGA-III over the whole space."""

    def __init__(self, bounds: Bounds, population: int, seed: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that its interface is experimental is our concern
            super().__init__(population_size=population, seed=seed)
        self.bounds, self.generation = bounds, 0


class Study:
    """A study over the points of one exploration.

    Args:
        space: What is explored.
        seed: The exploration's.
        make: Makes the sampler of one point.
        round_at: Start and size of the round of a point; :meth:`solera.api.Extent.round_at`.
    """

    def __init__(self, space: Space, seed: Seed, make: Make, round_at: Callable[[int], tuple[int, int]]) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # it would announce studies and fallbacks on stderr
        self._space, self._seed, self._make, self._round_at = space, seed, make, round_at
        self._study = optuna.create_study(directions=["minimize"] * len(space.objectives))
        self.bounds = bounds_of(space)
        self._told: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
        self._generation, self._members = 0, 0

    def continues(self, space: Space, history: History, seed: Seed) -> bool:
        """Whether a history begins with exactly the points that are in here."""
        if (space, seed) != (self._space, self._seed) or len(history) < len(self._told):
            return False
        return self._rows(history, 0, len(self._told)) == self._told

    def ask(self, history: History, n: int, skip: int = 0) -> list[tuple[float, ...]]:
        """The next points after a history that goes on from what is in here, moved into the family's region.

        Args:
            history: All points so far.
            n: How many.
            skip: Points of this round that somebody else chose, before these.
        """
        self._tell(history)
        self._begin_round(len(self._told))
        start = len(self._told) + skip
        trials = []
        for number in range(start, start + n):
            self._study.sampler = self._sampler(number)
            trials.append(self._study.ask(dict(self.bounds)))
        asked = [self._space.nearest([float(trial.params[name]) for name in self.bounds]) for trial in trials]
        for trial in trials:
            self._study.tell(trial, state=TrialState.FAIL)
        return asked

    def _tell(self, history: History) -> None:
        rows = self._rows(history, len(self._told), len(history))
        for coords, values in rows:
            number = len(self._told)
            if self._round_at(number)[0] == number:
                self._begin_round(number)
            failed = any(value != value for value in values)
            params = {
                name: coords[i] if isinstance(bound, FloatDistribution) else int(coords[i])
                for i, (name, bound) in enumerate(self.bounds.items())
            }
            self._study.add_trial(
                create_trial(
                    state=TrialState.FAIL if failed else TrialState.COMPLETE,
                    values=None if failed else list(values),
                    params=params,
                    distributions=self.bounds,
                    system_attrs={_GENERATION: self._generation},
                )
            )
            self._members += not failed
            self._told.append((coords, values))

    def _begin_round(self, number: int) -> None:
        """All points of a round are of one generation; its parents are chosen by the sampler of its first point."""
        sampler = self._sampler(number)
        if isinstance(sampler, _Genetic) and self._members >= sampler.population_size:  # type: ignore[attr-defined]
            self._generation, self._members = self._generation + 1, 0
            sampler.get_parent_population(self._study, self._generation)  # type: ignore[attr-defined]

    def _sampler(self, number: int) -> BaseSampler:
        sampler = self._make(self._seed.child("study", str(number)).integer() % 2**32, self.bounds)
        if isinstance(sampler, _Genetic):
            sampler.generation = self._generation
        return sampler

    def _rows(self, history: History, start: int, stop: int) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
        values = self._space.minimised(history.values[start:stop])
        values = np.where(np.isfinite(values), values, np.nan)
        return [
            (tuple(at), tuple(scores))
            for at, scores in zip(history.coords[start:stop].tolist(), values.tolist(), strict=True)
        ]
