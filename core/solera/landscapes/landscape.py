"""A landscape: coordinates in, scores out."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from solera.context import Context
from solera.errors import InputError, NumericError, TaskError
from solera.events import Logged
from solera.families.family import Family
from solera.landscapes.explorer import Slope, Space
from solera.landscapes.first_layers import Axes
from solera.landscapes.portions import Portions
from solera.landscapes.slopes import obstacle, slope_at
from solera.landscapes.together import Together
from solera.landscapes.traces import TaskTraces
from solera.landscapes.ways import Engine, Way, make_engine
from solera.models.spread import SpreadNetwork
from solera.seeds import Seed
from solera.tasks.forward import ScoresLogits
from solera.tasks.means import mean_difference
from solera.tasks.scores import Column, Difference, Score, Split
from solera.tasks.task import Evaluator, Task

if TYPE_CHECKING:
    from solera.families.derivative import Derivative
    from solera.models.network import Network

#: Why a gradient cannot be had of some families.
NO_DERIVATIVE = "the weights of the family are neither an average of models nor affine in its coordinates"
#: The same where the network is the reason.
NOT_ON_ONE_DEVICE = "the network lies on several devices; name one"

#: Bytes of per-sample values a landscape remembers.
MEMO_BYTES = 64 * 2**20


class Materialiser(Protocol):
    """Writes the weights of a point into a network's flat vector (:class:`solera.execution.memory.Materialiser`)."""

    def at(self, numbers: Mapping[str, float], out: Tensor) -> None:
        """Write the weights, rounded as they would be saved, into ``out`` (shape (layout.numel,), float32)."""
        ...


@dataclass(frozen=True, slots=True)
class Measure:
    """One task made ready on one split."""

    task: Task
    split: Split
    evaluator: Evaluator


class Landscape:
    """A family and its tasks.

    Points are evaluated one after another, each written anew into the network in place, so a score does not depend on
    what was scored before. Scores are remembered by exact coordinates; what else they depend on (tasks, versions,
    splits, samples, dtype) is fixed for a landscape's life. Used by one thread at a time.

    Args:
        family: Coordinates -> weights.
        network: What the weights are written into; may be shared by several landscapes of one thread.
        materialiser: Of the family's recipe, with the network's layout.
        measures: The tasks, or ``(task, split, evaluator)`` triples, in the order of their columns.
        derivative: Of the family, where gradients may be asked for.

    Raises:
        InputError: There is no task, or two measure the same.
    """

    #: Why the point that was asked for last has no score, where a task could not score it.
    failure: TaskError | None = None

    def __init__(
        self,
        family: Family,
        network: Network,
        materialiser: Materialiser,
        measures: Sequence[Measure | tuple[Task, Split, Evaluator]],
        derivative: Derivative | None = None,
    ) -> None:
        self.family = family
        self.network = network
        self.measures = tuple(item if isinstance(item, Measure) else Measure(*item) for item in measures)
        self.columns: tuple[Column, ...] = tuple(
            column for measure in self.measures for column in measure.evaluator.columns
        )
        names = [(column.name, column.split) for column in self.columns]
        if not names or len(set(names)) < len(names):
            twice = sorted({name for name, split in names if names.count((name, split)) > 1})
            raise InputError(f"A landscape needs tasks that differ; got {', '.join(twice) or 'none'}.", twice=twice)
        self.traces = TaskTraces(self.measures)
        #: How points are evaluated; see :meth:`use`.
        self.way = Way()
        self._engine: Engine = make_engine(self.way, network)
        #: Whether scores carry what pictures are interpolated from.
        self.traced = False
        evaluators = [measure.evaluator for measure in self.measures]
        # Asked once: looking for a protocol's methods takes longer than scoring a small task.
        self._scorers_of_logits = [each if isinstance(each, ScoresLogits) else None for each in evaluators]
        self._materialiser = materialiser
        self._derivative = derivative
        self._memo: OrderedDict[tuple[float, ...], tuple[Score, ...]] = OrderedDict()
        self._memo_bytes = 0
        self.portions = Portions(evaluators)

    def space(self, objectives: Sequence[str] = ()) -> Space:
        """What an explorer is told.

        Args:
            objectives: Names of columns to make good, ``"task.metric"`` or a task's name alone for its first metric;
                the first metric of each task if empty.

        Raises:
            InputError: There is no such column.
        """
        firsts = {measure.evaluator.columns[0].task: measure.evaluator.columns[0].name for measure in self.measures}
        names = [column.name for column in self.columns]
        chosen = [firsts.get(name, name) for name in objectives] or list(firsts.values())
        unknown = [name for name in chosen if name not in names]
        if unknown or len(set(chosen)) < len(chosen):
            raise InputError(
                f"Objectives are columns of the landscape, each once ({', '.join(names)}); got {', '.join(chosen)}.",
                unknown=unknown,
            )
        counts = tuple(m.evaluator.count for m in self.measures for _ in m.evaluator.columns)
        places = tuple(names.index(name) for name in chosen)
        tasks = {self.columns[place].task for place in places}
        paired = all(measure.task.yields != "aggregate" for measure in self.measures if measure.task.name in tasks)
        whole = NOT_ON_ONE_DEVICE if isinstance(self.network, SpreadNetwork) else NO_DERIVATIVE
        why = whole if self._derivative is None else obstacle(self._scorers(tasks))
        family = self.family
        labels, region = dict(family.labels), family.region
        return Space(
            family.coords, self.columns, labels, places, paired, counts, family.kind, why, self.traces, region
        )  # fmt: skip

    def slope(
        self, coords: Sequence[float], slope: Slope, space: Space, seed: Seed, context: Context
    ) -> NDArray[np.float64]:
        """The gradient at a point; see :func:`solera.landscapes.slopes.slope_at`. NaN where there are no weights.

        Args:
            coords: Where.
            slope: On which batch, of which objectives.
            space: From :meth:`space`.
            seed: The exploration's.
            context: Asked whether to stop.

        Raises:
            InputError: No gradient can be had here.
        """
        if self._derivative is None or space.no_slopes:
            raise InputError(f"No gradient can be had here: {space.no_slopes}.")
        wanted = slope.objectives or range(len(space.objectives))
        tasks = {self.columns[space.objectives[place]].task for place in wanted}
        try:
            with torch.no_grad():
                self._materialiser.at(self.family.numbers(coords), self.network.flat)
        except NumericError:
            return np.full(len(space.coords) + 1, np.nan)
        return slope_at(coords, slope, self._scorers(tasks), self.network, self._derivative, seed, context)

    def _scorers(self, tasks: Container[str]) -> dict[str, Evaluator]:
        return {item.task.name: item.evaluator for item in self.measures if item.task.name in tasks}

    @property
    def one_network(self) -> bool:
        """Whether all points are weights of one network, so that ways of evaluating it can be prepared."""
        return True

    @property
    def chunks(self) -> set[int]:
        """Samples per call of the network that its tasks choose themselves, of those that could be called otherwise."""
        return {scorer.examples().chunk for scorer in self._scorers_of_logits if scorer is not None}

    def difference(self, a: Sequence[Score], b: Sequence[Score], columns: Sequence[int]) -> Difference:
        """The mean of some columns at one point less that at another, paired by sample.

        Args:
            a: The scores of one point.
            b: Those of the other.
            columns: Which; of one metric where there are several.

        Raises:
            InputError: The columns measure different things.
        """
        units = {measure.task.name: measure.task.units for measure in self.measures}
        populations = [units[self.columns[i].task] for i in columns]
        return mean_difference([a[i] for i in columns], [b[i] for i in columns], populations)

    def evaluate(self, coords: Sequence[float], context: Context, samples: int = 0) -> tuple[Score, ...]:
        """The scores of one point, one per column.

        A point whose weights cannot be stored (they overflow the recipe's dtype), or that a task cannot score, has the
        scores NaN, with a warning; the task's reason is kept as :attr:`failure`.

        Args:
            coords: In the order of the family's coordinates.
            context: Asked between chunks whether to stop.
            samples: On how many samples of each task; 0 is all. What :attr:`portions` knows is not scored again.

        Raises:
            InputError: The coordinates are not a point of the family.
            Cancelled: The context says stop.
        """
        key = tuple(map(float, coords))
        self.failure = None
        if not samples and key in self._memo and self._serves(self._memo[key]):
            self._memo.move_to_end(key)
            return self._memo[key]
        try:
            scores = self._score(key, context, samples)
        except (NumericError, TaskError) as error:
            self.failure = error if isinstance(error, TaskError) else None
            place = ", ".join(f"{coord.name} = {value:g}" for coord, value in zip(self.family.coords, key, strict=True))
            context.emit(Logged(level="warning", text=f"No scores at {place}: {error}", job=context.job))
            scores = tuple(Score(column, math.nan, math.nan, 0) for column in self.columns)
        if not samples:
            self.remember(key, scores)
        return scores

    def ahead(self, points: Sequence[Sequence[float]], context: Context) -> None:
        """Score points that are about to be asked for, in one call where the way is for that; else do nothing.

        A point that cannot be scored is left to :meth:`evaluate`, which says so.

        Args:
            points: At most as many as share a call; on all samples.
            context: Asked whether to stop.
        """
        keys = dict.fromkeys(tuple(map(float, at)) for at in points)
        keys = dict.fromkeys(key for key in keys if not self._known(key))
        if not isinstance(self._engine, Together) or len(keys) < 2:
            return
        written: list[tuple[float, ...]] = []
        with torch.inference_mode():
            for key in keys:
                try:
                    self._materialiser.at(self.family.numbers(key), self.network.flat)
                except NumericError:
                    continue
                self._engine.take(len(written))
                written.append(key)
            try:
                found = self._measured_together(len(written), context)
            except TaskError:
                return
            for key, scores in zip(written, found, strict=True):
                self.remember(key, scores)

    def _known(self, key: tuple[float, ...]) -> bool:
        """Whether a point need not be scored in full, or cannot be in the way of the others."""
        return (key in self._memo and self._serves(self._memo[key])) or self.portions.knows(key)

    def describe(self) -> list[dict[str, Any]]:
        """What its scores depend on beside coordinates and weights, JSON-ready, for a run's provenance."""
        return [
            {
                "task": measure.task.name,
                "version": measure.task.version,
                "split": measure.split,
                "samples": measure.evaluator.count,
                "of": measure.evaluator.columns[0].count,
                "metrics": [column.metric for column in measure.evaluator.columns],
            }
            for measure in self.measures
        ]

    def _score(self, coords: tuple[float, ...], context: Context, samples: int) -> tuple[Score, ...]:
        n = samples or max(measure.evaluator.count for measure in self.measures)
        anew = self.traced and not samples and any(self.traces.sampled)  # what portions know carries no trace
        if not anew and self.portions.complete(coords, n):
            return self.portions.known(coords, n)
        numbers = self.family.numbers(coords)
        with torch.inference_mode():
            self._materialiser.at(numbers, self.network.flat)
            if not anew and (samples or self.portions.knows(coords)):
                return self.portions.score(coords, n, self.network, context)
            self._engine.refresh(numbers)
            return self._measured(context)

    def _measured(self, context: Context) -> tuple[Score, ...]:
        """The scores of the weights that are in the network."""
        found: list[Score] = []
        other = self.way.path != "plain" or self.way.chunk or self.traced
        for measure, scorer in zip(self.measures, self._scorers_of_logits, strict=True):
            if scorer is None or not other:
                found += measure.evaluator(self.network, context)
            else:
                forward, chunk = self._engine.forward(scorer.examples(), measure.task.name)
                found += scorer.score(forward, chunk, context, traced=self.traced)
        return tuple(found)

    def _measured_together(self, count: int, context: Context) -> list[tuple[Score, ...]]:
        """The scores of the first places of the calls that several points share."""
        assert isinstance(self._engine, Together)
        found: list[tuple[Score, ...]] = [() for _ in range(count)]
        for measure, scorer in zip(self.measures, self._scorers_of_logits, strict=True):
            if scorer is None:
                raise InputError(f"Task '{measure.task.name}' scores one network, so points cannot share a call.")
            forwards, chunk = self._engine.forwards(scorer.examples(), measure.task.name, count)
            for place, forward in enumerate(forwards):
                found[place] += scorer.score(forward, chunk, context, traced=self.traced)
        return found

    def use(self, way: Way, *, again: bool = False) -> None:
        """Evaluate points in another way from now on; what was remembered of the way before is forgotten.

        Args:
            way: How.
            again: Only forget: the way is in use already.

        Raises:
            InputError: It cannot be had for this network or on this machine.
        """
        if not again:
            axes = Axes.of(self.family, self._materialiser) if way.path == "folded" else None
            self._engine, self.way = make_engine(way, self.network, axes), way
        self._memo.clear()
        self._memo_bytes = 0

    def score_anew(self, coords: Sequence[float], context: Context) -> tuple[Score, ...]:
        """The scores of one point, neither remembered nor looked up.

        Raises:
            NumericError: Its weights cannot be stored.
        """
        numbers = self.family.numbers(coords)
        with torch.inference_mode():
            self._materialiser.at(numbers, self.network.flat)
            self._engine.refresh(numbers)
            return self._measured(context)

    def score_together(self, points: Sequence[Sequence[float]], context: Context) -> list[tuple[Score, ...]]:
        """The scores of points that share a call, neither remembered nor looked up.

        Raises:
            NumericError: The weights of one cannot be stored.
            InputError: The way in use is not for that, or a task cannot be scored so.
        """
        if not isinstance(self._engine, Together):
            raise InputError(f"Points do not share a call in the way '{self.way.path}'.")
        with torch.inference_mode():
            for place, at in enumerate(points):
                self._materialiser.at(self.family.numbers(at), self.network.flat)
                self._engine.take(place)
            return self._measured_together(len(points), context)

    def _serves(self, scores: tuple[Score, ...]) -> bool:
        return not self.traced or self.traces.carried(scores)

    def remember(self, coords: Sequence[float], scores: tuple[Score, ...]) -> None:
        """Keep what a point scored on all samples, here or on another device."""
        key = tuple(map(float, coords))
        if key in self._memo:
            if self._serves(self._memo[key]):
                return
            self._memo_bytes -= _nbytes(self._memo.pop(key))
        self._memo[key] = scores
        self._memo_bytes += _nbytes(scores)
        while self._memo_bytes > MEMO_BYTES and len(self._memo) > 1:
            self._memo_bytes -= _nbytes(self._memo.popitem(last=False)[1])


def _nbytes(scores: tuple[Score, ...]) -> int:
    kept = (held for score in scores for held in (score.samples, score.trace) if held is not None)
    return 256 * len(scores) + sum(held.nbytes for held in kept)
