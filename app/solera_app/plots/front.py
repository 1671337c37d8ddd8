"""Two scores against each other: the front with its errors, what is within noise of it, and the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from solera_app.plots import marks
from solera_app.plots.canvas import text_size
from solera_app.plots.header import Entry
from solera_app.plots.numerals import counted, measured, short
from solera_app.plots.plates import Wanted, place
from solera_app.plots.plot import Plot
from solera_app.plots.ticks import GrowingRange
from solera_app.theme import font, theme

_GRAIN = 11  # an axis grows by half ticks: whole ones of a finer scale
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """Points with two scores; all arrays of shape (n,).

    Attributes:
        index: Number of each point in its run.
        x, y: Scores. x_stderr, y_stderr: Their standard errors; NaN when unknown.
        front: On the front.
        noise: Not on it, but within noise of it.
        names: Index -> name, of points that are named models.
    """

    index: NDArray[np.int64]
    x: Floats
    y: Floats
    x_stderr: Floats
    y_stderr: Floats
    front: Flags
    noise: Flags
    names: Mapping[int, str] = field(default_factory=dict)

    @staticmethod
    def empty() -> Scatter:
        """No points."""
        none, flags = np.empty(0), np.empty(0, dtype=bool)
        return Scatter(np.empty(0, dtype=np.int64), none, none, none, none, flags, flags)


class FrontPlot(Plot):
    """A Pareto scatter of two scores."""

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self._points = Scatter.empty()
        self._report: Scatter | None = None
        self._lower = (True, True)
        self._reference: tuple[float, float] | None = None
        self._volume = np.nan
        self._across, self._up = GrowingRange(), GrowingRange()
        self._newest = -1
        self._staircase = True
        self._names = ("x", "y")
        self.canvas.x.grid = self.canvas.y.grid = True
        self.canvas.margin_right = 20.0
        self._crowd = np.zeros(0, dtype=bool)

    def set_directions(self, x_lower: bool, y_lower: bool) -> None:
        """Which way is better on each axis: True when lower is."""
        self._lower = (x_lower, y_lower)

    def set_names(self, x: str, y: str) -> None:
        """Short names of the two scores, for readout and CSV."""
        self._names = (x, y)

    def set_reference(self, reference: tuple[float, float] | None, volume: float = np.nan) -> None:
        """The point the hypervolume is measured to, and the hypervolume."""
        self._reference, self._volume = reference, volume

    def set_points(
        self, points: Scatter, *, report: Scatter | None = None, newest: int = -1, staircase: bool = True
    ) -> None:
        """Show these.

        Args:
            points: All points of the search.
            report: Some of them scored again on the report split, drawn as diamonds, apart.
            newest: Index of the point that came last, while the run grows.
            staircase: Join the front's points by steps; not for the projection of a front of more scores.
        """
        self._staircase = staircase
        self._points, self._report, self._newest = points, report, newest
        self._index, self._at = points.index, np.column_stack((points.x, points.y))
        self._cover()
        named = np.isin(points.index, list(points.names))
        self._crowd = ~points.front & ~named & np.isfinite(self._at).all(axis=1)
        self._update_legend()
        across, up = self._names
        told = f"{counted(points.index.size, 'point')} of {across} and {up}, {int(points.front.sum()):,} on the front"
        self.set_summary(f"{told}.")

    def reset(self) -> None:
        """Forget the axes' extents."""
        self._across.reset()
        self._up.reset()
        self._reference, self._report = None, None
        self.canvas.fit()

    def limit(self, x: tuple[float | None, float | None], y: tuple[float | None, float | None]) -> None:
        """Do not grow the axes past these."""
        self._across.floor, self._across.ceiling = x
        self._up.floor, self._up.ceiling = y

    def _cover(self) -> None:
        sets = [self._points] + ([self._report] if self._report is not None else [])
        for growing, attribute, error in ((self._across, "x", "x_stderr"), (self._up, "y", "y_stderr")):
            values = np.concatenate([getattr(s, attribute) for s in sets])
            errors = np.nan_to_num(np.concatenate([getattr(s, error) for s in sets]), nan=0.0)
            reach = np.concatenate((values - errors, values + errors))
            finite = reach[np.isfinite(reach)]
            if finite.size:
                pad = 0.02 * float(finite.max() - finite.min())
                growing.cover(float(finite.min()) - pad, float(finite.max()) + pad, _GRAIN)
        self.canvas.set_range((*self._across.cover(np.nan, np.nan), *self._up.cover(np.nan, np.nan)))

    def _update_legend(self) -> None:
        points = self._points
        finite = np.isfinite(self._at).all(axis=1)
        front, noise = int(points.front.sum()), int(points.noise.sum())
        distinct = len(np.unique(self._at[points.front], axis=0))  # a search may come by the same point again
        entries = [Entry("front", f"Front of {distinct:,}, ± 1 SE")]
        if noise:
            entries.append(Entry("ring", f"Within noise, {noise:,}"))
        entries.append(Entry("dot", f"Dominated, {int(finite.sum()) - front - noise:,}", "plot.dominated"))
        if not finite.all():
            entries.append(Entry("cross", f"Not finite, {int((~finite).sum()):,}", "text-3"))
        if self._report is not None and self._report.index.size:
            entries.append(Entry("diamond", f"Report split, {self._report.index.size:,}", "series.1"))
        if self._reference is not None and np.isfinite(self._volume):
            x, y = (short(value) for value in self._reference)
            entries.append(Entry("area", f"Hypervolume {short(self._volume)} to ({x}, {y})", "accent-soft"))
        self.set_legend(entries)

    def order(self) -> NDArray[np.int64]:
        """Along the front."""
        chosen = np.nonzero(self._points.front)[0]
        return self._points.index[chosen[np.argsort(self._points.x[chosen], kind="stable")]]

    # --- painting --------------------------------------------------------------------------------------------------

    def _steps(self) -> Floats:
        """The staircase of the front in data units, shape (n, 2), from one side of the reference to the other."""
        points = self._points
        chosen = np.nonzero(points.front & np.isfinite(self._at).all(axis=1))[0]
        chosen = chosen[np.argsort(points.x[chosen], kind="stable")]
        x, y = points.x[chosen], points.y[chosen]
        if not chosen.size:
            return np.empty((0, 2))
        # What a front point dominates lies on its worse side: a step runs level first where lower x is better.
        first = np.column_stack((x[1:], y[:-1])) if self._lower[0] else np.column_stack((x[:-1], y[1:]))
        steps = np.empty((2 * x.size - 1, 2))
        steps[0::2] = np.column_stack((x, y))
        steps[1::2] = first
        return steps

    def paint_below(self, painter: QPainter) -> None:
        """What the front dominates up to the reference point, its staircase, and all points that are only discs."""
        if self._staircase:
            self._paint_staircase(painter)
        px, noise = self.where(), self._points.noise
        marks.discs(painter, px[self._crowd & ~noise], theme().colour("plot.dominated"))
        marks.rings(painter, px[self._crowd & noise], theme().colour("accent"))

    def _paint_staircase(self, painter: QPainter) -> None:
        steps = self._steps()
        if not steps.size:
            return
        edge = self.canvas.to_px(steps[:, 0], steps[:, 1])
        if self._reference is not None:
            corner = self.canvas.point(*self._reference)
            worse_first = self._lower[0]
            ends = [QPointF(*edge[0].tolist()), QPointF(*edge[-1].tolist())]
            start, stop = (
                (QPointF(ends[0].x(), corner.y()), QPointF(corner.x(), ends[1].y()))
                if worse_first
                else (QPointF(corner.x(), ends[0].y()), QPointF(ends[1].x(), corner.y()))
            )
            outline = QPolygonF([start, *(QPointF(*p) for p in edge.tolist()), stop, corner])
            painter.setPen(Qt.PenStyle.NoPen)
            ground = theme().colour("accent-soft")
            ground.setAlphaF(0.62)
            painter.setBrush(ground)
            painter.drawPolygon(outline)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme().colour("accent-line"), 1.25))
        painter.drawPolyline(QPolygonF([QPointF(*p) for p in edge.tolist()]))

    def paint(self, painter: QPainter) -> None:
        """Within noise, front, named models with their names, report points, selection."""
        painter.save()
        painter.setClipRect(self.canvas.window_rect.adjusted(-7, -7, 7, 7))
        points, accent = self._points, theme().colour("accent")
        named = np.isin(points.index, list(points.names))
        finite = np.isfinite(self._at).all(axis=1)
        for chosen, most in ((points.noise, 30), (points.front, 80)):
            if int(chosen.sum()) <= most:  # more would be a thicket; the readout has the errors
                self._paint_whiskers(painter, points, np.nonzero(chosen & finite)[0], accent)
        front = np.nonzero(points.front & finite & ~named)[0]
        for x, y in self.canvas.to_px(points.x[front], points.y[front]).tolist():
            marks.disc(painter, QPointF(x, y), accent)
        self._paint_newest(painter)
        self._paint_report(painter)
        for row in np.nonzero(named & np.isfinite(self._at).all(axis=1))[0].tolist():
            rim = accent if points.front[row] else theme().colour("text")
            at = self.canvas.point(points.x[row], points.y[row])
            marks.square(painter, at, rim, theme().colour("plot.background"))
        here = self.position(self.selected)
        if here is not None:
            marks.selection(painter, here)
        painter.restore()
        self._paint_names(painter)

    def _paint_whiskers(self, painter: QPainter, points: Scatter, rows: NDArray[np.intp], colour: QColor) -> None:
        """± 1 SE both ways, as one stroke."""
        x, y, dx, dy = points.x[rows], points.y[rows], points.x_stderr[rows], points.y_stderr[rows]
        left, right = self.canvas.to_px(x - dx, y), self.canvas.to_px(x + dx, y)
        low, high = self.canvas.to_px(x, y - dy), self.canvas.to_px(x, y + dy)
        marks.whiskers(painter, np.concatenate((left, low)), np.concatenate((right, high)), colour)

    def _paint_newest(self, painter: QPainter) -> None:
        here = self.position(self._newest)
        if here is not None and self._newest not in self._points.names:
            row = int(np.nonzero(self._points.index == self._newest)[0][0])
            if not self._points.front[row] and not self._points.noise[row]:
                marks.disc(painter, here, theme().colour("accent"), 3.5)

    def _paint_report(self, painter: QPainter) -> None:
        report = self._report
        if report is None:
            return
        colour = theme().series(1)
        rows = np.nonzero(np.isfinite(report.x) & np.isfinite(report.y))[0]
        self._paint_whiskers(painter, report, rows, colour)
        for x, y in self.canvas.to_px(report.x[rows], report.y[rows]).tolist():
            marks.diamond(painter, QPointF(x, y), colour)

    def _paint_names(self, painter: QPainter) -> None:
        named = np.nonzero(np.isin(self._points.index, list(self._points.names)))[0].tolist()
        rows = [row for row in named if self.canvas.window_rect.contains(self.canvas.point(*self._at[row]))]
        if not rows:
            return
        names = [self._points.names[int(self._points.index[row])] for row in rows]
        wanted = [
            Wanted(self.canvas.point(*self._at[row]), QSizeF(text_size(name)[0] + 4, text_size(name)[1]), 8.0)
            for row, name in zip(rows, names, strict=True)
        ]
        painter.setFont(font("small"))
        for rect, name in zip(place(wanted, self.canvas.window_rect, self._blocked()), names, strict=True):
            halo = theme().colour("plot.background")
            halo.setAlphaF(0.72)
            painter.fillRect(rect, halo)
            painter.setPen(theme().colour("text"))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, name)

    def _blocked(self) -> list[QRectF]:
        """What names should not cover: marks of front, noise, names and report."""
        points = self._points
        named = np.isin(points.index, list(points.names))
        strong = points.front | points.noise | named
        where = self.canvas.to_px(points.x[strong], points.y[strong])
        if self._report is not None:
            where = np.concatenate((where, self.canvas.to_px(self._report.x, self._report.y)))
        return [QRectF(x - 6, y - 6, 12, 12) for x, y in where.tolist() if np.isfinite(x) and np.isfinite(y)]

    # --- words -----------------------------------------------------------------------------------------------------

    def describe(self, index: int) -> Sequence[str]:
        """Name or number, role, both scores."""
        rows = np.nonzero(self._points.index == index)[0]
        if not rows.size:
            return ()
        row, points = int(rows[0]), self._points
        role = "on the front" if points.front[row] else "within noise" if points.noise[row] else "dominated"
        name = points.names.get(index, f"Point {index + 1}")
        x = measured(float(points.x[row]), float(points.x_stderr[row]), percent=self.canvas.x.percent)
        y = measured(float(points.y[row]), float(points.y_stderr[row]), percent=self.canvas.y.percent)
        return (f"{name}, {role}", f"{self._names[0]}: {x}", f"{self._names[1]}: {y}")

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per point, the report's after them."""
        x, y = self._names
        names = ("index", "name", "phase", "role", x, f"{x} standard error", y, f"{y} standard error")

        def rows() -> Iterable[Sequence[object]]:
            for phase, points in (("search", self._points), ("report", self._report)):
                for row in range(points.index.size if points is not None else 0):
                    assert points is not None
                    index = int(points.index[row])
                    role = "front" if points.front[row] else "within noise" if points.noise[row] else "dominated"
                    yield (
                        index, points.names.get(index, ""), phase, role if phase == "search" else "",
                        float(points.x[row]), float(points.x_stderr[row]),
                        float(points.y[row]), float(points.y_stderr[row]),
                    )  # fmt: skip

        return names, rows()
