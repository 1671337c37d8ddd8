"""Run a handler and turn whatever comes out of it into a state. One of the three borders with a blind ``except``."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from solera.errors import Cancelled, CapacityError, Interrupted, SoleraError
from solera.events import JobState
from solera.jobs.context import JobContext
from solera.jobs.garbage import release_memory

Handler = Callable[[dict[str, Any], JobContext], dict[str, Any] | None]
"""Does a kind of job: its arguments and context in, a JSON-ready result out. Raises to fail."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        state: ``"done"``, ``"failed"``, ``"cancelled"`` or ``"interrupted"``.
        result: What the handler returned.
        error: Code, message, fields and traceback, all text: an exception itself would hold on to tensors.
    """

    state: JobState
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


def attempt(work: Callable[[], dict[str, Any] | None]) -> Outcome:
    """Do the work; never raises. After anything but success memory is handed back (:mod:`solera.jobs.garbage`)."""
    outcome = _attempt(work)
    if outcome.state != "done":
        release_memory()
    return outcome


def _attempt(work: Callable[[], dict[str, Any] | None]) -> Outcome:
    try:
        result = work()
        json.dumps(result)  # it will be stored
        return Outcome("done", result)
    except Interrupted:
        return Outcome("interrupted")
    except Cancelled as error:
        return Outcome("cancelled", error=error.to_plain() if error.message else None)
    except BaseException as error:
        return Outcome("failed", error=describe(error))


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as plain text data, with its traceback."""
    if isinstance(error, SoleraError):
        plain = error.to_plain()
    elif isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        plain = {
            "code": CapacityError.code,
            "message": "Memory ran out. Choose a smaller batch or budget, or close other programs.",
            "fields": {},
        }
    else:
        plain = {"code": "internal", "message": f"{type(error).__name__}: {error}", "fields": {}}
    return {**plain, "traceback": "".join(traceback.format_exception(error))}
