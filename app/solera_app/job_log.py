"""The log of one job: what it said, and how it failed; grows while it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from solera_app.bridge.slots import guarded
from solera_app.theme import font, mono
from solera_app.words import duration

if TYPE_CHECKING:
    from solera.jobs.job import Job


class JobLog(QDialog):
    """What a job said.

    Args:
        job: Whose; only read.
        parent: The window.
    """

    def __init__(self, job: Job, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Log of a job")
        self.resize(760, 460)
        self.setMinimumSize(420, 260)
        self._job = job
        self._count = -1
        self.head = QLabel(job.spec.title, wordWrap=True)
        self.head.setFont(font("body", "semibold"))
        self.line = QLabel(wordWrap=True)
        self.line.setProperty("tone", "2")
        self.text = QPlainTextEdit(readOnly=True)
        self.text.setFont(mono())
        self.text.setAccessibleName("What the job said")
        self.text.setToolTip("The last thousand messages, oldest first")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy.setToolTip("Put the whole log on the clipboard")
        self.copy.clicked.connect(lambda: QApplication.clipboard().setText(self.text.toPlainText()))
        buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        for widget in (self.head, self.line, self.text, buttons):
            column.addWidget(widget)
        self._timer = QTimer(self, interval=500)
        self._timer.timeout.connect(guarded(self.refresh))
        self._timer.start()
        self.refresh()

    def refresh(self) -> None:
        """Show what it said since."""
        job = self._job
        state = "stopping" if job.stopping else job.state
        took = f", {duration(job.seconds)}" if job.started else ""
        attempt = f", attempt {job.attempt}" if job.attempt > 1 else ""
        self.line.setText(f"{state.capitalize()}{took}{attempt} · {', '.join(job.spec.lanes)} · job {job.id}")
        error = job.error or {}
        lines = [f"{_clock(item.time)}  {item.level:<8} {item.text}" for item in list(job.log)]
        lines += [str(error[key]) for key in ("message", "traceback") if error.get(key)]
        if len(lines) != self._count:
            self._count = len(lines)
            self.text.setPlainText("\n".join(lines) or "It has said nothing so far.")
            self.text.verticalScrollBar().setValue(self.text.verticalScrollBar().maximum())


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))
