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
        self.path = QPainterPath()
        self._crowded = False
        self._bounds = QRectF()
        self.setZValue(-1)

    def set_ends(self, start: QPointF, end: QPointF) -> None:
        """Put its ends (scene px)."""
        if self.path.elementCount() and self.path.currentPosition() == end:
            first = self.path.elementAt(0)
            if QPointF(first.x, first.y) == start:
                return
        self.prepareGeometryChange()
        self.path = cable(start, end)
        self._bounds = self.path.boundingRect().adjusted(-4, -4, 4, 4)

    def set_look(self, shape: str, *, waits: bool) -> bool:
        """Set its type and whether its value is awaited; returns whether either changed."""
        if (shape, waits) == (self.shape_name, self.waits):
            return False
        self.shape_name, self.waits = shape, waits
        self.update()
        return True

    def set_marks(self, *, chosen: bool | None = None, hovered: bool | None = None) -> None:
        """Set what the pointer says of it; None leaves as it is."""
        self.chosen = self.chosen if chosen is None else chosen
        self.hovered = self.hovered if hovered is None else hovered
        self._draw_itself()
        self.update()

    @property
    def crowded(self) -> bool:
        """Whether it is one of so many that hairlines must do, which are drawn together unless it is marked."""
        return self._crowded

    @crowded.setter
    def crowded(self, on: bool) -> None:
        self._crowded = on
        self._draw_itself()

    def _draw_itself(self) -> None:
        together = self._crowded and not (self.chosen or self.hovered)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemHasNoContents, together)

    def set_flow(self, offset: float) -> None:
        """Shift the dashes of an edge that leaves a running node (px)."""
        self.flow = offset
        self.update()

    def hit(self, at: QPointF) -> bool:
        """Whether a scene point is on it, within the hit width."""
        stroker = QPainterPathStroker()
        stroker.setWidth(HIT)
        return self._bounds.contains(at) and stroker.createStroke(self.path).contains(at)

    def boundingRect(self) -> QRectF:  # noqa: D102
        return self._bounds

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: D102
        marked = self.chosen or self.hovered
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        far = option.levelOfDetailFromTransform(painter.worldTransform()) < HAIR_ZOOM
        if far and not marked:  # two pixels are less than one, and dashes run together
            painter.setPen(thin_pen(ink(port_token(self.shape_name)).rgba(), waits=False))
        else:
            painter.setPen(cable_pen(self.shape_name, waits=self.waits, chosen=marked, offset=self.flow))
        painter.drawPath(self.path)


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
