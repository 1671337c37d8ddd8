"""Random hands at one window: whatever can be clicked, dragged, typed or chosen, in an order that a seed decides."""

from __future__ import annotations

import gc
import random
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QDrag, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLineEdit,
    QMenu,
    QMessageBox,
    QWidget,
)
from shiboken6 import isValid
from tests.flows.person import LEFT, PLAIN, Person, drop, files

from solera_app.bridge.background import idle

#: Would end the window, or leave it for another program.
NEVER = {"file.quit"}

KEYS = (
    Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Delete, Qt.Key.Key_Space,
    Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_F, Qt.Key.Key_L,
    Qt.Key.Key_Plus, Qt.Key.Key_Minus, Qt.Key.Key_1, Qt.Key.Key_0,
)  # fmt: skip
WORDS = ("ties", "linear", "0.5", "-1", "1e9", "base", "*", "nan", "", "a name", "dare", "curve", "99999999", "a_b")

#: Milliseconds that anything may take that must end: on a busy machine, too.
PATIENT = 300_000

#: A dialog that was poked so often is sent away.
_PATIENCE = 6


class Monkey:
    """Random hands.

    Attributes:
        done: What was done, in order: what a failure is told with.
        tabs: Every tab that was ever open.
    """

    def __init__(self, person: Person, incoming: Path, seed: int) -> None:
        self.person = person
        self.done: list[str] = []
        self.tabs: set[weakref.ref[Any]] = set()
        self._dice = random.Random(seed)
        self._incoming = sorted(incoming.iterdir())
        self._folder = incoming.parent
        self._pokes: dict[int, int] = {}
        self._watching = False

    @property
    def window(self) -> Any:
        return self.person.window

    @contextmanager
    def awake(self, monkeypatch: Any) -> Iterator[None]:
        """While dialogs and menus that wait for an answer get one."""
        monkeypatch.setattr(QDrag, "exec", lambda *_: Qt.DropAction.IgnoreAction)
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (self._path(), ""))
        monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([self._path()], ""))
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (self._new_path(), ""))
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: self._path())
        monkeypatch.setattr("PySide6.QtGui.QDesktopServices.openUrl", lambda *_: True)
        self._watching = True
        self._watch()
        yield
        self._watching = False

    def _watch(self) -> None:
        if self._watching:
            QTimer.singleShot(25, self.window, self._watch)  # first: what is answered may ask again before it ends
            self._answer()

    def step(self) -> None:
        """Do one thing."""
        doings: tuple[tuple[int, Callable[[], str]], ...] = (
            (6, self._act), (6, self._click), (5, self._drag), (3, self._type), (3, self._key), (2, self._scroll),
            (2, self._bring), (1, self._resize), (1, self._turn_to_tab),
        )  # fmt: skip
        (doing,) = self._dice.choices([each for _, each in doings], [weight for weight, _ in doings])
        self.done.append(doing.__name__)
        self.done[-1] = doing()
        QTest.qWait(self._dice.choice((0, 0, 5, 30)))
        for place in range(self.window.tabs.count()):
            self.tabs.add(weakref.ref(self.window.tabs.widget(place)))

    # --- what it does ------------------------------------------------------------------------------------------------

    def _act(self) -> str:
        actions = {id_: one for id_, one in self.window.actions_by_id.by_id.items() if one.isEnabled()}
        id_ = self._dice.choice(sorted(set(actions) - NEVER))
        actions[id_].trigger()
        return id_

    def _click(self) -> str:
        found = self._widgets(QWidget)
        buttons = [each for each in found if isinstance(each, QAbstractButton)]
        widget = self._dice.choice(buttons if buttons and self._dice.random() < 0.4 else found)
        said = self._told(widget)
        if self._dangerous(widget):
            return f"left {said} alone"
        at = self._point(widget)
        kind = self._dice.choice(("left", "left", "left", "right", "double"))
        if kind == "double":
            QTest.mouseDClick(widget, LEFT, PLAIN, at)
        else:
            QTest.mouseClick(widget, LEFT if kind == "left" else Qt.MouseButton.RightButton, PLAIN, at)
        return f"{kind} click on {said}"

    def _drag(self) -> str:
        view = self._canvas()
        if view is None:
            return "nothing to drag on"
        start, end = self._point(view), self._point(view)
        modifier = self._dice.choice((PLAIN, PLAIN, Qt.KeyboardModifier.ShiftModifier))
        button = self._dice.choice((LEFT, LEFT, LEFT, Qt.MouseButton.MiddleButton))
        QTest.mousePress(view, button, modifier, start)
        for step in range(1, 5):
            if isValid(view):
                QTest.mouseMove(view, start + (end - start) * (step / 4))
        if isValid(view):
            QTest.mouseRelease(view, button, modifier, end)
        return f"drag from {start.toTuple()} to {end.toTuple()}"

    def _type(self) -> str:
        fields = self._widgets((QLineEdit, QComboBox, QAbstractSpinBox))
        if not fields:
            return "nothing to type into"
        field, word = self._dice.choice(fields), self._dice.choice(WORDS)
        said = self._told(field)
        field.setFocus()
        if isinstance(field, QLineEdit):
            field.selectAll()
        QTest.keyClicks(field, word)
        QTest.keyClick(
            QApplication.focusWidget() or self.window, self._dice.choice((Qt.Key.Key_Return, Qt.Key.Key_Tab))
        )
        return f"type {word!r} into {said}"

    def _key(self) -> str:
        key = self._dice.choice(KEYS)
        target = QApplication.focusWidget() or self.window
        said = self._told(target)
        if self._dangerous(target):
            return f"left {said} alone"
        _press(target, key)
        return f"{key.name} to {said}"

    def _scroll(self) -> str:
        view = self._canvas()
        if view is None:
            return "nothing to scroll"
        at = QPointF(self._point(view))
        turn = QPoint(0, self._dice.choice((-120, 120)))
        event = QWheelEvent(
            at,
            view.mapToGlobal(at),
            QPoint(),
            turn,
            Qt.MouseButton.NoButton,
            PLAIN,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view, event)
        return f"wheel {turn.y()}"

    def _bring(self) -> str:
        if self._dice.random() < 0.3:
            library = self.window.library
            path = self._dice.choice(self._incoming)
            drop(library, files([path]), library.rect().center())
            return f"drop {path.name} on the library"
        view, entries = self._canvas(), self.person.entries
        if view is None or not entries:
            return "nothing to bring"
        name = self._dice.choice(entries)
        drop(view, self.window.library.view.mime([name]), self._point(view))
        return f"drop {name} on the canvas"

    def _resize(self) -> str:
        size = self._dice.choice(((1280, 800), (1000, 640), (1600, 1000)))
        self.window.resize(*size)
        return f"resize to {size}"

    def _turn_to_tab(self) -> str:
        count = self.window.tabs.count()
        if count:
            self.window.tabs.setCurrentIndex(self._dice.randrange(count))
        return "another tab"

    # --- what waits for it -------------------------------------------------------------------------------------------

    def _answer(self) -> None:
        popup = QApplication.activePopupWidget()
        if isinstance(popup, QMenu):
            for _ in range(self._dice.randrange(4)):
                QTest.keyClick(popup, Qt.Key.Key_Down)
            QTest.keyClick(popup, self._dice.choice((Qt.Key.Key_Return, Qt.Key.Key_Escape)))
            if QApplication.activePopupWidget() is popup:
                popup.close()
            return
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QDialog):
            return
        pokes = self._pokes[id(dialog)] = self._pokes.get(id(dialog), 0) + 1
        if isinstance(dialog, QMessageBox):
            buttons = [button for button in dialog.buttons() if button.isEnabled()]
            self._dice.choice(buttons).click() if buttons else dialog.reject()
        elif pokes > _PATIENCE:
            self._pokes.pop(id(dialog))
            dialog.reject()
        else:
            inside = [each for each in dialog.findChildren(QWidget) if each.isVisible() and each.isEnabled()]
            widget = self._dice.choice(inside or [dialog])
            if not self._dangerous(widget):
                QTest.mouseClick(widget, LEFT, PLAIN, self._point(widget))

    # --- what there is -----------------------------------------------------------------------------------------------

    def _widgets(self, kind: Any) -> list[Any]:
        found = [each for each in self.window.findChildren(QWidget) if isinstance(each, kind)]
        return [
            each for each in found if each.isVisible() and each.isEnabled() and min(each.width(), each.height()) > 2
        ]

    def _canvas(self) -> Any:
        tab = self.person.tab
        canvas = getattr(tab, "canvas", None)
        return canvas.viewport() if canvas is not None and hasattr(canvas, "viewport") else canvas

    def _point(self, widget: QWidget) -> QPoint:
        return QPoint(self._dice.randrange(max(widget.width(), 1)), self._dice.randrange(max(widget.height(), 1)))

    def _dangerous(self, widget: QWidget) -> bool:
        """Whether it would end the window: its own frame and menu bar."""
        return widget is self.window or isinstance(widget, (QMenu,)) or "menu" in type(widget).__name__.lower()

    def _told(self, widget: QWidget) -> str:
        text = widget.text() if isinstance(widget, QAbstractButton) else widget.accessibleName() or widget.objectName()
        return f"{type(widget).__name__} '{text}'"

    def _path(self) -> str:
        return str(self._dice.choice([*self._incoming, self._folder / "nowhere", ""]))

    def _new_path(self) -> str:
        return str(self._folder / f"written-{self._dice.randrange(5)}.yaml") if self._dice.random() < 0.7 else ""


def _press(widget: QWidget, key: Qt.Key) -> None:
    """A key down and up; the widget may be gone in between."""
    QTest.keyPress(widget, key)
    if isValid(widget):
        QTest.keyRelease(widget, key)


def rest(person: Person) -> None:
    """Everything stopped and closed, without saving."""
    try:
        person.until(lambda: _stopped(person), PATIENT)
    except person.qtbot.TimeoutError:
        raise AssertionError(f"These jobs were cancelled and do not stop:\n{_at_work(person)}") from None
    person.until(idle, PATIENT)  # what is still read for a tab holds it
    for opened in person.desk.recipes.documents:
        opened.history.mark_saved()
        opened._recovered = False
    for dialog in person.window.findChildren(QDialog):
        dialog.close()
    while person.window.tabs.count():
        before = person.window.tabs.count()
        person.window.tabClosing.emit(tab := person.window.tabs.widget(0))
        assert person.window.tabs.count() < before, f"The tab '{tab.title}' cannot be closed: {person.toasts}"
    person.until(idle, PATIENT)
    QTest.qWait(50)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.unfreeze()  # the window sets aside what was there when something was imported
    gc.collect()


def _stopped(person: Person) -> bool:
    """Whether no job runs or waits any more; those that do are cancelled, also those that began meanwhile."""
    bench, dock = person.desk.workbench, person.window.jobs
    jobs = [job for job in bench.jobs.jobs() if not job.final] if bench is not None else []
    for job in jobs:
        if not job.stopping:
            bench.jobs.cancel(job.id)
    return not jobs and not dock.running and not dock._busy


def _at_work(person: Person) -> str:
    """Jobs, as the queue and as the window has them, and where each thread is."""
    bench, frames = person.desk.workbench, sys._current_frames()
    jobs = [f"{job.spec.title}: {job.state}" for job in bench.jobs.jobs()] if bench is not None else []
    shown = [f"{row.title}: {row.right or 'runs'} (as listed)" for row in person.window.jobs.view.rows_model.rows]
    threads = [
        f"{thread.name}\n{''.join(traceback.format_stack(frames[thread.ident]))}"
        for thread in threading.enumerate()
        if thread.ident in frames
    ]
    return "\n".join((*jobs, *shown, *threads))


def holders(held: Any, depth: int = 5) -> list[str]:
    """What keeps something alive, from near to far: names of attributes, functions and kinds."""
    gc.unfreeze()  # what is set aside is not found
    found: list[str] = []
    near, seen = [held], {id(held)}
    for distance in range(depth):
        far: list[Any] = []
        for each in near:
            for one in gc.get_referrers(each):
                if id(one) not in seen and one is not near and one is not far and not isinstance(one, FrameType):
                    seen.add(id(one))
                    far.append(one)
                    found.append(f"{distance} {_held_as(one, each)}")
        near = far[:20]
    return found[:60]


def _held_as(holder: Any, held: Any) -> str:
    kind = f"{type(holder).__module__}.{type(holder).__qualname__}"
    if isinstance(holder, dict):
        return f"{kind} {[key for key, value in holder.items() if value is held and isinstance(key, str)]}"
    return f"{kind} {getattr(holder, '__qualname__', '')}"
