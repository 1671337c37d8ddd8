"""A value known at scattered points of a plane: a map between them, and the points themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from solera_app.plots import marks
from solera_app.plots.between import between
from solera_app.plots.numerals import counted, number
from solera_app.plots.stops import paint_stops
from solera_app.plots.surface import SurfacePlot

Floats = NDArray[np.float64]
_SIDE = 256  # cells along the longer side of the map
_WHITE, _RIM, _FAILED = QColor(255, 255, 255), QColor(20, 20, 20), QColor(128, 124, 118)
_MOST_DOTS = 2000


class ScatteredPlot(SurfacePlot):
    """Scores at scattered points, with a linear interpolation between them (Delaunay triangles).

    A triangle one of whose corners is not finite stays blank: nothing is filled in there. Beyond the points nothing is
    shown either. A path may be drawn through them.
    """

    stops_first = False  # they are points, whose readout also has the score

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self._points = self._errors = np.empty(0)
        self._details: tuple[str, ...] = ()
        self._outside = 0
        self._outline: Floats = np.empty((0, 2))
        self._divisions = 0
        self._filled = True

    # --- what is shown ---------------------------------------------------------------------------------------------

    def set_outline(self, corners: Floats, divisions: int = 4) -> None:
        """The polygon that the points lie in, shape (k, 2); its sides are divided into equal parts by dots."""
        self._outline, self._divisions = np.asarray(corners, dtype=np.float64).reshape(-1, 2), divisions

    def set_points(
        self,
        at: Floats,
        values: Floats,
        stderrs: Floats,
        index: NDArray[np.int64],
        *,
        details: Sequence[str] = (),
        outside: int = 0,
        fill: bool = True,
    ) -> None:
        """Show these points.

        Args:
            at: Shape (n, 2), data units.
            values: Shape (n,); NaN where the score is not finite.
            stderrs: Shape (n,).
            index: Shape (n,), numbers in their run.
            details: A further line of the readout for each point; none if empty.
            outside: How many more were evaluated and lie elsewhere.
            fill: Whether the plane between them is theirs to be filled; not where they are projections onto it.
        """
        self._index, self._at = index, np.asarray(at, dtype=np.float64).reshape(-1, 2)
        self._points, self._errors = np.asarray(values, dtype=np.float64), np.asarray(stderrs, dtype=np.float64)
        self._details, self._outside, self._filled = tuple(details), outside, fill
        xs, ys = self._cells()
        self._xs, self._ys = xs, ys
        raster = between(self._at, self._points, xs, ys) if fill else np.full((ys.size, xs.size), np.nan)
        self._values, self._scored = raster, np.isfinite(raster)
        self._stderrs = np.full(raster.shape, np.nan)
        self._numbers = np.full(raster.shape, -1, dtype=np.int64)
        self._draw()
        self.canvas.set_range(self._reach())

    def _cells(self) -> tuple[Floats, Floats]:
        every = np.concatenate((self._outline, self._at))
        every = every[np.isfinite(every).all(axis=1)]
        if not len(every):
            return np.linspace(0, 1, 2), np.linspace(0, 1, 2)
        low, high = every.min(axis=0), every.max(axis=0)
        span = np.maximum(high - low, 1e-12 * max(float(np.abs(every).max()), 1e-300))
        counts = np.maximum((_SIDE * span / span.max()).astype(int), 2)
        return np.linspace(low[0], high[0], counts[0]), np.linspace(low[1], high[1], counts[1])

    def _reach(self) -> tuple[float, float, float, float]:
        """The map with room around it for names."""
        every = [np.array([[self._xs[0], self._ys[0]], [self._xs[-1], self._ys[-1]]])]
        if self._models:
            every.append(np.array(list(self._models.values())))
        if self._stops is not None and len(self._stops.at):
            every.append(self._stops.at)
        low, high = np.concatenate(every).min(axis=0), np.concatenate(every).max(axis=0)
        pad = 0.09 * float(max(high - low)) or 0.5
        return float(low[0] - pad), float(high[0] + pad), float(low[1] - pad), float(high[1] + pad)

    # --- what a grid would say otherwise -------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Always: what is blank stays blank."""
        return True

    def fill(self, finite: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Nothing is guessed beyond the triangles."""
        return finite, np.zeros(finite.shape, dtype=bool)

    def value_range(self, finite: Floats) -> Floats:
        """Colour limits are those of the points, not of the map between them."""
        values = self._points
        if self._scale == "log":
            values = np.where(values > 0, values, np.nan)
        return values if np.isfinite(values).any() else finite

    def say(self) -> None:
        """How many points are shown, and what lies between them."""
        failed = int((~np.isfinite(self._points)).sum())
        notes = [f"{counted(len(self._points) - failed, 'point')} shown"]
        if failed:
            notes.append(f"× not finite, {failed:,}")
        if self._outside:
            notes.append(f"{self._outside:,} elsewhere")
        if self._filled and self._scored.any():
            notes.append("between dots: interpolated")
        self.canvas.note = " · ".join(notes)
        low, high = self._limits
        self.set_summary(
            f"{self._names[2]} at {counted(len(self._points), 'point')}, from {self._written(low)} to "
            f"{self._written(high)}. {'. '.join(notes)}"
        )

    def _value_of(self, index: int) -> float:
        found = self._points[self._index == index] if index >= 0 else self._points[:0]
        return float(found[0]) if found.size else np.nan

    # --- painting ---------------------------------------------------------------------------------------------------

    def paint_marks(self, painter: QPainter) -> None:
        """The outline with its divisions, the points, crosses, the path."""
        self._paint_outline(painter)
        where, finite = self.where(), np.isfinite(self._points)
        radius = 2.6 if len(where) <= 200 else 1.6
        on_paper = not self._scored.any()
        painter.setPen(QPen(_RIM, 0.75))
        for (x, y), value in zip(where[finite][:_MOST_DOTS].tolist(), self._points[finite][:_MOST_DOTS], strict=True):
            painter.setBrush(self._colour(float(value)) if on_paper else _WHITE)
            painter.drawEllipse(QPointF(x, y), 4.5 if on_paper else radius, 4.5 if on_paper else radius)
        for x, y in where[~finite].tolist():
            marks.cross(painter, QPointF(x, y), _FAILED, 4.0)
        if self._stops is not None:
            paint_stops(painter, self.canvas, self._stops, on_map=not on_paper)

    def _paint_outline(self, painter: QPainter) -> None:
        if len(self._outline) < 3:
            return
        corners = [QPointF(*at) for at in self.canvas.to_px(self._outline[:, 0], self._outline[:, 1]).tolist()]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (QPen(QColor(20, 20, 20, 150), 3.0), QPen(_WHITE, 1.5)):
            painter.setPen(pen)
            painter.drawPolygon(QPolygonF(corners))

    # --- words -----------------------------------------------------------------------------------------------------

    def describe(self, index: int) -> Sequence[str]:
        """Score, detail, position; of a stop that is no point what a path knows."""
        if index < -1 and self._stops is not None:
            return self._stops.describe(-2 - index)
        rows = np.nonzero(self._index == index)[0]
        if not rows.size:
            return ()
        row = int(rows[0])
        value, error = float(self._points[row]), float(self._errors[row])
        lines = [f"{self._names[2]}: {self._written(value, error) if np.isfinite(value) else 'not finite'}"]
        if self._details:
            lines.append(self._details[row])
        x, y = self._at[row].tolist()
        return [*lines, f"At {number(x)}, {number(y)}"]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per point."""
        x, y, value = self._names
        names = ["index", x, y, value, f"{value} standard error", *(["detail"] if self._details else [])]

        def rows() -> Iterable[Sequence[object]]:
            for row in range(self._index.size):
                cells: list[object] = [int(self._index[row]), *(float(v) for v in self._at[row])]
                cells += [float(self._points[row]), float(self._errors[row])]
                yield [*cells, self._details[row]] if self._details else cells

        return names, rows()
