"""The queue: what waits, what runs, in which lanes, and who is told."""

from __future__ import annotations

import atexit
import dataclasses
import logging
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from solera.errors import Cancelled, InputError, Interrupted, NotFoundError
from solera.events import Event, JobState, Logged, PointScored, Progress, RunStarted
from solera.jobs.context import JobContext
from solera.jobs.job import Job
from solera.jobs.lanes import CPU
from solera.jobs.ledger import MemoryLedger
from solera.jobs.records import JobRecords
from solera.jobs.running import Handler, Outcome, attempt
from solera.jobs.spec import JobSpec
from solera.jobs.threads import ThreadOwner
from solera.logs import in_job
from solera.patience import asking
from solera.seeds import Seed

_LOG = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Sitting:
    """An attempt at a job that is under way."""

    job: Job
    context: JobContext | None = None
    pause: bool = False


class JobQueue:
    """Runs jobs in threads of their own, one at a time in each lane, in order.

    A job starts when all its lanes are free and its memory can be claimed; one that waits keeps its lanes from later
    jobs, so nothing starves. A paused job gives its lanes away until it is resumed. Thread rule: everything from any
    thread; nothing here waits except :meth:`wait` and :meth:`shutdown`.

    Args:
        handlers: What does each kind of job.
        lanes: Names of the lanes there are; see :func:`solera.jobs.lanes.detect_lanes`.
        ledger: Of main memory; one of its own if None.
        threads: Owner of torch's thread count; one of its own if None.
        scratch: Where jobs get scratch folders; the system's temporary folder if None.
        seed: Root of the jobs' randomness.
        records: Where unfinished jobs are kept; what earlier processes left there is in :meth:`jobs` at once.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        lanes: Sequence[str] = (CPU,),
        ledger: MemoryLedger | None = None,
        threads: ThreadOwner | None = None,
        scratch: Path | None = None,
        seed: int = 0,
        *,
        records: JobRecords | None = None,
    ) -> None:
        self.handlers = handlers
        self.lanes = tuple(lanes)
        self.ledger = ledger or MemoryLedger()
        self.threads = threads or ThreadOwner()
        self._scratch = scratch
        self._seed = Seed(seed)
        self._records = records
        self._changed = threading.Condition(threading.RLock())
        self._jobs: dict[str, Job] = {job.id: job for job in (records.load() if records else ())}
        self._waiting: list[str] = []
        self._sittings: dict[str, _Sitting] = {}
        self._busy: dict[str, str] = {}
        self._subscribers: tuple[SimpleQueue[Event], ...] = ()
        self._closed = False
        _QUEUES.add(self)
        _end_first()

    # -- asking ----------------------------------------------------------------------------------------------------

    def submit(self, spec: JobSpec) -> Job:
        """Put a job at the end of the queue.

        Raises:
            InputError: No handler does this kind, a lane does not exist, or the queue is shut down.
            CapacityError: It could never fit into the memory budget.
        """
        self._accept(spec)
        with self._changed:
            if self._closed:
                raise InputError("The program is ending; no new jobs are taken.", kind=spec.kind)
            job = Job(spec)
            self._jobs[job.id] = job
            self._waiting.append(job.id)
            self._note(job)
            self._schedule()
        return job

    def jobs(self) -> tuple[Job, ...]:
        """All jobs: those under way or over, by submission; then those that wait, in the order they will run."""
        with self._changed:
            waiting = [self._jobs[job] for job in self._waiting]
            return (*(job for job in self._jobs.values() if job.id not in self._waiting), *waiting)

    def get(self, job: str) -> Job:
        """The job of this id.

        Raises:
            NotFoundError: There is none.
        """
        with self._changed:
            if job not in self._jobs:
                raise NotFoundError(f"There is no job '{job}'.", job=job)
            return self._jobs[job]

    def occupied(self) -> dict[str, str]:
        """Titles of the jobs that hold a lane now, by lane."""
        with self._changed:
            return {lane: self._jobs[job].spec.title for lane, job in self._busy.items()}

    def waiting(self) -> tuple[str, ...]:
        """Ids of the jobs that wait, in the order they will run."""
        with self._changed:
            return tuple(self._waiting)

    def cancel(self, job: str) -> None:
        """Ask a job to stop. Shown at once (``Job.stopping``), done at its next check; harmless when it is over."""
        self._stop(self.get(job), "cancelled")

    def pause(self, job: str) -> None:
        """Ask a running job to wait at its next check and to give its lanes to others.

        Raises:
            InputError: It is not running.
        """
        with self._changed:
            found = self.get(job)
            if found.state == "paused":
                self._sittings[job].pause = True
                return
            if found.state != "running" or found.stopping:
                raise InputError(
                    f"Job '{found.spec.title}' is {found.state}; only a running job can be paused.", job=job
                )
            sitting = self._sittings[job]
            sitting.pause = True
            self._call(sitting)

    def resume(self, job: str) -> None:
        """Let a paused job go on as soon as its lanes are free.

        Raises:
            InputError: It is not paused.
        """
        with self._changed:
            found = self.get(job)
            sitting = self._sittings.get(job)
            if sitting is None or not (sitting.pause or found.state == "paused"):
                raise InputError(
                    f"Job '{found.spec.title}' is {found.state}; only a paused job can be resumed.", job=job
                )
            sitting.pause = False
            self._schedule()

    def retry(self, job: str) -> Job:
        """Queue a job again that failed, was cancelled or interrupted; it keeps its id, and its run to go on with.

        Raises:
            InputError: It is not over, it is done, or the queue is shut down.
        """
        with self._changed:
            found = self.get(job)
            if self._closed:
                raise InputError("The program is ending; no new jobs are taken.", job=job)
            self._accept(found.spec)
            found.enter("queued")
            found.error = found.result = found.progress = found.started = found.ended = None
            found.stopping = ""
            self._waiting.append(job)
            self._note(found)
            self._schedule()
            return found

    def move(self, job: str, index: int) -> None:
        """Give a waiting job another place among those that wait (0 is next).

        Raises:
            InputError: It does not wait.
        """
        with self._changed:
            found = self.get(job)
            if job not in self._waiting:
                raise InputError(f"Job '{found.spec.title}' is {found.state}; only waiting jobs can be moved.", job=job)
            self._waiting.remove(job)
            self._waiting.insert(max(0, index), job)
            self._tell(found.changed())
            self._schedule()

    def forget(self, job: str) -> None:
        """Take a job that is over off the list.

        Raises:
            InputError: It is not over.
        """
        with self._changed:
            found = self.get(job)
            if not found.final or job in self._sittings:
                raise InputError(f"Job '{found.spec.title}' is {found.state}; cancel it first.", job=job)
            del self._jobs[job]
            if self._records:
                self._records.remove(job)

    # -- watching --------------------------------------------------------------------------------------------------

    def subscribe(self) -> SimpleQueue[Event]:
        """A queue that gets every event from now on (points without their samples). It is unbounded: drain it."""
        queue: SimpleQueue[Event] = SimpleQueue()
        with self._changed:
            self._subscribers = (*self._subscribers, queue)
        return queue

    def unsubscribe(self, queue: SimpleQueue[Event]) -> None:
        """No more events to this queue; harmless if it had none."""
        with self._changed:
            self._subscribers = tuple(other for other in self._subscribers if other is not queue)

    def wait(self, job: str, timeout: float | None = None) -> Job:
        """Wait until a job is over, or until ``timeout`` seconds have passed; look at its state.

        Signals are handled meanwhile.

        Raises:
            NotFoundError: There is no such job.
        """
        found = self.get(job)
        with self._changed:
            self._changed.wait_for(lambda: found.final and job not in self._sittings, timeout)
        return found

    # -- ending ----------------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Take no more jobs and ask all to stop so that they can be resumed; does not wait."""
        with self._changed:
            self._closed = True
            for job in list(self._jobs.values()):
                self._stop(job, "interrupted")

    def shutdown(self, timeout: float = 10.0, interrupt: bool = True) -> tuple[Job, ...]:
        """End the queue; the jobs that still run after ``timeout`` seconds are returned.

        Args:
            timeout: Seconds to wait.
            interrupt: Ask jobs to stop; else those that run and wait are finished first.
        """
        if interrupt:
            self.interrupt()
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._sittings and not self._waiting, timeout)
            left = tuple(sitting.job for sitting in self._sittings.values())
        if self._records and not left:
            self._records.close()
        _QUEUES.discard(self)
        return left

    # -- inside ----------------------------------------------------------------------------------------------------

    def _accept(self, spec: JobSpec) -> None:
        if spec.kind not in self.handlers:
            known = ", ".join(sorted(self.handlers))
            raise InputError(f"Nothing here does jobs of kind '{spec.kind}'; known: {known}.", kind=spec.kind)
        unknown = [lane for lane in spec.lanes if lane not in self.lanes]
        if unknown or not spec.lanes:
            raise InputError(
                f"Job '{spec.title}' asks for {', '.join(unknown) or 'no lane'}; there are {', '.join(self.lanes)}.",
                lanes=list(spec.lanes),
            )
        self.ledger.check(spec.memory, f"Job '{spec.title}'")

    def _stop(self, job: Job, how: JobState) -> None:
        with self._changed:
            if job.id in self._waiting:
                self._waiting.remove(job.id)
                job.ended = time.time()
                job.enter(how)
                self._note(job)
                self._schedule()
            elif (sitting := self._sittings.get(job.id)) is not None and not job.final:
                job.stopping = job.stopping or how
                self._tell(job.changed())
                self._call(sitting)

    def _call(self, sitting: _Sitting) -> None:
        """Make a running job look up at its next check."""
        if sitting.context is not None:
            sitting.context.attention.set()
        self._changed.notify_all()

    def _attend(self, sitting: _Sitting) -> None:
        """Called by the job itself: stop, wait, or find that there was nothing."""
        job = sitting.job
        with self._changed:
            while True:
                if job.stopping == "interrupted":
                    raise Interrupted("The program is ending.", job=job.id)
                if job.stopping:
                    raise Cancelled("", job=job.id)
                if sitting.pause and job.state == "running":
                    self._free_lanes(job)
                    job.enter("paused")
                    self._note(job)
                    self._schedule()
                if job.state == "running":
                    if sitting.context is not None:
                        sitting.context.attention.clear()
                    return
                self._changed.wait()

    def _schedule(self) -> None:
        """Start whatever can start: first paused jobs that were resumed, then those that wait, in order."""
        claimed = set(self._busy)
        for sitting in self._sittings.values():
            job = sitting.job
            if job.state == "paused" and not sitting.pause and not job.stopping:
                if claimed.isdisjoint(job.spec.lanes):
                    self._busy.update(dict.fromkeys(job.spec.lanes, job.id))
                    job.enter("running")
                    self._note(job)
                claimed.update(job.spec.lanes)
        for name in list(self._waiting):
            job = self._jobs[name]
            if claimed.isdisjoint(job.spec.lanes) and self.ledger.claim(job.id, job.spec.memory):
                self._waiting.remove(name)
                self._start(job)
            claimed.update(job.spec.lanes)
        self._changed.notify_all()

    def _start(self, job: Job) -> None:
        self._busy.update(dict.fromkeys(job.spec.lanes, job.id))
        sitting = self._sittings[job.id] = _Sitting(job)
        job.enter("running")
        job.started, job.attempt = time.time(), job.attempt + 1
        self._note(job)
        threading.Thread(target=self._run, args=(sitting,), name=f"solera-job-{job.id}", daemon=True).start()

    def _run(self, sitting: _Sitting) -> None:
        with in_job(sitting.job.id):
            outcome = attempt(partial(self._work, sitting))
            self._finish(sitting, outcome)

    def _work(self, sitting: _Sitting) -> dict[str, Any] | None:
        job = sitting.job
        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"solera-{job.id}-", dir=self._scratch))
        try:
            with self.threads.share() as threads:
                context = JobContext(
                    job,
                    threads=threads,
                    seed=self._seed,
                    scratch=scratch,
                    ledger=self.ledger,
                    attend=partial(self._attend, sitting),
                    tell=partial(self._heard, job),
                )
                with self._changed:
                    sitting.context = context
                    if job.stopping or sitting.pause:
                        context.attention.set()
                context.check()
                with asking(context.check):
                    return self.handlers[job.spec.kind](job.spec.args, context)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _finish(self, sitting: _Sitting, outcome: Outcome) -> None:
        job, context = sitting.job, sitting.context
        latest = context.latest if context is not None else None
        with self._changed:
            if latest is not None and job.progress is not latest:
                self._heard(job, latest)
            sitting.context = None
            del self._sittings[job.id]
            self._free_lanes(job)
            self.ledger.release(job.id)
            job.ended, job.result, job.error = time.time(), outcome.result, outcome.error
            job.stopping = ""
            if job.state == "paused" and outcome.state in ("done", "failed"):
                job.enter("running")  # it came to its end before it came to its next check
            job.enter(outcome.state)
            if job.error is not None:
                said = job.error.get("traceback") if job.error["code"] == "internal" else job.error["message"]
                level = logging.ERROR if job.state == "failed" else logging.INFO
                _LOG.log(level, "Job '%s' %s: %s", job.spec.title, job.state, said)
            self._note(job)
            self._schedule()

    def _free_lanes(self, job: Job) -> None:
        self._busy = {lane: holder for lane, holder in self._busy.items() if holder != job.id}

    def _note(self, job: Job) -> None:
        """A job has a new state: record it and tell."""
        if self._records:
            self._records.save(job)
        self._tell(job.changed())

    def _heard(self, job: Job, event: Event) -> None:
        """A job said something."""
        if isinstance(event, Progress):
            job.progress = event
        elif isinstance(event, Logged):
            job.log.append(event)
        elif isinstance(event, RunStarted):
            job.run = event.run
            _end_first()
            with self._changed:
                self._note(job)
        elif isinstance(event, PointScored) and event.samples is not None:
            event = dataclasses.replace(event, samples=None)
        self._tell(event)

    def _tell(self, event: Event) -> None:
        for queue in self._subscribers:
            queue.put(event)


_QUEUES: weakref.WeakSet[JobQueue] = weakref.WeakSet()


def _end_all() -> None:
    """A program that ends with jobs under way leaves them resumable."""
    for queue in list(_QUEUES):
        queue.shutdown(timeout=10.0)


def _end_first() -> None:
    """Be the first to hear that the program ends: before open run files are closed under the jobs that fill them."""
    atexit.unregister(_end_all)
    atexit.register(_end_all)
