"""What hangs below a node: the note of its faults, with remedies as links, and the person's own comment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QPainter, QPen, QTextCharFormat, QTextLayout, QTextOption
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from solera.errors import Fault
from solera_app.canvases.anatomy import LINE, PAD, WIDTH
from solera_app.canvases.ink import draw_icon, draw_text, ink, text_width, type_face

_ROOM = WIDTH - 2 * PAD
#: So many faults are spelt out; the rest are counted.
_SPELT = 2
_MOST_LINES = 5


@dataclass(frozen=True, slots=True)
class Remedy:
    """A link in a fault note: which fault, and what would mend it."""

    fault: Fault
    text: str


def wrapped(text: str, width: float, most: int) -> QTextLayout:
    """A paragraph at 11 px, broken to ``width``, at most ``most`` lines; what follows the first colon is stronger.

    When it takes more than one line anyhow, what follows the colon begins one of its own.
    """
    if text_width(text, "small") > width and text.find(": ") > 0:
        text = text.replace(": ", ":\u2028", 1)
    layout = QTextLayout(text.replace("\n", "\u2028"), type_face("small"))
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout.setTextOption(option)
    place = max(text.find(": "), text.find(":\u2028"))
    if place > 0:
        strong = QTextLayout.FormatRange()
        strong.start, strong.length = place + 2, len(text) - place - 2
        style = QTextCharFormat()
        style.setFontWeight(QFont.Weight.Medium)
        strong.format = style
        layout.setFormats([strong])
    layout.beginLayout()
    for index in range(most):
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(width)
        line.setPosition(QPointF(0, index * LINE))
    layout.endLayout()
    return layout


class FaultItem(QGraphicsItem):
    """The error-soft note under a node.

    Args:
        parent: The node's item.
    """

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self.faults: tuple[Fault, ...] = ()
        self._texts: list[tuple[float, QTextLayout]] = []
        self._links: list[tuple[QRectF, Remedy]] = []
        self._more = ""
        self._height = 0.0

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Show these faults."""
        self.prepareGeometryChange()
        self.faults = tuple(faults)
        self._texts, self._links = [], []
        y = 6.0
        for fault in self.faults[:_SPELT]:
            layout = wrapped(fault.message, _ROOM, _MOST_LINES)
            self._texts.append((y, layout))
            y += LINE * layout.lineCount()
            y = self._place_links(fault, y)
        rest = len(self.faults) - _SPELT
        self._more = f"and {rest} more" if rest > 0 else ""
        self._height = y + (LINE if rest > 0 else 0) + 6
        self.setToolTip("\n".join(str(fault.message) for fault in self.faults))
        self.update()

    def _place_links(self, fault: Fault, y: float) -> float:
        x = PAD
        for text in fault.remedies:
            wide = min(text_width(text, "small", "semibold"), _ROOM)
            if x > PAD and x + wide > WIDTH - PAD:
                x, y = PAD, y + LINE
            self._links.append((QRectF(x, y, wide, LINE), Remedy(fault, text)))
            x += wide + 14
        return y + LINE if fault.remedies else y

    def remedy_at(self, at: QPointF) -> Remedy | None:
        """The link at a point in item coordinates."""
        for box, remedy in self._links:
            if box.adjusted(-4, -4, 4, 4).contains(at):
                return remedy
        return None

    @property
    def height(self) -> float:
        """In px."""
        return self._height

    def boundingRect(self) -> QRectF:  # noqa: D102
        return QRectF(0, 0, WIDTH, self._height)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: D102
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink("error-soft"))
        painter.drawRoundedRect(self.boundingRect(), 4, 4)
        painter.setPen(ink("text"))
        for y, layout in self._texts:
            layout.draw(painter, QPointF(PAD, y))
        for box, remedy in self._links:
            at = QPointF(box.left(), box.center().y())
            draw_text(painter, remedy.text, at, "error", size="small", weight="semibold", width=box.width() + 1)
        if self._more:
            draw_text(painter, self._more, QPointF(PAD, self._height - 6 - LINE / 2), "text-2", size="small")


class CommentItem(QGraphicsItem):
    """The dashed comment under a node that has a note.

    Args:
        parent: The node's item.
    """

    def __init__(self, parent: QGraphicsItem) -> None:
        super().__init__(parent)
        self._layout = wrapped("", _ROOM, 1)
        self._height = 0.0

    def set_text(self, text: str) -> None:
        """Show this note."""
        self.prepareGeometryChange()
        self._layout = wrapped(text, _ROOM - 16, _MOST_LINES)
        self._height = LINE * self._layout.lineCount() + 12
        self.setToolTip(text)
        self.update()

    def boundingRect(self) -> QRectF:  # noqa: D102
        return QRectF(0, 0, WIDTH, self._height)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: D102
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(ink("line-strong"), 1)
        pen.setDashPattern([3, 3])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(self.boundingRect().adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        draw_icon(painter, "comment", "text-3", QPointF(8, 7), 14, zoom)
        painter.setPen(ink("text-2"))
        self._layout.draw(painter, QPointF(PAD + 16, 6))
