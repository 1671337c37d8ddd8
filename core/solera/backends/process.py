"""A handler that runs in a process of its own: for untrusted or Python-heavy work, and for a certain cancel."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from solera.backends.child import main
from solera.backends.messages import Advance, Answer, Begin, Check, Emit, End, Release, RemoteError, Reserve
from solera.errors import Cancelled, Interrupted, SoleraError
from solera.events import Event, JobState, RunEnded, RunStarted
from solera.jobs.context import JobContext

_POLL = 0.05


class ProcessHandler:
    """A :data:`solera.jobs.running.Handler` that does its work in a fresh process.

    The work's context behaves as in a thread: events, progress, memory and pausing go through a pipe. When the job is
    told to stop and the process has not looked up within ``grace`` seconds, it is killed.

    Args:
        target: ``"package.module:function"``, itself a handler; it must be importable in the new process.
        grace: Seconds.
        abandoned: Told of each run file that a killed process left open, and how the job ended.
    """

    def __init__(
        self, target: str, grace: float = 0.3, abandoned: Callable[[Path, JobState], None] | None = None
    ) -> None:
        self.target = target
        self.grace = grace
        self.abandoned = abandoned

    def __call__(self, args: dict[str, Any], context: JobContext) -> dict[str, Any] | None:
        """Do the work.

        Raises:
            Cancelled: The job was told to stop.
            RemoteError: It failed there.
            SoleraError: The process died.
        """
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=main, args=(theirs,), name=f"solera-job-{context.job}", daemon=True)
        process.start()
        theirs.close()
        runs: dict[str, Path] = {}
        ended = False
        try:
            ours.send(
                Begin(
                    self.target, args, context.job, context.run, context.attempt, context.devices, context.threads,
                    (context.seed.root, context.seed.path), str(context.scratch),
                )
            )  # fmt: skip
            end = self._serve(ours, context, runs)
            ended = True
        except (EOFError, BrokenPipeError, ConnectionResetError):
            process.join(5)
            raise _died(process) from None
        finally:
            ours.close()
            if not ended:
                process.kill()
            process.join(5)
            if process.is_alive():
                process.kill()  # it has said its last word, but a thread of its own keeps it
                process.join()
            self._close(runs, sys.exc_info()[1])
        if end.state == "done":
            return end.result
        if end.state in ("cancelled", "interrupted"):
            context.check()  # raises what the queue asked for
            raise Cancelled((end.error or {}).get("message", ""))
        raise RemoteError(end.error or {})

    def _close(self, runs: Mapping[str, Path], error: BaseException | None) -> None:
        """The process is gone: what it recorded and could not close is closed by another."""
        if self.abandoned is None:
            return
        state: JobState = "failed"
        if isinstance(error, Cancelled):
            state = "interrupted" if isinstance(error, Interrupted) else "cancelled"
        for path in runs.values():
            self.abandoned(path, state)

    def _serve(self, pipe: Connection, context: JobContext, runs: dict[str, Path]) -> End:
        """Answer the process until it ends."""
        with ExitStack() as everything:
            held: dict[int, ExitStack] = {}
            while True:
                try:
                    context.check()
                except Cancelled as error:
                    return self._stop(pipe, error, context, runs)
                if not pipe.poll(_POLL):
                    continue
                message = pipe.recv()
                if isinstance(message, End):
                    return message
                if isinstance(message, Check):
                    pipe.send(Answer())  # after context.check() above, which waits while the job is paused
                elif isinstance(message, Advance):
                    context.progress(message.done, message.total, message.unit, message.text)
                elif isinstance(message, Emit):
                    _emit(message.event, context, runs)
                    pipe.send(Answer())
                elif isinstance(message, Reserve):
                    stack = held[message.number] = everything.enter_context(ExitStack())
                    pipe.send(_reserved(stack, context, message))
                elif isinstance(message, Release):
                    held.pop(message.number).close()

    def _stop(self, pipe: Connection, error: Cancelled, context: JobContext, runs: dict[str, Path]) -> End:
        """Let the process end in order if it looks up in time; what it emits meanwhile is still taken."""
        deadline = time.monotonic() + self.grace
        no = Answer(error.to_plain())
        while (left := deadline - time.monotonic()) > 0 and pipe.poll(left):
            message = pipe.recv()
            if isinstance(message, End):
                break
            if isinstance(message, Emit):
                _emit(message.event, context, runs)
                pipe.send(Answer())
            elif isinstance(message, Check | Reserve):
                pipe.send(no)
        raise error


def _emit(event: Event, context: JobContext, runs: dict[str, Path]) -> None:
    """Hand an event on, and know which run files the process has open."""
    if isinstance(event, RunStarted):
        runs[event.run] = Path(event.path)
    elif isinstance(event, RunEnded):
        runs.pop(event.run, None)
    context.emit(event)


def _reserved(stack: ExitStack, context: JobContext, wanted: Reserve) -> Answer:
    try:
        stack.enter_context(context.reserve(wanted.nbytes, wanted.what))
    except SoleraError as error:
        return Answer(error.to_plain())
    return Answer()


def _died(process: BaseProcess) -> SoleraError:
    code = process.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        why = "; the machine may have run out of memory" if name == "SIGKILL" else ""
        return SoleraError(f"The job's process was ended by {name}{why}.", signal=name)
    return SoleraError(f"The job's process ended with status {code} and no result.", status=code)
