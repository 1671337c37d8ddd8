"""What each lane is at: which job holds it, how busy its device is, how much memory is used."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solera.jobs.lanes import CPU

if TYPE_CHECKING:
    from solera.jobs.queue import JobQueue


@dataclass(frozen=True, slots=True)
class LaneLoad:
    """One lane at one moment.

    Attributes:
        lane: ``"cpu"``, ``"cuda:0"``.
        job: Title of the job that holds it; empty if it is free.
        busy: Share of the device's time since the last reading, 0 to 1; None if it cannot be told.
        used: Bytes of its memory in use, by every program; 0 if it cannot be told.
        total: Bytes of memory it has; 0 if it cannot be told.
    """

    lane: str
    job: str
    busy: float | None
    used: int
    total: int


class LoadMeter:
    """Reads loads again and again. Cheap: a few small files of the kernel.

    A GPU is asked only when torch works with it already.

    Args:
        queue: Whose lanes.
    """

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._last = _cpu_times()

    def read(self) -> tuple[LaneLoad, ...]:
        """The lanes in order."""
        held = self._queue.occupied()
        return tuple(self._cpu(held) if lane == CPU else _gpu(lane, held) for lane in self._queue.lanes)

    def _cpu(self, held: Mapping[str, str]) -> LaneLoad:
        now, before = _cpu_times(), self._last
        self._last = now
        busy = None
        if now and before and now[1] > before[1]:
            busy = min(1.0, max(0.0, (now[0] - before[0]) / (now[1] - before[1])))
        used, total = _memory()
        return LaneLoad(CPU, held.get(CPU, ""), busy, used, total)


def _gpu(lane: str, held: Mapping[str, str]) -> LaneLoad:
    torch: Any = sys.modules.get("torch")
    used = total = 0
    if torch is not None and getattr(torch, "cuda", None) is not None and torch.cuda.is_initialized():
        free, total = torch.cuda.mem_get_info(lane)
        used = total - free
    return LaneLoad(lane, held.get(lane, ""), None, used, total)


def _cpu_times() -> tuple[int, int] | None:
    """Ticks of work and of all, over all cores, since the machine began; None where that is not told."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    return (sum(ticks) - ticks[3] - ticks[4], sum(ticks)) if len(ticks) == 8 else None


def _memory() -> tuple[int, int]:
    """Bytes of main memory in use and in all."""
    from solera.jobs.ledger import available_memory

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(0, total - available_memory()), total
