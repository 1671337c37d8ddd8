"""A search for the trade-offs between two or more objectives, by Optuna's samplers."""

from __future__ import annotations

from typing import Annotated, Literal

from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from solera.api import Ask, Extent, History, InputError, Param, Seed, Space
from solera_plugins.explorers.box import named_points
from solera_plugins.explorers.studies import Bounds, Nsga2, Nsga3, Study

Sampler = Literal["nsga2", "nsga3", "gp", "tpe", "random"]


class Pareto:
    """Search the trade-offs between two or more objectives.

    It starts from the models that have names and lie within the bounds (the base, the experts), then samples. Where
    there are fewer than two of those, the first ``population`` points are the yardstick of the hypervolume. Each point
    is drawn by a sampler of its own, seeded from the exploration's seed and the point's number, over an Optuna study
    that holds exactly the history.

    It needs no more than an aggregate score; without errors the report says of no point that it is surely on the front.

    Args:
        sampler: ``"nsga2"`` or ``"nsga3"`` (genetic searches; the second for three objectives or more), ``"gp"``
            (Gaussian processes; few points, up to a second of thought for each), ``"tpe"`` (Parzen estimators) or
            ``"random"``.
        points: How many points to score.
        population: Individuals of a generation.
        batch: Points asked for at once by ``"gp"`` and ``"tpe"``; more keep several devices at work, and each knows
            less. Genetic searches ask for a generation.
    """

    name = "pareto"

    def __init__(
        self,
        *,
        sampler: Annotated[Sampler, Param(help="How points are proposed.")] = "nsga2",
        points: Annotated[int, Param(4, 100_000, help="Points to score.")] = 120,
        population: Annotated[int, Param(4, 1000, help="Points of a generation of NSGA-II and NSGA-III.")] = 20,
        batch: Annotated[int, Param(1, 1000, help="Points asked for at once by gp and tpe.")] = 1,
    ) -> None:
        self._sampler: Sampler = sampler
        self._points = points
        self._population = population
        self._batch = batch
        self._study: Study | None = None

    def plan(self, space: Space) -> Extent:
        """As many points as were asked for.

        Raises:
            InputError: There are fewer than two objectives.
        """
        if len(space.objectives) < 2:
            names = ", ".join(space.columns[i].name for i in space.objectives) or "none"
            raise InputError(f"A search for trade-offs needs two objectives or more, from two tasks; got {names}.")
        named = len(named_points(space))
        initial = named if named >= 2 else self._population
        together = {"gp": self._batch, "tpe": self._batch}.get(self._sampler, self._population)
        return Extent(self._points, (), min(initial, self._points), rounds=(together,))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The named models first, then what the sampler proposes."""
        n = min(n, self._points - len(history))
        given = named_points(space)[len(history) : len(history) + n]
        if len(given) == n:
            return [Ask(at) for at in given]
        if self._study is None or not self._study.continues(space, history, seed):
            self._study = Study(space, seed, self._make, self.plan(space).round_at)
        return [Ask(at) for at in [*given, *self._study.ask(history, n - len(given), skip=len(given))]]

    def _make(self, seed: int, bounds: Bounds) -> BaseSampler:
        """The sampler of one point."""
        match self._sampler:
            case "nsga2":
                return Nsga2(bounds, self._population, seed)
            case "nsga3":
                return Nsga3(bounds, self._population, seed)
            case "gp":
                return GPSampler(seed=seed)
            case "tpe":
                return TPESampler(seed=seed, multivariate=True)
            case "random":
                return RandomSampler(seed=seed)
