"""SIGINT and SIGTERM stop the program so that its work can be resumed; a second one stops it at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from solera.jobs.queue import JobQueue

EXIT_INTERRUPTED = 3
"""Exit status of a program that was stopped resumably."""

#: Seconds in which a signal that comes again is the same request: ``timeout`` and batch systems send theirs to the
#: process and to its group.
_SAME = 0.5


class Stopped:
    """Whether, and by which signal, the program was asked to end."""

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self.at = 0.0

    def __bool__(self) -> bool:
        return self.by is not None


@contextmanager
def resumable(queue: JobQueue) -> Iterator[Stopped]:
    """While in the block, the first signal interrupts all jobs of the queue; ``queue.wait`` then returns soon.

    Only in the main thread; elsewhere the signals stay as they are. What to do afterwards (say so, exit with
    :data:`EXIT_INTERRUPTED`) is the caller's.

    Args:
        queue: Whose jobs.
    """
    stopped = Stopped()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, _: FrameType | None) -> None:
        if stopped:
            if time.monotonic() - stopped.at < _SAME:
                return
            raise KeyboardInterrupt
        stopped.by, stopped.at = signal.Signals(number), time.monotonic()
        # The handler runs between any two instructions of the main thread, which may hold the queue's lock.
        threading.Thread(target=queue.interrupt, name="solera-interrupt", daemon=True).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
