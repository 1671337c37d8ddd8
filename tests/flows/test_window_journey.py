"""A person at the window: checkpoints in, a merge, landscapes filling in, a handle dragged; real mouse and keys."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from tests.flows.person import Person

from solera_app import interpolation_tab
from solera_app.interpolation_tab import InterpolationTab
from solera_app.main import Application
from solera_app.run_desk import RunTab
from solera_app.tabs import RecipeTab
from solera_app.theme import theme

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
LONG = 40_000


def facts_shown(person: Person) -> list[tuple[str, str]]:
    """Lines of label and value that the inspector's point page shows."""
    point = person.window.inspector.point
    texts = [label.text() for label in point.findChildren(QLabel) if label.isVisible()]
    return list(pairwise(texts))


# --- the recipe -----------------------------------------------------------------------------------------------------


def test_from_files_to_a_merge(furnished: Person, project: Path) -> None:
    person = furnished
    sources = {node.id: node.source for node in person.document.recipe.nodes}
    assert sources == {name: f"library:{name}" for name in ("base", "rotated", "inverted")}
    person.merge()
    node = person.document.node("ties")
    assert (node.base, node.inputs) == ("base", ("rotated", "inverted"))
    assert person.document.recipe.output == "ties"

    person.act("edit.undo")
    assert person.document.node("ties").inputs == ("rotated",)
    person.act("edit.redo")
    assert person.document.node("ties").inputs == ("rotated", "inverted")

    QTest.mouseClick(person.canvas.viewport(), LEFT, PLAIN, person.body("ties"))
    assert person.canvas.selection == ["ties"]
    form = person.window.inspector.form
    field = next(iter(form._root.child("density").items)).widget
    field.number.lineEdit().selectAll()
    QTest.keyClicks(field.number.lineEdit(), "0.5")
    QTest.keyClick(field.number.lineEdit(), Qt.Key.Key_Return)
    assert person.document.node("ties").params["density"] == 0.5

    seen: list[Any] = []
    person.desk.bridge.progressed.connect(seen.append)
    QTest.mouseClick(person.window.run_button, LEFT)
    person.until(lambda: "outputs/untitled" in person.entries, LONG)
    person.until_idle()
    assert [job.state for job in person.desk.workbench.jobs.jobs()] == ["done"]
    assert seen
    assert seen[-1].done == seen[-1].total
    assert (project / "outputs" / "untitled" / "model.safetensors").is_file()
    assert person.canvas.picture.items_by_id["ties"].state == "done"


def test_a_link_that_does_not_fit_says_why_and_is_not_made(furnished: Person) -> None:
    person = furnished
    person.merge()
    person.add("linear")
    person.drag(person.body("linear"), QPoint(700, 400))
    person.link("ties", "linear", "input:+")
    before = person.document
    assert before.node("linear").inputs == ("ties",)
    person.drag(person.port("linear", "out"), person.port("ties", "input:+"), release=False)
    assert person.canvas._note.isVisible()
    assert "in a circle" in person.canvas._note.text()
    QTest.mouseRelease(person.canvas.viewport(), LEFT, PLAIN, person.port("ties", "input:+"))
    assert person.document == before
    assert not person.canvas._note.isVisible()
    assert "in a circle" in person.window.status.currentMessage()


def test_delete_takes_a_node_and_its_links_and_undo_brings_them_back(furnished: Person) -> None:
    person = furnished
    person.merge()
    before = person.document
    QTest.mouseClick(person.canvas.viewport(), LEFT, PLAIN, person.body("rotated"))
    QTest.keyClick(person.canvas, Qt.Key.Key_Delete)
    assert "rotated" not in person.document.ids
    assert person.document.node("ties").inputs == ("inverted",)
    person.act("edit.undo")
    assert person.document == before


# --- landscapes -----------------------------------------------------------------------------------------------------


def test_a_line_fills_in_live_and_its_points_are_to_be_had(furnished: Person, tmp_path: Path, monkeypatch: Any) -> None:
    person = furnished
    counts: list[int] = []
    person.desk.bridge.pointsArrived.connect(
        lambda run, points: counts.append(len(person.tab.view.snapshot.points))
        if isinstance(person.tab, RunTab) and person.tab.view.snapshot is not None else None
    )  # fmt: skip
    person.explore("line", points=9)
    person.until(lambda: isinstance(person.tab, RunTab) and person.tab.view.snapshot is not None, LONG)
    person.until_idle()
    person.until(lambda: person.tab.view.snapshot.state == "done" and len(person.tab.view.snapshot.points) >= 9, LONG)
    assert person.tab.view.names[0] == "curve"
    assert counts == sorted(counts)
    person.until(lambda: any("Line base to rotated" in row.title for row in person.window.runs.view.rows_model.rows))

    person.until(lambda: ("State", "done") in facts_shown(person))
    person.until(lambda: person.plot().order().size >= 9)  # the picture follows the numbers in its own time
    plot = person.plot()
    at = plot.position(int(plot.order()[3])).toPoint()
    QTest.mouseMove(plot.canvas.viewport(), QPoint(2, 2))
    QTest.mouseMove(plot.canvas.viewport(), at)
    person.until(lambda: plot.hovered >= 0)
    assert any("±" in line for line in plot.describe(plot.hovered))
    QTest.mouseClick(plot.canvas.viewport(), LEFT, PLAIN, at)
    assert person.window.inspector.header.title.text() == "Selected point"
    chosen = person.tab.view.selected
    assert chosen >= 0
    run = person.tab

    for kind in ("png", "svg", "csv"):
        target = tmp_path / f"line.{kind}"
        monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", lambda *a, t=target: (str(t), ""))
        person.act("file.export")
        assert target.stat().st_size > 200
    assert not QImage(str(tmp_path / "line.png")).isNull()
    assert "<svg" in (tmp_path / "line.svg").read_text()
    assert len((tmp_path / "line.csv").read_text().splitlines()) >= 10
    person.until_toast("line.csv")

    tabs = person.window.tabs.count()
    QTest.mouseDClick(plot.canvas.viewport(), LEFT, PLAIN, at)
    person.until(lambda: person.window.tabs.count() == tabs + 1 and isinstance(person.tab, RecipeTab))
    recipe = person.document.recipe
    assert not recipe.variables
    assert {node.source for node in recipe.checkpoints} == {"library:base", "library:rotated"}
    assert person.desk.workbench.check(recipe) == ()
    person.window.tabs.setCurrentWidget(run)
    assert person.tab.view.selected == chosen


def test_a_plane_and_a_front(furnished: Person) -> None:
    person = furnished
    canvas_tab = person.tab
    person.explore("plane", points=5)
    person.until(lambda: isinstance(person.tab, RunTab) and person.tab.view.snapshot is not None, LONG)
    person.until_idle()
    person.until(lambda: len(person.tab.view.snapshot.points) >= 25, LONG)
    assert person.tab.view.names[0] == "surface"
    plot = person.plot()
    person.until(lambda: plot.position(7) is not None)
    QTest.mouseClick(plot.canvas.viewport(), LEFT, PLAIN, plot.position(7).toPoint())
    assert person.tab.view.selected >= 0
    assert person.window.inspector.header.title.text() == "Selected point"

    person.window.tabs.setCurrentWidget(canvas_tab)
    person.merge()
    QTest.mouseClick(person.canvas.viewport(), LEFT, PLAIN, person.body("ties"))
    for name in ("density", "scale"):
        bracket = next(iter(person.window.inspector.form._root.child(name).items)).widget.bracket
        QTest.mouseClick(bracket, LEFT)
    assert [var.name for var in person.document.recipe.variables] == ["ties_density", "ties_scale"]
    person.explore("recipe", "pareto", points=24)
    person.until(lambda: isinstance(person.tab, RunTab) and person.tab.view.names[:1] == ("pareto",), LONG)
    person.until_idle()
    person.until(lambda: person.tab.view.snapshot.state == "done", LONG)
    assert "hypervolume" in person.tab.view.snapshot.indicators
    volumes = person.tab.view.snapshot.indicators["hypervolume"][1]
    assert list(volumes) == sorted(volumes)
    search = [phase for phase in person.tab.view.snapshot.points.phase if phase == "search"]
    assert len(search) == 24


# --- interpolation --------------------------------------------------------------------------------------------------


def test_the_handle_is_dragged_and_its_scores_follow(furnished: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person = furnished
    person.act("canvas.interpolate")
    person.until(lambda: isinstance(person.tab, InterpolationTab))
    tab = person.tab
    person.until(lambda: tab.canvas.names == ("base", "rotated", "inverted"), LONG)
    person.until(lambda: len(tab.panel._shown) == 2 and not tab.panel._shown[0].preview, LONG)
    before = {score.title: score.value for score in tab.panel._shown}
    assert person.window.inspector.header.title.text() == "Interpolation"

    view = tab.canvas.ground.canvas.viewport()
    start, weights = tab.canvas.handle_px().toPoint(), tab.canvas.weights
    end = start + QPoint(-60, 30)
    QTest.mousePress(view, LEFT, PLAIN, start)
    for step in (1, 2, 3, 4):
        QTest.mouseMove(view, start + (end - start) * (step / 4))
    QTest.mouseRelease(view, LEFT, PLAIN, end)
    assert tab.canvas.weights != weights
    assert sum(tab.canvas.weights) == pytest.approx(1)
    assert person.document.interpolation.weights == pytest.approx(tab.canvas.weights)
    person.until(lambda: {score.title: score.value for score in tab.panel._shown} != before, LONG)
    person.until(lambda: not any(score.preview for score in tab.panel._shown), LONG)
    assert all(score.count == score.total for score in tab.panel._shown)
    person.act("edit.undo")
    assert tab.canvas.weights == pytest.approx(weights)
    person.act("edit.redo")

    person.qtbot.waitUntil(lambda: tab.panel.keep.isVisible())
    QTest.mouseClick(tab.panel.keep, LEFT)
    person.until(lambda: any(name.startswith("outputs/base") for name in person.entries), LONG)
    person.until_idle()

    monkeypatch.setattr(interpolation_tab, "SURFACE_POINTS", 7)
    person.act("canvas.ground")
    person.until_idle()
    person.until(lambda: tab._grid is not None and not (tab._grid != tab._grid).any(), LONG)
    assert not any(isinstance(person.window.tabs.widget(i), RunTab) for i in range(person.window.tabs.count()))

    jobs, grid = len(person.desk.workbench.jobs.jobs()), tab._grid
    person.desk.close_tab(tab)
    person.act("canvas.interpolate")
    again = person.tab
    assert again is not tab
    person.until(lambda: again._grid is not None, LONG)  # the run has it already
    assert (again._grid == grid).all()
    assert len(person.desk.workbench.jobs.jobs()) == jobs


# --- saving ---------------------------------------------------------------------------------------------------------


def test_save_close_and_open_again(
    furnished: Person, window: Callable[..., Application], project: Path, monkeypatch: Any
) -> None:
    person = furnished
    person.merge()
    target = project / "recipes" / "blend.yaml"
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", lambda *a: (str(target), ""))
    person.act("file.save")
    assert target.is_file()
    assert "•" not in person.window.tabs.tabText(person.window.tabs.currentIndex())
    saved = person.document
    person.window.close()
    person.until(lambda: person.desk.workbench is None)
    again = Person(window(project), person.qtbot)
    again.until(lambda: again.window.tabs.count() == 1)
    assert again.document == saved
    assert again.window.tabs.tabText(0) == "blend"
    again.until(lambda: again.entries == ["base", "rotated", "inverted"])
    again.act("view.theme")
    assert theme().name == "dark"
    colour = QImage(again.window.grab().toImage()).pixelColor(again.window.width() // 2, again.window.height() - 4)
    assert colour.lightness() < 80


# --- a crash --------------------------------------------------------------------------------------------------------

_CRASH = """
import os, signal, sys
from pathlib import Path
from PySide6.QtCore import QTimer
from solera.documents.commands import AddNodes
from solera.recipes.nodes import CheckpointNode
from solera_app.main import Application

folder = Path(sys.argv[1])
application = Application()
application.open(folder)

def edit():
    documents = application.desk.recipes.documents
    if len(documents) != 1:
        return
    documents[0].history.do(AddNodes((CheckpointNode("extra", "library:extra"),), {"extra": (8.0, 16.0)}))
    timer.stop()
    watch.start(20)

def die():
    if list(folder.glob("recipes/.*.autosave")):
        os.kill(os.getpid(), signal.SIGKILL)

timer, watch = QTimer(), QTimer()
timer.timeout.connect(edit)
watch.timeout.connect(die)
timer.start(20)
application.qt.exec()
"""


def test_edits_survive_kill_9(window: Callable[..., Application], project: Path, qtbot: Any) -> None:
    recipe = project / "recipes" / "blend.yaml"
    text = "solera: 1\nname: blend\nnodes:\n  base: {checkpoint: 'library:base'}\noutput: base\n"
    recipe.write_text(text)
    done = subprocess.run([sys.executable, "-c", _CRASH, str(project)], timeout=60, check=False)
    assert done.returncode == -9
    assert recipe.read_text() == text
    person = Person(window(project), qtbot)
    person.until_toast("Recovered unsaved edits of 'blend'")
    assert person.document.ids == {"base", "extra"}
    assert person.document.layout["extra"] == (8.0, 16.0)
    assert person.window.tabs.count() == 1
    assert person.window.tabs.tabText(0) == "blend •"
    kept = json.loads((project / "recipes" / ".blend.yaml.autosave").read_text())
    assert kept["pid"] == os.getpid(), "recovered edits are journalled again before anything else can go wrong"
    person.act("file.save")
    assert "library:extra" in recipe.read_text()
    assert not list(project.glob("recipes/.*.autosave"))
