"""Scores for the interpolation handle: one worker thread, the latest request wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal

from solera_app.bridge.slots import attempt


@dataclass(frozen=True, slots=True)
class Request:
    """One point to score.

    Attributes:
        number: Which request; answers carry it back.
        score: Does the work, in the worker's thread.
    """

    number: int
    score: Callable[[], Any]


class PreviewScorer(QObject):
    """Scores points off the window's thread; a request that has not begun is replaced by the next.

    Signals:
        scored: Request number and result. failed: Request number and exception.
    """

    scored = Signal(int, object)
    failed = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: Request | None = None
        self._wake = threading.Condition()
        self._ended = threading.Event()
        self._count = 0
        self._thread = threading.Thread(target=self._work, name="solera-preview", daemon=True)
        self._thread.start()

    def request(self, score: Callable[[], Any]) -> int:
        """Ask for a point; returns the number its answer will carry."""
        with self._wake:
            self._count += 1
            self._waiting = Request(self._count, score)
            self._wake.notify()
            return self._count

    def stop(self) -> None:
        """End the worker after the point it is at."""
        with self._wake:
            self._ended.set()
            self._waiting = None
            self._wake.notify()
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while True:
            with self._wake:
                while self._waiting is None and not self._ended.is_set():
                    self._wake.wait()
                if self._ended.is_set() or self._waiting is None:
                    return
                request, self._waiting = self._waiting, None
            result, error = attempt(request.score)
            if self._ended.is_set():
                return
            if error is None:
                self.scored.emit(request.number, result)
            else:
                self.failed.emit(request.number, error)
