"""Runs that a job records: every event it emits goes into them before anybody else sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from solera.errors import Cancelled, Interrupted
from solera.events import Event, JobState, RunEnded, RunStarted
from solera.runs.header import RunHeader


class Sink(Protocol):
    """Takes every event of a job, in order, and may make it wait: a :class:`solera.runs.writer.RunWriter`."""

    header: RunHeader
    path: Path
    summary: str

    def append(self, event: Event) -> None:
        """Take an event; may wait."""
        ...

    def close(self, state: JobState = "done", summary: str = "") -> None:
        """No more will come."""
        ...


SinkT = TypeVar("SinkT", bound=Sink)


class Recorder:
    """The part of a job's context that records, the same in a thread and in a process. Thread rule: any thread."""

    def __init__(self) -> None:
        self._sinks: tuple[Sink, ...] = ()

    def emit(self, event: Event) -> None:
        """Hand an event to the recordings and then to whoever watches; its owner says how."""
        raise NotImplementedError

    def record(self, event: Event) -> None:
        """Hand an event to the recordings, which may make it wait."""
        for sink in self._sinks:
            if getattr(event, "run", "") in ("", sink.header.id):
                sink.append(event)

    @contextmanager
    def recording(self, writer: SinkT) -> Iterator[SinkT]:
        """Send everything emitted in the block to a run as well; says when the run starts and how it ended.

        Args:
            writer: An open run; it is closed at the end of the block. Its ``summary`` may be set inside.
        """
        run = writer.header.id
        self.emit(RunStarted(run=run, path=str(writer.path), header=writer.header.to_plain()))
        self._sinks = (*self._sinks, writer)
        state: JobState = "failed"
        try:
            yield writer
            state = "done"
        except Interrupted:
            state = "interrupted"
            raise
        except Cancelled:
            state = "cancelled"
            raise
        finally:
            self._sinks = tuple(sink for sink in self._sinks if sink is not writer)
            try:
                writer.close(state)
            finally:
                self.emit(RunEnded(run=run, state=state, summary=writer.summary))
