"""A person at the window: checkpoints in, a merge, landscapes filling in live, a handle dragged; real mouse and keys."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from solera_app.canvases.quick_add import QuickAdd
from solera_app.explore_dialog import ExploreDialog
from solera_app.interpolation_tab import InterpolationTab
from solera_app.main import Application
from solera_app.run_desk import RunTab
from solera_app.tabs import RecipeTab
from solera_app.theme import theme

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
LONG = 40_000


def drop(widget: QWidget, mime: QMimeData, at: QPoint) -> bool:
    """Bring a drag over a widget and let go; whether it was welcome."""
    copy = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(at, copy, mime, LEFT, PLAIN)
    QApplication.sendEvent(widget, enter)
    if not enter.isAccepted():
        return False
    QApplication.sendEvent(widget, QDragMoveEvent(at, copy, mime, LEFT, PLAIN))
    event = QDropEvent(QPointF(at), copy, mime, LEFT, PLAIN)
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def files(paths: Sequence[Path]) -> QMimeData:
    """What a file manager drags."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


class Person:
    """Hands and eyes at one window."""

    def __init__(self, application: Application, qtbot: Any) -> None:
        self.application, self.qtbot = application, qtbot
        self.window, self.desk = application.window, application.desk

    # --- seeing ----------------------------------------------------------------------------------------------------

    @property
    def entries(self) -> list[str]:
        return [row.title for row in self.window.library.view.rows_model.rows if not row.section]

    @property
    def toasts(self) -> list[str]:
        return [toast.sentence for toast in self.window.toasts.showing()]

    @property
    def tab(self) -> Any:
        return self.window.tabs.currentWidget()

    @property
    def canvas(self) -> Any:
        assert isinstance(self.tab, RecipeTab)
        return self.tab.canvas

    @property
    def document(self) -> Any:
        return self.tab.opened.document

    def until(self, seen: Callable[[], Any], timeout: int = 10_000) -> None:
        self.qtbot.waitUntil(lambda: bool(seen()), timeout=timeout)

    def until_toast(self, *words: str) -> str:
        self.until(lambda: any(all(word in said for word in words) for said in self.toasts))
        return next(said for said in self.toasts if all(word in said for word in words))

    def until_idle(self) -> None:
        jobs = self.window.jobs
        self.until(lambda: not jobs.running and not jobs._busy, LONG)

    # --- doing -----------------------------------------------------------------------------------------------------

    def drop_files(self, paths: Sequence[Path]) -> None:
        library = self.window.library
        assert drop(library, files(paths), library.rect().center())

    def drag_from_library(self, names: Sequence[str], at: QPoint) -> None:
        view = self.window.library.view
        assert drop(self.canvas.viewport(), view.mime(names), at)

    def port(self, node: str, name: str) -> QPoint:
        item = self.canvas.picture.items_by_id[node]
        return self.canvas.viewportTransform().map(item.pos() + item.anatomy.port(name)).toPoint()

    def body(self, node: str) -> QPoint:
        item = self.canvas.picture.items_by_id[node]
        return self.canvas.viewportTransform().map(item.pos() + QPointF(100, item.anatomy.height - 8)).toPoint()

    def drag(self, start: QPoint, end: QPoint, release: bool = True) -> None:
        view = self.canvas.viewport()
        QTest.mousePress(view, LEFT, PLAIN, start)
        for step in (1, 2, 3, 4):
            QTest.mouseMove(view, start + (end - start) * (step / 4))
        if release:
            QTest.mouseRelease(view, LEFT, PLAIN, end)

    def link(self, source: str, target: str, port: str) -> None:
        self.drag(self.port(source, "out"), self.port(target, port))

    def add(self, words: str) -> None:
        """Tab, a few letters, Enter."""
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, Qt.Key.Key_Tab)
        menu = next(menu for menu in self.canvas.findChildren(QuickAdd) if menu.isVisible())
        QTest.keyClicks(menu.search, words)
        QTest.keyClick(menu.search, Qt.Key.Key_Return)

    def act(self, id_: str) -> None:
        action = self.window.actions_by_id.by_id[id_]
        assert action.isEnabled(), f"{id_} is disabled"
        action.trigger()

    def in_dialog(self, kind: type, answer: Callable[[Any], None]) -> None:
        """What to do in the modal dialog that comes next."""

        def look() -> None:
            dialog = QApplication.activeModalWidget()
            if isinstance(dialog, kind):
                timer.stop()
                answer(dialog)

        timer = QTimer(self.window, interval=20)
        timer.timeout.connect(look)
        timer.start()

    def explore(self, form: str, explorer: str = "grid", **params: Any) -> None:
        """The explore dialog, filled in and accepted."""

        def fill(dialog: ExploreDialog) -> None:
            dialog.choose(form)
            dialog.explorer.setCurrentIndex(dialog.explorer.findData(explorer))
            for name, value in params.items():
                dialog.params._root.child(name).setValue(value)
            dialog.limit.setCurrentIndex(1)
            assert dialog.go.isEnabled()
            QTest.mouseClick(dialog.go, LEFT)

        self.in_dialog(ExploreDialog, fill)
        self.act("run.explore")

    def plot(self) -> Any:
        assert isinstance(self.tab, RunTab)
        view = self.tab.view.current
        assert view is not None
        return view.plots()[0]


@pytest.fixture
def person(window: Callable[..., Application], project: Path, qtbot: Any) -> Person:
    return Person(window(project), qtbot)


@pytest.fixture
def furnished(person: Person, incoming: Path) -> Person:
    """Three checkpoints in the library and on the canvas, not connected."""
    person.drop_files([incoming / "base", incoming / "rotated", incoming / "inverted"])
    person.until(lambda: person.entries == ["base", "rotated", "inverted"])
    for row, name in enumerate(("base", "rotated", "inverted")):
        person.drag_from_library([name], QPoint(60, 60 + 130 * row))
    return person


def merge(person: Person) -> None:
    """TIES over the three, connected with the mouse."""
    person.add("ties")
    person.drag(person.body("ties"), QPoint(480, 240))
    person.link("base", "ties", "base")
    person.link("rotated", "ties", "input:+")
    person.link("inverted", "ties", "input:+")


# --- the recipe -----------------------------------------------------------------------------------------------------


def test_from_files_to_a_merge(furnished: Person, project: Path) -> None:
    person = furnished
    sources = {node.id: node.source for node in person.document.recipe.nodes}
    assert sources == {name: f"library:{name}" for name in ("base", "rotated", "inverted")}
    merge(person)
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
    merge(person)
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
    merge(person)
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
    merge(person)
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


def test_the_handle_is_dragged_and_its_scores_follow(furnished: Person) -> None:
    person = furnished
    person.act("canvas.interpolate")
    person.until(lambda: isinstance(person.tab, InterpolationTab))
    tab = person.tab
    person.until(lambda: tab.canvas.names == ("base", "rotated", "inverted"), LONG)
    person.until(lambda: len(tab.panel._shown) == 2 and not tab.panel._shown[0].preview, LONG)
    before = {score.task: score.value for score in tab.panel._shown}
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
    person.until(lambda: {score.task: score.value for score in tab.panel._shown} != before, LONG)
    person.until(lambda: not any(score.preview for score in tab.panel._shown), LONG)
    assert all(score.count == score.total for score in tab.panel._shown)
    person.act("edit.undo")
    assert tab.canvas.weights == pytest.approx(weights)
    person.act("edit.redo")

    person.qtbot.waitUntil(lambda: tab.panel.keep.isVisible())
    QTest.mouseClick(tab.panel.keep, LEFT)
    person.until(lambda: any(name.startswith("outputs/base") for name in person.entries), LONG)
    person.until_idle()

    person.act("canvas.ground")
    person.until_idle()
    person.until(lambda: tab._grid is not None and not (tab._grid != tab._grid).any(), LONG)
    assert not any(isinstance(person.window.tabs.widget(i), RunTab) for i in range(person.window.tabs.count()))


# --- saving ---------------------------------------------------------------------------------------------------------


def test_save_close_and_open_again(
    furnished: Person, window: Callable[..., Application], project: Path, monkeypatch: Any
) -> None:
    person = furnished
    merge(person)
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
