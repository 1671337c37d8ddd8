"""A soup explorer's run as it grows: which models are in, which one is tried, what each step scored. No Qt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from solera.events import Indicator, PointScored
from solera_app.canvases.soup_facts import Step

#: Explorer -> the form of family it explores.
FAMILIES = {"greedy_soup": "subset", "uniform_soup": "subset", "learned_soup": "shares"}
#: Explorer -> what a person calls it.
TITLES = {"greedy_soup": "Greedy soup", "uniform_soup": "Uniform soup", "learned_soup": "Learned soup"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over tasks at a point.

    Attributes:
        value: The mean.
        stderr: Its standard error; where several tasks may share samples and keep none, what it is at most.
        count: Samples of the task that has fewest.
    """

    value: float
    stderr: float
    count: int


class SoupRun:
    """Follows one run.

    Args:
        names: Id of each model of the pool -> its name, in the order of the run's coordinates.
        explorer: ``"greedy_soup"``, ``"uniform_soup"`` or ``"learned_soup"``.
        columns: Places of the objectives among the run's columns.
        units: The population each objective's samples come from (see :class:`solera.tasks.task.Task`).
        better: Which way is good.
        planned: How many points the search has; 0 if that is not known.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        explorer: str,
        columns: Sequence[int],
        units: Sequence[str],
        better: str,
        planned: int = 0,
    ) -> None:
        self.explorer = explorer
        self.planned = planned
        self.steps: list[Step] = []
        self.singles: dict[str, Figure] = {}
        self.reports: dict[tuple[float, ...], Figure] = {}
        self.pot: tuple[str, ...] = ()
        self.shares: tuple[float, ...] = ()
        self._names = dict(names)
        self._ids = tuple(names)
        self.columns, self._units = tuple(columns), tuple(units)
        self._sign = 1.0 if better == "lower" else -1.0
        self._waiting: list[str] = []
        self._points: dict[int, Step] = {}
        self.done = 0

    @property
    def trial(self) -> str:
        """Id of the model that is tried now; empty if none is."""
        return self._waiting[0] if self._waiting and self.explorer == "greedy_soup" else ""

    @property
    def left(self) -> frozenset[str]:
        """Models that were tried and not taken."""
        return frozenset(step.tried for step in self.steps if step.verdict == "left")

    @property
    def best(self) -> Figure | None:
        """The best single model's figure."""
        known = [figure for figure in self.singles.values() if math.isfinite(figure.value)]
        return min(known, key=lambda figure: self._sign * figure.value, default=None)

    def figure(self) -> Figure | None:
        """The score of the soup as it is."""
        for step in reversed(self.steps):
            if step.verdict == "taken":
                return Figure(step.value, step.stderr, max((f.count for f in self.singles.values()), default=0))
        return None

    def report(self) -> Figure | None:
        """The soup's score on the report split; None until it is known."""
        wanted = dict(zip(self.pot, self.shares or (1.0,) * len(self.pot), strict=True))
        coords = tuple(wanted.get(id_, 0.0) for id_ in self._ids)
        return self.reports.get(coords)

    def add(self, points: Sequence[PointScored]) -> None:
        """Points of the run arrived, in order."""
        for point in points:
            figure = self._figure(point)
            if point.phase == "report":
                self.reports[tuple(point.coords)] = figure
                continue
            self.done = max(self.done, point.index + 1)
            if self.explorer == "learned_soup":
                self._learned(point, figure)
            elif point.index < len(self._ids):
                self.singles[self._ids[point.index]] = figure
                if len(self.singles) == len(self._ids):
                    self._begin()
            elif self.explorer == "uniform_soup":
                self.pot = self._ids
                self._step(f"all {len(self._ids)}", figure)
            else:
                self._tried(point, figure)

    def tell(self, indicators: Sequence[Indicator]) -> None:
        """Indicators of the run arrived: whether the newest model was taken."""
        for one in indicators:
            if one.name == "soup:taken" and one.index - 1 in self._points:
                self._decide(one.index - 1, taken=one.value > 0.5)

    def _figure(self, point: PointScored) -> Figure:
        values = [point.values[i] for i in self.columns]
        errors = [point.stderrs[i] for i in self.columns]
        samples = [point.samples[i] if point.samples is not None else None for i in self.columns]
        error = mean_error(errors, samples, self._units)
        return Figure(sum(values) / len(values), error, min(point.counts[i] for i in self.columns))

    def _begin(self) -> None:
        known = [id_ for id_ in self._ids if math.isfinite(self.singles[id_].value)]
        # As the explorer has it: best first, of equally good ones the last.
        order = sorted(known, key=lambda id_: -self._sign * self.singles[id_].value)[::-1]
        if not order:
            return
        self.pot = (order[0],)
        self._step(self._names[order[0]], self.singles[order[0]], order[0])
        self._waiting = order[1:]

    def _step(self, name: str, figure: Figure, tried: str = "") -> None:
        self.steps.append(Step(len(self.steps) + 1, tried, name, figure.value, figure.stderr))

    def _tried(self, point: PointScored, figure: Figure) -> None:
        inside = [id_ for id_, share in zip(self._ids, point.coords, strict=True) if share > 0]
        tried = next((id_ for id_ in inside if id_ not in self.pot), "")
        step = Step(len(self.steps) + 1, tried, self._names.get(tried, ""), figure.value, figure.stderr, "waiting")
        self.steps.append(step)
        self._points[point.index] = step
        if tried in self._waiting:
            self._waiting.remove(tried)

    def _decide(self, index: int, *, taken: bool) -> None:
        step = self._points[index]
        decided = replace(step, verdict="taken" if taken else "left")
        self.steps[step.number - 1] = decided
        self._points[index] = decided
        if taken and step.tried not in self.pot:
            self.pot = (*self.pot, step.tried)

    def _learned(self, point: PointScored, figure: Figure) -> None:
        self.pot, self.shares = self._ids, tuple(point.coords)
        self._step(f"step {point.index}", figure)


def mean_error(errors: Sequence[float], samples: Sequence[Any], units: Sequence[str]) -> float:
    """The standard error of a mean over tasks.

    Tasks of one population score the same samples: their errors go together as far as the samples do. Without samples
    they are taken to go together wholly, so that the error is what it is at most.

    Args:
        errors: Of each task.
        samples: Values per sample of each, float32 of shape (n,), or None.
        units: The population of each; an empty one is its own.
    """
    variance = 0.0
    for i, one in enumerate(errors):
        for j, other in enumerate(errors):
            variance += _together(i, j, samples, units) * one * other
    return math.sqrt(max(variance, 0.0)) / len(errors)


def _together(i: int, j: int, samples: Sequence[Any], units: Sequence[str]) -> float:
    """The correlation of two tasks' values."""
    if i == j:
        return 1.0
    if not units[i] or units[i] != units[j]:
        return 0.0
    a, b = samples[i], samples[j]
    if a is None or b is None or len(a) != len(b) or len(a) < 2:
        return 1.0
    x, y = (np.asarray(v, dtype=np.float64) - np.mean(v, dtype=np.float64) for v in (a, b))
    size = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / size if size else 0.0
