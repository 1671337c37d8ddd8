"""Sentences at the lower edge of the window: notes for six seconds, errors until closed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from solera_app.bridge.slots import notices
from solera_app.theme import font, icon, mono, pixmap, themes, tokens

_ICONS = {"info": ("done", "accent"), "warning": ("warning", "warn"), "error": ("error", "error")}
_MOST = 3


class Toast(QFrame):
    """One sentence.

    Args:
        level: ``"info"``, ``"warning"`` or ``"error"``.
        sentence: For a person.
        details: Traceback or empty.
        parent: The window.
    """

    def __init__(self, level: str, sentence: str, details: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "toast")
        self.setAccessibleName(sentence)
        self.level, self.sentence, self.details = level, sentence, details
        name, token = _ICONS[level]
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 8, 10)
        row.setSpacing(10)
        self._look = (name, token)
        self._picture = picture = QLabel()
        text = QLabel(sentence, wordWrap=True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        text.setMinimumWidth(260)
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(text, 1)
        if details:
            more = QPushButton("Details")
            more.setProperty("role", "link")
            more.clicked.connect(lambda: show_details(self.window(), sentence, details))
            row.addWidget(more, 0, Qt.AlignmentFlag.AlignTop)
        self._close = close = QToolButton()
        close.setIconSize(QSize(14, 14))
        close.setToolTip("Close")
        close.setAccessibleName("Close this message")
        close.clicked.connect(self.deleteLater)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        themes().changed.connect(self._recolour)
        self._recolour()
        if level != "error":
            QTimer.singleShot(tokens()["motion"]["toast_stay_ms"], self, self.deleteLater)

    def _recolour(self) -> None:
        self._picture.setPixmap(pixmap(*self._look, 18, self.devicePixelRatioF()))
        self._close.setIcon(icon("close", "text-3"))


class Toasts(QObject):
    """Keeps the toasts of a window at its lower right.

    Args:
        window: Whose.
        floor: What they stand above while it can be seen: they must not cover what they speak of.
    """

    def __init__(self, window: QWidget, floor: QWidget | None = None) -> None:
        super().__init__(window)
        self._window, self._floor = window, floor
        self._said: list[Toast] = []
        window.installEventFilter(self)
        notices().raised.connect(self.show_toast)

    def showing(self) -> list[Toast]:
        """The toasts now shown, oldest first."""
        self._said = [toast for toast in self._said if isValid(toast)]
        return list(self._said)

    def show_toast(self, level: str, sentence: str, details: str = "") -> None:
        """Show a sentence; the same one twice is shown once."""
        shown = self.showing()
        if any(toast.sentence == sentence for toast in shown):
            return
        spare = sorted(shown, key=lambda toast: toast.level == "error")  # notes give way before errors
        for old in spare[: max(0, len(shown) - _MOST + 1)]:
            self._said.remove(old)
            old.hide()
            old.deleteLater()
        toast = Toast(level, sentence, details, self._window)
        self._said.append(toast)
        toast.destroyed.connect(self._place_later)
        toast.show()
        self._place()

    def _place_later(self) -> None:
        QTimer.singleShot(0, self, self._place)

    def _place(self) -> None:
        bottom = self._window.height() - 36
        if self._floor is not None and self._floor.isVisible():
            bottom = max(self._floor.mapTo(self._window, QPoint(0, 0)).y() - 4, bottom // 2)
        for toast in reversed(self.showing()):
            toast.setFixedWidth(min(440, self._window.width() - 32))
            toast.adjustSize()
            bottom -= toast.height() + 8
            toast.move(self._window.width() - toast.width() - 16, bottom)
            toast.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102 - Qt's name
        if event.type() is QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)


def show_details(parent: QWidget, sentence: str, details: str) -> None:
    """A dialog with the sentence, the traceback and a button that copies both."""
    dialog = QDialog(parent)
    dialog.setWindowTitle("Details")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.resize(760, 420)
    column = QVBoxLayout(dialog)
    head = QLabel(sentence, wordWrap=True)
    head.setFont(font("body", "medium"))
    head.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    text = QPlainTextEdit(details, readOnly=True)
    text.setFont(mono())
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
    copy.clicked.connect(lambda: QApplication.clipboard().setText(f"{sentence}\n\n{details}"))
    buttons.rejected.connect(dialog.close)
    for widget in (head, text, buttons):
        column.addWidget(widget)
    dialog.show()
