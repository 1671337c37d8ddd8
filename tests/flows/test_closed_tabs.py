"""A tab that is closed is gone at once, with all that is in it: nothing waits for the cycle collector, which is off."""

import weakref
from typing import Any

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from tests.flows.monkey import holders
from tests.flows.person import LONG, Person

from solera_app.bridge.background import idle


def parts(tab: Any) -> list[weakref.ref[Any]]:
    """The tab, its canvas's scene and every widget in it."""
    scene = getattr(tab.canvas, "picture", None)
    return [weakref.ref(each) for each in (tab, scene, *tab.findChildren(QWidget)) if each is not None]


@pytest.mark.parametrize("action", ["", "canvas.interpolate", "canvas.soup"])
def test_nothing_is_left_of_it(furnished: Person, action: str) -> None:
    person = furnished
    if action:
        person.act(action)
        QTest.qWait(300)  # what it asks for in the background is under way
    seen = parts(person.tab)
    for opened in person.desk.recipes.documents:
        opened.history.mark_saved()
    person.window.tabClosing.emit(person.tab)
    person.until(idle, LONG)
    QTest.qWait(50)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    left = [f"{type(part()).__name__}: {holders(part())}" for part in seen if part() is not None]
    assert left == []
    assert person.toasts == []
