"""Views need no display; runs of every kind, made in memory and as files."""

import os
from collections.abc import Callable, Sequence
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


NAN = float("nan")


def simplex(models: int = 3) -> tuple[RunHeader, list[Event]]:
    """All blends of some models in steps of a quarter; one of them has no number."""
    names = ("rotated", "inverted", "mirrored", "upright")[:models]
    corners: dict[str, Sequence[float]] = {
        name: [float(row == place) for place in range(1, models)] for row, name in enumerate(names)
    }
    products = [[25.0 if i == j else 9.0 for j in range(models - 1)] for i in range(models - 1)]
    geometry = {"scale": [5.0] * (models - 1), "points": corners, "products": products}
    header = RunHeader(
        id=f"simplex{models}", kind="explore", title=f"Blends of {models}", columns=columns(),
        shape=(5,) * (models - 1),
        coords=tuple({"name": f"share_{name}", "low": 0.0, "high": 1.0} for name in names[1:]), labels=corners,
        experiment={"family": {"kind": "simplex", "geometry": geometry}, "explorer": {"name": "grid"}, "seed": 1},
    )  # fmt: skip
    events: list[Event] = []
    for cell in np.ndindex(*header.shape):
        share = tuple(step / 4 for step in cell)
        if sum(share) <= 1:
            loss = 0.5 + sum((part - 0.3) ** 2 for part in share)
            losses = (NAN, NAN) if cell == (1, 1, *[0] * (models - 3)) else (loss, 2 * loss)
            events.append(point(header.id, len(events), share, losses, cell=cell))
    return header, events


def trajectory() -> tuple[RunHeader, list[Event]]:
    """A grid over the plane of a training run."""
    path = [{"label": f"step {i}", "at": [-float(4 - i), 0.5 * i * (4 - i)], "off": 0.1 * (4 - i)} for i in range(5)]
    header = RunHeader(
        id="trajectory", kind="explore", title="The run", columns=columns(), shape=(4, 3),
        labels={"step 4": [0.0, 0.0]},
        coords=({"name": "x", "low": -5.0, "high": 1.0}, {"name": "y", "low": -1.0, "high": 3.0}),
        experiment={"family": {"kind": "trajectory", "path": path, "geometry": {"scale": [1.0, 1.0], "points": {}}}},
    )  # fmt: skip
    events: list[Event] = []
    for i, x in enumerate(np.linspace(-5, 1, 4).tolist()):
        for j, y in enumerate(np.linspace(-1, 3, 3).tolist()):
            events.append(point("trajectory", len(events), (x, y), (x * x + y, 3 - x), cell=(i, j)))
    return header, events


def soup() -> tuple[RunHeader, list[Event]]:
    """A greedy soup of four: the second is best, takes the first, leaves the third, takes the fourth."""
    names = ("a", "b", "c", "d")
    facts = {"products": [[9.0, 2.0, 1.0], [2.0, 16.0, 3.0], [1.0, 3.0, 4.0]]}
    labels = {name: [float(i == j) for j in range(4)] for i, name in enumerate(names)}
    header = RunHeader(
        id="soup", kind="explore", title="Soup of four", columns=columns(), planned=7,
        coords=tuple({"name": f"takes_{name}", "low": 0.0, "high": 1.0} for name in names),
        experiment={"family": {"kind": "subset", "facts": facts}, "explorer": {"name": "greedy_soup"}},
        labels={**labels, "uniform soup": [1.0] * 4},
    )  # fmt: skip
    taken: list[list[float]] = [*labels.values(), [1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 1.0]]
    losses = (0.7, 0.5, 0.9, 0.8, 0.4, 0.6, 0.3)
    events: list[Event] = [
        point("soup", i, tuple(at), (loss, loss)) for i, (at, loss) in enumerate(zip(taken, losses, strict=True))
    ]
    scored = [(4, 0.5), (5, 0.4), (6, 0.4), (7, 0.3)]
    events += [Indicator(run="soup", name="soup:score", index=at, value=value) for at, value in scored]
    events += [
        Indicator(run="soup", name="soup:taken", index=at, value=yes) for at, yes in ((5, 1.0), (6, 0.0), (7, 1.0))
    ]
    return header, events


def three() -> tuple[RunHeader, list[Event]]:
    """A search for three objectives; one point has a score that is not finite."""
    tasks = ("prose", "code", "maths")
    header = RunHeader(
        id="three", kind="explore", title="Three objectives", planned=20,
        columns=tuple({"task": t, "metric": "cross_entropy", "split": "selection", "count": 300} for t in tasks),
        coords=({"name": "w", "low": 0.0, "high": 1.0}, {"name": "v", "low": 0.0, "high": 1.0}), labels={},
        experiment={"family": {"kind": "recipe"}, "explorer": {"name": "map"}, "seed": 4},
    )  # fmt: skip
    rng = np.random.default_rng(1)
    events: list[Event] = []
    for index in range(20):
        away = np.abs(rng.normal(size=3))
        values = (2 - away / np.linalg.norm(away) + 0.1 * rng.random()).tolist()
        values[0] = NAN if index == 7 else values[0]
        events.append(
            PointScored(
                run="three", index=index, coords=(index / 20, 0.5), values=tuple(values), stderrs=(ERROR,) * 3,
                counts=(300,) * 3, label="average" if index == 3 else "",
            )
        )  # fmt: skip
    return header, events


def probed(
    result: str, coords: tuple[dict[str, Any], ...], at: Sequence[tuple[float, ...]], *measures: dict[str, Any]
) -> Any:
    header = RunHeader(
        id=result, kind="probe", title=f"A {result}", coords=coords, columns=measures,
        experiment={"probe": {"name": "made_up", "params": {}}, "seed": 2},
        provenance={"result": result, "probe": {"name": "made_up", "title": "Made up"},
                    "tasks": [{"task": "rotated", "split": "train", "limit": 64}]},
    )  # fmt: skip
    events = [
        PointScored(run=result, index=i, coords=place, values=(NAN if i == 3 else 0.1 * i - 0.3, 10.0 ** (i - 4)),
                    stderrs=(0.05, NAN), counts=(64, 64))
        for i, place in enumerate(at)
    ]  # fmt: skip
    return header, events


MODELS = {"name": "model", "title": "model", "of": "model", "labels": ["base", "rotated", "inverted"]}
SIGNED = {"name": "cosine", "title": "cosine", "low": -1.0, "high": 1.0}
LOGGED = {"name": "size", "title": "size", "log": True, "low": 0.0}


def matrix() -> tuple[RunHeader, list[Event]]:
    other = {**MODELS, "name": "other", "title": "other"}
    at = [(float(i), float(j)) for i in range(3) for j in range(3)]
    return probed("matrix", (MODELS, other), at, SIGNED, LOGGED)


def layers() -> tuple[RunHeader, list[Event]]:
    layer = {"name": "layer", "title": "layer", "of": "layer", "labels": [f"block.{k}.weight" for k in range(6)]}
    at = [(float(i), float(j)) for i in range(3) for j in range(6)]
    return probed("layers", (MODELS, layer), at, SIGNED, LOGGED)


def spectrum() -> tuple[RunHeader, list[Event]]:
    number = {"name": "eigenvalue", "title": "eigenvalue", "of": "number", "unit": ""}
    at = [(float(i), x - 2.0) for i in range(2) for x in range(5)]
    return probed("curve", (MODELS, number), at, SIGNED, LOGGED)


def scalars() -> tuple[RunHeader, list[Event]]:
    models = {**MODELS, "labels": ["base", "rotated", "inverted", "mirrored", "upright"]}
    return probed("scalars", (models,), [(float(i),) for i in range(5)], SIGNED, LOGGED)


RUNS: dict[str, Callable[[], tuple[RunHeader, list[Event]]]] = {
    "line": line, "plane": plane, "search": search, "comparison": comparison, "simplex3": simplex,
    "simplex4": lambda: simplex(4), "trajectory": trajectory, "soup": soup, "three": three, "matrix": matrix,
    "layers": layers, "spectrum": spectrum, "scalars": scalars,
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
