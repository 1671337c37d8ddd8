"""A frame as it is painted: a sunken box around its nodes, or, collapsed, one card in their place; and comments."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QTextLayout
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from solera.documents.document import Comment, Frame
from solera_app.canvases.anatomy import HEADER, LINE, PAD, RADIUS, WIDTH
from solera_app.canvases.ink import draw_icon, draw_port, draw_text, ink
from solera_app.canvases.note_item import wrapped
from solera_app.plots.numerals import counted

PADDING, BAND = 12.0, 30.0
_CARD = HEADER + LINE + 14
_FOLD = 24.0
_SHADE = 0.45
_MOST_LINES = 12


class FrameItem(QGraphicsItem):
    """Paints one frame.

    Args:
        frame: Which.
    """

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self.frame = frame
        self.chosen = False
        self._box = QRectF(0, 0, WIDTH, _CARD)
        self.setZValue(0.5 if frame.collapsed else -2)

    def set_frame(self, frame: Frame, around: QRectF) -> None:
        """Show it around a box (scene px); collapsed at the box's top left."""
        self.prepareGeometryChange()
        self.frame = frame
        self.setZValue(0.5 if frame.collapsed else -2)
        if frame.collapsed:
            self._box = QRectF(around.topLeft(), QSizeF(WIDTH, _CARD))
        else:
            self._box = around.adjusted(-PADDING, -BAND, PADDING, PADDING)
        self.setToolTip(f"{frame.title}: {counted(len(frame.members), 'node')}")
        self.update()

    def set_chosen(self, on: bool) -> None:
        """Whether all its nodes are chosen."""
        if on != self.chosen:
            self.chosen = on
            self.update()

    # --- where things are --------------------------------------------------------------------------------------------

    @property
    def box(self) -> QRectF:
        """All of it, scene px."""
        return self._box

    @property
    def grip(self) -> QRectF:
        """Where it is held: its band, or the whole card."""
        return (
            self._box
            if self.frame.collapsed
            else QRectF(self._box.topLeft(), QRectF(0, 0, self._box.width(), BAND).size())
        )

    @property
    def fold(self) -> QRectF:
        """Where it is folded and unfolded."""
        return QRectF(self._box.right() - _FOLD - 4, self._box.top() + 3, _FOLD, _FOLD)

    @property
    def inlet(self) -> QPointF:
        """Where links arrive while it is collapsed."""
        return QPointF(self._box.left(), self._box.top() + HEADER + LINE / 2)

    @property
    def outlet(self) -> QPointF:
        """Where links leave while it is collapsed."""
        return QPointF(self._box.right(), self._box.top() + HEADER + LINE / 2)

    def boundingRect(self) -> QRectF:  # noqa: D102
        return self._box.adjusted(-4, -4, 4, 4)

    # --- painting ----------------------------------------------------------------------------------------------------

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: D102
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.frame.collapsed:
            self._paint_card(painter, zoom)
        else:
            self._paint_box(painter, zoom)
        name = "chevron-right" if self.frame.collapsed else "chevron-down"
        draw_icon(painter, name, "text-3", self.fold.topLeft() + QPointF(4, 4), 16, zoom)

    def _paint_box(self, painter: QPainter, zoom: float) -> None:
        ground = QColor(ink("sunken"))
        ground.setAlphaF(_SHADE)
        painter.setBrush(ground)
        painter.setPen(QPen(ink("accent" if self.chosen else "line-strong"), 1))
        painter.drawRoundedRect(self._box, RADIUS, RADIUS)
        at = QPointF(self._box.left() + PADDING, self._box.top() + BAND / 2)
        count = counted(len(self.frame.members), "node")
        edge = QPointF(self.fold.left() - 4, at.y())
        used = (
            draw_text(painter, count, edge, "text-3", size="small", align="right") if self._box.width() > 170 else 0.0
        )
        room = self._box.width() - used - _FOLD - 3 * PADDING
        draw_text(painter, self.frame.title, at, "text", size="small", weight="semibold", width=max(room, 40.0))

    def _paint_card(self, painter: QPainter, zoom: float) -> None:
        for step in (6.0, 3.0):  # the cards behind it say that there are several
            behind = self._box.adjusted(step, 0, -step, step * 0.7)
            painter.setBrush(ink("raised"))
            painter.setPen(QPen(ink("line-strong"), 1))
            painter.drawRoundedRect(behind, RADIUS, RADIUS)
        painter.setBrush(ink("raised"))
        painter.setPen(QPen(ink("accent" if self.chosen else "line-strong"), 2 if self.chosen else 1))
        painter.drawRoundedRect(self._box, RADIUS, RADIUS)
        top = self._box.top()
        draw_icon(painter, "layers", "text-2", QPointF(self._box.left() + PAD, top + HEADER / 2 - 8), 16, zoom)
        at = QPointF(self._box.left() + PAD + 22, top + HEADER / 2)
        draw_text(painter, self.frame.title, at, "text", weight="semibold", width=WIDTH - 2 * PAD - 22 - _FOLD)
        line = QPointF(self._box.left() + PAD, top + HEADER + LINE / 2)
        draw_text(painter, counted(len(self.frame.members), "node"), line, "text-2", size="small")
        for end in (self.inlet, self.outlet):
            draw_port(painter, end, "any", 10, filled=True)


class FreeComment(QGraphicsItem):
    """A comment that stands by itself.

    Args:
        comment: Which.
    """

    def __init__(self, comment: Comment) -> None:
        super().__init__()
        self.comment = comment
        self.chosen = False
        self._layout: QTextLayout = wrapped(comment.text, WIDTH - 2 * PAD - 16, _MOST_LINES)
        self._height = LINE + 12
        self.setZValue(-1.5)
        self.set_comment(comment)

    def set_comment(self, comment: Comment) -> None:
        """Show it."""
        self.prepareGeometryChange()
        self.comment = comment
        self._layout = wrapped(comment.text, WIDTH - 2 * PAD - 16, _MOST_LINES)
        self._height = LINE * max(self._layout.lineCount(), 1) + 12
        self.setPos(*comment.at)
        self.setToolTip(comment.text)
        self.update()

    @property
    def box(self) -> QRectF:
        """All of it, scene px."""
        return QRectF(self.pos(), QSizeF(WIDTH, self._height))

    def set_chosen(self, on: bool) -> None:
        """Whether it is chosen."""
        if on != self.chosen:
            self.chosen = on
            self.update()

    def boundingRect(self) -> QRectF:  # noqa: D102
        return QRectF(-2, -2, WIDTH + 4, self._height + 4)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: D102
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(ink("accent" if self.chosen else "line-strong"), 1)
        pen.setDashPattern([3, 3])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(0.5, 0.5, WIDTH - 1, self._height - 1), 4, 4)
        draw_icon(painter, "comment", "text-3", QPointF(8, 7), 14, zoom)
        painter.setPen(ink("text-2"))
        self._layout.draw(painter, QPointF(PAD + 16, 6))
