"""The other side of :mod:`solera.backends.process`: a context whose every call goes through a pipe."""

from __future__ import annotations

import importlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from solera.backends.messages import Advance, Answer, Begin, Check, Emit, End, Release, RemoteError, Reserve
from solera.errors import Cancelled, CapacityError, InputError, Interrupted
from solera.events import Event, Logged, PointScored
from solera.jobs.recording import Recorder
from solera.jobs.running import Handler, attempt
from solera.jobs.threads import ThreadOwner
from solera.logs import in_job
from solera.seeds import Seed

_EVERY = 0.05  # seconds between two questions or two progress messages


class PipeContext(Recorder):
    """:class:`solera.context.Context` over a pipe. Thread rule: all of it from any thread of the process.

    Runs are recorded here, in the job's process; whoever watches the queue is told through the pipe.

    Args:
        pipe: To the queue's process.
        begin: The job.
    """

    def __init__(self, pipe: Connection, begin: Begin) -> None:
        super().__init__()
        self.job = begin.job
        self.run = begin.run
        self.attempt = begin.attempt
        self.device = begin.devices[0]
        self.devices = begin.devices
        self.threads = begin.threads
        self.seed = Seed(*begin.seed)
        self.scratch = Path(begin.scratch)
        self._pipe = pipe
        self._lock = threading.Lock()
        self._asked = self._told = 0.0
        self._numbers = 0

    def check(self) -> None:
        """Stop or wait here if asked to; asks at most twenty times a second.

        Raises:
            Cancelled: A person cancelled the job.
            Interrupted: The program is ending.
        """
        if time.monotonic() - self._asked >= _EVERY:
            self._ask(Check())
            self._asked = time.monotonic()

    def progress(self, done: float, total: float | None, unit: str = "", text: str = "") -> None:
        """Say how far the work is; passed on at most twenty times a second, and at the end."""
        if time.monotonic() - self._told >= _EVERY or (total is not None and done >= total):
            self._told = time.monotonic()
            with self._lock:
                self._pipe.send(Advance(done, total, unit, text))

    def emit(self, event: Event) -> None:
        """Hand an event to the recordings, which may make it wait, and then on to the queue."""
        told = event if event.job else replace(event, job=self.job)
        self.record(told)
        if isinstance(told, PointScored) and told.samples is not None:
            told = replace(told, samples=None)
        self._ask(Emit(told))

    def log(self, text: str, level: str = "info") -> None:
        """Say something to the person."""
        self.emit(Logged(text=text, level=level))

    @contextmanager
    def reserve(self, nbytes: int, what: str) -> Iterator[None]:
        """Hold memory on the ledger while in the block.

        Raises:
            CapacityError: It cannot fit beside what other jobs hold.
        """
        with self._lock:
            self._numbers += 1
            number = self._numbers
        self._ask(Reserve(number, nbytes, what))
        try:
            yield
        finally:
            with self._lock:
                self._pipe.send(Release(number))

    def _ask(self, question: Check | Emit | Reserve) -> None:
        with self._lock:
            self._pipe.send(question)
            answer = self._pipe.recv()
        if isinstance(answer, Answer) and answer.error is not None:
            raise _error(answer.error)


def main(pipe: Connection) -> None:
    """What the process does: one job, then it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal reaches us too; the queue decides
    begin: Begin = pipe.recv()
    context = PipeContext(pipe, begin)
    ThreadOwner(begin.threads).apply(begin.threads)

    def work() -> dict[str, Any] | None:
        # What handlers rely on is what both contexts have.
        return _load(begin.target)(begin.args, context)  # type: ignore[arg-type]

    with in_job(begin.job):
        outcome = attempt(work)
    pipe.send(End(outcome.state, outcome.result, outcome.error))


def _load(target: str) -> Handler:
    module, _, name = target.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    if not callable(found):
        raise InputError(f"'{target}' is not a function; a job for a process is named 'package.module:function'.")
    handler: Handler = found
    return handler


def _error(plain: dict[str, Any]) -> Exception:
    for kind in (Interrupted, Cancelled, CapacityError):
        if plain["code"] == kind.code:
            return kind(plain["message"], **plain["fields"])
    return RemoteError(plain)
