"""What stands above a picture: title, one line of facts, the state at the right, and a legend in one row."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from solera_app.plots.marks import Kind, legend_mark
from solera_app.theme import font, theme, themes

#: State of a run -> token of its words.
STATE_TOKENS = {
    "running": "accent", "queued": "text-3", "paused": "text-2", "done": "success", "failed": "error",
    "cancelled": "text-3", "interrupted": "warn", "stale": "warn",
}  # fmt: skip


class Header(QWidget):
    """Title 15/600 over a subtitle 11 in text-3; compact: both in one line, 12/600 and 11.

    Controls (a metric chooser, a menu) go into :attr:`controls` at the right, after the state.
    """

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent)
        self.compact = compact
        self.title = self.subtitle = self.state = ""
        self.state_token = "text-3"
        self._put_away: list[QWidget] = []
        self.controls = QHBoxLayout(self)
        self.controls.setContentsMargins(0, 0, 0, 0)
        self.controls.setSpacing(8)
        self.controls.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        themes().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """One line or two."""
        return QSize(300, 20 if self.compact else 46 if self._controls_width() else 42)

    def minimumSizeHint(self) -> QSize:
        """The texts elide; the controls do not."""
        return QSize(160 + self._controls_width(), self.sizeHint().height())

    def set_title(self, title: str, subtitle: str = "") -> None:
        """Say what is shown."""
        self.title, self.subtitle = title, subtitle
        self.setToolTip(f"{title}\n{subtitle}" if subtitle else title)
        self.setAccessibleName(f"{title}. {subtitle}" if subtitle else title)
        self.update()

    def set_state(self, text: str, token: str = "text-3") -> None:
        """Say how it stands: ``"Running 66 %"``."""
        self.state, self.state_token = text, token
        self.setAccessibleDescription(text)
        self.update()

    def add_control(self, control: QWidget) -> None:
        """Put a control at the right."""
        self.controls.addWidget(control, 0, Qt.AlignmentFlag.AlignTop)
        self.updateGeometry()

    def show_controls(self, shown: bool) -> None:
        """Show or hide what is there to be used; a picture in a file has no buttons."""
        if shown:
            for widget in self._put_away:
                widget.show()
            self._put_away = []
        else:
            self._put_away += [widget for widget in self._widgets() if not widget.isHidden()]
            for widget in self._put_away:
                widget.hide()
        self.update()

    def _widgets(self) -> list[QWidget]:
        items = (self.controls.itemAt(index) for index in range(1, self.controls.count()))
        found = (item.widget() for item in items if item is not None)
        return [widget for widget in found if widget is not None]

    def _controls_width(self) -> int:
        shown = [widget for widget in self._widgets() if not widget.isHidden()]
        return sum(_width(widget) + self.controls.spacing() for widget in shown)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Title, facts and state; what does not fit is elided in the middle."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        room = float(self.width() - self._controls_width())
        medium = font("label", "medium")
        state_width = QFontMetricsF(medium).horizontalAdvance(self.state) if self.state else 0.0
        head = font("label" if self.compact else "heading", "semibold")
        metrics, small = QFontMetricsF(head), font("small")
        row, lift = 20.0, 4.0 if self._controls_width() and not self.compact else 0.0  # level with the controls
        if self.state:
            painter.setFont(medium)
            painter.setPen(theme().colour(self.state_token))
            box = QRectF(room - state_width - (4 if lift else 0), lift, state_width + 1, row)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, self.state)
        free = room - (state_width + 20 if self.state else 0)
        title = metrics.elidedText(self.title, Qt.TextElideMode.ElideMiddle, free)
        painter.setFont(head)
        painter.setPen(theme().colour("text"))
        painter.drawText(QRectF(0, lift, free, row), Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(small)
        painter.setPen(theme().colour("text-3"))
        caption = QFontMetricsF(small)
        if self.compact:
            start = metrics.horizontalAdvance(title) + 8
            box = QRectF(start, 0, max(free - start, 0), row)
        else:
            box = QRectF(0, 30 if lift else 23, self.width(), caption.height() + 2)  # below the controls
        text = caption.elidedText(self.subtitle, Qt.TextElideMode.ElideMiddle, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)


def _width(control: QWidget) -> int:
    return min(max(control.sizeHint().width(), control.minimumWidth()), control.maximumWidth())


@dataclass(frozen=True, slots=True)
class Entry:
    """One mark of a legend and what it stands for."""

    kind: Kind
    text: str
    token: str = "accent"


class Legend(QWidget):
    """Entries in one row; the gaps shrink before the texts elide."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: tuple[Entry, ...] = ()
        self.setFixedHeight(22)
        self.setVisible(False)
        themes().changed.connect(self.update)

    def set_entries(self, entries: tuple[Entry, ...]) -> None:
        """Show these, or nothing."""
        if entries == self.entries:
            return
        self.entries = entries
        text = " · ".join(entry.text for entry in entries)
        self.setToolTip(text)
        self.setAccessibleName(f"Legend: {text}")
        self.setVisible(bool(entries))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Mark, text, gap."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        small = font("small")
        painter.setFont(small)
        metrics = QFontMetricsF(small)
        marks = [20.0 if entry.kind in ("front", "line", "dash", "area") else 12.0 for entry in self.entries]
        texts = [metrics.horizontalAdvance(entry.text) + 1 for entry in self.entries]
        taken = sum(marks) + sum(texts) + 7 * len(marks)
        free = self.width() - taken
        gap = max(10.0, min(22.0, free / max(len(marks) - 1, 1)))
        over = taken + gap * (len(marks) - 1) - self.width()
        x = 0.0
        for entry, mark, text in zip(self.entries, marks, texts, strict=True):
            legend_mark(painter, entry.kind, QRectF(x, 4, mark, 14), theme().colour(entry.token))
            width = text
            if over > 0 and text == max(texts):
                width, over = max(text - over, 40.0), 0.0
            painter.setPen(theme().colour("text-2"))
            shown = metrics.elidedText(entry.text, Qt.TextElideMode.ElideMiddle, width)
            painter.drawText(QRectF(x + mark + 7, 0, width + 2, 22), Qt.AlignmentFlag.AlignVCenter, shown)
            x += mark + 7 + width + gap
