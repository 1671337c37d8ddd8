"""Running jobs from the command line: progress on stderr, signals, and how it ended."""

from __future__ import annotations

import math
import queue
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.cli.screen import in_bytes, in_time, say, show_line
from solera.errors import Interrupted

if TYPE_CHECKING:
    from solera.events import Event, Progress
    from solera.jobs.job import Job
    from solera.jobs.signals import Stopped
    from solera.projects.project import Project
    from solera.workbench import Workbench

#: Seconds between lines of progress where there is no terminal.
_LINE_SECONDS = 5.0

#: Seconds between lines of progress for programs.
_JSON_SECONDS = 0.25

#: Seconds a job that was told to stop is waited for; the program ends within ten, whatever the job is at.
_STOP_SECONDS = 8.0


@contextmanager
def workbench(project: Path | None = None, *, find: bool = True, device: str = "") -> Iterator[Workbench]:
    """A workbench for one command, closed at the end.

    Args:
        project: A project's folder; None looks for one around the current folder.
        find: Whether to look.
        device: torch device that goes before the settings'.
    """
    import dataclasses

    from solera import logs
    from solera.projects.project import Project
    from solera.settings import load_settings
    from solera.workbench import Workbench

    settings = load_settings()
    if device:
        settings = dataclasses.replace(settings, device=device)
    folder = project or (Project.find(Path.cwd()) if find else None)
    opened: Project | None = None
    if folder is not None:
        opened = Project.open(folder, lock=False)
    logs.start(settings.log_level, opened.log_file if opened else None)
    bench = Workbench(opened, settings=settings, records=False)
    patience = 10.0
    try:
        yield bench
    except Interrupted:
        patience = 0.5  # it was waited for already
        raise
    finally:
        bench.close(patience)
        if opened is not None:
            opened.close()


def run_job(
    bench: Workbench, job: Job, *, quiet: bool = False, json: bool = False, events: queue.SimpleQueue[Event]
) -> dict[str, Any]:
    """Wait for a job, showing its progress.

    Args:
        bench: Where it runs.
        job: What to wait for.
        quiet: Show nothing but warnings.
        json: Show events on stdout, as JSON.
        events: A subscription made before the job was submitted.

    Returns:
        The job's result.

    Raises:
        SoleraError: It failed or was cancelled; of the class it failed with.
        Interrupted: The program was asked to stop; the sentence says how to go on.
    """
    from solera.jobs.signals import resumable
    from solera.workbench.outcome import result_of

    with resumable(bench.jobs) as stopped:
        _watch(job, events, _display(quiet, json), stopped)
        bench.jobs.wait(job.id, 0.5 if stopped else 15.0)
    if job.state == "interrupted" or (stopped and not job.final):
        raise Interrupted(_how_to_go_on(bench, job))
    return result_of(job)


def submit_and_run(bench: Workbench, submit: Any, *, quiet: bool = False, json: bool = False) -> dict[str, Any]:
    """Subscribe, submit by calling ``submit()``, and wait; see :func:`run_job`."""
    events = bench.jobs.subscribe()
    try:
        return run_job(bench, submit(), quiet=quiet, json=json, events=events)
    finally:
        bench.jobs.unsubscribe(events)


def _how_to_go_on(bench: Workbench, job: Job) -> str:
    if job.spec.kind in {"explore", "probe"} and job.run and bench.project is not None:
        return (
            f"Stopped. What was found is stored; go on with: solera runs resume {job.run} "
            f"--project {bench.project.folder}"
        )
    return "Stopped. The same command goes on where it can, and starts again where it cannot."


def _watch(job: Job, events: queue.SimpleQueue[Event], display: _Display, stopped: Stopped) -> None:
    from solera.events import FINAL_STATES, JobChanged, Logged, Progress

    until = math.inf
    with display:
        while time.monotonic() < until:
            if stopped and until == math.inf:
                until = time.monotonic() + _STOP_SECONDS
            try:
                event = events.get(timeout=0.2)
            except queue.Empty:
                if job.final:
                    return
                continue
            if event.job != job.id:
                continue
            display.event(event)
            if isinstance(event, Progress):
                display.progress(event)
            elif isinstance(event, Logged) and event.level != "debug":
                display.note(event.level, event.text)
            elif isinstance(event, JobChanged) and event.state in FINAL_STATES:
                return


class _Display:
    """Shows nothing but warnings; the ancestor of the others."""

    def __enter__(self) -> _Display:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def event(self, event: Event) -> None:
        """Anything it said."""

    def progress(self, event: Progress) -> None:
        """How far it is."""

    def note(self, level: str, text: str) -> None:
        """What it said."""
        if level in {"warning", "error"}:
            say(f"{level}: {text}")


class _Lines(_Display):
    """A line now and then, for logs and pipes."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _LINE_SECONDS

    def progress(self, event: Progress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_SECONDS
            say(f"  {_progress_text(event)}")

    def note(self, level: str, text: str) -> None:
        say(text if level == "info" else f"{level}: {text}")


class _Json(_Display):
    """Every event as a line of JSON, for programs; of progress only what one can follow."""

    def __init__(self) -> None:
        self._next = -math.inf

    def event(self, event: Event) -> None:
        from solera.events import Progress, to_plain

        if isinstance(event, Progress):
            if time.monotonic() < self._next:
                return
            self._next = time.monotonic() + _JSON_SECONDS
        plain = to_plain(event)
        show_line(plain.pop("event"), plain, plain.pop("v"))

    def note(self, level: str, text: str) -> None:
        pass  # it is among the events


class _Bar(_Display):
    """A bar on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=None, text="")

    def __enter__(self) -> _Display:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progress(self, event: Progress) -> None:
        self._bar.update(
            self._task, description=event.text[-40:], total=event.total, completed=event.done, text=_numbers(event)
        )

    def note(self, level: str, text: str) -> None:
        self._bar.console.print(text if level == "info" else f"{level}: {text}", markup=False, highlight=False)


def _display(quiet: bool, json: bool) -> _Display:
    if quiet:
        return _Display()
    if json:
        return _Json()
    return _Bar() if sys.stderr.isatty() else _Lines()


def _progress_text(event: Progress) -> str:
    return " ".join(part for part in (event.text, _numbers(event)) if part)


def _numbers(event: Progress) -> str:
    amount = in_bytes if event.unit == "B" else lambda value: f"{value:g}"
    unit = "" if event.unit == "B" else f" {event.unit}"
    if event.total is None:
        return f"{amount(event.done)}{unit}" if event.done else ""
    text = f"{amount(event.done)} of {amount(event.total)}{unit}"
    if event.rate and event.unit == "B":
        text += f", {in_bytes(event.rate)}/s"
    return f"{text}, {in_time(event.left)} left" if event.left is not None else text
