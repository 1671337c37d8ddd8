"""NaN and infinity where a person said that they may pass: told of, not refused."""

from __future__ import annotations

import threading
from collections.abc import Callable

from solera.errors import NumericError

#: So many tensors are named one by one.
_NAMED = 20


class Nonfinite:
    """Takes the errors that would have ended a merge and turns each tensor's first one into a warning.

    Thread rule: any thread.

    Args:
        tell: Takes sentences for a person.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._seen: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def __call__(self, error: NumericError) -> None:
        """Warn of a tensor, once for each checkpoint it is read from and once for the result."""
        key = (str(error.fields.get("tensor", "")), str(error.fields.get("where", "")))
        with self._lock:
            if key in self._seen:
                return
            self._seen.add(key)
            count = len(self._seen)
        if count <= _NAMED:
            self._tell(f"{error} It is let pass.")
        elif count == _NAMED + 1:
            self._tell("More tensors hold NaN or infinity; they are let pass and not named.")
