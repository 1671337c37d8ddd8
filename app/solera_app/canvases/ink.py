"""Fonts, colours, elided text and port shapes for painted items, kept ready: a canvas paints thousands of them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF

from solera_app.theme import font, pixmap, theme

Align = Literal["left", "right", "centre"]


@lru_cache(maxsize=32)
def type_face(size: str, weight: str = "regular") -> QFont:
    """A font of the scale, made once."""
    return font(size, weight)


@lru_cache(maxsize=32)
def metrics(size: str, weight: str = "regular") -> QFontMetricsF:
    """Its metrics."""
    return QFontMetricsF(type_face(size, weight))


@lru_cache(maxsize=16384)
def text_width(text: str, size: str, weight: str = "regular") -> float:
    """Width of a text in px."""
    return metrics(size, weight).horizontalAdvance(text)


@lru_cache(maxsize=16384)
def elided(text: str, size: str, weight: str, width: int) -> str:
    """The text, its middle left out where it would not fit ``width`` px."""
    if text_width(text, size, weight) <= width:
        return text
    return metrics(size, weight).elidedText(text, Qt.TextElideMode.ElideMiddle, width)


@lru_cache(maxsize=512)
def _ink(name: str, token: str) -> QColor:
    return theme().colour(token)


def ink(token: str) -> QColor:
    """A colour of the theme in force; not to be changed in place."""
    return _ink(theme().name, token)


def draw_text(
    painter: QPainter,
    text: str,
    at: QPointF,
    token: str,
    *,
    size: str = "label",
    weight: str = "regular",
    width: float = 0.0,
    align: Align = "left",
) -> float:
    """Draw one line of text and return its width.

    Args:
        painter: Where.
        text: What.
        at: The left, right or middle of the text, at the centre of its height.
        token: Colour.
        size: Of the type scale.
        weight: Of the type scale.
        width: Room for it in px; longer text loses its middle. 0 is any.
        align: What ``at`` means.
    """
    shown = elided(text, size, weight, int(width)) if width else text
    measure = metrics(size, weight)
    wide = text_width(shown, size, weight)
    x = at.x() - (wide if align == "right" else wide / 2 if align == "centre" else 0)
    painter.setFont(type_face(size, weight))
    painter.setPen(ink(token))
    painter.drawText(QPointF(x, at.y() + (measure.ascent() - measure.descent()) / 2), shown)
    return wide


def port_token(shape: str) -> str:
    """The colour token of a port's type."""
    return "text-3" if shape == "any" else f"port.{shape}"


def draw_port(
    painter: QPainter, centre: QPointF, shape: str, size: float, *, filled: bool, ground: str = "raised"
) -> None:
    """Draw a port: a shape by type, filled when connected and hollow when free.

    Args:
        painter: Where.
        centre: Its middle.
        shape: ``"weights"`` disc, ``"delta"`` triangle, ``"importance"`` diamond, ``"mask"`` square, ``"scores"`` ring;
            ``"any"`` is a disc in grey.
        size: Height in px.
        filled: Whether connected. A ring is never filled.
        ground: Token that shows through a hollow one.
    """
    colour = ink(port_token(shape))
    half = size / 2
    if shape == "scores":
        painter.setPen(QPen(colour, 2.5))
        painter.setBrush(QBrush(ink(ground)))
        painter.drawEllipse(centre, half - 1.25, half - 1.25)
        return
    pen = QPen(colour, 1.5)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    painter.setPen(pen)
    painter.setBrush(QBrush(colour if filled else ink(ground)))
    x, y, inner = centre.x(), centre.y(), half - 0.75
    match shape:
        case "delta":
            painter.drawPolygon(
                QPolygonF([QPointF(x - inner, y - half), QPointF(x + half, y), QPointF(x - inner, y + half)])
            )
        case "importance":
            painter.drawPolygon(
                QPolygonF([QPointF(x, y - half), QPointF(x + half, y), QPointF(x, y + half), QPointF(x - half, y)])
            )
        case "mask":
            painter.drawRect(QRectF(x - inner, y - inner, 2 * inner, 2 * inner))
        case _:
            painter.drawEllipse(centre, inner, inner)


def draw_icon(painter: QPainter, name: str, token: str, at: QPointF, size: int, zoom: float = 1.0) -> None:
    """Draw an icon with its top left at ``at``, sharp at the device's scale times ``zoom``."""
    ratio = min(math.ceil(painter.device().devicePixelRatioF() * max(zoom, 1.0)), 4)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)  # below 100 % it would lose lines
    painter.drawPixmap(at, pixmap(name, token, size, float(ratio)))
