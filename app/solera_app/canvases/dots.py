"""The ground of a recipe canvas: paper with a dot at each line of the grid."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPen, QPixmap

from solera_app.canvases.anatomy import GRID
from solera_app.canvases.ink import ink


def _step(zoom: float) -> float:
    """Scene px between two dots: the grid, or so many of its lines that the dots stay apart."""
    step = GRID
    while step * zoom < 14:
        step *= 2
    return step


def draw_dots(painter: QPainter, rect: QRectF | QRect) -> None:
    """Paint the ground of a part of the scene."""
    painter.fillRect(rect, ink("canvas"))
    zoom = painter.worldTransform().m11()
    step = _step(zoom)
    columns = range(int(rect.left() // step), int(rect.right() // step) + 2)
    rows = range(int(rect.top() // step), int(rect.bottom() // step) + 2)
    pen = QPen(ink("grid-dot"), 2.0 / max(zoom, 0.5), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(pen)
    painter.drawPoints([QPointF(x * step, y * step) for x in columns for y in rows])


class Dots:
    """The ground on the screen, drawn once for a zoom and then moved: it repeats, and costs more than many nodes."""

    def __init__(self) -> None:
        self._drawn = QPixmap()
        self._key: tuple[object, ...] = ()

    def paint(self, painter: QPainter, size: QSize, ratio: float, zoom: float, origin: QPointF) -> None:
        """Fill a viewport.

        Args:
            painter: Of the viewport.
            size: The viewport's.
            ratio: Device pixels per px.
            zoom: Viewport px per scene px.
            origin: Where the scene's origin is in the viewport, px.
        """
        period = _step(zoom) * zoom
        whole = size + QSize(math.ceil(period), math.ceil(period))
        key = (whole.toTuple(), zoom, ratio, ink("canvas").rgba(), ink("grid-dot").rgba())
        if key != self._key:
            self._key, self._drawn = key, QPixmap(whole * ratio)
            self._drawn.setDevicePixelRatio(ratio)
            once = QPainter(self._drawn)
            once.scale(zoom, zoom)
            draw_dots(once, QRectF(0, 0, whole.width() / zoom, whole.height() / zoom))
            once.end()
        painter.save()
        painter.resetTransform()
        painter.drawPixmap(round(origin.x() % period - period), round(origin.y() % period - period), self._drawn)
        painter.restore()
