"""Lines with their errors and the label at their end; shared by the curve and the trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPolygonF

from solera_app.plots import marks
from solera_app.plots._pg import path
from solera_app.plots.canvas import Canvas
from solera_app.plots.plates import spread
from solera_app.theme import font, theme

FEW = 40  # up to so many points each is a dot with whiskers; above, a line with a band
#: Length of the piece of a line before its name, px: a dash and a gap of every pattern.
_SAMPLE = 16.0
_EMPTY_INDEX = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A line of values.

    Attributes:
        name: Written at its end.
        x, y: Shape (n,), x ascending; NaN in y breaks the line.
        stderr: Shape (n,) in y's unit; NaN where unknown. None: no errors at all.
        index: Index of each point in its run, shape (n,); empty when its points cannot be chosen.
        colour: Number of the series colour and dash.
        band: What lies between two other lines, such as quartiles: lower and upper, shape (n,) each.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    stderr: NDArray[np.float64] | None = None
    index: NDArray[np.int64] = field(default_factory=lambda: _EMPTY_INDEX)
    colour: int = 0
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def extent(self) -> tuple[float, float]:
        """Lowest and highest y with their errors; NaN when there is nothing finite."""
        error = np.zeros_like(self.y) if self.stderr is None else np.nan_to_num(self.stderr, nan=0.0, posinf=0.0)
        low, high = (self.y - error, self.y + error) if self.band is None else self.band
        finite = np.isfinite(low) & np.isfinite(high)
        return (float(low[finite].min()), float(high[finite].max())) if finite.any() else (np.nan, np.nan)


def paint_band(painter: QPainter, canvas: Canvas, series: Series) -> None:
    """± 1 SE, or the series' own band, at 16 %."""
    if series.band is not None:
        low, high = series.band
    elif series.stderr is not None:
        low, high = series.y - series.stderr, series.y + series.stderr
    else:
        return
    known = np.isfinite(low) & np.isfinite(high)
    if np.count_nonzero(known) < 2:
        return
    x = series.x[known]
    outline = np.concatenate((canvas.to_px(x, high[known]), canvas.to_px(x, low[known])[::-1]))
    colour = theme().series(series.colour)
    colour.setAlphaF(0.16)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPolygon(QPolygonF([QPointF(*point) for point in outline.tolist()]))


def paint_line(painter: QPainter, canvas: Canvas, series: Series, *, dots: bool) -> None:
    """The line; with dots, whiskers and a disc at each point as well; the newest point always has a disc."""
    if not series.y.size:
        return
    px = canvas.to_px(series.x, series.y)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(marks.series_pen(series.colour))
    painter.drawPath(path(px[:, 0], px[:, 1]))
    colour = theme().series(series.colour)
    if dots:
        if series.stderr is not None:
            _paint_whiskers(painter, canvas, series)
        for x, y in px[np.isfinite(px[:, 1])].tolist():
            marks.disc(painter, QPointF(x, y), colour, 4.0)


def paint_newest(painter: QPainter, canvas: Canvas, series: Series, at: int) -> None:
    """A disc on the point that came last."""
    if 0 <= at < series.y.size and np.isfinite(series.y[at]):
        marks.disc(painter, canvas.point(series.x[at], series.y[at]), theme().series(series.colour), 4.5)


def _paint_whiskers(painter: QPainter, canvas: Canvas, series: Series) -> None:
    assert series.stderr is not None
    colour = theme().series(series.colour)
    low, high = canvas.to_px(series.x, series.y - series.stderr), canvas.to_px(series.x, series.y + series.stderr)
    marks.whiskers(painter, low, high, colour)


def end_label_room(names: Sequence[str]) -> float:
    """Width that labels at the lines' ends need, px."""
    metrics = QFontMetricsF(font("small", "medium"))
    return max((metrics.horizontalAdvance(name) for name in names), default=0.0) + _sample(len(names))


def _sample(count: int) -> float:
    """Room for a piece of the line before its name, px: where there are several, a name must say whose it is."""
    return _SAMPLE + 4.0 if count > 1 else 0.0


def paint_end_labels(painter: QPainter, canvas: Canvas, series: Sequence[Series]) -> None:
    """Each name right of its line's last finite point, after a piece of it where there are several, moved apart."""
    ends, named = [], []
    for line in series:
        finite = np.nonzero(np.isfinite(line.y))[0]
        if line.name and finite.size:
            ends.append(canvas.point(line.x[finite[-1]], line.y[finite[-1]]))
            named.append(line)
    face = font("small", "medium")
    height = QFontMetricsF(face).height()
    rect = canvas.window_rect
    levels = spread([end.y() for end in ends], height + 1, rect.top() + height / 2, rect.bottom() - height / 2)
    painter.setFont(face)
    sample = _sample(len(series))
    for end, line, level in zip(ends, named, levels, strict=True):
        left = end.x() + 10
        if sample:
            painter.setPen(marks.series_pen(line.colour))
            painter.drawLine(QPointF(left, level), QPointF(left + _SAMPLE, level))
        painter.setPen(theme().series(line.colour) if line.colour == 0 else theme().colour("text"))
        room = max(canvas.width() - left - sample - 2, 20.0)
        text = QFontMetricsF(face).elidedText(line.name, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(
            QRectF(left + sample, level - height / 2, room + 2, height), Qt.AlignmentFlag.AlignVCenter, text
        )
