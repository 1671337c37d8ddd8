"""The log of this session, and the handler that fills it."""

from __future__ import annotations

import logging
import time
from collections import deque

from PySide6.QtCore import QTimer
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QVBoxLayout, QWidget

from solera.events import Logged
from solera_app.theme import mono, theme, themes

_TOKENS = {"debug": "text-3", "info": "text-2", "warning": "warn", "error": "error", "critical": "error"}


class LogDock(QWidget):
    """Messages, oldest first; the last 5,000 lines are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self.text = QPlainTextEdit(readOnly=True)
        self.text.setMaximumBlockCount(5000)
        self.text.setAccessibleName("Log")
        self.text.setToolTip("What was said in this session, oldest first; each job has a log of its own")
        self.text.setFont(mono())
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.addWidget(self.text)
        self._waiting: deque[tuple[float, str, str]] = deque(maxlen=5000)
        self._shown: deque[tuple[float, str, str]] = deque(maxlen=5000)
        self._timer = QTimer(self, interval=100)
        self._timer.timeout.connect(self._flush)
        self._timer.start()
        themes().changed.connect(self._again)

    def on_logged(self, event: Logged) -> None:
        """A message of a job."""
        self.add(event.time, event.level, event.text)

    def on_notice(self, level: str, sentence: str, _details: str) -> None:
        """A sentence that was shown to the person; it can be read again here."""
        self.add(time.time(), level, sentence)

    def add(self, seconds: float, level: str, text: str) -> None:
        """A message; may be called from any thread (a deque is enough)."""
        self._waiting.append((seconds, level, text))

    def _flush(self) -> None:
        if not self._waiting:
            return
        bar = self.text.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 2
        cursor = QTextCursor(self.text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        while self._waiting:
            entry = self._waiting.popleft()
            self._shown.append(entry)
            self._write(cursor, *entry)
        if at_end:
            bar.setValue(bar.maximum())

    def _write(self, cursor: QTextCursor, seconds: float, level: str, text: str) -> None:
        look = QTextCharFormat()
        look.setForeground(theme().colour("text-3"))
        stamp = time.strftime("%H:%M:%S", time.localtime(seconds))
        if not cursor.atStart():
            cursor.insertBlock()
        cursor.insertText(f"{stamp}  {level:<8}", look)
        look.setForeground(theme().colour(_TOKENS.get(level, "text-2")))
        cursor.insertText(text.replace("\n", "\n" + " " * 18), look)

    def _again(self) -> None:
        self.text.clear()
        self._waiting.extendleft(reversed(self._shown))
        self._shown.clear()
        self._flush()


class LogHandler(logging.Handler):
    """Sends log records of the process to a dock."""

    def __init__(self, dock: LogDock) -> None:
        super().__init__(logging.INFO)
        self._dock = dock

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging, in any thread."""
        self._dock.add(record.created, record.levelname.lower(), record.getMessage())
