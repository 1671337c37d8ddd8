"""The cells of a grid on a canvas: where they end, and the lines over those that were only guessed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from solera_app.plots.canvas import Canvas
from solera_app.plots.raster import hatching

Floats = NDArray[np.float64]


def cell_edges(canvas: Canvas, xs: Floats, ys: Floats) -> tuple[Floats, Floats]:
    """Borders of cells in px: between grid lines, the outer ones at the first and last line."""
    borders = []
    for lines in (xs, ys):
        middle = (lines[1:] + lines[:-1]) / 2
        low, high = (lines[0], lines[-1]) if lines.size > 1 else (lines[0] - 0.5, lines[0] + 0.5)
        borders.append(np.concatenate(([low], middle, [high])))
    across = canvas.to_px(borders[0], np.zeros(borders[0].size))[:, 0]
    up = canvas.to_px(np.zeros(borders[1].size), borders[1])[:, 1]
    return across, up


def paint_hatching(painter: QPainter, canvas: Canvas, xs: Floats, ys: Floats, cells: NDArray[np.bool_]) -> None:
    """Diagonal lines over some cells, shape (rows, columns)."""
    scale, rect = painter.deviceTransform().m11(), canvas.window_rect
    across, up = cell_edges(canvas, xs, ys)
    across, up = np.clip(across, rect.left(), rect.right()), np.clip(up, rect.top(), rect.bottom())
    step, width = max(round(6 * scale), 2), max(round(scale), 1)
    pixels = hatching(cells, across * scale, up * scale, step=step, width=width)
    height, length = pixels.shape
    image = QImage(pixels.data, length, height, 4 * length, QImage.Format.Format_ARGB32_Premultiplied)
    left, top = (float(np.round(edge * scale)) / scale for edge in (across[0], up[-1]))
    painter.drawImage(QRectF(left, top, length / scale, height / scale), image)
