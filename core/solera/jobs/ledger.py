"""One account of main memory over all jobs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from solera.errors import CapacityError


@dataclass(frozen=True, slots=True)
class Entry:
    """One holding. ``job`` is empty outside a job."""

    job: str
    what: str
    nbytes: int


class MemoryLedger:
    """Who holds how many bytes. It grants and refuses; it does not measure.

    A job may *claim* bytes for all its life (``JobSpec.memory``); what it reserves while it runs is drawn from its
    claim first.

    Args:
        budget: Bytes all jobs together may hold; 0 is three quarters of what the machine has free now.
    """

    def __init__(self, budget: int = 0) -> None:
        self.budget = budget or available_memory() * 3 // 4
        self._lock = threading.Lock()
        self._claims: dict[str, int] = {}
        self._entries: list[Entry] = []

    def resize(self, budget: int) -> None:
        """Another budget from now on; what is held already stays.

        Args:
            budget: Bytes; 0 is three quarters of what is free or held now.
        """
        self.budget = budget or (available_memory() + self.held) * 3 // 4

    @property
    def held(self) -> int:
        """Bytes granted now."""
        with self._lock:
            return self._held()

    def entries(self) -> tuple[Entry, ...]:
        """What is held, claims first."""
        with self._lock:
            claims = [Entry(job, "the job as a whole", nbytes) for job, nbytes in self._claims.items()]
            return (*claims, *self._entries)

    def fits(self, nbytes: int) -> bool:
        """Whether this much is free now."""
        return self.held + nbytes <= self.budget

    def check(self, nbytes: int, what: str) -> None:
        """Refuse what would not fit even alone.

        Raises:
            CapacityError: With numbers.
        """
        if nbytes > self.budget:
            raise CapacityError(
                f"{what} needs {gigabytes(nbytes)}; the memory budget is {gigabytes(self.budget)}. Raise the budget in "
                "the settings, or choose something smaller.",
                wanted=nbytes,
                budget=self.budget,
            )

    def claim(self, job: str, nbytes: int) -> bool:
        """Hold bytes for a job until :meth:`release`; False if they are not free now."""
        with self._lock:
            if self._held() + nbytes > self.budget:
                return False
            self._claims[job] = nbytes
            return True

    def release(self, job: str) -> None:
        """Drop everything a job holds."""
        with self._lock:
            self._claims.pop(job, None)
            self._entries = [entry for entry in self._entries if entry.job != job]

    @contextmanager
    def reserve(self, nbytes: int, what: str, job: str = "") -> Iterator[None]:
        """Hold bytes while in the block.

        Raises:
            CapacityError: They cannot fit beside what is held; the sentence says who holds what.
        """
        entry = Entry(job, what, nbytes)
        with self._lock:
            before = self._held()
            self._entries.append(entry)
            if self._held() > self.budget:
                self._entries.remove(entry)
                raise self._refusal(entry, before)
        try:
            yield
        finally:
            with self._lock:
                if entry in self._entries:
                    self._entries.remove(entry)

    def _held(self) -> int:
        used: dict[str, int] = {}
        for entry in self._entries:
            used[entry.job] = used.get(entry.job, 0) + entry.nbytes
        return sum(max(used.get(job, 0), self._claims.get(job, 0)) for job in used.keys() | self._claims.keys())

    def _refusal(self, entry: Entry, held: int) -> CapacityError:
        largest = max(self._entries, key=lambda item: item.nbytes, default=None)
        beside = f", {gigabytes(held)} of it held" if held else ""
        most = f" (most by {largest.what}: {gigabytes(largest.nbytes)})" if largest else ""
        needs = f"{entry.what} needs {gigabytes(entry.nbytes)}"
        return CapacityError(
            f"{needs}; the memory budget is {gigabytes(self.budget)}{beside}{most}. "
            "Wait for other jobs, raise the budget in the settings, or choose something smaller.",
            wanted=entry.nbytes,
            held=held,
            budget=self.budget,
        )


def gigabytes(nbytes: int) -> str:
    """``"1.5 GB"``, ``"12 MB"``: bytes as a person reads them (powers of ten)."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if nbytes >= size:
            return f"{nbytes / size:.3g} {unit}"
    return f"{nbytes} B"


def available_memory() -> int:
    """Bytes that are free for us now: the machine's, or what the container is allowed if that is less."""
    free = _meminfo() or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    group = Path("/sys/fs/cgroup")
    for limit, used in (
        (group / "memory.max", group / "memory.current"),
        (group / "memory/memory.limit_in_bytes", group / "memory/memory.usage_in_bytes"),
    ):
        try:
            free = min(free, max(0, int(limit.read_text()) - int(used.read_text())))
        except (OSError, ValueError):  # no such controller, or "max"
            continue
    return free


def _meminfo() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
