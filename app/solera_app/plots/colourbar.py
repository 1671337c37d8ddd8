"""The bar that says which colour is which value: 12 px, ticks at its right, a wedge at the selected value."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QPainter, QPen, QPolygonF

from solera_app.plots.ticks import log_ticks, tick_labels, ticks
from solera_app.theme import font, theme

GAP, WIDTH = 16.0, 12.0


class ColourBar:
    """Painted beside a window of data; no item of its own.

    Attributes:
        title: In words, with unit. percent: Write fractions as percents.
        limits: Values at its ends. scale: Linear, or logarithmic in the value.
    """

    def __init__(self) -> None:
        self.title = ""
        self.percent = False
        self.limits = (0.0, 1.0)
        self.scale: Literal["linear", "log"] = "linear"
        self._strip = QImage()

    def set_table(self, table: NDArray[np.uint8]) -> None:
        """Colours from low to high, shape (256, 4)."""
        flipped = np.ascontiguousarray(table[::-1].reshape(256, 1, 4))
        self._strip = QImage(flipped.data, 1, 256, 4, QImage.Format.Format_RGBA8888).copy()

    def _ticks(self) -> tuple[list[float], list[str]]:
        low, high = self.limits
        if not (np.isfinite(low) and high > low):
            return [], []
        values = log_ticks(low, high) if self.scale == "log" else ticks(low, high)
        return values, tick_labels(values, percent=self.percent)

    def room(self) -> float:
        """Width it takes at the right of the window, px."""
        metrics = QFontMetricsF(font("small"))
        widest = max((metrics.horizontalAdvance(label) for label in self._ticks()[1]), default=20.0)
        return GAP + WIDTH + 8 + float(np.ceil(widest / 6) * 6) + (metrics.height() + 10 if self.title else 4)

    def _level(self, rect: QRectF, value: float) -> float:
        low, high = self.limits
        if self.scale == "log":
            value, low, high = np.log(value), np.log(low), np.log(high)
        return float(rect.bottom() - np.clip((value - low) / (high - low), 0, 1) * rect.height())

    def paint(self, painter: QPainter, window: QRectF, selected: float = np.nan) -> None:
        """Paint at the right of ``window``; a wedge at ``selected`` if it is finite."""
        rect = QRectF(window.right() + GAP, window.top(), WIDTH, window.height())
        painter.drawImage(rect, self._strip)
        values, labels = self._ticks()
        face = font("small")
        metrics = QFontMetricsF(face)
        painter.setFont(face)
        widest = 0.0
        for value, label in zip(values, labels, strict=True):
            level = round(self._level(rect, value)) + 0.5
            painter.setPen(QPen(theme().colour("plot.axis"), 1))
            painter.drawLine(QPointF(rect.right(), level), QPointF(rect.right() + 4, level))
            painter.setPen(theme().colour("plot.label"))
            width = metrics.horizontalAdvance(label)
            widest = max(widest, width)
            box = QRectF(rect.right() + 8, level - metrics.height() / 2, width + 2, metrics.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, label)
        if self.title:
            painter.save()
            painter.setPen(theme().colour("plot.label"))
            painter.translate(rect.right() + 8 + np.ceil(widest / 6) * 6 + 6 + metrics.ascent(), rect.center().y())
            painter.rotate(-90)
            text = metrics.elidedText(self.title, Qt.TextElideMode.ElideMiddle, window.height() + 30)
            painter.drawText(QPointF(-metrics.horizontalAdvance(text) / 2, 0), text)
            painter.restore()
        if np.isfinite(selected) and not (self.scale == "log" and selected <= 0):
            self._paint_wedge(painter, rect, selected)

    def _paint_wedge(self, painter: QPainter, rect: QRectF, value: float) -> None:
        level = self._level(rect, value)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().colour("text"))
        tip = QPointF(rect.left() - 2, level)
        painter.drawPolygon(QPolygonF([tip, QPointF(tip.x() - 7, level - 4.5), QPointF(tip.x() - 7, level + 4.5)]))
