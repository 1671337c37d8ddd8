"""Comparing recipes: what has variables is tuned on the selection split, everything is scored on the report split."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from torch import Tensor

from solera.context import Context
from solera.errors import InputError, NumericError, TaskError
from solera.events import Logged, Phase, PointScored
from solera.models.network import Network
from solera.recipes.nodes import Recipe
from solera.tasks.means import Mean, mean_difference, mean_over_tasks
from solera.tasks.scores import Column, Difference, Score, Split, metric
from solera.tasks.task import Evaluator, Task


class PointWriter(Protocol):
    """What writes a recipe's weights into a network: :class:`solera.execution.memory.Materialiser` is one."""

    def at(self, numbers: Mapping[str, float], out: Tensor) -> None:
        """Write the weights for these values of the variables into ``out``, flat float32 in layout order."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One row to come.

    Attributes:
        name: What the table calls it.
        recipe: How the model is made; a checkpoint alone is a recipe of one node.
        single: Whether it is one of the models that merging starts from (the base, an expert).
        tune: Values to try for each free variable; every combination is tried, in order. A variable left out stays
            at its ``init``.
    """

    name: str
    recipe: Recipe
    single: bool = False
    tune: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def candidates(self) -> Iterator[dict[str, float]]:
        """Every combination of values, the last variable moving fastest; one empty one if there is nothing to tune."""
        for values in itertools.product(*self.tune.values()):
            yield dict(zip(self.tune, values, strict=True))


@dataclass(frozen=True, slots=True)
class Row:
    """A scored entry.

    Attributes:
        name, single: As in the entry.
        numbers: What was chosen on the selection split; empty if nothing was tuned.
        tried: How many combinations were tried for it.
        scores: On the report split, one per column.
        mean: Of the comparison's metric over the tasks.
        gain: How much better the mean is than the best single model's, paired by sample: positive is better, whichever
            way the metric goes. None for that model itself.
    """

    name: str
    single: bool
    numbers: Mapping[str, float]
    tried: int
    scores: tuple[Score, ...]
    mean: Mean
    gain: Difference | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The finished table.

    Attributes:
        metric: The metric that was tuned for and that means are of.
        columns: Of the report split, in the order of each row's scores.
        rows: In the order of the entries.
        best_single: Name of the single model with the best mean **on the report split** (the hardest one to beat);
            empty if no entry is single.
        chosen_on: The split that variables were chosen on; empty if nothing was tuned.
    """

    metric: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    best_single: str
    chosen_on: Split | Literal[""] = ""

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "metric": self.metric,
            "better": metric(self.metric).better,
            "split": self.columns[0].split,
            "chosen_on": self.chosen_on,
            "best_single": self.best_single,
            "rows": [_row_to_plain(row) for row in self.rows],
        }


def _row_to_plain(row: Row) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": row.name,
        "single": row.single,
        "numbers": dict(row.numbers),
        "tried": row.tried,
        "scores": {
            score.column.name: {"value": score.value, "stderr": score.stderr, "count": score.count}
            for score in row.scores
        },
        "mean": {"value": row.mean.value, "stderr": row.mean.stderr},
    }
    if row.gain is not None:
        gain = row.gain
        plain["gain"] = {"value": gain.value, "stderr": gain.stderr, "within_noise": gain.within_noise}
    return plain


def comparison_coords(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Names of the coordinates of emitted points: ``"row"`` (number of the entry), then every tuned variable."""
    return ("row", *dict.fromkeys(name for entry in entries for name in entry.tune))


def comparison_points(entries: Sequence[Entry]) -> int:
    """How many points :func:`compare` will emit."""
    return sum(1 + _combinations(entry) for entry in entries)


def _combinations(entry: Entry) -> int:
    return math.prod(len(values) for values in entry.tune.values()) if entry.tune else 0


def compare(
    entries: Sequence[Entry],
    tasks: Sequence[Task],
    network: Network,
    writer: Callable[[Recipe], PointWriter],
    context: Context,
    *,
    measure: str = "",
    run: str = "",
    select: Split = "selection",
    report: Split = "report",
    limit: int | None = None,
    seed: int = 0,
) -> Comparison:
    """Tune on one split, score on the other, and say which differences are real.

    Every point is emitted as a :class:`~solera.events.PointScored` whose label is the entry's name: phase
    ``"search"`` while tuning, ``"report"`` for the row. Its coordinates are those of :func:`comparison_coords`, NaN
    for variables the entry does not have; its values are in the order of the tasks' columns.

    Args:
        entries: The rows, in order.
        tasks: What to score on.
        network: Where weights are written; its own values are lost.
        writer: Makes the point writer of a recipe for this network's layout.
        context: Where it runs.
        measure: Metric to tune for and to average; the first of the first task if empty. Every task must have it,
            unless one entry alone is scored: then it is averaged over those that do.
        run: Id for the events.
        select: The split variables are chosen on.
        report: The split that is reported.
        limit: Samples per task on either split (a preview); None is all.
        seed: Which samples a preview takes.

    Raises:
        InputError: Entries share a name, a variable is unknown, there is nothing to compare, or a task lacks the
            metric.
        TaskError: A task's data are missing, or it can score no model; one that it cannot score has the scores NaN.
        NumericError: No model's weights can be stored.
        Cancelled: The context says stop.
    """
    measure = measure or (tasks[0].metrics[0] if tasks else "")
    _check(entries, tasks, measure)
    bench = _Bench(entries, tasks, measure, network, context, run)

    def prepare(split: Split) -> tuple[Evaluator, ...]:
        return tuple(task.prepare(split, device=network.device, limit=limit, seed=seed) for task in tasks)

    on_selection = prepare(select) if any(entry.tune for entry in entries) else ()
    on_report = prepare(report)
    rows = []
    for number, entry in enumerate(entries):
        point = writer(entry.recipe)
        chosen = bench.tune(number, point, on_selection) if entry.tune else {}
        scores = bench.score(number, point, chosen, on_report, "report")
        rows.append(Row(entry.name, entry.single, chosen, _combinations(entry), scores, bench.mean(scores)))
    if bench.failure is not None and all(math.isnan(score.value) for row in rows for score in row.scores):
        raise bench.failure
    return replace(bench.conclude(rows), chosen_on=select if on_selection else "")


def _check(entries: Sequence[Entry], tasks: Sequence[Task], measure: str) -> None:
    if not entries or not tasks:
        raise InputError("A comparison needs at least one model and one task.")
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Rows of a comparison need names of their own; {', '.join(twice)} is there twice.")
    lacking = [task.name for task in tasks if measure not in task.metrics]
    if lacking and (len(entries) > 1 or entries[0].tune):
        raise InputError(f"The tasks {', '.join(lacking)} do not measure {measure}; compare by a metric all have.")
    for entry in entries:
        free = {var.name for var in entry.recipe.variables}
        unknown = sorted(set(entry.tune) - free)
        if unknown:
            known = ", ".join(sorted(free)) or "none"
            raise InputError(f"'{entry.name}' has no variable {', '.join(unknown)} to tune; known: {known}.")
        empty = [name for name, values in entry.tune.items() if not values]
        if empty:
            raise InputError(f"'{entry.name}' lists no values to try for {', '.join(empty)}.")


class _Bench:
    """What every point of one comparison needs."""

    def __init__(
        self,
        entries: Sequence[Entry],
        tasks: Sequence[Task],
        measure: str,
        network: Network,
        context: Context,
        run: str,
    ) -> None:
        self._entries, self._network, self._context, self._run = entries, network, context, run
        self._coords = comparison_coords(entries)
        self._measure = measure
        self._units = [task.units for task in tasks if measure in task.metrics]
        self._total = comparison_points(entries)
        self._index = 0
        self.failure: NumericError | TaskError | None = None

    def score(
        self,
        number: int,
        point: PointWriter,
        numbers: Mapping[str, float],
        evaluators: Sequence[Evaluator],
        phase: Phase,
    ) -> tuple[Score, ...]:
        """Score one point and emit it."""
        entry = self._entries[number]
        self._context.check()
        start = time.perf_counter()
        try:
            point.at(numbers, self._network.flat)
            scores = tuple(score for evaluator in evaluators for score in evaluator(self._network, self._context))
        except (NumericError, TaskError) as error:
            self.failure = error
            said = f"No scores of '{entry.name}': {error}"
            self._context.emit(Logged(level="warning", text=said, job=self._context.job))
            columns = (column for evaluator in evaluators for column in evaluator.columns)
            scores = tuple(Score(column, math.nan, math.nan, 0) for column in columns)
        self._context.emit(
            PointScored(
                job=self._context.job,
                run=self._run,
                index=self._index,
                coords=(float(number), *(numbers.get(name, math.nan) for name in self._coords[1:])),
                values=tuple(score.value for score in scores),
                stderrs=tuple(score.stderr for score in scores),
                counts=tuple(score.count for score in scores),
                phase=phase,
                label=entry.name,
                seconds=time.perf_counter() - start,
                samples=tuple(score.samples for score in scores),
            )
        )
        self._index += 1
        self._context.progress(self._index, self._total, "points", entry.name)
        return scores

    def tune(self, number: int, point: PointWriter, evaluators: Sequence[Evaluator]) -> dict[str, float]:
        """The best combination by the mean over tasks; the first of equals, a mean that is no number losing."""
        sign = 1.0 if metric(self._measure).better == "higher" else -1.0
        best, best_value = None, -math.inf
        for numbers in self._entries[number].candidates():
            mean = self.mean(self.score(number, point, numbers, evaluators, "search")).value
            value = -math.inf if math.isnan(mean) else sign * mean
            if best is None or value > best_value:
                best, best_value = numbers, value
        return best or {}

    def mean(self, scores: Sequence[Score]) -> Mean:
        return mean_over_tasks(self._measured(scores), self._units)

    def conclude(self, rows: Sequence[Row]) -> Comparison:
        """Every row against the best single model."""
        columns = tuple(score.column for score in rows[0].scores)
        sign = 1.0 if metric(self._measure).better == "higher" else -1.0
        singles = [row for row in rows if row.single and not math.isnan(row.mean.value)]
        if not singles:
            return Comparison(self._measure, columns, tuple(rows), "")
        best = max(singles, key=lambda row: sign * row.mean.value)
        return Comparison(self._measure, columns, tuple(self._against(row, best) for row in rows), best.name)

    def _against(self, row: Row, best: Row) -> Row:
        if row is best:
            return row
        ours, theirs = self._measured(row.scores), self._measured(best.scores)
        if metric(self._measure).better == "lower":
            ours, theirs = theirs, ours
        gain = mean_difference(ours, theirs, self._units)
        return Row(row.name, row.single, row.numbers, row.tried, row.scores, row.mean, gain)

    def _measured(self, scores: Sequence[Score]) -> list[Score]:
        return [score for score in scores if score.column.metric == self._measure]
