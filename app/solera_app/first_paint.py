"""When a window has been painted for the first time: what is heavy waits for that."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget

from solera_app.bridge.slots import guarded


class FirstPaint(QObject):
    """Calls once, after a window's first paint has reached the screen.

    A timer of zero milliseconds started beside ``show()`` would fire before it: the window system answers later.

    Args:
        window: A top-level window that is not shown yet.
        then: What to do.
    """

    def __init__(self, window: QWidget, then: Callable[[], None]) -> None:
        super().__init__(window)
        self._then: Callable[[], None] | None = guarded(then)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Look for the window's paint event; its children are painted in the same turn of the event loop."""
        if event.type() is QEvent.Type.Paint and self._then is not None:
            then, self._then = self._then, None
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self, then)
        return False
