"""The loop: ask, score, tell; then score what was chosen again on data nobody chose by."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.context import Context
from solera.errors import InputError, Interrupted, TaskError
from solera.events import Indicator, Logged, Phase, PictureDrawn, PointScored
from solera.families.family import Family
from solera.landscapes.along import curve_summaries
from solera.landscapes.explorer import Ask, Chooses, DrawsPictures, Explorer, Extent, History, Remarks, Space
from solera.landscapes.landscape import Landscape
from solera.landscapes.lanes import Lanes, Scored
from solera.landscapes.objectives import refuse_equal_objectives
from solera.landscapes.pareto import membership
from solera.landscapes.resampling import front_shares
from solera.landscapes.summary import chosen_points, line_barriers, summary_line
from solera.landscapes.volume import GrowingVolume
from solera.seeds import Seed
from solera.tasks.scores import Difference, Score

#: Resamples of the report that a front's uncertainty is told from.
_RESAMPLES = 200
#: A task that can score none of so many points at the beginning can score no model at all.
_FIRST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Exploration:
    """What an exploration came to.

    Attributes:
        history: Every point of the search.
        chosen: Coordinates scored again on the report split, in that order.
        reported: Their scores there, one row each; empty without a report landscape.
        summary: A line for a person.
    """

    history: History
    chosen: tuple[tuple[float, ...], ...]
    reported: tuple[tuple[Score, ...], ...]
    summary: str


def explore(
    landscape: Landscape | Sequence[Landscape],
    explorer: Explorer,
    *,
    run: str,
    history: History | None = None,
    seed: Seed,
    context: Context,
    report: Landscape | Sequence[Landscape] | None = None,
    keep_samples: bool = False,
    budget: int | None = None,
    objectives: Sequence[str] = (),
    until: float | None = None,
) -> Exploration:
    """Explore a landscape to its end.

    Emits a :class:`PointScored` for each point, :class:`Indicator` values and progress. Points of the search have the
    phase ``"search"``; then the named models, the best point of each objective and the front are scored again by the
    report landscape, phase ``"report"``.

    With two objectives or more and an explorer that has initial points, ``"hypervolume"`` is told after each point. Its
    reference is fixed once (``"reference:<column>"``): for each objective the worst of the initial points plus a tenth
    of their range; points scored on part of the samples do not count. On a line with both ends scored,
    ``"barrier:<name>:<column>"`` is told at the end of the search. Of each point that was scored again
    ``"front-share"`` says, with the point's number as its index, in what share of resamples of the report's samples (by
    document or prompt, the same for all points) it is on the front.

    Args:
        landscape: What is searched; several of the same family and tasks score the points of a round at once. How many
            there are changes nothing in the run.
        explorer: Who searches.
        run: Id of the run the events belong to.
        history: What a resumed run has already; with the same seed the rest is the same, bit for bit, as without the
            interruption.
        seed: The exploration's root of randomness.
        context: Where events go, and who may say stop.
        report: The same family on the report split, with the same metrics; None scores nothing again.
        keep_samples: Whether events carry per-sample values.
        budget: Most points to search; None leaves it to the explorer.
        objectives: See :meth:`Landscape.space`.
        until: The reading of ``time.monotonic`` after which it stops, resumably, at the next point; None is never.

    Raises:
        InputError: The explorer cannot explore this landscape, or would never end.
        TaskError: A task can score none of the first points; a point later on that it cannot score has no scores.
        Cancelled: The context says stop; what was emitted is complete.
        Interrupted: The time is up.
    """
    lanes = Lanes([landscape] if isinstance(landscape, Landscape) else landscape)
    again = Lanes([report] if isinstance(report, Landscape) else report) if report else None
    landscape = lanes.first
    space = landscape.space(objectives)
    if again is not None and [c.name for c in again.first.columns] != [c.name for c in landscape.columns]:
        raise InputError("The report must have the same tasks and metrics as the search.")
    extent = explorer.plan(space)
    total = total_points(explorer, extent, budget)
    if extent.slopes:
        lanes = Lanes([landscape])  # a gradient is taken in the network of the point before
    for each in lanes.landscapes:
        each.traced = bool(extent.picture)
    past = _Past(space, history or History.empty(space), landscape, context, extent.slopes)
    tell = _Teller(landscape.family, explorer, run, context, keep_samples or extent.partial)
    if landscape.traced and landscape.traces.too_wide and not len(past):
        tell.log("The tasks have too many samples to keep numbers of each; the scores themselves are interpolated.")
    volume = GrowingVolume(space, extent.initial, past.history, run, context)
    if extent.slopes:
        _mend(explorer, landscape, space, past, seed, tell)
    tell.remark(space, past.history, again=True)
    while len(past) < total:
        asks, last = _next(explorer, space, past.history, total, extent, seed)
        for ask, scored in zip(asks, lanes.score(asks, context), strict=True):
            trace = landscape.traces.of(scored.scores) if landscape.traced else None
            tell.point(ask, scored, past.told, "search", trace)
            past.add(ask, scored.scores, trace)
            if scored.failure is not None:
                _insist(scored.failure, past.history.values, total)
            if ask.slope is not None:
                past.note(len(past) - 1, tell.slope(landscape, ask, space, len(past), seed))
            volume.grow(past.history)
            tell.remark(space, past.history)
            context.progress(len(past), total, "points", explorer.name)
            if until is not None and time.monotonic() >= until:
                raise Interrupted(f"The time is up after {len(past)} points; the run can be gone on with.")
        refuse_equal_objectives(space, past.history)
        tell.picture(explorer, space, past.history, seed)
        if last:
            break
    found = line_barriers(space, past.history) if landscape.family.kind in {"line", "curve"} else {}
    for column, along_it in curve_summaries(landscape.family, space, past.history).items():
        for name, value in (("max", along_it.most), ("mean", along_it.mean), ("integral", along_it.integral)):
            tell.indicator(f"along:{name}:{column}", len(past), value)
    for column, by_name in found.items():
        for name, barrier in by_name.items():
            tell.indicator(f"barrier:{name}:{column}", len(past), barrier.height)
    chosen = _chosen(explorer, space, past.history)
    reported = _report(again, chosen, past, tell) if again is not None else ()
    if reported and len(space.objectives) > 1:
        tell.log(_noise(reported, space))
        scores = [[row[column] for column in space.objectives] for row in reported]
        units = {measure.task.name: measure.task.units for measure in landscape.measures}
        named = [units[space.columns[column].task] for column in space.objectives]
        shares = front_shares(scores, seed.child("front"), _RESAMPLES, named)
        for k, share in enumerate(shares.tolist()):
            if not math.isnan(share):
                tell.indicator("front-share", len(past) + k, share)
    summary = summary_line(space, past.history, volume.value, found)
    return Exploration(past.history, chosen, reported, summary)


def _mend(explorer: Explorer, landscape: Landscape, space: Space, past: _Past, seed: Seed, tell: _Teller) -> None:
    """Take the gradients that a stopped run wanted and lacks, as it would have."""
    for row in past.bare:
        known = past.history
        ask = explorer.ask(space, known.until(row), 1, seed)
        if ask and ask[0].slope is not None:
            past.note(row, tell.slope(landscape, ask[0], space, row + 1, seed))


def _chosen(explorer: Explorer, space: Space, history: History) -> tuple[tuple[float, ...], ...]:
    own = explorer.chosen(space, history) if isinstance(explorer, Chooses) else ()
    return tuple(dict.fromkeys([*chosen_points(space, history), *own]))


def total_points(explorer: Explorer, extent: Extent, budget: int | None) -> int:
    """How many points an exploration scores at most.

    Raises:
        InputError: The budget is too small for the explorer, or there is no end.
    """
    if budget is not None and budget < extent.least:
        raise InputError(
            f"The explorer '{explorer.name}' needs {extent.least} points or more here; the budget is {budget}.",
            least=extent.least,
            budget=budget,
        )
    limits = [limit for limit in (extent.total, budget) if limit is not None]
    if not limits:
        raise InputError(f"The explorer '{explorer.name}' has no end of its own; give a budget of points.")
    return min(limits)


def _next(
    explorer: Explorer, space: Space, history: History, total: int, extent: Extent, seed: Seed
) -> tuple[list[Ask], bool]:
    """The rest of the round that the history ends in, or the next one; and whether it is the last."""
    before, size = extent.round_at(len(history))
    wanted = min(size, total - before)
    asks = explorer.ask(space, history.until(before), wanted, seed)
    return asks[len(history) - before :], len(asks) < wanted


def _report(
    lanes: Lanes, chosen: Sequence[tuple[float, ...]], past: _Past, tell: _Teller
) -> tuple[tuple[Score, ...], ...]:
    """Score the chosen points again; what a resumed run has told already is not told twice."""
    rows = []
    asks = [Ask(coords) for coords in chosen]
    for ask, scored in zip(asks, lanes.score(asks, tell.context), strict=True):
        if ask.coords not in past.reported:
            tell.point(ask, scored, past.told, "report")
            past.reported.append(ask.coords)
        rows.append(scored.scores)
        if scored.failure is not None:
            _insist(scored.failure, [[score.value for score in row] for row in rows], len(chosen))
        tell.context.progress(len(rows), len(chosen), "points", "report")
    return tuple(rows)


def _insist(failure: TaskError, values: ArrayLike, total: int) -> None:
    """Raise what a task said of the newest point, unless some point before it has a score, or there were few yet."""
    table = np.asarray(values, dtype=np.float64)
    if len(table) >= min(_FIRST, total) and not np.isfinite(table).any():
        raise failure


def slope_names(coords: Iterable[str]) -> list[str]:
    """What the parts of a gradient are called among a run's indicators, by the names of the coordinates."""
    return [f"slope:{name}" for name in coords] + ["slope:"]


def _noise(reported: Sequence[Sequence[Score]], space: Space) -> str:
    places = membership([[row[column] for column in space.objectives] for row in reported])
    return (
        f"On the report split {places.count('front')} of {len(reported)} chosen points are on the front beyond noise, "
        f"{places.count('possible')} may be, {places.count('dominated')} are not."
    )


class _Teller:
    """Says what came out."""

    def __init__(self, family: Family, explorer: Explorer, run: str, context: Context, keep_samples: bool) -> None:
        self.context = context
        # Asked once: looking for a protocol's methods takes longer than the rest of what a point's end does.
        self._remarks = explorer if isinstance(explorer, Remarks) else None
        self._family = family
        self._run = run
        self._keep_samples = keep_samples
        self._pictured = 0

    def point(
        self, ask: Ask, scored: Scored, index: int, phase: Phase, trace: NDArray[np.float32] | None = None
    ) -> None:
        for event in scored.said:
            self.context.emit(event)
        scores = scored.scores
        self.context.emit(
            PointScored(
                job=self.context.job,
                run=self._run,
                index=index,
                coords=ask.coords,
                values=tuple(score.value for score in scores),
                stderrs=tuple(score.stderr for score in scores),
                counts=tuple(score.count for score in scores),
                phase=phase,
                cell=ask.cell,
                label=self._family.label_at(ask.coords),
                seconds=scored.seconds,
                samples=tuple(score.samples for score in scores) if self._keep_samples else None,
                trace=trace,
            )
        )

    def slope(self, landscape: Landscape, ask: Ask, space: Space, index: int, seed: Seed) -> NDArray[np.float64]:
        """Take a gradient and keep it with the run: ``slope:<coordinate>``, ``slope:`` for the logits' scale."""
        assert ask.slope is not None
        found = landscape.slope(ask.coords, ask.slope, space, seed, self.context)
        for name, value in zip(slope_names(coord.name for coord in space.coords), found, strict=True):
            self.indicator(name, index, float(value))
        return found

    def indicator(self, name: str, index: int, value: float) -> None:
        self.context.emit(Indicator(job=self.context.job, run=self._run, name=name, index=index, value=value))

    def picture(self, explorer: Explorer, space: Space, history: History, seed: Seed) -> None:
        """Tell the explorer's newest picture, once."""
        drawn = explorer.picture(space, history, seed) if isinstance(explorer, DrawsPictures) else None
        if drawn is None or drawn.index == self._pictured:
            return
        self._pictured = drawn.index
        rows = {tuple(at): row for row, at in reversed(list(enumerate(history.coords.tolist())))}
        self.context.emit(
            PictureDrawn(
                job=self.context.job,
                run=self._run,
                index=drawn.index,
                nodes=drawn.nodes,
                axes=tuple(tuple(axis.tolist()) for axis in drawn.axes),
                held_out=tuple(rows[tuple(at)] for at in drawn.held_out.tolist()),
                errors=tuple(tuple(row) for row in drawn.errors.tolist()),
                sampled=drawn.sampled,
                values=drawn.values.astype(np.float32),
            )
        )
        for column, largest in zip(space.columns, drawn.largest, strict=True):
            self.indicator(f"held_out:{column.name}", drawn.index, float(largest))

    def remark(self, space: Space, history: History, *, again: bool = False) -> None:
        """What the explorer says of the newest point; ``again`` where a run may lack its numbers."""
        if self._remarks is not None and len(history):
            said = self._remarks.remark(space, history)
            for name, value in said.numbers.items():
                self.indicator(name, len(history), value)
            if said.text and not again:
                self.log(said.text)

    def log(self, text: str) -> None:
        self.context.emit(Logged(text=text, job=self.context.job))


class _Past:
    """A history that grows without being copied at every point."""

    def __init__(self, space: Space, start: History, landscape: Landscape, context: Context, slopes: bool) -> None:
        wanted = (len(start), len(space.coords)), (len(start), len(space.columns))
        if (start.coords.shape, start.values.shape) != wanted:
            raise InputError(
                f"A history of {len(start)} points has coordinates {start.coords.shape} and values "
                f"{start.values.shape}; this landscape wants {wanted[0]} and {wanted[1]}."
            )
        self._coords, self._values = np.array(start.coords), np.array(start.values)
        full = np.broadcast_to(np.array(space.counts or (0,) * len(space.columns), dtype=np.int64), wanted[1])
        self._counts = np.array(full if start.counts is None else start.counts)
        self._traces: NDArray[np.float32] | None = None
        if landscape.traced:
            self._traces = np.full((len(start), landscape.traces.width), np.nan, dtype=np.float32)
            if start.traces is not None:
                self._traces[:] = start.traces
        self._count = len(start)
        self._landscape, self._context = landscape, context
        self._wide = len(space.coords) + 1 if slopes else 0
        self._slopes = slopes
        given = np.full((len(start), self._wide), np.nan) if start.slopes is None else np.array(start.slopes)
        self.slopes = given if slopes else np.empty((len(start), 0))
        self.reported = [tuple(map(float, at)) for at in start.reported]

    def __len__(self) -> int:
        return self._count

    @property
    def bare(self) -> list[int]:
        """The rows without a gradient."""
        return np.flatnonzero(np.isnan(self.slopes[: self._count]).all(axis=1)).tolist()

    def note(self, row: int, slope: NDArray[np.float64]) -> None:
        """Keep the gradient of a point."""
        self.slopes[row] = slope

    @property
    def told(self) -> int:
        """Points of both phases."""
        return self._count + len(self.reported)

    @property
    def history(self) -> History:
        n = self._count
        slopes = self.slopes[:n] if self._slopes else None
        traces = None if self._traces is None else self._traces[:n]
        told = tuple(self.reported)
        return History(self._coords[:n], self._values[:n], told, self._paired, self._counts[:n], slopes, traces)

    def _paired(self, row: int, other: int, columns: tuple[int, ...]) -> Difference:
        """Compare two points; one that is not remembered is scored again, with the same bytes."""
        a, b = (self._landscape.evaluate(self._coords[i].tolist(), self._context) for i in (row, other))
        return self._landscape.difference(a, b, columns)

    def add(self, ask: Ask, scores: Sequence[Score], trace: NDArray[np.float32] | None = None) -> None:
        if self._count == len(self._coords):
            more = max(self._count, 64)
            self._coords = np.vstack([self._coords, np.empty((more, self._coords.shape[1]))])
            self._values = np.vstack([self._values, np.empty((more, self._values.shape[1]))])
            self._counts = np.vstack([self._counts, np.empty((more, self._values.shape[1]), dtype=np.int64)])
            self.slopes = np.vstack([self.slopes, np.full((more, self._wide), np.nan)])
            if self._traces is not None:
                self._traces = np.vstack([self._traces, np.empty((more, self._traces.shape[1]), dtype=np.float32)])
        self._coords[self._count] = ask.coords
        self._values[self._count] = [score.value for score in scores]
        self._counts[self._count] = [score.count for score in scores]
        if self._traces is not None:
            self._traces[self._count] = np.nan if trace is None else trace
        self._count += 1
