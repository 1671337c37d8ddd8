"""Hands and eyes at one window, for the tests of whole journeys."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from solera_app.canvases.quick_add import QuickAdd
from solera_app.explore_dialog import ExploreDialog
from solera_app.main import Application
from solera_app.run_desk import RunTab
from solera_app.tabs import RecipeTab

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
LONG = 120_000


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

    def until(self, seen: Callable[[], Any], timeout: int = LONG) -> None:
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

    def explore(self, form: str, explorer: str = "grid", tasks: Sequence[str] = (), **params: Any) -> None:
        """The explore dialog, filled in and accepted."""

        def fill(dialog: ExploreDialog) -> None:
            dialog.choose(form)
            dialog.explorer.setCurrentIndex(dialog.explorer.findData(explorer))
            for name, value in params.items():
                dialog.params._root.child(name).setValue(value)
            for box in dialog.tasks if tasks else ():
                box.setChecked(box.text() in tasks)
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

    def merge(self) -> None:
        """TIES over the three checkpoints, connected with the mouse."""
        self.add("ties")
        self.drag(self.body("ties"), QPoint(480, 240))
        self.link("base", "ties", "base")
        self.link("rotated", "ties", "input:+")
        self.link("inverted", "ties", "input:+")

    def furnish(self, incoming: Path) -> None:
        """Three checkpoints into the library and from there onto the canvas, not connected."""
        names = ["base", "rotated", "inverted"]
        self.drop_files([incoming / name for name in names])
        self.until(lambda: self.entries == names)
        for row, name in enumerate(names):
            self.drag_from_library([name], QPoint(60, 60 + 130 * row))
