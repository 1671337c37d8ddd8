"""Python's cycle collector, kept to the window's thread.

Python collects cycles in whichever thread happens to allocate. A closed tab is such a cycle: if a job's thread frees
its wrappers while Qt destroys the widgets themselves, the process dies in shiboken's ``releaseWrapper``. So while there
is a window, the automatic collector is off and a timer of the window's thread collects by the same thresholds, and all
there is when a job that ended asks for it.

To walk everything that torch and its like bring along takes 0.2 s, in which no event is answered. What modules make
stays for good, so after an import it is set aside, unwalked. Whatever else is there just then is set aside with it:
what is opened and closed again goes without the collector, as it holds no cycle (:mod:`solera_app.bridge.weakly`).
"""

from __future__ import annotations

import gc
import sys
import threading
from typing import ClassVar

from PySide6.QtCore import QObject, QTimer

from solera.jobs.garbage import collect_by

#: Milliseconds between two looks at the counts.
INTERVAL = 100


class Collector(QObject):
    """Collects cycles in the thread it was made in, until its parent is destroyed.

    Args:
        parent: The window.
    """

    _alive: ClassVar[int] = 0
    _automatic: ClassVar[bool] = True
    _asked: ClassVar[threading.Event] = threading.Event()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        cls = type(self)
        if not cls._alive:
            cls._automatic = gc.isenabled()
            gc.disable()
            collect_by(cls._asked.set)
        cls._alive += 1
        parent.destroyed.connect(_released)
        self._modules = len(sys.modules)
        gc.freeze()
        self._timer = QTimer(self, interval=INTERVAL)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _look(self) -> None:
        modules = len(sys.modules)
        if self._asked.is_set():
            self._asked.clear()
            gc.collect()
        elif modules == self._modules:
            collect()
        else:
            self._modules = modules
            gc.freeze()

    @classmethod
    def release(cls) -> None:
        """One window less; with the last one the automatic collector works as before."""
        cls._alive -= 1
        if not cls._alive:
            collect_by(gc.collect)
            gc.unfreeze()
            if cls._automatic:
                gc.enable()


def _released() -> None:
    Collector.release()


def collect() -> int:
    """Collect the oldest generation that is due; returns which one, or -1 for none."""
    due = [count > threshold > 0 for count, threshold in zip(gc.get_count(), gc.get_threshold(), strict=True)]
    for generation in (2, 1, 0):
        if due[generation]:
            gc.collect(generation)
            return generation
    return -1
