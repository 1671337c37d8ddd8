"""Short work off the window's thread: reading headers, listing runs. Long work is a job."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from shiboken6 import isValid

from solera_app.bridge.slots import attempt, guarded, report

#: Threads that read at once: a slow disk must not hold up every list.
_THREADS = 4


class _Answers(QObject):
    """Carries answers to the thread it was made in, which is the window's.

    There is one for the whole process: an object for each piece of work would be thrown away by whichever thread
    lets go of it last, and Qt's objects must die where they live.
    """

    ready = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self.ready.connect(self._call, Qt.ConnectionType.QueuedConnection)

    def _call(self, function: Callable[[Any], None], value: Any) -> None:
        function(value)


@lru_cache(maxsize=1)
def _answers() -> _Answers:
    return _Answers()


_unanswered: set[Future[None]] = set()


def idle() -> bool:
    """Whether no work is under way."""
    return all(work.done() for work in _unanswered.copy())


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, "aside")


def _for(owner: QObject | None, call: Callable[[Any], None]) -> Callable[[Any], None]:
    """The call, while its owner is there; the work under way does not keep the owner alive."""
    if owner is None:
        return call
    held = weakref.ref(owner)
    own = inspect.ismethod(call) and call.__self__ is owner
    called: Callable[[], Callable[[Any], None] | None] = weakref.WeakMethod(call) if own else lambda: call

    def answer(value: Any) -> None:
        whose, function = held(), called()
        if whose is not None and isValid(whose) and function is not None:
            function(value)

    return answer


def in_background(
    function: Callable[[], Any],
    done: Callable[[Any], None] | None = None,
    failed: Callable[[Exception], None] | None = None,
    *,
    owner: QObject | None = None,
) -> None:
    """Run ``function`` in a pool thread; ``done(result)`` or ``failed(error)`` follow in the window's thread.

    Args:
        function: Must not touch a widget.
        done: Gets the result.
        failed: Gets the exception; by default it is told as a notice.
        owner: Whom the answer is for: when Qt has destroyed it, nobody gets one.
    """
    answers = _answers()
    safe_done, safe_failed = (guarded(_for(owner, call)) for call in (done or (lambda _: None), failed or report))

    def work() -> None:
        result, error = attempt(function)
        if error is None:
            answers.ready.emit(safe_done, result)
        else:
            answers.ready.emit(safe_failed, error)

    future = _pool().submit(work)
    _unanswered.add(future)
    future.add_done_callback(_unanswered.discard)
