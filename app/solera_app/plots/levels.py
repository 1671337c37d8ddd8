"""The values of iso-lines on plates of their own colour, where there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter

from solera_app.plots.canvas import Canvas, plate, text_size

Floats = NDArray[np.float64]
_WHITE, _RIM = QColor(255, 255, 255), QColor(20, 20, 20)
_LEAST = 22.0  # px of room that a plate wants


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One iso-line.

    Attributes:
        colour: Of its value.
        label: Its value in words.
        pieces: Its segments, shape (n, 2, 2), data units.
    """

    colour: QColor
    label: str
    pieces: Floats


def paint_levels(painter: QPainter, canvas: Canvas, levels: Sequence[Level], taken: Sequence[QPointF]) -> None:
    """A plate upon each line, as far as can be from the window's edge, from what is taken and from each other."""
    taken = list(taken)
    for level in levels:
        middle = level.pieces.mean(axis=1)
        where = canvas.to_px(middle[:, 0], middle[:, 1])
        room = _room(where, canvas.window_rect, taken)
        best = int(np.argmax(room))
        if room[best] < _LEAST:
            continue
        width, height = text_size(level.label)
        at = QPointF(*where[best].tolist())
        taken.append(at)
        ground = level.colour
        dark = 0.299 * ground.red() + 0.587 * ground.green() + 0.114 * ground.blue() < 140
        box = QRectF(at.x() - width / 2 - 4, at.y() - height / 2, width + 8, height)
        plate(painter, box, level.label, ground, _WHITE if dark else _RIM, "regular")


def _room(where: Floats, rect: QRectF, taken: Sequence[QPointF]) -> Floats:
    """How far each candidate is from the window's edge and from what is taken, px."""
    edge = np.minimum.reduce(
        (where[:, 0] - rect.left(), rect.right() - where[:, 0], where[:, 1] - rect.top(), rect.bottom() - where[:, 1])
    )
    room = np.minimum(edge * 1.5, 90.0)
    for other in taken:
        room = np.minimum(room, np.hypot(where[:, 0] - other.x(), where[:, 1] - other.y()) * 0.6)
    return np.asarray(room)
