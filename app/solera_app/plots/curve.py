"""A value along one coordinate, with its errors, both ends named, the chord and the barrier above it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QWidget

from solera_app.plots import lines, marks
from solera_app.plots._pg import dashed
from solera_app.plots.canvas import text_size
from solera_app.plots.lines import Series
from solera_app.plots.numerals import measured, number
from solera_app.plots.plot import Plot
from solera_app.plots.ticks import GrowingRange
from solera_app.theme import font, theme


@dataclass(frozen=True, slots=True)
class Barrier:
    """How far the curve rises above a line between its ends.

    Attributes:
        x: Where. top: The curve's value there. foot: The chord's value there.
        value: Height, in the curve's unit; stderr: its standard error, NaN when unknown.
        name: Which of the definitions: ``"chord"``.
        percent: Write fractions as percent.
    """

    x: float
    top: float
    foot: float
    value: float
    stderr: float
    name: str = "chord"
    percent: bool = False

    @property
    def text(self) -> str:
        """``"Barrier 0.226 ± 0.022 (chord)"``, and whether that is more than noise."""
        noise = np.isfinite(self.stderr) and abs(self.value) <= 2 * self.stderr
        written = measured(self.value, self.stderr, percent=self.percent)
        return f"Barrier {written} ({self.name}){', within noise' if noise else ''}"


class CurvePlot(Plot):
    """Lines over one coordinate."""

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self._series: tuple[Series, ...] = ()
        self._report: Series | None = None
        self._barrier: Barrier | None = None
        self._models: dict[str, float] = {}
        self._extent = (0.0, 1.0)
        self._range = GrowingRange()
        self._newest = -1
        self._names = ("x", "value")

    def set_models(self, models: Mapping[str, float]) -> None:
        """Named models and where they lie on the coordinate; names stand above the picture."""
        self._models = dict(models)
        self.canvas.margin_top = 24.0 if models else 10.0
        self.canvas.arrange()

    def set_ends(self, low: str, high: str) -> None:
        """Names of the models at the two ends of the extent."""
        self.set_models({low: self._extent[0], high: self._extent[1]})

    def set_extent(self, low: float, high: float) -> None:
        """The coordinate's range."""
        self._extent = (low, high)

    def set_names(self, coordinate: str, value: str) -> None:
        """Column names of the CSV."""
        self._names = (coordinate, value)

    def set_series(self, series: Sequence[Series], *, report: Series | None = None, newest: int = -1) -> None:
        """Show these lines.

        Args:
            series: The first carries chord and barrier. A name is written at the line's end.
            report: Points scored again on the report split, drawn as diamonds, apart.
            newest: Index of the point that came last, while the run grows; it carries a dot.
        """
        self._series, self._report, self._newest = tuple(series), report, newest
        shown = [*self._series, *([report] if report is not None else [])]
        self._index = np.concatenate([s.index for s in shown]) if shown else self._index[:0]
        at = [np.column_stack((s.x, s.y))[: s.index.size] for s in shown]
        self._at = np.concatenate(at) if at else np.empty((0, 2))
        for line in shown:
            self._range.cover(*line.extent(), 9)
        self.canvas.margin_right = 16.0 + lines.end_label_room([s.name for s in self._series])
        low, high = self._range.cover(np.nan, np.nan)
        self.canvas.set_range((*self._extent, low, high))
        self.set_summary("; ".join(told for line in self._series if (told := self._told(line))))

    def _told(self, line: Series) -> str:
        """A line in words: its name, and where it is lowest and highest."""
        finite = line.y[np.isfinite(line.y)]
        name = line.name or self._names[1]
        return f"{name} from {number(float(finite.min()))} to {number(float(finite.max()))}" if finite.size else ""

    def set_barrier(self, barrier: Barrier | None) -> None:
        """Draw the chord of the first line and the height above it."""
        self._barrier = barrier
        if barrier is not None:
            self.set_summary(barrier.text)
        self.refresh()

    @property
    def has_barrier(self) -> bool:
        """Whether a barrier is drawn."""
        return self._barrier is not None

    def reset(self) -> None:
        """Forget the axis' extent: another run or column is shown."""
        self._range.reset()
        self._barrier, self._report, self._series = None, None, ()
        self.canvas.fit()

    def limit(self, floor: float | None, ceiling: float | None) -> None:
        """Do not grow the axis past these (a fraction ends at 0 and 1)."""
        self._range.floor, self._range.ceiling = floor, ceiling

    def paint(self, painter: QPainter) -> None:
        """Bands, chord, lines, barrier, labels, selection."""
        painter.save()
        painter.setClipRect(self.canvas.window_rect.adjusted(-7, -7, 7, 7))
        for line in self._series:
            lines.paint_band(painter, self.canvas, line)
        self._paint_chord(painter)
        few = sum(line.y.size for line in self._series) <= lines.FEW * max(len(self._series), 1)
        for line in reversed(self._series):
            lines.paint_line(painter, self.canvas, line, dots=few)
            lines.paint_newest(painter, self.canvas, line, self._place(line, self._newest))
        self._paint_report(painter)
        here = self.position(self.selected)
        if here is not None:
            marks.selection(painter, here)
        painter.restore()
        lines.paint_end_labels(painter, self.canvas, self._series)
        self._paint_barrier(painter)
        self._paint_models(painter)

    def _place(self, line: Series, index: int) -> int:
        found = np.nonzero(line.index == index)[0]
        return int(found[0]) if found.size else -1

    def _paint_chord(self, painter: QPainter) -> None:
        if self._barrier is None or not self._series:
            return
        finite = np.nonzero(np.isfinite(self._series[0].y))[0]
        if finite.size < 2:
            return
        x, y = self._series[0].x[finite], self._series[0].y[finite]
        painter.setPen(dashed(QPen(theme().colour("text-2"), 1), (4, 3)))
        painter.drawLine(self.canvas.point(x[0], y[0]), self.canvas.point(x[-1], y[-1]))

    def _paint_barrier(self, painter: QPainter) -> None:
        barrier = self._barrier
        if barrier is None:
            return
        top, foot = self.canvas.point(barrier.x, barrier.top), self.canvas.point(barrier.x, barrier.foot)
        painter.setPen(QPen(theme().colour("text"), 1.25))
        painter.drawLine(top, foot)
        box = self._barrier_box(top, foot, *text_size(barrier.text))
        ground = theme().colour("plot.background")
        ground.setAlphaF(0.85)
        painter.fillRect(box, ground)
        painter.setFont(font("small"))
        painter.setPen(theme().colour("text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, barrier.text)

    def _barrier_box(self, top: QPointF, foot: QPointF, width: float, height: float) -> QRectF:
        """Room for the barrier's words beside its line, where they hide as little as possible of curve and chord."""
        rect, line = self.canvas.window_rect, self._series[0]
        across = np.linspace(rect.left(), rect.right(), 200)
        curve = self.canvas.to_px(line.x, line.y)
        known = np.isfinite(curve[:, 1])
        ends = curve[known][[0, -1]]
        drawn = [np.interp(across, *which.T) for which in (curve[known], ends)]
        best, least = QRectF(), np.inf
        for share in (0.1, 0.25, 0.4, 0.55, 0.7, 0.85):
            level = foot.y() + share * (top.y() - foot.y())
            level = max(rect.top() + height, min(level, rect.bottom() - height))
            for left in (foot.x() + 8, foot.x() - 8 - width):
                box = QRectF(left - 3, level - height / 2 - 1, width + 6, height + 2)
                inside = (across > box.left() - 4) & (across < box.right() + 4)
                hidden = sum(int((inside & (y > box.top() - 6) & (y < box.bottom() + 6)).sum()) for y in drawn)
                cost = hidden + (0 if rect.contains(box) else 1000)
                if cost < least:
                    best, least = box, cost
        return best

    def _paint_report(self, painter: QPainter) -> None:
        report = self._report
        if report is None:
            return
        colour = theme().series(1)
        for place in np.nonzero(np.isfinite(report.y))[0].tolist():
            x, y = float(report.x[place]), float(report.y[place])
            error = float(report.stderr[place]) if report.stderr is not None else np.nan
            if np.isfinite(error):
                marks.whisker(painter, self.canvas.point(x, y - error), self.canvas.point(x, y + error), colour)
            marks.diamond(painter, self.canvas.point(x, y), colour)

    def _paint_models(self, painter: QPainter) -> None:
        """Names above the picture, each over its place; a dotted line where that is not an end."""
        rect, face = self.canvas.window_rect, font("small", "medium")
        painter.setFont(face)
        taken = rect.left() - 8
        for name, at in sorted(self._models.items(), key=lambda item: item[1]):
            across = self.canvas.point(at, 0).x()
            if not rect.left() - 1 <= across <= rect.right() + 1:
                continue
            if rect.left() + 2 < across < rect.right() - 2:
                painter.setPen(dashed(QPen(theme().colour("accent-line"), 1.25), (1.5, 3)))
                painter.drawLine(QPointF(across, rect.top()), QPointF(across, rect.bottom()))
            width = text_size(name, "medium")[0]
            left = max(rect.left(), min(across - width / 2, rect.right() - width), taken + 8)
            painter.setPen(theme().colour("text"))
            box = QRectF(left, rect.top() - 20, width + 2, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
            taken = left + width

    def describe(self, index: int) -> Sequence[str]:
        """Position and the value of each line there."""
        found: list[str] = []
        shown = [*self._series, *([self._report] if self._report is not None else [])]
        for line in shown:
            place = self._place(line, index)
            if place < 0:
                continue
            if not found:
                found.append(f"Point {index + 1} at {number(float(line.x[place]))}")
            error = float(line.stderr[place]) if line.stderr is not None else np.nan
            name = f"{line.name}: " if line.name else ""
            found.append(name + measured(float(line.y[place]), error, percent=self.canvas.y.percent))
        return found

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per point and line."""
        shown = [*self._series, *([self._report] if self._report is not None else [])]

        def rows() -> Iterable[Sequence[object]]:
            for line in shown:
                errors: NDArray[np.float64] = np.full(line.y.size, np.nan) if line.stderr is None else line.stderr
                for place in range(line.y.size):
                    index = int(line.index[place]) if place < line.index.size else ""
                    yield line.name, index, float(line.x[place]), float(line.y[place]), float(errors[place])

        coordinate, value = self._names
        return ("line", "index", coordinate, value, f"{value} standard error"), rows()


def chord_barrier(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    stderr: NDArray[np.float64],
    *,
    lower_is_better: bool = True,
    percent: bool = False,
) -> Barrier | None:
    """The largest rise above the straight line between the ends (a drop below it, where higher is better).

    Its error takes the three scores as independent; paired scores make it smaller.

    Args:
        x: Shape (n,), ascending.
        y: Shape (n,); points that are not finite are left out.
        stderr: Shape (n,), in y's unit.
        lower_is_better: Direction of the metric.
        percent: Passed on.

    Returns:
        None with fewer than three finite points.
    """
    finite = np.isfinite(y)
    x, y, stderr = x[finite], y[finite], stderr[finite]
    if x.size < 3 or x[-1] <= x[0]:
        return None
    share = (x - x[0]) / (x[-1] - x[0])
    chord = y[0] + share * (y[-1] - y[0])
    rise = (y - chord) if lower_is_better else (chord - y)
    at = int(np.argmax(rise[1:-1])) + 1
    error = float(np.sqrt(stderr[at] ** 2 + ((1 - share[at]) * stderr[0]) ** 2 + (share[at] * stderr[-1]) ** 2))
    return Barrier(float(x[at]), float(y[at]), float(chord[at]), float(rise[at]), error, "chord", percent)
