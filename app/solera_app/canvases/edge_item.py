"""A connection as it is painted, and the loose end of one that is being dragged."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPainterPathStroker, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from solera.documents.document import Link
from solera_app.canvases.ink import ink, port_token
from solera_app.theme import tokens

WIDTH: float = tokens()["node"]["edge"]
CHOSEN: float = tokens()["node"]["edge_selected"]
HIT: float = tokens()["node"]["edge_hit"]
DASH = (7.0, 4.0)
#: Below this zoom a connection is a hairline.
HAIR_ZOOM = 0.4
#: More connections than this are hairlines at any zoom.
CROWD = 200


def cable(start: QPointF, end: QPointF) -> QPainterPath:
    """A cubic from an output to an input, leaving and arriving level."""
    reach = max(abs(end.x() - start.x()) / 2, min(40.0, abs(end.y() - start.y()) / 2 + 16))
    path = QPainterPath(start)
    path.cubicTo(start + QPointF(reach, 0), end - QPointF(reach, 0), end)
    return path


@lru_cache(maxsize=64)
def thin_pen(rgba: int, *, waits: bool) -> QPen:
    """A hairline in a colour, at any zoom: what Qt strokes a hundred times quicker than a line of two pixels."""
    pen = QPen(QColor.fromRgba(rgba), 0)
    if waits:
        pen.setDashPattern(list(DASH))
    return pen


def cable_pen(shape: str, *, waits: bool, chosen: bool = False, offset: float = 0.0) -> QPen:
    """The pen of an edge: solid where the value exists, dashed where it is awaited."""
    colour = QColor(ink(port_token(shape)))
    colour.setAlphaF(0.85)
    width = CHOSEN if chosen else WIDTH
    pen = QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)
    if waits:
        pen.setDashPattern([DASH[0] / width, DASH[1] / width])
        pen.setDashOffset(offset / width)
    return pen


class EdgeItem(QGraphicsItem):
    """Paints one connection.

    Args:
        link: Which.
    """

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self.shape_name = "weights"
        self.waits = True
        self.chosen = False
        self.hovered = False
        self.flow: float = 0.0
        self.crowded = False  # one of so many that hairlines must do
        self._path = QPainterPath()
        self._bounds = QRectF()
        self.setZValue(-1)

    def set_ends(self, start: QPointF, end: QPointF) -> None:
        """Put its ends (scene px)."""
        if self._path.elementCount() and self._path.currentPosition() == end:
            first = self._path.elementAt(0)
            if QPointF(first.x, first.y) == start:
                return
        self.prepareGeometryChange()
        self._path = cable(start, end)
        self._bounds = self._path.boundingRect().adjusted(-4, -4, 4, 4)

    def set_look(self, shape: str, *, waits: bool) -> None:
        """Set its type and whether its value is awaited."""
        if (shape, waits) != (self.shape_name, self.waits):
            self.shape_name, self.waits = shape, waits
            self.update()

    def set_marks(self, *, chosen: bool | None = None, hovered: bool | None = None) -> None:
        """Set what the pointer says of it; None leaves as it is."""
        self.chosen = self.chosen if chosen is None else chosen
        self.hovered = self.hovered if hovered is None else hovered
        self.update()

    def set_flow(self, offset: float) -> None:
        """Shift the dashes of an edge that leaves a running node (px)."""
        self.flow = offset
        self.update()

    def hit(self, at: QPointF) -> bool:
        """Whether a scene point is on it, within the hit width."""
        stroker = QPainterPathStroker()
        stroker.setWidth(HIT)
        return self._bounds.contains(at) and stroker.createStroke(self._path).contains(at)

    def boundingRect(self) -> QRectF:  # noqa: D102
        return self._bounds

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: D102
        marked = self.chosen or self.hovered
        far = option.levelOfDetailFromTransform(painter.worldTransform()) < HAIR_ZOOM
        thin = (far or self.crowded) and not marked
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, not (thin and self.crowded))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if thin:  # far away two pixels are less than one, and dashes run together
            painter.setPen(thin_pen(ink(port_token(self.shape_name)).rgba(), waits=self.waits and not far))
        else:
            painter.setPen(cable_pen(self.shape_name, waits=self.waits, chosen=marked, offset=self.flow))
        painter.drawPath(self._path)


class LooseEdge(QGraphicsItem):
    """The link under the pointer, with the sentence of a refusal beside its end."""

    def __init__(self) -> None:
        super().__init__()
        self._path = QPainterPath()
        self._end = QPointF()
        self._shape = "weights"
        self._refusal = ""
        self.setZValue(20)

    @property
    def refusal(self) -> str:
        """The sentence shown beside the pointer; empty if none."""
        return self._refusal

    def set(self, start: QPointF, end: QPointF, shape: str, *, backwards: bool, refusal: str) -> None:
        """Draw from ``start`` to the pointer at ``end`` (scene px)."""
        self.prepareGeometryChange()
        self._path = cable(end, start) if backwards else cable(start, end)
        self._end, self._shape, self._refusal = end, shape, refusal

    def boundingRect(self) -> QRectF:  # noqa: D102
        return self._path.boundingRect().adjusted(-8, -8, 8, 8)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: D102
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        pen = cable_pen(self._shape, waits=False)
        if self._refusal:
            pen.setColor(ink("error"))
        painter.setPen(pen)
        painter.drawPath(self._path)
