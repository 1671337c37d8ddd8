"""Tests of the window: no display, no message of Qt that is not expected, and nothing left behind."""

import gc
import os
import sys
import threading
from collections.abc import Iterator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest

#: What the offscreen platform says of itself; nothing of ours can avoid it.
EXPECTED = (
    r"This plugin does not support (propagateSizeHints|raise|grabbing the keyboard).*",
    r".*QFontDatabase: Cannot find font directory.*",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A warning of Qt (a signal that is not there, a painter that was not ended) fails the test that caused it."""
    for item in items:
        if item.get_closest_marker("qt_log_level_fail") is None:
            item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
        item.add_marker(pytest.mark.qt_log_ignore(*EXPECTED, extend=True))


@pytest.fixture(autouse=True)
def _cycles_in_this_thread() -> Iterator[None]:
    """No thread of a test frees widgets of another (see solera_app.bridge.collector)."""
    from PySide6.QtCore import QCoreApplication, QEvent

    gc.disable()
    gc.freeze()  # only what this test makes is looked at
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # no event loop runs that would do it
    gc.collect()


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    """Each test begins in the light theme and ends without a thread of ours or a style sheet."""
    from PySide6.QtWidgets import QApplication

    from solera_app.theme import themes

    interval = sys.getswitchinterval()
    before = set(threading.enumerate())
    themes().apply("light")
    yield
    themes().apply("light")
    application = QApplication.instance()
    if isinstance(application, QApplication) and application.styleSheet():
        application.setStyleSheet("")  # its icons go with the application that wrote them
    sys.setswitchinterval(interval)
    left = [t.name for t in threading.enumerate() if t not in before and t.name.startswith("solera-")]
    assert not left, f"threads left behind: {left}"
