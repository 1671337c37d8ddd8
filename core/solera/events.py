"""What jobs say while they run: frozen, versioned, in order.

The run store takes all of them; the window takes them coalesced; replaying a run and watching one are the same
code. Every class has a ``KIND`` and a ``VERSION``; fields are only ever added, with a default.
"""

from __future__ import annotations

import dataclasses
import time as _time
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

JobState = Literal["queued", "running", "paused", "done", "failed", "cancelled", "interrupted"]
Phase = Literal["search", "report"]

#: States after which nothing more comes from a job.
FINAL_STATES: frozenset[str] = frozenset({"done", "failed", "cancelled", "interrupted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root of all events.

    Attributes:
        time: Seconds since the epoch.
        job: Id of the job it came from; empty outside a job.
    """

    KIND: ClassVar[str] = "event"
    VERSION: ClassVar[int] = 1

    time: float = field(default_factory=_time.time)
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged(Event):
    """A job has a new state.

    Attributes:
        kind: What sort of job: ``"merge"``, ``"explore"``, ``"evaluate"``, ``"compare"``, ``"probe"``, ``"demo"`` ...
        title: A line for a person.
        state: The state it is in now.
        run: Id of the run it records, if any.
        error: ``SoleraError.to_plain()`` plus ``"traceback"`` when it failed.
        result: What it made, JSON-ready, when it is done.
    """

    KIND: ClassVar[str] = "job"

    kind: str
    title: str
    state: JobState
    run: str = ""
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Event):
    """How far a job is.

    Attributes:
        done: Units done.
        total: Units in all; None when unknown.
        unit: ``"points"``, ``"B"`` (bytes), ``"samples"``, ``"steps"``, ``"tensors"``.
        text: What it is at, a few words.
        rate: Units a second, smoothed; None before it is known.
        left: Seconds left by that rate; None when unknown.
    """

    KIND: ClassVar[str] = "progress"

    done: float
    total: float | None = None
    unit: str = ""
    text: str = ""
    rate: float | None = None
    left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged(Event):
    """A message.

    Attributes:
        level: ``"debug"``, ``"info"``, ``"warning"`` or ``"error"``.
        text: A sentence.
    """

    KIND: ClassVar[str] = "log"

    level: str = "info"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run file exists and will grow.

    Attributes:
        run: The run's id.
        path: Its file.
        header: ``RunHeader.to_plain()``.
    """

    KIND: ClassVar[str] = "run-started"

    run: str
    path: str
    header: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PointScored(Event):
    """A point of a landscape has its scores.

    Attributes:
        run: The run it belongs to.
        index: Its number in the run, from 0, without gaps.
        coords: Where, in the order of the run's coordinates.
        values: One value per column of the run; NaN when not computed.
        stderrs: Standard errors, same order; NaN when unknown.
        counts: Samples behind each value; 0 when not computed.
        phase: ``"search"`` while choosing, ``"report"`` when re-scored on the report split.
        cell: Position in the grid, if the run is one (row-major indices, one per coordinate).
        label: A name, when the point is a named model (``"base"``, ``"rotated"``).
        seconds: What it cost, wall time.
        samples: Per-sample values of each column that keeps them (float32 arrays), not shown in plain form.
        trace: Numbers that scores between points are interpolated from (one float32 array), not shown in plain form.
    """

    KIND: ClassVar[str] = "point"

    run: str
    index: int
    coords: tuple[float, ...]
    values: tuple[float, ...]
    stderrs: tuple[float, ...]
    counts: tuple[int, ...]
    phase: Phase = "search"
    cell: tuple[int, ...] = ()
    label: str = ""
    seconds: float = 0.0
    samples: tuple[Any, ...] | None = field(default=None, compare=False, repr=False)
    trace: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator(Event):
    """A number about the run as a whole that grows with it.

    Attributes:
        run: The run.
        name: ``"hypervolume"``, ``"barrier:chord"`` ...
        index: After how many points.
        value: The number.
    """

    KIND: ClassVar[str] = "indicator"

    run: str
    name: str
    index: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureDrawn(Event):
    """A run's points were interpolated to a whole picture; the newest replaces those before it.

    Attributes:
        run: The run.
        index: After how many points of the search.
        nodes: Evaluated nodes along each coordinate.
        axes: The coordinates of its cells, per coordinate.
        held_out: Which points of the search the interpolation did not see, counted from 0.
        errors: What it was wrong by at those, one row per point: relative for losses, absolute for fractions; infinite
            where it gave a number and there was none.
        sampled: For each column whether numbers per sample were interpolated, not the score itself.
        values: float32 array of shape (columns, *cells), not shown in plain form; NaN where it is unknown.
    """

    KIND: ClassVar[str] = "picture"

    run: str
    index: int
    nodes: tuple[int, ...]
    axes: tuple[tuple[float, ...], ...]
    held_out: tuple[int, ...]
    errors: tuple[tuple[float, ...], ...]
    sampled: tuple[bool, ...]
    values: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartKept(Event):
    """Numbers on the way to a result, that take long to make: a run that goes on takes them from here.

    Attributes:
        run: The run.
        name: Unique in it.
        values: The numbers.
    """

    KIND: ClassVar[str] = "part"

    run: str
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactMade(Event):
    """Something was written that a person will want.

    Attributes:
        kind: ``"checkpoint"``, ``"adapter"``, ``"picture"``, ``"table"``, ``"recipe"``.
        path: Absolute path.
        title: A line for a person.
    """

    KIND: ClassVar[str] = "artifact"

    kind: str
    path: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """A run will not grow any more.

    Attributes:
        run: The run.
        state: Its final state.
        summary: A line for a person: ``"hypervolume 0.170"``.
    """

    KIND: ClassVar[str] = "run-ended"

    run: str
    state: JobState
    summary: str = ""


EVENTS: dict[str, type[Event]] = {
    cls.KIND: cls
    for cls in (
        JobChanged, Progress, Logged, RunStarted, PointScored, Indicator, PictureDrawn, PartKept, ArtifactMade,
        RunEnded,
    )
}  # fmt: skip


def to_plain(event: Event) -> dict[str, Any]:
    """An event as JSON-ready data: ``{"event": kind, "v": version, ...fields}``; arrays are left out."""
    plain: dict[str, Any] = {"event": event.KIND, "v": event.VERSION}
    for item in dataclasses.fields(event):
        if not (item.name in ("samples", "trace") or (isinstance(event, PictureDrawn) and item.name == "values")):
            value = getattr(event, item.name)
            plain[item.name] = list(value) if isinstance(value, tuple) else value
    return plain
