"""Record a run while it happens: events go into a bounded queue, one thread takes them to the file."""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path

from solera.errors import OutputError, RunError
from solera.events import Event, Indicator, JobState, PointScored, Progress, RunEnded, RunStarted
from solera.locks import FileLock
from solera.runs import _h5, layout
from solera.runs.header import RunHeader
from solera.runs.points import PHASES
from solera.runs.recover import recover
from solera.runs.store import Store

FLUSH_SECONDS = 0.4
"""The oldest event waits no longer than this before it is written; ``kill -9`` loses at most that and one write."""
_QUEUE = 1024
_STORE_ERRORS = (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError)


@dataclass(slots=True)
class _Flush:
    """A marker in the queue: everything before it is in the file once ``done`` is set."""

    done: threading.Event = field(default_factory=threading.Event)


class RunWriter:
    """One run file that grows; readers may open it at any time. Made by :meth:`create` or :meth:`resume`.

    Thread rule: any thread may append; the file itself is touched only by the writer's own thread. Used in a ``with``
    block it closes as ``"done"``, or as ``"failed"`` when the block raises.

    Attributes:
        path: The file.
        header: Its header.
        summary: The line it will end with, unless :meth:`close` is told another.
    """

    def __init__(self, path: Path, store: Store, lock: FileLock) -> None:
        self.path = path
        self.header = store.header
        self.summary = ""
        self._store = store
        self._lock = lock
        self._next = store.count
        self._order = threading.Lock()
        self._queue: queue.Queue[Event | _Flush | None] = queue.Queue(_QUEUE)
        self._error: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"solera-store-{self.header.id}", daemon=True)
        self._thread.start()
        _OPEN.add(self)

    @staticmethod
    def create(path: str | os.PathLike[str], header: RunHeader) -> RunWriter:
        """A new run file. It appears under its name complete with every table, never half made.

        Raises:
            OutputError: The file exists, or its folder cannot be written.
            LockedError: Another process is making the same file.
            RunError: HDF5 refuses.
        """
        target = Path(path).absolute()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"The folder {target.parent} cannot be made: {error.strerror}.") from error
        lock = _lock_of(target).acquire()
        try:
            if target.exists():
                raise OutputError(f"There is already a run {target}; resume it, or give the new one another id.")
            store = _new_store(target, header)
        except BaseException:
            lock.release()
            raise
        return RunWriter(target, store, lock)

    @staticmethod
    def resume(path: str | os.PathLike[str]) -> RunWriter:
        """Go on with a run that was killed, stopped or finished; the next point's index is :attr:`count`.

        Raises:
            NotFoundError: There is no such file.
            LockedError: It is being written now.
            RunError: It cannot be read.
        """
        target = Path(path).absolute()
        lock = _lock_of(target).acquire()
        try:
            if _h5.was_killed(target):
                recover(target, locked=True)
            file = _h5.open_to_append(target)
            store = Store(file, layout.read_header(file))
            file.start_swmr()
        except BaseException:
            lock.release()
            raise
        writer = RunWriter(target, store, lock)
        writer.append(RunStarted(run=writer.header.id, path=str(target), header={}))
        writer.flush()  # readers see it running again
        return writer

    @property
    def count(self) -> int:
        """Points appended so far, those of earlier sittings included: the index of the next."""
        return self._next

    @property
    def closed(self) -> bool:
        """Whether it takes no more."""
        return self._closed

    def append(self, event: Event) -> None:
        """Hand an event over; waits while the store is more than a thousand events behind. Progress is not stored.

        Raises:
            RunError: A point does not fit the header or comes out of order, the run is closed, or the store failed.
        """
        if isinstance(event, Progress):
            return
        if isinstance(event, PointScored | Indicator) and event.run not in ("", self.header.id):
            raise RunError(f"An event of run '{event.run}' was sent to the file of run '{self.header.id}'.")
        with self._order:
            if self._closed:
                raise RunError(f"The run {self.path} is closed.")
            if isinstance(event, PointScored):
                self._check(event)
            self._put(event)
            if isinstance(event, PointScored):
                self._next += 1

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until everything appended is in the file and visible to readers.

        Raises:
            RunError: The store failed, or did not manage in ``timeout`` seconds.
        """
        marker = _Flush()
        self._put(marker)
        deadline = time.monotonic() + timeout
        while not marker.done.wait(0.05):
            self._raise_if_dead()
            if time.monotonic() > deadline:
                raise RunError(f"The run {self.path} could not be flushed within {timeout:g} s.")

    def close(self, state: JobState = "done", summary: str = "") -> None:
        """Write what is left, note how it ended, and close; closing twice is harmless.

        Args:
            state: A final state: ``"done"``, ``"failed"``, ``"cancelled"`` or ``"interrupted"``.
            summary: A line for a person: ``"hypervolume 0.170"``; :attr:`summary` if empty.

        Raises:
            RunError: The store failed; what was flushed before is safe.
        """
        with self._order:
            if self._closed:
                return
            self._closed = True
        try:
            self._put(RunEnded(run=self.header.id, state=state, summary=summary or self.summary))
            self._put(None)
            self._thread.join()
            self._raise_if_dead()
        finally:
            self._lock.release()
            _OPEN.discard(self)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close("done" if kind is None else "failed")

    def _check(self, event: PointScored) -> None:
        header, index = self.header, event.index
        if index != self._next:
            raise RunError(f"Point {index} was sent to run '{header.id}', which expects point {self._next}.")
        sizes = [("coordinates", len(event.coords), len(header.coords))]
        sizes += [
            (name, len(values), len(header.columns))
            for name, values in (("values", event.values), ("errors", event.stderrs), ("counts", event.counts))
        ]
        if event.cell:
            sizes.append(("grid indices", len(event.cell), len(header.shape)))
        if event.samples is not None and header.stores_samples:
            sizes.append(("rows of samples", len(event.samples), len(header.columns)))
        if event.trace is not None and header.trace:
            sizes.append(("numbers in its trace", len(event.trace), header.trace))
        for what, got, wanted in sizes:
            if got != wanted:
                raise RunError(f"Point {index} of run '{header.id}' has {got} {what}; the run has {wanted}.")
        if event.phase not in PHASES:
            raise RunError(f"Point {index} has the phase '{event.phase}'; known: {', '.join(PHASES)}.")

    def _put(self, item: Event | _Flush | None) -> None:
        while True:
            self._raise_if_dead()
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def _raise_if_dead(self) -> None:
        if self._error is not None:
            raise RunError(
                f"The run {self.path} cannot be written: {_h5.reason(self._error)}. What was written before is "
                "safe; free some space if the disk is full, then resume the run.",
                path=str(self.path),
            ) from self._error

    def _work(self) -> None:
        error: BaseException | None = RunError("its thread ended without a reason")
        try:
            while self._write_batch():
                pass
            error = None
        except _STORE_ERRORS as caught:
            error = caught
        finally:
            try:
                self._store.close(abandon=error is not None)
            except _STORE_ERRORS as caught:
                error = error or caught
            self._error = error

    def _write_batch(self) -> bool:
        """Gather events for a moment, write them; whether there may be more."""
        events: list[Event] = []
        item = self._queue.get()
        deadline = time.monotonic() + FLUSH_SECONDS
        while isinstance(item, Event):
            events.append(item)
            if len(events) >= _QUEUE:
                break
            try:
                item = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
        if events:
            self._store.write(events)
        if isinstance(item, _Flush):
            item.done.set()
        return item is not None


_OPEN: weakref.WeakSet[RunWriter] = weakref.WeakSet()


def _new_store(target: Path, header: RunHeader) -> Store:
    """Make the file under another name, and rename it once readers may come."""
    file = _h5.create(target.with_name(f".{target.name}.new"))
    try:
        layout.create_tables(file, header)
        store = Store(file, header)
        file.start_swmr()
        file.move(target)
    except BaseException:
        file.close()
        file.path.unlink(missing_ok=True)
        raise
    return store


def _lock_of(path: Path) -> FileLock:
    return FileLock(path.with_name(f"{path.name}.lock"), "run")


def _close_all() -> None:
    """A program that ends with runs still open leaves them resumable."""
    for writer in list(_OPEN):
        try:
            writer.close("interrupted")
        except RunError:
            continue


atexit.register(_close_all)
