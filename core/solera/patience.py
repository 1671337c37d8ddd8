"""Waiting for what cannot be interrupted, a compiler above all, in a thread that may be asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

#: Seconds between two questions whether to stop.
PAUSE = 0.1

_HERE = threading.local()


@contextmanager
def asking(check: Callable[[], None]) -> Iterator[None]:
    """While this thread waits in such a way, ``check`` is called now and then; what it raises ends the wait."""
    _HERE.check = check
    try:
        yield
    finally:
        del _HERE.check


def ask() -> None:
    """Call the check of this thread, if it has one."""
    getattr(_HERE, "check", lambda: None)()


def patiently(work: Callable[[], T]) -> T:
    """What some work gives, done in a thread of its own where this one may be asked to stop.

    When it is asked, the work is left to itself: it comes to its end, and nobody looks at what it gives.

    Args:
        work: What cannot be interrupted; may run longer than the caller.
    """
    if not hasattr(_HERE, "check"):
        return work()
    made: Future[T] = Future()

    def run() -> None:
        try:
            made.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            made.set_exception(error)

    threading.Thread(target=run, name="solera-patience", daemon=True).start()
    while True:
        try:
            return made.result(timeout=PAUSE)
        except TimeoutError:
            if made.done():
                raise  # the work's own
            ask()
