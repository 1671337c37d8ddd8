"""Jobs at the desk with real jobs: order, logs, estimates and refusals, lanes, word of a long one's end."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from solera.events import Logged
from solera.execution.writer import write_checkpoint
from solera.jobs.spec import JobSpec
from solera.projects.project import Project
from solera.recipes.nodes import CheckpointNode, Recipe, SumNode, Term
from solera.workbench.estimate import Estimate
from solera_app.job_desk import estimate_words
from solera_app.job_log import JobLog
from solera_app.main import Application


@pytest.fixture
def app(tmp_path: Path, qtbot: Any) -> Iterator[Application]:
    Project.create(tmp_path / "project", "p").close()
    made = Application()
    made.open(tmp_path / "project")
    made.window.resize(1280, 800)
    qtbot.waitUntil(lambda: made.desk.workbench is not None and made.window.welcome._cards.count() > 0)
    yield made
    for opened in made.desk.recipes.documents:
        opened.history.mark_saved()
    made.window.close()
    made.window.deleteLater()


@pytest.fixture
def hold(app: Application) -> Iterator[threading.Event]:
    """Jobs of the kind "hold" say a word and wait for this."""
    go = threading.Event()

    def work(args: Any, context: Any) -> dict[str, Any]:
        context.emit(Logged(text=f"holding {args.get('name', '')}"))
        while not go.wait(0.02):
            context.check()
        if args.get("fail"):
            raise ValueError("wanted a number, got a shoe")
        return {}

    bench = app.desk.workbench
    assert bench is not None
    bench.jobs.handlers = {**bench.jobs.handlers, "hold": work}
    yield go
    go.set()


def submit(app: Application, *names: str, **args: Any) -> list[str]:
    bench = app.desk.workbench
    assert bench is not None
    made = [JobSpec("hold", name, {"name": name, **args}, ("cpu",)) for name in names]
    return [bench.jobs.submit(spec).id for spec in made]


def titles(app: Application) -> list[str]:
    return [row.title for row in app.window.jobs.view.rows_model.rows]


def test_waiting_jobs_are_put_in_another_order_with_the_keyboard(
    app: Application, hold: threading.Event, qtbot: Any
) -> None:
    ids = submit(app, "first", "a", "b", "c")
    view = app.window.jobs.view
    qtbot.waitUntil(lambda: titles(app) == ["first", "a", "b", "c"])
    view.choose(ids[3])
    QTest.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert titles(app) == ["first", "a", "c", "b"]
    QTest.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)  # it is next already
    assert titles(app) == ["first", "c", "a", "b"]
    QTest.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert titles(app) == ["first", "a", "c", "b"]
    bench = app.desk.workbench
    assert bench is not None
    assert bench.jobs.waiting() == (ids[1], ids[3], ids[2])
    QTest.keyClick(view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: bench.jobs.get(ids[3]).state == "cancelled")
    hold.set()
    qtbot.waitUntil(lambda: all(bench.jobs.get(job).final for job in ids), timeout=10_000)
    began = [bench.jobs.get(job).started or 0.0 for job in (ids[1], ids[2])]
    assert 0 < began[0] < began[1]
    qtbot.waitUntil(lambda: app.window.jobs.state_of(ids[3]) == "cancelled")
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert "c" not in titles(app)
    assert all(job.id != ids[3] for job in bench.jobs.jobs()), "nor is it offered at the next start"


def test_a_log_per_job_grows_and_ends_with_the_traceback(app: Application, hold: threading.Event, qtbot: Any) -> None:
    (job,) = submit(app, "shoes", fail=True)
    qtbot.waitUntil(lambda: app.window.jobs.state_of(job) == "running")
    app.window.jobs.commanded.emit(job, "log")
    dialog = app.window.findChild(JobLog)
    assert dialog is not None
    qtbot.waitUntil(lambda: "holding shoes" in dialog.text.toPlainText())
    assert "Running" in dialog.line.text()
    hold.set()
    qtbot.waitUntil(lambda: "got a shoe" in dialog.text.toPlainText(), timeout=5000)
    assert "Traceback" in dialog.text.toPlainText()
    dialog.close()


def test_no_job_of_a_project_that_was_closed_is_listed(app: Application, hold: threading.Event, tmp_path: Path) -> None:
    """What the queue still had to tell when the project closed is told before the list is cleared."""
    submit(app, "first", "second")  # the bridge has not told of them yet
    Project.create(tmp_path / "other", "q").close()
    app.desk.open_project(tmp_path / "other")
    assert titles(app) == []
    assert not app.window.jobs.running


def test_word_of_the_end_of_a_long_job_alone(
    app: Application, hold: threading.Event, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = submit(app, "short")
    hold.set()
    qtbot.waitUntil(lambda: app.window.jobs.state_of(job) == "done")
    assert app.window.toasts.showing() == []
    app.desk.jobs.long = 0.0
    alerted: list[Any] = []
    monkeypatch.setattr(app.desk.jobs, "_beside", alerted.append)
    submit(app, "long")
    qtbot.waitUntil(lambda: any("'long' is done; it took" in toast.sentence for toast in app.window.toasts.showing()))
    assert app.window.isActiveWindow() or len(alerted) == 1


def test_lanes_are_told_over_the_list(app: Application, hold: threading.Event, qtbot: Any) -> None:
    submit(app, "held")
    lanes = app.window.jobs.lanes
    qtbot.waitUntil(lambda: "held" in lanes.lanes["cpu"].toolTip(), timeout=5000)
    assert lanes.isVisible()
    assert lanes.lanes["cpu"].accessibleName() == lanes.lanes["cpu"].toolTip()
    assert "jobs hold" in lanes.memory.words.text()


def models(folder: Path) -> Recipe:
    for name in "ab":
        write_checkpoint({"w": torch.ones(600, 1000)}, folder / name)
    nodes = (
        CheckpointNode("a", str(folder / "a")), CheckpointNode("b", str(folder / "b")),
        SumNode("s", (Term("a", 0.5), Term("b", 0.5))),
    )  # fmt: skip
    return Recipe(nodes, "s", name="half")


def test_a_merge_that_waits_says_what_it_will_take(
    app: Application, hold: threading.Event, qtbot: Any, tmp_path: Path
) -> None:
    bench = app.desk.workbench
    assert bench is not None
    submit(app, "first")
    job = bench.submit_merge(models(tmp_path), "half")
    rows = app.window.jobs.view.rows_model
    qtbot.waitUntil(lambda: any("reads 4.80 MB" in row.middle for row in rows.rows if row.id == job.id), timeout=10_000)
    told = next(row for row in rows.rows if row.id == job.id).middle
    assert "writes 2.40 MB" in told
    assert "holds" in told


def test_what_cannot_fit_is_refused_with_numbers_before_it_begins(
    app: Application, hold: threading.Event, qtbot: Any, tmp_path: Path
) -> None:
    bench = app.desk.workbench
    assert bench is not None
    submit(app, "first")
    job = bench.submit_merge(models(tmp_path), "half", memory_budget=1000)
    toasts = app.window.toasts
    qtbot.waitUntil(lambda: any("0.00095 MiB" in toast.sentence for toast in toasts.showing()), timeout=10_000)
    hold.set()
    qtbot.waitUntil(lambda: job.final, timeout=10_000)
    assert job.state == "failed"
    assert job.error is not None
    assert "0.00095 MiB" in job.error["message"]
    assert not (bench.project.outputs / "half").exists()  # type: ignore[union-attr]


def test_an_estimate_in_words() -> None:
    assert estimate_words(Estimate(2_000_000, 3_000, 0, 75.0)) == "about 1 min 15 s · reads 2.00 MB · holds 3.00 kB"
    assert estimate_words(Estimate(refusal="Needs 3 GB; there is 1 GB.")) == "Needs 3 GB; there is 1 GB."
    assert estimate_words(Estimate()) == ""
