"""Jobs at the desk: what is commanded of them, their logs, loads and estimates, and word of a long one's end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from solera.errors import InputError
from solera.events import JobChanged
from solera_app.bridge.bridge import Bridge
from solera_app.bridge.slots import guarded, notices
from solera_app.job_log import JobLog
from solera_app.theme import icon
from solera_app.toasts import show_details
from solera_app.words import duration, size_short

if TYPE_CHECKING:
    from solera.jobs.load import LoadMeter
    from solera.workbench import Workbench
    from solera.workbench.estimate import Estimate
    from solera_app.desk import Desk

#: A job that took longer than this is worth a word when it ends, seconds.
LONG = 30.0
#: Kinds of jobs of which is told what they will take.
_ESTIMATED = frozenset({"merge", "explore", "evaluate", "compare"})
_ENDS = {"done": "is done", "failed": "failed", "interrupted": "was interrupted"}


class JobDesk(QObject):
    """Everything about jobs.

    Args:
        desk: The desk.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._window = desk.window
        self._meter: LoadMeter | None = None
        self._tray: QSystemTrayIcon | None = None
        self.long = LONG
        dock = self._window.jobs
        dock.commanded.connect(guarded(self._command))
        dock.detailsRequested.connect(lambda text, trace: show_details(self._window, text, trace))
        self._loads = QTimer(self, interval=1000)
        self._loads.timeout.connect(guarded(self._show_loads))

    def handlers(self) -> dict[str, Callable[[], None]]:
        """What the actions about jobs do."""
        return {"run.stop": self._stop}

    @property
    def _bench(self) -> Workbench:
        bench = self._desk.workbench
        if bench is None:
            raise InputError("Open or make a project first.")
        return bench

    def opened_project(self, bench: Workbench) -> None:
        """A project was opened: show its jobs, those of earlier sessions too."""
        from solera.jobs.load import LoadMeter

        interrupted = 0
        for job in bench.jobs.jobs():
            self._window.jobs.on_job(job.changed())
            interrupted += job.state == "interrupted"
        if interrupted:
            words = "A job was" if interrupted == 1 else f"{interrupted} jobs were"
            notices().say("warning", f"{words} interrupted when Solera last ended; the retry button takes it up again.")
        self._meter = LoadMeter(bench.jobs)
        self._loads.start()
        self._show_loads()

    def closing_project(self) -> None:
        """No jobs are shown any more."""
        self._loads.stop()
        self._meter = None
        self._window.jobs.lanes.show_loads((), 0, 0)
        self._window.jobs.clear()

    def listen(self, bridge: Bridge) -> None:
        """The list follows the events of jobs."""
        bridge.jobChanged.connect(self._window.jobs.on_job)
        bridge.progressed.connect(self._window.jobs.on_progress)
        bridge.jobChanged.connect(guarded(self._changed))

    def _changed(self, event: JobChanged) -> None:
        bench = self._desk.workbench
        if bench is None:
            return
        if event.state == "queued":
            self._window.jobs.set_waiting(bench.jobs.waiting())
            if event.kind in _ESTIMATED:
                job = bench.jobs.get(event.job)
                self._desk.aside(lambda: bench.estimate(job), lambda found: self._estimated(event.job, found))
        elif event.state in _ENDS:
            self._tell_end(event)

    def _estimated(self, job: str, found: Estimate) -> None:
        self._window.jobs.show_estimate(job, estimate_words(found))
        if found.refusal and self._bench.jobs.get(job).state == "queued":  # else its failure says the same
            notices().say("warning", found.refusal)

    # --- word of the end -------------------------------------------------------------------------------------------

    def _tell_end(self, event: JobChanged) -> None:
        """Say that a long job ended: in the window, and to whoever is at another one."""
        job = self._bench.jobs.get(event.job)
        if job.started is None or job.seconds < self.long:
            return
        sentence = f"'{event.title}' {_ENDS[event.state]}; it took {duration(job.seconds)}."
        if event.state == "done":  # what failed is told already
            notices().say("info", sentence)
        if not self._window.isActiveWindow():
            QApplication.alert(self._window)
            self._beside(sentence)

    def _beside(self, sentence: str) -> None:
        """A notification of the desktop, where it takes them."""
        if not QSystemTrayIcon.isSystemTrayAvailable() or not QSystemTrayIcon.supportsMessages():
            return
        if self._tray is None:
            self._tray = QSystemTrayIcon(icon("history", "accent", 22), self)
            self._tray.messageClicked.connect(self._window.activateWindow)
        self._tray.show()
        self._tray.showMessage("Solera", sentence)

    # --- commands --------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        for job in self._window.jobs.running:
            self._bench.jobs.cancel(job)

    def _command(self, job: str, what: str) -> None:
        queue = self._bench.jobs
        match what:
            case "next" | "up" | "down":
                self._move(job, what)
            case "log":
                self.show_log(job)
            case "forget":
                queue.forget(job)
                self._window.jobs.forget(job)
            case _:
                act = {"stop": queue.cancel, "pause": queue.pause, "resume": queue.resume, "retry": queue.retry}
                act[what](job)

    def _move(self, job: str, where: str) -> None:
        queue = self._bench.jobs
        order = queue.waiting()
        if job not in order:
            return
        place = order.index(job)
        queue.move(job, {"next": 0, "up": max(0, place - 1), "down": place + 1}[where])
        self._window.jobs.set_waiting(queue.waiting())

    def show_log(self, job: str) -> JobLog:
        """Open the log of a job."""
        dialog = JobLog(self._bench.jobs.get(job), self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()
        return dialog

    def _show_loads(self) -> None:
        if self._meter is not None and self._window.jobs.isVisible():
            ledger = self._bench.jobs.ledger
            self._window.jobs.lanes.show_loads(self._meter.read(), ledger.held, ledger.budget)


def estimate_words(found: Estimate) -> str:
    """``"about 12 s · reads 1.20 GB · holds 300 MB · writes 410 MB"``; a refusal instead if there is one."""
    if found.refusal:
        return found.refusal
    parts = [f"about {duration(found.seconds)}"] if found.seconds is not None else []
    if found.points is not None:
        parts.append(f"{found.points:,} point{'' if found.points == 1 else 's'}")
    parts += [
        f"{word} {size_short(count)}"
        for word, count in (("reads", found.reads), ("holds", found.holds), ("writes", found.writes))
        if count
    ]
    return " · ".join(parts)
