"""Tags and a note, kept when one leaves the field."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from solera_app.docks.panel import section_title


class Remarks(QWidget):
    """What a person says of a thing.

    Signals:
        remarked: Id of the thing, its note, its tags as one text with commas.
    """

    remarked = Signal(str, str, str)

    def __init__(self) -> None:
        super().__init__()
        self._id = ""
        self._said = ("", "")
        self.tags = QLineEdit(placeholderText="words, parted by commas")
        self.tags.setAccessibleName("Tags")
        self.tags.setToolTip("Words to find it by; Enter keeps them")
        self.note = QPlainTextEdit(placeholderText="What to remember of it")
        self.note.setAccessibleName("Note")
        self.note.setToolTip("Kept in the project when you leave the field")
        self.note.setFixedHeight(76)
        self.note.setTabChangesFocus(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        for title, widget in (("Tags", self.tags), ("Note", self.note)):
            column.addWidget(section_title(title)[0])
            column.addWidget(widget)
        self.tags.editingFinished.connect(self.keep)
        self.note.installEventFilter(self)

    def show_remarks(self, id_: str, note: str, tags: Sequence[str]) -> None:
        """Show what is said of another thing; what was typed about the one before is kept first."""
        self.keep()
        if id_ == self._id and (self.note.hasFocus() or self.tags.hasFocus()):
            return  # it is being written on
        self._id = id_
        self._said = (note, ", ".join(tags))
        self.note.setPlainText(note)
        self.tags.setText(self._said[1])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102 - Qt's name
        if event.type() is QEvent.Type.FocusOut:
            self.keep()
        return super().eventFilter(watched, event)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: D102 - Qt's name
        self.keep()
        super().hideEvent(event)

    def keep(self) -> None:
        """Hand on what was typed."""
        now = (self.note.toPlainText().strip(), self.tags.text().strip())
        if self._id and now != self._said:
            self._said = now
            self.remarked.emit(self._id, *now)
