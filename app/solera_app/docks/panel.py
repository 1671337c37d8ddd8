"""What every dock is made of: a header of 32 px, a body, and what it says when it is empty."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from solera_app.theme import font, icon, pixmap, themes


class Header(QWidget):
    """Title at the left, at most three icon buttons at the right.

    Args:
        title: Sentence case.
        parent: Owner.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(32)
        self._buttons: list[tuple[QToolButton, str]] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 0, 8, 0)
        self._row.setSpacing(0)
        self.title = QLabel(title)
        self.title.setFont(font("label", "semibold"))
        self._row.addWidget(self.title)
        self._row.addStretch(1)
        themes().changed.connect(self._recolour)

    def add_button(self, name: str, tip: str) -> QToolButton:
        """An icon button; ``tip`` is its tooltip and accessible name."""
        button = QToolButton()
        button.setIconSize(QSize(16, 16))
        button.setFixedSize(24, 24)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        self._buttons.append((button, name))
        self._row.addWidget(button)
        self._recolour()
        return button

    def _recolour(self) -> None:
        for button, name in self._buttons:
            button.setIcon(icon(name, "text-3"))


class Empty(QWidget):
    """The empty state: icon, a line, a second line, a button.

    Args:
        icon_name: Drawn at 32 px in text-3.
        line: 13/500.
        hint: 12 text-2; may be empty.
        button: Label of the button; none if empty.
    """

    def __init__(self, icon_name: str, line: str, hint: str = "", button: str = "") -> None:
        super().__init__()
        self._icon_name = icon_name
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 24, 16, 24)
        column.setSpacing(6)
        column.addStretch(1)
        self._picture = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self._picture)
        first = QLabel(line, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        first.setFont(font("body", "medium"))
        column.addWidget(first)
        if hint:
            second = QLabel(hint, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
            second.setProperty("tone", "2")
            column.addWidget(second)
        self.button = QPushButton(button)
        self.button.setVisible(bool(button))
        column.addSpacing(4)
        column.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignCenter)
        column.addStretch(1)
        themes().changed.connect(self._recolour)
        self._recolour()

    def _recolour(self) -> None:
        self._picture.setPixmap(pixmap(self._icon_name, "text-3", 32, self.devicePixelRatioF()))


class Stack(QWidget):
    """A body that shows either its content or its empty state."""

    def __init__(self, content: QWidget, empty: Empty) -> None:
        super().__init__()
        self.empty = empty
        self._stack = QStackedLayout(self)
        self._stack.addWidget(empty)
        self._stack.addWidget(content)

    def show_content(self, there_is: bool) -> None:
        """Show the content if there is any."""
        self._stack.setCurrentIndex(1 if there_is else 0)


class Parts(QWidget):
    """Parts below each other that scroll, a hairline across the whole width between them.

    A subclass fills ``_column`` part by part with :meth:`build`, and ``_foot``, which stays in sight below them.

    Args:
        name: What assistive technology calls it.
        parent: Owner.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "dock")
        self.setAccessibleName(name)
        body = QWidget()
        body.setProperty("role", "dock")
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(12, 8, 12, 12)
        self._column.setSpacing(8)
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(scroll)
        outer.addWidget(line())
        foot = QWidget()
        self._foot = QVBoxLayout(foot)
        self._foot.setContentsMargins(12, 12, 12, 12)
        self._foot.setSpacing(8)
        outer.addWidget(foot)

    def build(self, *parts: Callable[[], None], foot: Callable[[], None]) -> None:
        """Let each part fill the column below the ones before it, and ``foot`` the place of the main action."""
        for part in parts:
            if self._column.count():
                hair = QHBoxLayout()
                hair.setContentsMargins(-12, 4, -12, 4)
                hair.addWidget(line())
                self._column.addLayout(hair)
            part()
        self._column.addStretch(1)
        foot()


def line() -> QFrame:
    """A hairline between sections."""
    made = QFrame()
    made.setProperty("role", "line")
    made.setFixedHeight(1)
    return made


def section_title(text: str, figure: str = "") -> tuple[QWidget, QLabel]:
    """A section's title with a quiet figure at the right; returns the row and the figure's label."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    title = QLabel(text)
    title.setFont(font("label", "semibold"))
    right = QLabel(figure)
    right.setProperty("tone", "3")
    layout.addWidget(title)
    layout.addStretch(1)
    layout.addWidget(right)
    return row, right
