"""The one owner of torch's thread count, which is global to the process."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from solera.jobs.torch_ahead import loaded_ahead, wait_passively


class ThreadOwner:
    """Shares the machine's cores among the jobs that run.

    torch is not imported for this: until somebody does, the number is left in ``OMP_NUM_THREADS``, from which torch
    starts; afterwards it is set directly.

    Args:
        total: CPU threads for tensor work; 0 is ``OMP_NUM_THREADS`` if that is set, else one per core.
    """

    def __init__(self, total: int = 0) -> None:
        self.total = total or _GIVEN or available_cores()
        self._lock = threading.Lock()
        self._users = 0
        wait_passively()

    @contextmanager
    def share(self) -> Iterator[int]:
        """Threads for one job while it is in the block: all of them, or an equal part if others run.

        A job that runs keeps the number it was told; what it leaves is used by the next to start.
        """
        with self._lock:
            self._users += 1
            granted = max(1, self.total // self._users)
        self.apply(granted)
        try:
            yield granted
        finally:
            with self._lock:
                self._users -= 1

    def resize(self, total: int) -> None:
        """Another number in all, for jobs that start from now on; 0 is what the machine gives."""
        with self._lock:
            self.total = total or _GIVEN or available_cores()

    def apply(self, threads: int) -> None:
        """Set the calling thread's and all later threads' number."""
        torch = sys.modules.get("torch")
        if torch is None and loaded_ahead():  # they do not look at the environment any more
            import torch
        if torch is None:
            os.environ["OMP_NUM_THREADS"] = str(threads)
        elif hasattr(torch, "set_num_threads"):  # not while torch is half imported by another thread
            torch.set_num_threads(threads)


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _from_environment() -> int:
    value = os.environ.get("OMP_NUM_THREADS", "")
    return int(value) if value.isdigit() else 0


_GIVEN = _from_environment()  # before we write there ourselves
