"""Jobs: what runs, what waits, what failed and why; each row with its buttons."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QMenu, QVBoxLayout, QWidget

from solera.events import FINAL_STATES, JobChanged, Progress
from solera_app.docks.lanes import LaneStrip
from solera_app.docks.panel import Empty, Stack
from solera_app.docks.row_view import RowView
from solera_app.models.rows import Row, RowButton
from solera_app.theme import tokens
from solera_app.words import duration, progress_line

#: What a job is called by its kind, and its state in a word.
_KINDS = {
    "explore": "Exploration",
    "compare": "Comparison",
    "evaluate": "Evaluation",
    "merge": "Merge",
    "probe": "Probe",
    "demo": "Example",
    "difference": "Comparison of weights",
    "fingerprint": "Reading",
}
_STATES = {"running": "", "cancelled": "Stopped"}

_BUTTONS = {
    "queued": (RowButton("stop", "stop", "Cancel this job"),),
    "running": (RowButton("pause", "pause", "Pause this job"), RowButton("stop", "stop", "Stop this job")),
    "paused": (RowButton("resume", "run", "Go on"), RowButton("stop", "stop", "Stop this job")),
    "done": (),
    "failed": (RowButton("retry", "retry", "Run it again"), RowButton("details", "log", "Show what went wrong")),
    "cancelled": (RowButton("retry", "retry", "Run it again"),),
    "interrupted": (RowButton("retry", "retry", "Resume where it stopped"),),
}


@dataclass(slots=True)
class _Shown:
    job: str
    title: str
    kind: str
    state: str
    since: float
    progress: Progress | None = None
    error: dict[str, Any] | None = None
    run: str = ""
    took: float = 0.0
    place: int = 0  # among those that wait
    estimate: str = ""

    @property
    def rank(self) -> tuple[int, int, float]:
        """Where it stands in the list: what runs, what waits in the order it will run, what is over by when it was."""
        if self.state in {"running", "paused"}:
            return 0, 0, self.since
        return (1, self.place, self.since) if self.state == "queued" else (2, 0, -self.since - self.took)


class JobsDock(QWidget):
    """The list of jobs: what runs, what waits, what is over, newest first; nothing moves under the pointer.

    Signals:
        commanded: Job id and ``"pause"``, ``"resume"``, ``"stop"``, ``"retry"``, ``"next"``, ``"up"``, ``"down"``,
            ``"log"`` or ``"forget"``.
        opened: Run id, on double click of a job that records one.
        detailsRequested: Sentence and traceback of a failed job.
        busyChanged: Whether any job runs or waits.
    """

    commanded = Signal(str, str)
    opened = Signal(str)
    detailsRequested = Signal(str, str)
    busyChanged = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self._jobs: dict[str, _Shown] = {}
        self._busy = self._hovered = False
        self.view = RowView("Jobs")
        self._stack = Stack(self.view, Empty("queue", "Nothing is running."))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        self.lanes = LaneStrip()
        column.addWidget(self.lanes)
        column.addWidget(self._stack)
        self.view.buttonPressed.connect(self._pressed)
        self.view.activatedRow.connect(self._activated)
        self.view.customContextMenuRequested.connect(self._menu)
        self._later = QTimer(self, interval=100, singleShot=True)
        self._later.timeout.connect(self._show)
        self.view.viewport().installEventFilter(self)
        self.view.installEventFilter(self)
        self.view.claims = frozenset({Qt.Key.Key_Delete})

    @property
    def running(self) -> list[str]:
        """Ids of jobs that run now."""
        return [job.job for job in self._jobs.values() if job.state in {"running", "paused"}]

    def on_job(self, event: JobChanged) -> None:
        """A job has a new state."""
        shown = self._jobs.get(event.job)
        if shown is None:
            shown = _Shown(event.job, event.title, event.kind, event.state, event.time, place=len(self._jobs))
            self._jobs[event.job] = shown
            if event.state in FINAL_STATES:  # of an earlier session: nobody knows when it began
                shown.since = 0.0
        if event.state in FINAL_STATES:
            shown.took = event.time - shown.since if shown.since else 0.0
        elif event.state != shown.state and (event.state == "queued" or shown.state == "queued"):
            shown.since, shown.progress = event.time, None
            shown.place = 1 + max(job.place for job in self._jobs.values())
        shown.state, shown.error, shown.run = event.state, event.error, event.run or shown.run
        self._show()

    def set_waiting(self, order: Sequence[str]) -> None:
        """Say in which order the jobs that wait will run."""
        for place, job in enumerate(order):
            if job in self._jobs:
                self._jobs[job].place = place
        self._show()

    def show_estimate(self, job: str, words: str) -> None:
        """Say what a job that waits will take."""
        if job in self._jobs:
            self._jobs[job].estimate = words
            self._show()

    def waiting(self) -> list[str]:
        """Ids of the jobs that wait, as listed."""
        return [job.job for job in sorted(self._jobs.values(), key=lambda job: job.rank) if job.state == "queued"]

    def on_progress(self, event: Progress) -> None:
        """A job came further."""
        shown = self._jobs.get(event.job)
        if shown is not None:
            shown.progress = event
            if not self._later.isActive():
                self._later.start()

    def _show(self) -> None:
        self.view.rows_model.set_rows([self._row(job) for job in self._ordered()])
        self._stack.show_content(bool(self._jobs))
        busy = any(job.state not in FINAL_STATES for job in self._jobs.values())
        if busy != self._busy:
            self._busy = busy
            self.busyChanged.emit(busy)

    def _ordered(self) -> list[_Shown]:
        """The jobs as they are listed; while the pointer is over the list, only what is new is put in, on top."""
        ordered = sorted(self._jobs.values(), key=lambda job: job.rank)
        if not self._hovered:
            return ordered
        stay = [self._jobs[row.id] for row in self.view.rows_model.rows if row.id in self._jobs]
        return [*(job for job in ordered if job not in stay), *stay]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102 - Qt's name
        if event.type() in {QEvent.Type.Enter, QEvent.Type.Leave}:
            self._hovered = event.type() is QEvent.Type.Enter
            self._later.start()
        if watched is self.view and isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress:
            return self._key(event)
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> bool:
        """Alt+Up and Alt+Down move a job that waits, Delete stops one or takes it off the list."""
        ids = self.view.selected_ids()
        if len(ids) != 1 or ids[0] not in self._jobs:
            return False
        alt = event.modifiers() & Qt.KeyboardModifier.AltModifier
        state = self._jobs[ids[0]].state
        if alt and state == "queued" and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.commanded.emit(ids[0], "up" if event.key() == Qt.Key.Key_Up else "down")
            return True
        if event.key() == Qt.Key.Key_Delete:
            self.commanded.emit(ids[0], "forget" if state in FINAL_STATES else "stop")
            return True
        return False

    def _row(self, job: _Shown) -> Row:
        look = tokens()["states"].get(job.state, {"icon": "queue", "color": "text-3"})
        share = None
        if job.progress is not None and job.progress.total and job.state in {"running", "paused"}:
            share = job.progress.done / job.progress.total
        middle = {
            "queued": job.estimate,
            "running": progress_line(job.progress) if job.progress else job.estimate or "starting",
            "paused": progress_line(job.progress) if job.progress else "",
            "done": f"Took {duration(job.took)}" if job.since else "",
            "failed": str((job.error or {}).get("message", "")).partition("\n")[0],
            "interrupted": "Resume takes it up where it stopped",
        }.get(job.state, "")
        began = time.strftime("%H:%M", time.localtime(job.since))
        kind = _KINDS.get(job.kind, job.kind.capitalize())
        return Row(
            job.job, job.title, f"{kind} · started {began}" if job.since and job.state != "queued" else kind,
            look["icon"] or "queue", look["color"], _STATES.get(job.state, job.state.capitalize()),
            look["color"], progress=share, middle=middle, buttons=_BUTTONS.get(job.state, ()),
            tip=str((job.error or {}).get("message", "")) or f"{job.title}\n{middle}".strip(),
        )  # fmt: skip

    def _pressed(self, job: str, action: str) -> None:
        if job not in self._jobs:
            return  # a menu may outlive what it was opened for
        if action == "details":
            error = self._jobs[job].error or {}
            self.detailsRequested.emit(str(error.get("message", "")), str(error.get("traceback", "")))
        else:
            self.commanded.emit(job, action)

    def _activated(self, job: str) -> None:
        shown = self._jobs.get(job)
        if shown is not None and shown.run:
            self.opened.emit(shown.run)

    def _menu(self, place: QPoint) -> None:
        ids = self.view.selected_ids()
        if len(ids) != 1 or ids[0] not in self._jobs:
            return
        job = self._jobs[ids[0]]
        menu = QMenu(self)
        for button in _BUTTONS.get(job.state, ()):
            menu.addAction(button.tip, lambda action=button.action: self._pressed(job.job, action))
        if job.state == "queued":
            waiting = self.waiting()
            for words, action, possible in (
                ("Run it next", "next", job.job != waiting[0]),
                ("Move up (Alt+Up)", "up", job.job != waiting[0]),
                ("Move down (Alt+Down)", "down", job.job != waiting[-1]),
            ):
                made = menu.addAction(words, lambda action=action: self._pressed(job.job, action))
                made.setEnabled(possible)
        menu.addAction("Show its log", lambda: self._pressed(job.job, "log"))
        if job.run:
            menu.addAction("Open its run", lambda: self.opened.emit(job.run))
        if job.error:
            message = str(job.error.get("message", ""))
            menu.addAction("Copy the message", lambda: QApplication.clipboard().setText(message))
        if job.state in FINAL_STATES:
            menu.addAction("Take off the list", lambda: self._pressed(job.job, "forget"))
        menu.exec(self.view.viewport().mapToGlobal(place))

    def forget(self, job: str) -> None:
        """Take a job off the list."""
        self._jobs.pop(job, None)
        self._show()

    def clear(self) -> None:
        """Forget every job shown: another project is opened."""
        self._jobs.clear()
        self._show()

    def state_of(self, job: str) -> str:
        """State of a job as shown; empty if it is not in the list."""
        return self._jobs[job].state if job in self._jobs else ""
