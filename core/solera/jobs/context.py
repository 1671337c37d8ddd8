"""What a running job is handed: :class:`solera.context.Context`, kept by the queue."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from solera.errors import Cancelled
from solera.events import Event, Logged, Progress
from solera.jobs.job import Job
from solera.jobs.lanes import device_of, devices_of
from solera.jobs.ledger import MemoryLedger
from solera.jobs.meter import Meter
from solera.jobs.recording import Recorder
from solera.seeds import Seed

_LOG = logging.getLogger(__name__)
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class JobContext(Recorder):
    """The door between a job and the queue that runs it. Thread rule: all of it from any thread of the job.

    Args:
        job: The job.
        threads: CPU threads it may use.
        seed: Root of its randomness.
        scratch: A folder of its own.
        ledger: Of main memory.
        attend: Called by :meth:`check` when the job was asked to pause or stop; returns or raises.
        tell: Takes what subscribers should see.
    """

    def __init__(
        self,
        job: Job,
        *,
        threads: int,
        seed: Seed,
        scratch: Path,
        ledger: MemoryLedger,
        attend: Callable[[], None],
        tell: Callable[[Event], None],
    ) -> None:
        super().__init__()
        self.job = job.id
        self.run = job.run
        """The run an earlier attempt recorded, to be gone on with; empty on a first attempt."""
        self.attempt = job.attempt
        self.device = device_of(job.spec.lanes)
        self.devices = devices_of(job.spec.lanes)
        self.threads = threads
        self.seed = seed
        self.scratch = scratch
        self.deadline = time.monotonic() + job.spec.deadline if job.spec.deadline else None
        self.attention = threading.Event()
        self._ledger = ledger
        self._attend = attend
        self._tell = tell
        self._meter = Meter(job.id)
        self._lock = threading.Lock()

    @property
    def latest(self) -> Progress | None:
        """The latest progress, told or not."""
        return self._meter.latest

    def check(self) -> None:
        """Stop or wait here if asked to; otherwise costs well under a microsecond.

        Raises:
            Cancelled: A person cancelled the job, or its deadline has passed.
            Interrupted: The process is ending.
        """
        if self.attention.is_set():
            self._attend()
            with self._lock:
                self._meter.pause()
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise Cancelled("The job's time is up: it ran into its deadline.", job=self.job)

    def progress(self, done: float, total: float | None, unit: str = "", text: str = "") -> None:
        """Say how far the work is; told at most twenty times a second."""
        with self._lock:
            event = self._meter.update(done, total, unit, text)
        if event is not None:
            self._tell(event)

    def emit(self, event: Event) -> None:
        """Hand an event to the recordings (which may make it wait) and then to whoever watches."""
        if not event.job:
            event = dataclasses.replace(event, job=self.job)
        self.record(event)
        if isinstance(event, Logged):
            _LOG.log(_LEVELS.get(event.level, logging.INFO), "%s", event.text)
        self._tell(event)

    def log(self, text: str, level: str = "info") -> None:
        """Say something to the person: shown, recorded and logged."""
        self.emit(Logged(text=text, level=level))

    def reserve(self, nbytes: int, what: str) -> AbstractContextManager[None]:
        """Hold memory on the ledger while in the block.

        Raises:
            CapacityError: It cannot fit beside what other jobs hold.
        """
        return self._ledger.reserve(nbytes, what, self.job)
