"""The one door to pyqtgraph, which is untyped: a stage with a clipped, zoomable window of data on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPaintEngine, QPainter, QPainterPath, QPen, QPixmap
from PySide6.QtWidgets import QGraphicsView, QWidget
from shiboken6 import wrapInstance

from solera_app.bridge.weakly import WeakCall

pg.setConfigOptions(imageAxisOrder="row-major", antialias=True)

#: Paints in stage pixels.
Paint = Callable[[QPainter], None]


class _Layer(pg.GraphicsObject):  # type: ignore[misc]
    """Hand-painted content in stage pixels, below or above the data."""

    _paint = WeakCall[Paint]()

    def __init__(self, paint: Paint, z: float) -> None:
        super().__init__()
        self._paint = paint
        self._rect = QRectF(0, 0, 1, 1)
        self.setZValue(z)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def cover(self, rect: QRectF) -> None:
        """Take this much of the stage."""
        if rect != self._rect:
            self.prepareGeometryChange()
            self._rect = rect

    def boundingRect(self) -> QRectF:
        """The covered part of the stage."""
        return self._rect

    def paint(self, painter: QPainter, *_: object) -> None:
        """Hand the painter on."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if (paint := self._paint) is not None:
            paint(painter)


class Stage(pg.GraphicsView):  # type: ignore[misc]
    """A graphics view whose scene is its pixels, with one data window (a ViewBox) between two painted layers.

    The window's place and range are set by the owner; pyqtgraph's own mouse handling and menus are off.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, useOpenGL=False, background=None)
        self.setCacheMode(QGraphicsView.CacheModeFlag(0))  # a cached ground would be pixels in an SVG
        self._window = pg.ViewBox(enableMenu=False, enableMouse=False, border=None)
        self._window.disableAutoRange()
        self._window.setZValue(0)
        self._under = _Layer(self.paint_under, -10)
        self._over = _Layer(self.paint_over, 10)
        for item in (self._window, self._under, self._over):
            self.addItem(item)

    def paint_under(self, painter: QPainter) -> None:
        """Paint below the data; overridden."""

    def paint_over(self, painter: QPainter) -> None:
        """Paint above the data; overridden."""

    def set_ground(self, colour: QColor) -> None:
        """The colour behind everything."""
        self.setBackground(colour)

    def set_window(self, rect: QRectF, data: tuple[float, float, float, float]) -> None:
        """Put the data window at ``rect`` px and let it show (x low, x high, y low, y high)."""
        stage = QRectF(0, 0, self.width(), self.height())
        self._under.cover(stage)
        self._over.cover(stage)
        self._window.setGeometry(rect)
        self._window.setRange(xRange=data[:2], yRange=data[2:], padding=0, update=True)

    def repaint_layers(self) -> None:
        """Paint both layers again soon."""
        self._under.update()
        self._over.update()

    def add(self, item: Image) -> None:
        """Put an image into the data window."""
        self._window.addItem(item.item)


class Image:
    """A grid of values as coloured pixels; NaN is transparent."""

    def __init__(self) -> None:
        self.item = pg.ImageItem()
        self.item.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def set(self, values: NDArray[np.float32], limits: tuple[float, float], rect: QRectF) -> None:
        """Show values (rows, columns), row 0 lowest, between colour limits, over ``rect`` in data units."""
        self.item.setImage(values, levels=limits, autoLevels=False)
        self.item.setRect(rect)

    def set_colours(self, table: NDArray[np.uint8]) -> None:
        """Use a colour table of shape (256, 4)."""
        self.item.setLookupTable(table)

    def clear(self) -> None:
        """Show nothing."""
        self.item.clear()


def on_pixels(painter: QPainter) -> bool:
    """Whether it paints a screen or a bitmap, not a picture of shapes (SVG, PDF)."""
    engine = painter.paintEngine()
    return engine is not None and engine.type() == QPaintEngine.Type.Raster


def stamp(painter: QPainter, at: NDArray[np.float64], mark: Callable[[QPainter, QPointF], None], reach: float) -> None:
    """Paint the same mark in many places: on a screen or in a bitmap it is drawn once and copied.

    Args:
        painter: Where.
        at: The middles, px, shape (n, 2), all finite.
        mark: Draws it about a point.
        reach: No part of it is further from its middle, px.
    """
    if not len(at):
        return
    if not on_pixels(painter):
        for x, y in at.tolist():
            mark(painter, QPointF(x, y))
        return
    scale = painter.deviceTransform().m11()
    side = 2 * math.ceil(reach * scale)
    drawn = QPixmap(side, side)
    drawn.fill(Qt.GlobalColor.transparent)
    once = QPainter(drawn)
    once.setRenderHint(QPainter.RenderHint.Antialiasing)
    once.scale(scale, scale)
    mark(once, QPointF(side / 2 / scale, side / 2 / scale))
    once.end()
    copies = np.empty((len(at), 10))  # as Qt lays out its PixmapFragment: middle, source, scales, turn, opacity
    copies[:, :2] = at
    copies[:, 2:] = (0, 0, side, side, 1 / scale, 1 / scale, 0, 1)
    first = cast("QPainter.PixmapFragment", wrapInstance(copies.ctypes.data, QPainter.PixmapFragment))
    painter.drawPixmapFragments(first, len(copies), drawn)


def colour_table(name: str) -> NDArray[np.uint8]:
    """A colour map as 256 RGBA rows: ``"viridis"``, ``"cividis"``, ``"magma"``, ``"CET-D1A"``."""
    table: NDArray[np.uint8] = pg.colormap.get(name).getLookupTable(nPts=256, alpha=True)
    return table


def path(x: NDArray[np.float64], y: NDArray[np.float64], connect: str = "finite") -> QPainterPath:
    """A line through the points; ``"finite"`` breaks it at NaN, ``"pairs"`` draws separate segments."""
    made: QPainterPath = pg.arrayToQPath(np.ascontiguousarray(x), np.ascontiguousarray(y), connect=connect)
    return made


def dashed(pen: QPen, pattern: Sequence[float]) -> QPen:
    """The pen with a dash pattern in px (Qt counts in pen widths)."""
    width = pen.widthF() or 1.0
    pen.setDashPattern([length / width for length in pattern])
    return pen
