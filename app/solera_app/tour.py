"""A tour in three steps over the real window: a card beside each place, a ring around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from solera_app.theme import font, theme, themes

_WIDTH = 320


@dataclass(frozen=True, slots=True)
class Step:
    """One stop.

    Attributes:
        title: Verb first. text: A sentence or two.
        where: Gives the widget it speaks of; None where there is none just now (the card stands in the middle).
    """

    title: str
    text: str
    where: Callable[[], QWidget | None]


class _Ring(QWidget):
    """A ring around a widget; the mouse goes through it."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("What the tour speaks of")
        self.around = QRect()
        themes().changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().colour("accent"), 2))
        if not self.around.isEmpty():
            painter.drawRoundedRect(QRectF(self.around).adjusted(2, 2, -2, -2), 4, 4)


class Tour(QFrame):
    """The card of a tour; Esc ends it, the arrow keys go back and on.

    Args:
        steps: The stops.
        window: Over which.

    Signals:
        ended: It is over, whether to its end or not.
    """

    ended = Signal()

    def __init__(self, steps: Sequence[Step], window: QWidget) -> None:
        super().__init__(window)
        self.setProperty("role", "card")
        self.setAccessibleName("Tour")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedWidth(_WIDTH)
        self._steps, self._window = tuple(steps), window
        self.place = 0
        self._ring = _Ring(window)
        self.count, self.title, self.text = QLabel(), QLabel(wordWrap=True), QLabel(wordWrap=True)
        self.count.setProperty("tone", "3")
        self.count.setFont(font("small"))
        self.title.setFont(font("body", "semibold"))
        self.text.setProperty("tone", "2")
        self.skip = QPushButton("End tour")
        self.skip.setProperty("role", "link")
        self.skip.setToolTip("Leave the tour (Esc)")
        self.before, self.next = QPushButton("Back"), QPushButton("Next")
        self.before.setToolTip("The step before")
        self.next.setProperty("role", "main")
        self.next.setToolTip("The next step")
        row = QHBoxLayout()
        row.addWidget(self.skip)
        row.addStretch(1)
        row.addWidget(self.before)
        row.addWidget(self.next)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(6)
        for widget in (self.count, self.title, self.text):
            column.addWidget(widget)
        column.addSpacing(6)
        column.addLayout(row)
        self.skip.clicked.connect(lambda: self.end())
        self.before.clicked.connect(lambda: self.go(self.place - 1))
        self.next.clicked.connect(lambda: self.go(self.place + 1))
        window.installEventFilter(self)

    def start(self) -> None:
        """Show the first step."""
        self.show()
        self._ring.show()
        self.go(0)

    def go(self, place: int) -> None:
        """Go to a step; past the last one the tour ends."""
        if place >= len(self._steps):
            self.end()
            return
        self.place = max(0, place)
        step = self._steps[self.place]
        self.count.setText(f"Step {self.place + 1} of {len(self._steps)}")
        self.title.setText(step.title)
        self.text.setText(step.text)
        self.before.setEnabled(self.place > 0)
        self.next.setText("Done" if self.place == len(self._steps) - 1 else "Next")
        self._lay()
        self.next.setFocus()

    def end(self) -> None:
        """Take the tour away."""
        self._window.removeEventFilter(self)
        self._ring.deleteLater()
        self.deleteLater()
        self.hide()
        self.ended.emit()

    def _lay(self) -> None:
        """Put the card beside what it speaks of, and the ring around that."""
        target = self._steps[self.place].where()
        self.adjustSize()
        whole = self._window.rect()
        self._ring.setGeometry(whole)
        if target is None or not target.isVisible():
            self._ring.around = QRect()
            self.move(whole.center() - self.rect().center())
        else:
            around = QRect(target.mapTo(self._window, QPoint(0, 0)), target.size())
            self._ring.around = around
            self.move(_beside(around, self.size().width(), self.size().height(), whole))
        self._ring.raise_()
        self._ring.update()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102 - Qt's name
        if event.type() in {QEvent.Type.Resize, QEvent.Type.LayoutRequest}:
            self._lay()
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: D102 - Qt's name
        match event.key():
            case Qt.Key.Key_Escape:
                self.end()
            case Qt.Key.Key_Right:
                self.go(self.place + 1)
            case Qt.Key.Key_Left:
                self.go(self.place - 1)
            case _:
                super().keyPressEvent(event)


def _beside(around: QRect, width: int, height: int, whole: QRect) -> QPoint:
    """Where a card stands: right of what it speaks of, left of it, below or upon it; always in the window."""
    gap = 12
    if around.right() + gap + width < whole.right():
        at = QPoint(around.right() + gap, around.top() + gap)
    elif around.left() - gap - width > whole.left():
        at = QPoint(around.left() - gap - width, around.top() + gap)
    elif around.bottom() + gap + height < whole.bottom():
        at = QPoint(around.right() - width, around.bottom() + gap)
    else:
        at = QPoint(around.center().x() - width // 2, around.center().y() - height // 2)
    x = min(max(at.x(), whole.left() + gap), whole.right() - width - gap)
    return QPoint(x, min(max(at.y(), whole.top() + gap), whole.bottom() - height - gap))
