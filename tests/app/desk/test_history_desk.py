"""The history of runs with real files: page, tags, recipe, again, compare, trash, stale; and ten thousand of them."""

import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from solera.events import PointScored, RunStarted
from solera.projects.project import Project
from solera.runs.catalogue import RunInfo
from solera.runs.header import RunHeader, run_path
from solera.runs.reader import RunReader
from solera.runs.writer import RunWriter
from solera_app.beside_tab import BesideTab
from solera_app.bridge.slots import notices
from solera_app.docks.run_page import RunPage
from solera_app.docks.runs import RunsDock
from solera_app.linked_tab import LinkedTab
from solera_app.main import Application
from solera_app.run_again import RunAgain, settings

LEFT = Qt.MouseButton.LeftButton
RECIPE = """\
solera: 1
name: blend
nodes:
  a: {checkpoint: 'library:a'}
  mine: {method: nowhere_to_be_found, inputs: [a]}
output: mine
"""


def record(folder: Path, run: str, accuracy: float, points: int, created: float, *, recipe: str = RECIPE) -> None:
    header = RunHeader(
        id=run, kind="explore", title=f"Line {run[-1]}", created=created, planned=points, shape=(points,),
        columns=({"task": "t", "metric": "accuracy", "split": "selection", "count": 99},),
        coords=({"name": "x", "low": 0.0, "high": 1.0},),
        experiment={
            "solera": 1, "kind": "explore", "family": {"line": ["library:a", "library:b"]}, "tasks": ["t"],
            "explorer": {"name": "grid", "params": {"points": points}},
        },
        provenance={
            "recipe": recipe, "semantic_hash": f"sha256:{'0' * 64}", "device": "cpu",
            "inputs": {"a": {"name": "a", "source": "library:a", "fingerprint": f"sha256-tree:{'1' * 64}"}},
        },
    )  # fmt: skip
    with RunWriter.create(run_path(folder, run), header) as writer:
        for place in range(points):
            scored: Any = {"values": (accuracy - 0.01 * place,), "stderrs": (0.01,), "counts": (99,)}
            writer.append(PointScored(run=run, index=place, coords=(place / 9,), cell=(place,), **scored))
        writer.summary = f"best {accuracy}"


@pytest.fixture
def app(tmp_path: Path, qtbot: Any) -> Iterator[Application]:
    folder = tmp_path / "project"
    Project.create(folder, "p").close()
    runs = folder / "runs"
    runs.mkdir(exist_ok=True)
    now = time.time()
    record(runs, "20260101-000000-aaaaa1", 0.90, 3, now - 30)
    record(runs, "20260101-000001-aaaaa2", 0.70, 5, now - 20, recipe=RECIPE.replace("nowhere_to_be_found", "linear"))
    made = Application()
    made.open(folder)
    made.window.resize(1280, 800)
    qtbot.waitUntil(lambda: len(made.window.runs.view.rows_model.rows) == 3, timeout=10_000)
    made.window.bottom.setCurrentWidget(made.window.runs)
    yield made
    for opened in made.desk.recipes.documents:
        opened.history.mark_saved()
        opened._recovered = False
    made.window.close()
    made.window.deleteLater()


ONE, TWO = "20260101-000000-aaaaa1", "20260101-000001-aaaaa2"


def press(app: Application, *runs: str) -> None:
    view = app.window.runs.view
    for run in runs:
        keys = Qt.KeyboardModifier.NoModifier if run == runs[0] else Qt.KeyboardModifier.ControlModifier
        QTest.mouseClick(view.viewport(), LEFT, keys, view.visualRect(view.rows_model.find(run)).center())


def row(app: Application, run: str) -> Any:
    return next(row for row in app.window.runs.view.rows_model.rows if row.id == run)


def test_a_runs_page_keeps_tags_and_note_and_the_list_finds_them(app: Application, qtbot: Any) -> None:
    press(app, ONE)
    page: RunPage = app.desk.history.page
    assert page.isVisible()
    assert page.subject.name.text() == "Line 1"
    qtbot.waitUntil(lambda: page.buttons["recipe"].isEnabled(), timeout=5000)
    page.remarks.tags.setFocus()
    QTest.keyClicks(page.remarks.tags, "baseline")
    QTest.keyClick(page.remarks.tags, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: row(app, ONE).middle == "baseline", timeout=5000)
    QTest.keyClicks(app.window.runs.search, "baseline")
    assert [row.id for row in app.window.runs.view.rows_model.rows if not row.section] == [ONE]


def test_a_run_whose_method_is_gone_is_marked_stale(app: Application, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: row(app, ONE).right == "Stale", timeout=10_000)
    assert "'nowhere_to_be_found' it used is not there now" in row(app, ONE).tip
    press(app, ONE)
    assert "Stale" in app.desk.history.page.subject.state.text()
    QTest.keyClicks(app.window.runs.search, "stale line")
    assert ONE in [row.id for row in app.window.runs.view.rows_model.rows]


def test_its_recipe_is_opened(app: Application, qtbot: Any) -> None:
    press(app, TWO)
    page = app.desk.history.page
    qtbot.waitUntil(lambda: page.buttons["recipe"].isEnabled(), timeout=5000)
    QTest.mouseClick(page.buttons["recipe"], LEFT)
    qtbot.waitUntil(lambda: [o.name for o in app.desk.recipes.documents][-1:] == ["blend"], timeout=5000)
    assert app.desk.recipes.documents[-1].document.ids == {"a", "mine"}


def test_two_are_put_beside_each_other(app: Application, qtbot: Any, tmp_path: Path) -> None:
    press(app, ONE, TWO)
    app.window.actions_by_id.by_id["tools.compare-runs"].trigger()
    qtbot.waitUntil(lambda: isinstance(app.window.tabs.currentWidget(), BesideTab), timeout=10_000)
    tab: Any = app.window.tabs.currentWidget()
    shown = {
        tab.table.item(r, 0).text(): [tab.table.item(r, c).text() for c in range(1, 4) if tab.table.item(r, c)]
        for r in range(tab.table.rowCount())
    }
    order = [run[-1] for run in tab.found.runs]
    points = {"1": "3", "2": "5"}
    assert shown["explorer.params.points"] == [points[run] for run in order]
    best = "A" if order[0] == "1" else "B"
    assert shown["t.accuracy"][2] == f"{best} is best"
    assert "90.0 ± 1.0 %" in shown["t.accuracy"]
    assert tab.export("csv", tmp_path / "x.csv").read_text().count("\n") == len(tab.found.lines) + 1


def test_two_are_shown_on_linked_axes(app: Application, qtbot: Any, tmp_path: Path) -> None:
    app.window.runs.commanded.emit([ONE, TWO], "linked")
    tab: Any = app.window.tabs.currentWidget()
    assert isinstance(tab, LinkedTab)
    qtbot.waitUntil(lambda: tab.view.current is not None, timeout=10_000)
    assert "table" in tab.view.names
    assert " | " in tab.title
    assert tab.export("csv", tmp_path / "both.csv").read_text().startswith("run,")


def test_runs_without_a_front_have_no_hypervolume_over_seeds(app: Application, qtbot: Any) -> None:
    app.window.runs.commanded.emit([ONE, TWO], "seeds")
    qtbot.waitUntil(lambda: bool(app.window.toasts.showing()), timeout=10_000)
    assert "is no search for a front, so it has no hypervolume" in app.window.toasts.showing()[0].sentence


def test_one_alone_is_not_compared_but_told(app: Application) -> None:
    press(app, ONE)
    app.window.actions_by_id.by_id["tools.compare-runs"].trigger()
    assert "Select two runs or more" in app.window.toasts.showing()[0].sentence


def test_again_with_one_change(app: Application, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = app.desk.workbench
    assert bench is not None
    asked: list[Any] = []

    def again(run: str, changes: Any) -> Any:
        asked.append((run, changes))
        return type("Job", (), {"id": "j"})

    monkeypatch.setattr(bench, "again", again)
    press(app, TWO)
    page = app.desk.history.page
    qtbot.waitUntil(lambda: page.buttons["again"].isEnabled(), timeout=5000)

    def fill() -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, RunAgain):
            return
        timer.stop()
        assert dialog.setting.currentText() == "explorer.params.points"
        dialog.value.clear()
        QTest.keyClicks(dialog.value, "many")
        assert not dialog.go.isEnabled()
        assert "takes a whole number" in dialog.told.text()
        dialog.value.clear()
        QTest.keyClicks(dialog.value, "41")
        assert dialog.told.text() == "It was 5."
        QTest.mouseClick(dialog.go, LEFT)

    timer = QTimer(app.window, interval=20)
    timer.timeout.connect(fill)
    timer.start()
    QTest.mouseClick(page.buttons["again"], LEFT)
    qtbot.waitUntil(lambda: bool(asked), timeout=5000)
    assert asked == [(TWO, {"explorer.params.points": 41})]


def test_settings_that_can_be_changed() -> None:
    found = settings("explore", {"kind": "explore", "family": {}, "seed": 3, "explorer": {"params": {"points": 5}}})
    assert next(iter(found)) == "explorer.params.points"
    assert (found["seed"], found["limit"]) == (3, 0)
    assert "family" not in found
    assert settings("merge", {"kind": "merge", "recipe": {}, "out": "/x"}) == {"dtype": "", "memory_budget": 0}


def test_delete_moves_to_the_trash_and_back(app: Application, qtbot: Any) -> None:
    app.desk.runs.open(ONE)
    press(app, ONE)
    app.window.runs.view.setFocus()
    QTest.keyClick(app.window.runs.view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(app.window.runs.view.rows_model.rows) == 2, timeout=5000)
    bench = app.desk.workbench
    assert bench is not None
    assert bench.runs.trashed() == (ONE,)
    assert all(app.window.tabs.widget(i).property("run") != ONE for i in range(app.window.tabs.count()))
    app.window.runs.commanded.emit([], "restore")
    qtbot.waitUntil(lambda: len(app.window.runs.view.rows_model.rows) == 3, timeout=5000)


def test_what_is_asked_of_a_run_that_is_in_the_trash_is_a_sentence(app: Application, qtbot: Any) -> None:
    press(app, ONE)
    page = app.desk.history.page
    app.desk.history.trash([ONE])
    qtbot.waitUntil(lambda: len(app.window.runs.view.rows_model.rows) == 2, timeout=5000)
    with qtbot.waitSignal(notices().raised) as told:
        page.commanded.emit(ONE, "recipe")
    assert "it may be in the trash" in told.args[1]
    with qtbot.waitSignal(notices().raised) as told:
        app.window.runs.commanded.emit([ONE, TWO], "compare")  # from a menu that was open meanwhile
    assert "Select two runs or more" in told.args[1]


def test_a_run_that_came_to_the_front_is_gone_when_it_is_closed(app: Application, qtbot: Any) -> None:
    desk = app.desk
    assert desk.workbench is not None
    path = run_path(desk.workbench.runs_folder, ONE)
    desk.runs.await_run("j")
    desk.runs._run_started(RunStarted(run=ONE, path=str(path), header=RunReader(path).header.to_plain(), job="j"))
    (tab,) = desk.runs._run_tabs()
    view = tab.view
    for name in ("curve", "table"):
        qtbot.waitUntil(lambda view=view: view.run == ONE, timeout=5000)
        view.show_view(name)
    assert desk.runs._follows()
    parts = [weakref.ref(each) for each in (tab, *tab.findChildren(QWidget))]
    desk.close_tab(tab)
    del tab, view
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert [part() for part in parts if part() is not None] == []  # and no cycle was collected


def test_ten_thousand_runs_are_listed_at_once_and_no_turn_is_long(qtbot: Any) -> None:
    dock = RunsDock()
    qtbot.addWidget(dock)
    dock.resize(900, 300)
    dock.show()
    now = time.time()
    many = [
        RunInfo(f"r{i}", "explore", f"Run {i}", "done", now - 600 * i, 9, 9, "best 0.9", ("t",), "", Path(f"r{i}.h5"))
        for i in range(10_000)
    ]
    turns = [0.0]

    def turn() -> bool:
        began = time.process_time()
        QApplication.processEvents()
        turns.append(time.process_time() - began)
        return len([row for row in dock.view.rows_model.rows if not row.section]) == 10_000

    began = time.process_time()
    dock.set_runs(many)
    dock.grab()
    listed = time.process_time() - began
    assert dock.view.rows_model.rows[1].title == "Run 0"
    qtbot.waitUntil(turn, timeout=20_000)
    began = time.process_time()
    dock.search.setText("run 9999")
    found = time.process_time() - began
    assert [row.id for row in dock.view.rows_model.rows if not row.section] == ["r9999"]
    assert listed < 0.1, f"{listed:.3f} s of CPU"
    assert found < 0.15, f"{found:.3f} s of CPU"
    assert max(turns) < 0.1, f"{max(turns):.3f} s of CPU"
