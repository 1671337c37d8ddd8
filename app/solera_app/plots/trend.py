"""An indicator of a run as it grows: hypervolume against evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QWidget

from solera_app.plots import lines
from solera_app.plots._pg import dashed
from solera_app.plots.canvas import text_size
from solera_app.plots.lines import Series
from solera_app.plots.numerals import number
from solera_app.plots.plot import Plot
from solera_app.plots.ticks import GrowingRange
from solera_app.theme import font, theme


class TrendPlot(Plot):
    """Lines that only grow to the right; the newest point carries a dot."""

    def __init__(self, parent: QWidget | None = None, *, compact: bool = True) -> None:
        super().__init__(parent, compact=compact)
        self._series: tuple[Series, ...] = ()
        self._level: tuple[float, str] | None = None
        self._live = False
        self._across, self._up = GrowingRange(), GrowingRange()

    def set_series(self, series: Sequence[Series], *, planned: int | None = None, live: bool = False) -> None:
        """Show these lines.

        Args:
            series: x counts evaluations.
            planned: How many there will be; the axis reaches so far from the start.
            live: The first line still grows; its newest point carries a dot.
        """
        self._series, self._live = tuple(series), live
        self._index = np.concatenate([s.index for s in series]) if series else self._index[:0]
        at = [np.column_stack((s.x, s.y))[: s.index.size] for s in series]
        self._at = np.concatenate(at) if at else np.empty((0, 2))
        last = max((float(s.x[-1]) for s in series if s.x.size), default=1.0)
        self._across.cover(0.0, max(last, float(planned or 0), 1.0))
        for line in series:
            low, high = line.extent()
            lowest = float(np.nanmin(line.y)) if np.isfinite(line.y).any() else low
            self._up.cover(min(lowest, 0.0), high, 5)
        if self._level is not None:
            self._up.cover(self._level[0], self._level[0], 5)
        names = [s.name for s in series] + ([self._level[1]] if self._level else [])
        self.canvas.margin_right = 16.0 + lines.end_label_room(names)
        x0, x1 = self._across.cover(np.nan, np.nan)
        y0, y1 = self._up.cover(np.nan, np.nan)
        if planned and x1 > planned >= last:
            x1 = float(planned)
        self.canvas.set_range((x0, x1, y0, y1))
        told = [f"{s.name} {number(float(s.y[-1]))} after {int(s.x[-1]):,} evaluations" for s in series if s.y.size]
        self.set_summary(f"{'; '.join(told)}.")

    def set_level(self, value: float, name: str) -> None:
        """A dotted line to compare with; the name says its source: ``"Best known (5 seeds)"``."""
        self._level = (value, name)
        self.refresh()

    def reset(self) -> None:
        """Forget the axes' extents."""
        self._across.reset()
        self._up.reset()
        self.canvas.fit()

    def paint(self, painter: QPainter) -> None:
        """Bands, lines, newest dots, names."""
        painter.save()
        painter.setClipRect(self.canvas.window_rect.adjusted(-7, -7, 7, 7))
        if self._level is not None:
            rect, level = self.canvas.window_rect, self.canvas.point(0, self._level[0]).y()
            painter.setPen(dashed(QPen(theme().colour("text-3"), 1.25), (1.5, 3)))
            painter.drawLine(QPointF(rect.left(), level), QPointF(rect.right(), level))
        for line in reversed(self._series):
            lines.paint_band(painter, self.canvas, line)
            lines.paint_line(painter, self.canvas, line, dots=False)
        if self._live and self._series:
            lines.paint_newest(painter, self.canvas, self._series[0], self._series[0].y.size - 1)
        painter.restore()
        lines.paint_end_labels(painter, self.canvas, self._series)
        if self._level is not None:
            self._paint_level_name(painter)

    def _paint_level_name(self, painter: QPainter) -> None:
        assert self._level is not None
        value, name = self._level
        level = self.canvas.point(0, value).y()
        painter.setFont(font("small"))
        painter.setPen(theme().colour("text-3"))
        width, height = text_size(name)
        box = QRectF(self.canvas.window_rect.right() + 8, level - height / 2, width + 2, height)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, name)

    def describe(self, index: int) -> Sequence[str]:
        """Evaluations and value."""
        for line in self._series:
            found = np.nonzero(line.index == index)[0]
            if found.size:
                place = int(found[0])
                return (f"After {int(line.x[place]):,} evaluations", number(float(line.y[place])))
        return ()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per line and point; with the band's edges, where a line has one."""
        if any(s.band is not None for s in self._series):
            banded = (
                (s.name, int(x), float(y), float(low), float(high))
                for s in self._series
                for x, y, low, high in zip(s.x, s.y, *(s.band or (s.y, s.y)), strict=True)
            )
            return ("line", "evaluations", "median", "lower quartile", "upper quartile"), banded
        rows = ((s.name, int(x), float(y)) for s in self._series for x, y in zip(s.x, s.y, strict=True))
        return ("line", "evaluations", "value"), rows
