"""Sentences at the edge of the window."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFrame, QMainWindow, QPushButton, QToolButton

from solera_app import toasts as module
from solera_app.bridge.slots import notices
from solera_app.theme import themes
from solera_app.toasts import Toast, Toasts

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def toasts(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toasts]:
    tokens = dict(module.tokens())  # type: ignore[attr-defined]
    tokens["motion"] = {**tokens["motion"], "toast_stay_ms": 60}
    monkeypatch.setattr(module, "tokens", lambda: tokens)
    window = QMainWindow()
    qtbot.addWidget(window)
    window.resize(800, 600)
    window.show()
    made = Toasts(window)
    yield made
    notices().raised.disconnect(made.show_toast)


def sentences(toasts: Toasts) -> list[str]:
    return [toast.sentence for toast in toasts.showing()]


def test_a_note_goes_an_error_stays_until_closed(toasts: Toasts, qtbot: Any) -> None:
    notices().say("error", "The disk is full.")
    notices().say("info", "Written.")
    assert sentences(toasts) == ["The disk is full.", "Written."]
    qtbot.waitUntil(lambda: sentences(toasts) == ["The disk is full."])
    close = toasts.showing()[0].findChild(QToolButton)
    assert close.accessibleName()
    assert close is not None
    QTest.mouseClick(close, LEFT)
    qtbot.waitUntil(lambda: not sentences(toasts))


def test_they_stand_above_the_list_they_speak_of(toasts: Toasts) -> None:
    floor = QFrame(toasts._window)
    floor.setGeometry(0, 400, 800, 180)
    floor.show()
    toasts._floor = floor
    notices().say("error", "A job was interrupted.")
    notices().say("error", "Another was.")
    for toast in toasts.showing():
        assert toast.geometry().bottom() < 400
        assert toast.geometry().top() > 0


def test_the_same_sentence_is_shown_once(toasts: Toasts) -> None:
    for _ in range(3):
        notices().say("error", "No.")
    assert sentences(toasts) == ["No."]


def test_notes_give_way_before_errors(toasts: Toasts) -> None:
    for level, text in (("error", "e1"), ("info", "i1"), ("error", "e2"), ("error", "e3")):
        notices().say(level, text)
    assert sentences(toasts) == ["e1", "e2", "e3"]
    notices().say("error", "e4")
    assert sentences(toasts) == ["e2", "e3", "e4"]


def test_they_stand_above_each_other_inside_the_window(toasts: Toasts) -> None:
    long = "A sentence that is long enough to be broken into several lines, because paths are long: /a/b/c. " * 2
    for text in ("one", long, "three"):
        notices().say("error", text)
    window = toasts.parent()
    boxes = [toast.geometry() for toast in toasts.showing()]
    for above, below in pairwise(boxes):
        assert above.bottom() < below.top()
    assert all(window.rect().contains(box) for box in boxes)
    window.resize(500, 700)
    QApplication.processEvents()
    assert all(window.rect().contains(toast.geometry()) for toast in toasts.showing())


def test_details_show_and_copy_the_traceback(toasts: Toasts, qtbot: Any) -> None:
    notices().say("error", "Wanted a file.", "Traceback (most recent call last): ...")
    (more,) = [button for button in toasts.showing()[0].findChildren(QPushButton) if button.text() == "Details"]
    QTest.mouseClick(more, LEFT)
    (dialog,) = toasts.parent().findChildren(QDialog)
    (copy,) = [button for button in dialog.findChildren(QPushButton) if button.text() == "Copy"]
    QTest.mouseClick(copy, LEFT)
    assert QApplication.clipboard().text() == "Wanted a file.\n\nTraceback (most recent call last): ..."
    dialog.close()


@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_every_level_survives_a_change_of_theme(toasts: Toasts, level: str) -> None:
    notices().say(level, "Said.")
    toast = toasts.showing()[0]
    assert isinstance(toast, Toast)
    light = toast._picture.pixmap().toImage()
    themes().apply("dark")
    assert toast._picture.pixmap().toImage() != light
