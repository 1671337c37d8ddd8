"""The marks of a picture, one function each, so that legend and data agree: disc, ring, square, diamond, whiskers."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from solera_app.plots._pg import dashed, path, stamp
from solera_app.theme import theme, tokens

CAP = 3.0  # px, half the width of a whisker's cap
Kind = Literal["front", "ring", "dot", "square", "diamond", "line", "dash", "area", "cross"]


def disc(painter: QPainter, at: QPointF, colour: QColor, radius: float = 4.5, rim: QColor | None = None) -> None:
    """A filled disc, with a rim of the paper's colour so that it stands free of its line."""
    painter.setPen(QPen(rim or theme().colour("plot.point-outline"), 1.25))
    painter.setBrush(colour)
    painter.drawEllipse(at, radius, radius)


def ring(painter: QPainter, at: QPointF, colour: QColor, radius: float = 4.25) -> None:
    """A hollow disc: within noise."""
    painter.setPen(QPen(colour, 1.5))
    painter.setBrush(theme().colour("plot.background"))
    painter.drawEllipse(at, radius, radius)


def discs(painter: QPainter, at: NDArray[np.float64], colour: QColor) -> None:
    """Plain discs, as of what is dominated, at px of shape (n, 2)."""
    stamp(painter, at, lambda once, middle: disc(once, middle, colour, 3.0, QColor(0, 0, 0, 0)), 3.0)


def rings(painter: QPainter, at: NDArray[np.float64], colour: QColor) -> None:
    """Hollow discs at px of shape (n, 2)."""
    stamp(painter, at, lambda once, middle: ring(once, middle, colour), 5.0)


def square(painter: QPainter, at: QPointF, rim: QColor, ground: QColor, size: float = 10.0, width: float = 2.0) -> None:
    """A named model."""
    painter.setPen(QPen(rim, width))
    painter.setBrush(ground)
    painter.drawRoundedRect(QRectF(at.x() - size / 2, at.y() - size / 2, size, size), 1.5, 1.5)


def diamond(painter: QPainter, at: QPointF, colour: QColor, radius: float = 5.5) -> None:
    """A hollow diamond: scored again on the report split."""
    painter.setPen(QPen(colour, 1.5))
    painter.setBrush(theme().colour("plot.background"))
    painter.drawPolygon(
        QPolygonF(
            [
                QPointF(at.x(), at.y() - radius),
                QPointF(at.x() + radius, at.y()),
                QPointF(at.x(), at.y() + radius),
                QPointF(at.x() - radius, at.y()),
            ]
        )
    )


def cross(painter: QPainter, at: QPointF, colour: QColor, radius: float = 3.5) -> None:
    """A value that is not finite."""
    painter.setPen(QPen(colour, 1.5))
    x, y = at.x(), at.y()
    painter.drawLine(QPointF(x - radius, y - radius), QPointF(x + radius, y + radius))
    painter.drawLine(QPointF(x - radius, y + radius), QPointF(x + radius, y - radius))


def whisker(painter: QPainter, low: QPointF, high: QPointF, colour: QColor) -> None:
    """± 1 SE: a line with caps across it; upright or level."""
    painter.setPen(QPen(colour, 1.25))
    painter.drawLine(low, high)
    upright = low.x() == high.x()
    for end in (low, high):
        dx, dy = (CAP, 0.0) if upright else (0.0, CAP)
        painter.drawLine(QPointF(end.x() - dx, end.y() - dy), QPointF(end.x() + dx, end.y() + dy))


def whiskers(painter: QPainter, low: NDArray[np.float64], high: NDArray[np.float64], colour: QColor) -> None:
    """Many whiskers at once.

    Args:
        painter: Where.
        low: One end of each, px, shape (n, 2); a row that is not finite is left out.
        high: The other end, same shape; upright or level with ``low``.
        colour: Theirs.
    """
    known = np.isfinite(low).all(axis=1) & np.isfinite(high).all(axis=1)
    low, high = low[known], high[known]
    known = np.abs(high - low).max(axis=1, initial=0.0) > 1  # shorter ones hide under their mark
    low, high = low[known], high[known]
    upright = (np.abs(high[:, 0] - low[:, 0]) < 1e-6)[:, None]
    cap = np.where(upright, (CAP, 0.0), (0.0, CAP))
    ends = np.stack((low, high, low - cap, low + cap, high - cap, high + cap), axis=1).reshape(-1, 2)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 1.25))
    painter.drawPath(path(ends[:, 0], ends[:, 1], "pairs"))


def selection(painter: QPainter, at: QPointF, *, on_surface: bool = False) -> None:
    """The ring around the chosen point: ink on paper; on a map white with a dark rim, and a dot."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if on_surface:
        painter.setPen(QPen(QColor(20, 20, 20, 190), 4.5))
        painter.drawEllipse(at, 9.5, 9.5)
        painter.setPen(QPen(QColor(255, 255, 255), 2.25))
    else:
        painter.setPen(QPen(theme().colour("text"), 2))
    painter.drawEllipse(at, 9.5, 9.5)
    if on_surface:
        painter.setPen(QPen(QColor(20, 20, 20), 1.25))
        painter.setBrush(QColor(255, 255, 255))
        painter.drawEllipse(at, 4.0, 4.0)


def series_pen(index: int, width: float = 2.0) -> QPen:
    """Colour and dash of the index-th series."""
    pen = QPen(theme().series(index), width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    pattern = tokens()["series_dashes"][index % len(tokens()["series_dashes"])]
    return pen if pattern == "solid" else dashed(pen, [float(part) for part in pattern.split()])


def legend_mark(painter: QPainter, kind: Kind, box: QRectF, colour: QColor) -> None:
    """A mark as the legend shows it, in ``box``."""
    middle = box.center()
    if kind == "front":
        whisker(painter, QPointF(box.left(), middle.y()), QPointF(box.right(), middle.y()), colour)
        disc(painter, middle, colour)
    elif kind == "ring":
        ring(painter, middle, colour)
    elif kind == "dot":
        disc(painter, middle, colour, 3.0, colour)
    elif kind == "square":
        square(painter, middle, theme().colour("text"), theme().colour("plot.background"), 9)
    elif kind == "diamond":
        diamond(painter, middle, colour)
    elif kind == "cross":
        cross(painter, middle, colour)
    elif kind == "area":
        painter.setPen(QPen(theme().colour("accent-line"), 1))
        painter.setBrush(colour)
        painter.drawRect(box.adjusted(0.5, 2, -0.5, -2))
    else:
        pen = QPen(colour, 2 if kind == "line" else 1.5)
        painter.setPen(dashed(pen, (4, 3)) if kind == "dash" else pen)
        painter.drawLine(QPointF(box.left(), middle.y()), QPointF(box.right(), middle.y()))


def front_words(points: NDArray[np.float64]) -> str:
    """What a legend says of a front: every point on it, and in how many places if a search came by some again.

    Args:
        points: Shape (n, m), those on the front.
    """
    places = len(np.unique(points, axis=0))
    return f"Front, {len(points):,}" if places == len(points) else f"Front of {places:,} places, {len(points):,}"
