"""What a page of the inspector begins with (its subject), and lines of facts."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from solera_app.theme import font, pixmap, themes, tokens


class Subject(QWidget):
    """Icon, name, state at the right, and a line on what it is."""

    def __init__(self) -> None:
        super().__init__()
        self._icon, self._token = "method", "accent"
        self.picture = QLabel()
        self.picture.setFixedSize(18, 18)
        self.name = QLabel(wordWrap=True)
        self.name.setFont(font("body", "semibold"))
        self.name.setMinimumWidth(1)
        self.state = QLabel()
        self.state.setProperty("tone", "accent")
        self.about = QLabel(wordWrap=True)
        self.about.setProperty("tone", "3")
        self.about.setFont(font("small"))
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        top = QHBoxLayout()
        top.setSpacing(10)
        top.addWidget(self.picture, alignment=Qt.AlignmentFlag.AlignTop)
        top.addWidget(self.name, 1)
        top.addWidget(self.state)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(self.about)
        themes().changed.connect(self._recolour)

    def show_subject(self, icon: str, name: str, about: str, state: str = "") -> None:
        """Show what is selected."""
        self._icon = icon
        self.name.setText(name)
        self.about.setText(about)
        self.about.setVisible(bool(about))
        self.state.setText(state)
        self._recolour()

    def _recolour(self) -> None:
        self.picture.setPixmap(pixmap(self._icon, self._token, 18, self.devicePixelRatioF()))


class _Word(QLabel):
    """A name that cannot be wrapped: where it does not fit its middle is left out, and the tooltip has it whole."""

    def paintEvent(self, event: QPaintEvent) -> None:
        whole = self.text()
        shown = self.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideMiddle, self.width())
        self.setToolTip("" if shown == whole else whole)
        if shown == whole or self.hasSelectedText():
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), int(self.alignment()), shown)


#: Width of the labels of facts, px.
_LABEL_LEAST, _LABEL_MOST = 84, 132
#: Figures up to this width stay in one line, px.
_FIGURE = 150


class Facts(QWidget):
    """Label and value, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(12)
        self._form.setVerticalSpacing(6)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show these instead."""
        while self._form.rowCount():
            self._form.removeRow(0)
        metrics = self.fontMetrics()
        wanted = max((metrics.horizontalAdvance(name) for name, _ in facts), default=0) + 2
        figures = [metrics.horizontalAdvance(value) for _, value in facts if value[:1].isdigit()]
        widest = max((each for each in figures if each < _FIGURE), default=0)
        room = tokens()["dock"]["inspector"]["default"] - 40 - widest
        width = max(min(wanted, _LABEL_MOST, room), _LABEL_LEAST)
        for name, value in facts:
            label = QLabel(metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, width))
            label.setToolTip(name if wanted > width else "")
            label.setProperty("tone", "2")
            label.setFixedWidth(width)
            text = QLabel(value, wordWrap=True) if {" ", "/"} & set(value) else _Word(value)
            text.setMinimumWidth(1)  # a long name gives way to the dock's width
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            if name:
                self._form.addRow(label, text)
            else:
                self._form.addRow(text)
