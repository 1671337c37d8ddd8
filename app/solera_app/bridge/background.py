"""Short work off the window's thread: reading headers, listing runs. Long work is a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

from solera_app.bridge.slots import attempt, guarded, report


class _Answer(QObject):
    done = Signal(object)
    failed = Signal(object)


class _Work(QRunnable):
    def __init__(self, function: Callable[[], Any], answer: _Answer) -> None:
        super().__init__()
        self._function = function
        self._answer = answer

    def run(self) -> None:
        result, error = attempt(self._function)
        if error is None:
            self._answer.done.emit(result)
        else:
            self._answer.failed.emit(error)


_alive: set[_Answer] = set()


def in_background(
    function: Callable[[], Any],
    done: Callable[[Any], None] | None = None,
    failed: Callable[[Exception], None] | None = None,
) -> None:
    """Run ``function`` in a pool thread; ``done(result)`` or ``failed(error)`` follow in the window's thread.

    Args:
        function: Must not touch a widget.
        done: Gets the result.
        failed: Gets the exception; by default it is told as a notice.
    """
    answer = _Answer()
    _alive.add(answer)
    safe_done, safe_failed = guarded(done or (lambda _: None)), failed or report

    def finish(call: Callable[[Any], None], value: Any) -> None:
        _alive.discard(answer)
        call(value)

    answer.done.connect(lambda value: finish(safe_done, value))
    answer.failed.connect(lambda error: finish(safe_failed, error))
    QThreadPool.globalInstance().start(_Work(function, answer))
