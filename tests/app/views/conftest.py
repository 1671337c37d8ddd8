"""Views need no display; runs of every kind, made in memory and as files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest

from solera.events import Event, Indicator, PointScored
from solera.runs.header import RunHeader, run_path
from solera.runs.points import Points
from solera.runs.reader import RunReader
from solera.runs.writer import RunWriter
from solera_app.views.snapshot import Snapshot, points_of

TASKS = ("rotated", "inverted")
ERROR = 0.02


def columns(split: str = "selection") -> tuple[dict[str, object], ...]:
    return tuple(
        {"task": task, "metric": metric, "split": split, "count": 300}
        for task in TASKS
        for metric in ("cross_entropy", "accuracy")
    )


def point(run: str, index: int, coords: tuple[float, ...], losses: tuple[float, float], **more: Any) -> PointScored:
    values = tuple(value for loss in losses for value in (loss, float(np.exp(-loss))))
    return PointScored(
        run=run, index=index, coords=coords, values=values, stderrs=(ERROR,) * 4, counts=(300,) * 4, **more
    )


def line() -> tuple[RunHeader, list[Event]]:
    header = RunHeader(
        id="line", kind="explore", title="Line from rotated to inverted", columns=columns(), planned=11, shape=(11,),
        coords=({"name": "t", "low": 0.0, "high": 1.0, "title": "rotated to inverted", "unit": "", "log": False},),
        experiment={"family": {"kind": "line"}, "seed": 0}, labels={"rotated": [0.0], "inverted": [1.0]},
    )  # fmt: skip
    events: list[Event] = [
        point("line", i, (t,), (0.4 + np.sin(np.pi * t) + t / 2, 0.9 - t / 2), cell=(i,))
        for i, t in enumerate(np.linspace(0, 1, 11).tolist())
    ]
    events.append(point("line", 11, (0.0,), (0.42, 0.93), phase="report", label="rotated"))
    return header, events


def plane() -> tuple[RunHeader, list[Event]]:
    header = RunHeader(
        id="plane", kind="explore", title="Plane", columns=columns(), planned=35, shape=(7, 5),
        coords=(
            {"name": "alpha", "low": -0.5, "high": 1.0, "title": "base to rotated", "unit": "", "log": False},
            {"name": "beta", "low": 0.0, "high": 1.0, "title": "base to inverted", "unit": "", "log": False},
        ),
        experiment={"family": {"kind": "plane", "geometry": {"scale": [8.0, 6.0], "points": {}}}, "seed": 3},
        labels={"base": [0.0, 0.0], "rotated": [1.0, 0.0], "inverted": [0.25, 1.0]},
    )  # fmt: skip
    events: list[Event] = []
    for i, x in enumerate(np.linspace(-0.5, 1.0, 7).tolist()):
        for j, y in enumerate(np.linspace(0, 1, 5).tolist()):
            events.append(point("plane", len(events), (x, y), (1 + x * x + 2 * y, 2 - x + y), cell=(i, j)))
    return header, events


def search() -> tuple[RunHeader, list[Event]]:
    header = RunHeader(
        id="search", kind="explore", title="Rotated against inverted", columns=columns(), planned=40,
        coords=tuple({"name": f"w{k}", "low": 0.0, "high": 1.0} for k in range(3)),
        experiment={"family": {"kind": "recipe"}, "explorer": {"name": "pareto"}, "seed": 0},
    )  # fmt: skip
    rng = np.random.default_rng(0)
    events: list[Event] = []
    for index in range(30):
        share, extra = rng.random(), rng.random(2) * 0.5
        losses = (0.3 + share**2 + extra[0], 0.3 + (1 - share) ** 2 + extra[1])
        events.append(point("search", index, tuple(rng.random(3)), losses, label="average" if index == 2 else ""))
    events += [
        Indicator(run="search", name="reference:rotated.cross_entropy", index=5, value=1.9),
        Indicator(run="search", name="reference:inverted.cross_entropy", index=5, value=1.8),
        *(Indicator(run="search", name="hypervolume", index=n, value=1.0 - 1 / n) for n in range(5, 31)),
    ]
    events.append(point("search", 30, (0.1, 0.2, 0.3), (0.5, 0.6), phase="report"))
    return header, events


def comparison() -> tuple[RunHeader, list[Event]]:
    header = RunHeader(
        id="comparison", kind="compare", title="Base and merges", columns=columns("report"),
        coords=({"name": "row"}, {"name": "scale"}),
    )  # fmt: skip
    nan = float("nan")
    events: list[Event] = [
        point("comparison", 0, (0.0, nan), (0.9, 0.8), phase="report", label="base"),
        point("comparison", 1, (1.0, 0.3), (0.6, 0.6), label="ties"),
        point("comparison", 2, (1.0, 0.6), (0.5, 0.5), label="ties"),
        point("comparison", 3, (1.0, 0.6), (0.52, 0.55), phase="report", label="ties"),
        point("comparison", 4, (2.0, nan), (0.50, 0.9), phase="report", label="average"),
    ]
    return header, events


RUNS: dict[str, Callable[[], tuple[RunHeader, list[Event]]]] = {
    "line": line, "plane": plane, "search": search, "comparison": comparison,
}  # fmt: skip


def taken(header: RunHeader, events: list[Event], state: str = "done") -> Snapshot:
    scored = [event for event in events if isinstance(event, PointScored)]
    said: dict[str, list[tuple[int, float]]] = {}
    for event in events:
        if isinstance(event, Indicator):
            said.setdefault(event.name, []).append((event.index, event.value))
    indicators = {
        name: (np.array([at for at, _ in pairs]), np.array([value for _, value in pairs]))
        for name, pairs in said.items()
    }
    points = points_of(scored, header) if scored else empty(header)
    return Snapshot(header, points, state, "", indicators)


def empty(header: RunHeader) -> Points:
    one = PointScored(
        run=header.id, index=0, coords=(0.0,) * len(header.coords), values=(0.0,) * len(header.columns),
        stderrs=(0.0,) * len(header.columns), counts=(0,) * len(header.columns),
    )  # fmt: skip
    return points_of([one], header).rows(slice(0, 0))


@pytest.fixture
def snapshots() -> dict[str, Snapshot]:
    """A finished run of every kind."""
    return {name: taken(*made()) for name, made in RUNS.items()}


@pytest.fixture
def beginnings() -> dict[str, Snapshot]:
    """The same runs before their first point."""
    return {name: taken(made()[0], [], "running") for name, made in RUNS.items()}


@pytest.fixture
def run_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a run of this name as a finished file; returns its path."""

    def write(name: str) -> Path:
        header, events = RUNS[name]()
        path = run_path(tmp_path, header.id)
        with RunWriter.create(path, header) as writer:
            for event in events:
                writer.append(event)
        assert RunReader(path).state == "done"
        return path

    return write


@pytest.fixture
def growing(tmp_path: Path) -> Callable[[str], tuple[RunWriter, list[Event]]]:
    """Begins a run file of this name; returns its writer and the events to come."""

    def begin(name: str) -> tuple[RunWriter, list[Event]]:
        header, events = RUNS[name]()
        return RunWriter.create(run_path(tmp_path, header.id), header), events

    return begin
