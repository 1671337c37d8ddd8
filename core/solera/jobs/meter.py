"""Progress: a smoothed rate, the time left, and not more often than anybody can see."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from solera.events import Progress

_EVERY = 0.05  # seconds between two that are told
_MEMORY = 5.0  # seconds over which the rate is smoothed


class Meter:
    """Turns a handler's calls into :class:`Progress` events.

    The rate is an exponential average over about five seconds, corrected for its start, so that it is right from the
    second call on and follows a job that slows down. A new unit, or going back, starts it afresh. Not thread-safe.

    Args:
        job: The job's id.
        clock: Seconds, monotonic.
    """

    def __init__(self, job: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        self._told = -math.inf
        self._last: tuple[float, float, str] | None = None  # when, done, unit
        self._sum = self._weight = 0.0
        self.latest: Progress | None = None

    def update(self, done: float, total: float | None, unit: str, text: str) -> Progress | None:
        """Take a call; the event to tell, or None if one was told a moment ago."""
        now = self._clock()
        self._measure(now, done, unit)
        rate = self._sum / self._weight if self._weight > 0 else None
        left = max(0.0, total - done) / rate if total is not None and rate else None
        before, self.latest = (
            self.latest,
            Progress(job=self._job, done=done, total=total, unit=unit, text=text, rate=rate, left=left),
        )
        stage = before is None or (before.unit, before.text) != (unit, text)
        if now - self._told < _EVERY and not stage and not (total is not None and done >= total):
            return None
        self._told = now
        return self.latest

    def pause(self) -> None:
        """The time until the next call does not count."""
        self._last = None

    def _measure(self, now: float, done: float, unit: str) -> None:
        last = self._last
        if last is not None and (unit != last[2] or done < last[1]):
            last, self._sum, self._weight = None, 0.0, 0.0
        if last is None:
            self._last = (now, done, unit)
            return
        passed = now - last[0]
        if passed <= 0.0 or (done == last[1] and passed < 1.0):
            return
        share = -math.expm1(-passed / _MEMORY)
        self._sum += share * ((done - last[1]) / passed - self._sum)
        self._weight += share * (1.0 - self._weight)
        self._last = (now, done, unit)
