"""The border between Qt and our code: an exception in a slot becomes a notice, never an abort.

This is one of the three files where a blind ``except`` is allowed.
"""

from __future__ import annotations

import functools
import inspect
import logging
import traceback
import weakref
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from solera.errors import SoleraError

_log = logging.getLogger(__name__)


class Notices(QObject):
    """Where sentences for the person at the window go; the window listens."""

    raised = Signal(str, str, str)  # level ("info", "warning", "error"), sentence, details (traceback or empty)

    def say(self, level: str, sentence: str, details: str = "") -> None:
        """Show a sentence."""
        self.raised.emit(level, sentence, details)


@functools.lru_cache(maxsize=1)
def notices() -> Notices:
    """The one place notices go to."""
    return Notices()


def report(error: BaseException) -> None:
    """Tell an error: its sentence, with the traceback as details."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, SoleraError):
        notices().say("error", str(error), details)
    else:
        _log.error("Unexpected error in the window", exc_info=error)
        sentence = f"Something unexpected went wrong: {type(error).__name__}: {error}. The window goes on."
        notices().say("error", sentence, details)


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function safe to connect to a signal: what it raises is told, not thrown into Qt.

    A method of a Qt object is held weakly, as Qt itself does: a signal of something that lives longer keeps no tab
    alive, and says nothing to one that is gone.
    """
    held: Callable[[], Callable[..., Any] | None] = lambda: function  # noqa: E731
    if inspect.ismethod(function) and isinstance(function.__self__, QObject):
        held = weakref.WeakMethod(function)

    def safe(*args: Any, **kwargs: Any) -> Any:
        try:
            called = held()
            owner = getattr(called, "__self__", None)
            if called is None or (isinstance(owner, QObject) and not isValid(owner)):
                return None
            return called(*args, **kwargs)
        except Exception as error:
            report(error)
            return None

    return safe


def attempt(function: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """``(result, None)`` or ``(None, error)``: for work in a pool thread whose errors go back to the window."""
    try:
        return function(), None
    except Exception as error:
        return None, error
