"""A value over a plane: a coloured map with iso-lines, in true distances, filling in as cells are scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QTransform
from PySide6.QtWidgets import QWidget

from solera_app.plots import marks
from solera_app.plots._pg import Image, colour_table, path
from solera_app.plots.canvas import plate, text_size
from solera_app.plots.cells import paint_hatching
from solera_app.plots.colourbar import ColourBar
from solera_app.plots.contours import contour
from solera_app.plots.levels import Level, paint_levels
from solera_app.plots.numerals import counted, measured, number
from solera_app.plots.plates import Wanted, place
from solera_app.plots.plot import Plot
from solera_app.plots.raster import colour_range, fill, magnify
from solera_app.plots.stops import Stops, paint_stops
from solera_app.plots.ticks import log_ticks, tick_labels, tick_step, ticks

Scale = Literal["linear", "log"]
Floats = NDArray[np.float64]
_WHITE, _RIM, _PLATE = QColor(255, 255, 255), QColor(20, 20, 20), QColor(24, 23, 21, 215)
_LARGEST = 1e30
_STOP = 8.0  # px around a stop that count as on it
_CONTOUR_MS = 250  # contours of a growing grid are drawn anew at most so often


class SurfacePlot(Plot):
    """A grid of values as an image.

    Grid lines are the models' true coordinates; with :meth:`set_equal` both axes share one scale. Cells not scored
    are blank, or take their nearest neighbour's colour under hatching when they lie among scored ones.
    """

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self._xs = self._ys = np.array([0.0, 1.0])
        self._values = self._stderrs = np.full((2, 2), np.nan)
        self._scored = np.zeros((2, 2), dtype=bool)
        self._numbers = np.full((2, 2), -1, dtype=np.int64)
        self._guessed = np.zeros((2, 2), dtype=bool)
        self._given: NDArray[np.bool_] | None = None
        self._strays: dict[int, tuple[float, float]] = {}
        self._models: dict[str, tuple[float, float]] = {}
        self._stops: Stops | None = None
        self._scale: Scale = "linear"
        self._fixed: tuple[float, float] | None = None
        self._limits, self._clipped = (0.0, 1.0), False
        self._wanted_contours, self._smooth = 10, True
        self._levels: list[tuple[float, bool, QPainterPath, Floats]] = []
        self._names = ("x", "y", "value")
        self._percent = False
        self._image, self._bar = Image(), ColourBar()
        self.canvas.add(self._image)
        self.canvas.y.grid = False
        self.canvas.equal = True
        self.set_colours("viridis")
        self._contour_timer = QTimer(self)
        self._contour_timer.setSingleShot(True)
        self._contour_timer.setInterval(_CONTOUR_MS)
        self._contour_timer.timeout.connect(self._draw_contours)

    # --- what is shown ---------------------------------------------------------------------------------------------

    def set_names(self, x: str, y: str, value: str, *, percent: bool = False) -> None:
        """Short names of coordinates and value, for readout, colour bar and CSV; percent writes fractions so."""
        self._names, self._percent = (x, y, value), percent
        self._bar.title, self._bar.percent = value, percent
        self._make_room()

    def set_equal(self, equal: bool) -> None:
        """One scale on both axes (distances), or each its own (quantities of different kinds)."""
        self.canvas.equal = equal
        self.canvas.arrange()

    def set_grid(self, xs: Floats, ys: Floats) -> None:
        """Grid lines, ascending, at least one each. Clears the values."""
        self._xs, self._ys = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
        shape = (self._ys.size, self._xs.size)
        self._values, self._stderrs = np.full(shape, np.nan), np.full(shape, np.nan)
        self._scored, self._numbers = np.zeros(shape, dtype=bool), np.full(shape, -1, dtype=np.int64)
        self._given, self._strays = None, {}
        self._limits = (np.nan, np.nan)
        x0, x1, y0, y1 = self._extent()
        self.canvas.set_range((x0, x1, y0, y1))
        self._image.clear()
        self._levels = []

    def set_values(
        self,
        values: Floats,
        scored: NDArray[np.bool_],
        *,
        stderrs: Floats | None = None,
        numbers: NDArray[np.int64] | None = None,
        guessed: NDArray[np.bool_] | None = None,
    ) -> None:
        """Show these scores.

        Args:
            values: Shape (rows, columns): ``values[j, i]`` is the score at ``(xs[i], ys[j])``; NaN if not finite.
            scored: Same shape; True where a cell has been evaluated, whatever came out.
            stderrs: Same shape, standard errors.
            numbers: Same shape, index of each cell's point in its run; -1 without one.
            guessed: Same shape, True where ``values`` was interpolated by who knows better than this picture.
        """
        self._given = guessed
        self._values, self._scored = np.asarray(values, dtype=np.float64), np.asarray(scored, dtype=bool)
        self._stderrs = np.full(values.shape, np.nan) if stderrs is None else stderrs
        self._numbers = np.full(values.shape, -1, dtype=np.int64) if numbers is None else numbers
        rows, cols = np.nonzero(self._numbers >= 0)
        self._index = self._numbers[rows, cols]
        self._at = np.column_stack((self._xs[cols], self._ys[rows]))
        self._draw()

    def set_models(self, models: Mapping[str, tuple[float, float]]) -> None:
        """Named models as squares with plates."""
        self._models = dict(models)
        self.refresh()

    def set_stops(self, stops: Stops | None) -> None:
        """A path over the map."""
        self._stops = stops
        self.refresh()

    def set_colours(self, name: str) -> None:
        """The colour map: ``"viridis"`` or ``"cividis"``, or another of pyqtgraph's."""
        self._table = colour_table(name)
        self._bar.set_table(self._table)
        self._image.set_colours(self._table)
        self.refresh()

    def set_scale(self, scale: Scale) -> None:
        """Colours linear in the value or in its logarithm (positive values only; others are then off the range)."""
        self._scale = scale
        self._limits = (np.nan, np.nan)
        self._draw()

    def set_range(self, limits: tuple[float, float] | None) -> None:
        """Colour limits; None takes them from the values."""
        self._fixed = limits
        self._limits = (np.nan, np.nan)
        self._draw()

    @property
    def value_title(self) -> str:
        """What the colours stand for."""
        return self._names[2]

    @property
    def own_range(self) -> tuple[float, float]:
        """The colour limits that its own values ask for; NaN without any."""
        finite = self.value_range(np.where(self._shown() & np.isfinite(self._values), self._values, np.nan))
        low, high, _ = colour_range(finite)
        return (low, high) if np.isfinite(finite).any() else (np.nan, np.nan)

    def set_contours(self, count: int) -> None:
        """About how many iso-lines; 0 for none."""
        self._wanted_contours = count
        self._draw_contours()

    def set_smooth(self, smooth: bool) -> None:
        """Bilinear between grid points once the grid is complete, or always flat cells."""
        self._smooth = smooth
        self._draw()

    @property
    def limits(self) -> tuple[float, float]:
        """Colour limits in force."""
        return self._limits

    @property
    def levels(self) -> list[float]:
        """Values of the iso-lines drawn."""
        return [level for level, *_ in self._levels]

    # --- drawing data ----------------------------------------------------------------------------------------------

    def _extent(self) -> tuple[float, float, float, float]:
        edges = []
        for lines in (self._xs, self._ys):
            low, high = float(lines[0]), float(lines[-1])
            edges += [low, high] if high > low else [low - 0.5, high + 0.5]
        return edges[0], edges[1], edges[2], edges[3]

    def _draw(self) -> None:
        finite = np.where(self._shown() & np.isfinite(self._values), self._values, np.nan)
        if self._scale == "log":
            with np.errstate(invalid="ignore"):
                finite = np.where(finite > 0, finite, np.nan)
        self._update_limits(finite)
        filled, self._guessed = self.fill(finite)
        complete = self.complete
        factor = max(2, 2 * round(384 / max(filled.shape) / 2))
        unit = max(1.0, float(np.nanmax(np.abs(filled), initial=0.0)) / _LARGEST)  # pixels are float32
        shown = magnify(filled / unit, factor, smooth=self._smooth and complete)
        low, high = (limit / unit for limit in self._limits)
        if self._scale == "log":
            shown, low, high = np.log(shown), float(np.log(low)), float(np.log(high))
        x0, x1, y0, y1 = self._extent()
        if np.isfinite(shown).any():
            self._image.set(shown, (low, high), QRectF(x0, y0, x1 - x0, y1 - y0))
        else:
            self._image.clear()
        self.say()
        if complete:
            self._draw_contours()
        elif not self._contour_timer.isActive():
            self._contour_timer.start()
        self.refresh()

    @property
    def complete(self) -> bool:
        """Whether every cell has its value, so that cells can be smoothed and iso-lines drawn at once."""
        return bool(self._shown().all())

    def _shown(self) -> NDArray[np.bool_]:
        """Cells whose value is known or was interpolated for us."""
        return self._scored if self._given is None else self._scored | self._given

    def set_strays(self, at: Floats, values: Floats, stderrs: Floats, numbers: NDArray[np.int64]) -> None:
        """Points that were scored and lie on no cell, such as those held out.

        Args:
            at: Shape (k, 2), data units.
            values: Shape (k,).
            stderrs: Shape (k,).
            numbers: Shape (k,), indices in their run.
        """
        told = zip(numbers.tolist(), values.tolist(), stderrs.tolist(), strict=True)
        self._strays = {number: (value, error) for number, value, error in told}
        self._index = np.concatenate((self._index, numbers))
        self._at = np.concatenate((self._at, at))
        self.say()
        self.refresh()

    def fill(self, finite: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """What is shown in every cell, and which of them are only guessed."""
        if self._given is not None:
            return finite, self._given
        return fill(finite, self._scored)

    def value_range(self, finite: Floats) -> Floats:
        """The values that colour limits are taken from: those shown."""
        return finite

    def _update_limits(self, finite: Floats) -> None:
        before = self._limits
        if self._fixed is not None:
            self._limits, self._clipped = self._fixed, False
        else:
            finite = self.value_range(finite)
            low, high, self._clipped = colour_range(finite)
            if not np.isfinite(finite).any():
                low = high = np.nan
            if self._scale == "log" and low <= 0:
                positive = finite[np.isfinite(finite)]
                low = float(positive.min()) if positive.size else 0.1
                high = max(high, low * 1.01)
            if (
                not self.complete and np.isfinite(low) and np.isfinite(before[0])
            ):  # while it fills, the range only grows
                low, high = min(low, before[0]), max(high, before[1])
            self._limits = (low, high)
        if not np.array_equal(self._limits, before, equal_nan=True):
            self._make_room()

    def _make_room(self) -> None:
        self._bar.limits, self._bar.scale = self._limits, self._scale
        self.canvas.margin_right = self._bar.room()
        self.canvas.arrange()

    def say(self) -> None:
        """The note at the foot, and the sentence for those who do not see."""
        low, high = self._limits
        values = self._values[self._shown()]
        notes = []
        with np.errstate(invalid="ignore"):
            above, below = int((values > high).sum()), int((values < low).sum())
        why = " (98th percentile)" if self._clipped and self._fixed is None else ""
        if above:
            notes.append(f"{counted(above, 'cell')} above {self._written(high)}{why}")
        if below:
            notes.append(f"{counted(below, 'cell')} below {self._written(low)}")
        broken = int((~np.isfinite(values)).sum())
        if broken:
            notes.append(f"× not finite, {broken:,}")
        if self._given is not None:
            notes.append(f"Dots: scored, {self._index.size:,}; all between them interpolated")
        elif self._guessed.any():
            notes.append("Hatched cells: interpolated")
        self.canvas.note = " · ".join(notes)
        self.set_summary(
            f"{self._names[2]} at {int(self._scored.sum()):,} of {self._scored.size:,} grid points, "
            f"from {self._written(low)} to {self._written(high)}. {'. '.join(notes)}"
            f"{'' if self._stops is None else ' ' + self._stops.summary()}"
        )

    def _written(self, value: float, stderr: float = np.nan) -> str:
        return measured(value, stderr, percent=self._percent)

    def _draw_contours(self) -> None:
        self._levels = []
        low, high = self._limits
        if self._wanted_contours > 0 and np.isfinite(low) and min(self._values.shape) > 1:
            filled = np.where(self._shown(), self._values, np.nan)
            if self._scale == "log":
                found = log_ticks(low, high, self._wanted_contours)
                majors = {level for place, level in enumerate(found) if place % 2 == 0}
            else:
                found = ticks(low, high, self._wanted_contours)
                step = tick_step(low, high, self._wanted_contours)
                majors = {level for level in found if round(level / step) % 2 == 0}
            for level in found:
                if low < level < high:
                    pieces = self._in_data(contour(filled, level))
                    if pieces.size:
                        line = path(pieces[:, :, 0].ravel(), pieces[:, :, 1].ravel(), "pairs")
                        self._levels.append((level, level in majors, line, pieces))
        self.refresh()

    def _in_data(self, pieces: Floats) -> Floats:
        """Segments from grid indices to data units."""
        x = np.interp(pieces[:, :, 0], np.arange(self._xs.size), self._xs)
        y = np.interp(pieces[:, :, 1], np.arange(self._ys.size), self._ys)
        return np.stack((x, y), axis=-1)

    # --- painting --------------------------------------------------------------------------------------------------

    def paint(self, painter: QPainter) -> None:
        """Hatching, iso-lines, crosses, models with plates, selection, colour bar."""
        painter.save()
        painter.setClipRect(self.canvas.window_rect)
        self._paint_hatching(painter)
        self._paint_lines(painter)
        painter.restore()
        painter.save()
        painter.setClipRect(self.canvas.window_rect.adjusted(-8, -8, 8, 8))
        self.paint_marks(painter)
        self._paint_models(painter)
        here = self.position(self.selected)
        if here is not None:
            marks.selection(painter, here, on_surface=True)
        painter.restore()
        self._bar.paint(painter, self.canvas.window_rect, self._value_of(self.selected))

    # --- stops of a path have a readout of their own ---------------------------------------------------------------

    #: Whether the pointer finds a stop before a point that lies there.
    stops_first = True

    def _hover(self, at: QPointF) -> None:
        stop, point = self._stop_at(at), self.hit(at)
        self._set_hovered(-2 - stop if stop >= 0 and (self.stops_first or point < 0) else point)

    def _stop_at(self, at: QPointF) -> int:
        if self._stops is None or not len(self._stops.at):
            return -1
        where = self.canvas.to_px(self._stops.at[:, 0], self._stops.at[:, 1])
        gaps = np.hypot(where[:, 0] - at.x(), where[:, 1] - at.y())
        return int(np.argmin(gaps)) if gaps.min() <= _STOP else -1

    def position(self, index: int) -> QPointF | None:
        """Where a point or a stop (-2 is the first) is, px."""
        if index < -1 and self._stops is not None and -2 - index < len(self._stops.at):
            return self.canvas.point(*self._stops.at[-2 - index])
        return super().position(index)

    def _value_of(self, index: int) -> float:
        found = self._values[self._numbers == index] if index >= 0 else self._values[:0]
        return float(found.flat[0]) if found.size else self._strays.get(index, (np.nan, np.nan))[0]

    def _paint_hatching(self, painter: QPainter) -> None:
        if not self._guessed.any() or self._given is not None:  # dots say it better where nearly all is between
            return
        paint_hatching(painter, self.canvas, self._xs, self._ys, self._guessed)

    def _to_stage(self) -> QTransform:
        origin, unit = self.canvas.point(0, 0), self.canvas.point(1, 1)
        return QTransform(unit.x() - origin.x(), 0, 0, unit.y() - origin.y(), origin.x(), origin.y())

    def _paint_lines(self, painter: QPainter) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        transform = self._to_stage()
        for _, major, line, _ in self._levels:
            pen = QPen(QColor(255, 255, 255, 204 if major else 102), 1.25 if major else 1.0)
            painter.setPen(pen)
            painter.drawPath(transform.map(line))
        self._paint_levels(painter)

    def _paint_levels(self, painter: QPainter) -> None:
        """The value of every second line on a plate of its own colour, away from models and from each other."""
        majors = [(level, pieces) for level, major, _, pieces in self._levels if major]
        labels = tick_labels([level for level, _ in majors], percent=self._percent)
        plates = [
            Level(self._colour(level), label, pieces) for (level, pieces), label in zip(majors, labels, strict=True)
        ]
        paint_levels(painter, self.canvas, plates, [self.canvas.point(*at) for at in self._models.values()])

    def _colour(self, value: float) -> QColor:
        low, high = self._limits
        share = np.log(value / low) / np.log(high / low) if self._scale == "log" else (value - low) / (high - low)
        red, green, blue, _ = self._table[int(np.clip(share * 255, 0, 255))].tolist()
        return QColor(red, green, blue)

    def paint_marks(self, painter: QPainter) -> None:
        """Crosses where a score is not finite, dots where a picture was scored, a path; below the models."""
        if self._given is not None:
            painter.setPen(QPen(_RIM, 0.5))
            painter.setBrush(_WHITE)
            for x, y in self.where()[np.isfinite(self._at).all(axis=1)].tolist():
                painter.drawEllipse(QPointF(x, y), 1.75, 1.75)
        rows, cols = np.nonzero(self._scored & ~np.isfinite(self._values))
        for x, y in self.canvas.to_px(self._xs[cols], self._ys[rows]).tolist():
            marks.cross(painter, QPointF(x, y), QColor(128, 124, 118))
        if self._stops is not None:
            paint_stops(painter, self.canvas, self._stops)

    def _paint_models(self, painter: QPainter) -> None:
        shown = {
            name: self.canvas.point(*at)
            for name, at in self._models.items()
            if self.canvas.window_rect.adjusted(-2, -2, 2, 2).contains(self.canvas.point(*at))
        }
        wanted = []
        for name, at in shown.items():
            width, height = text_size(name, "medium")
            wanted.append(Wanted(at, QSizeF(width + 16, height + 6), 13.0))
        blocked = [QRectF(at.x() - 8, at.y() - 8, 16, 16) for at in shown.values()]
        here = self.position(self.selected)
        if here is not None:
            blocked.append(QRectF(here.x() - 11, here.y() - 11, 22, 22))
        for at in shown.values():
            marks.square(painter, at, _RIM, _WHITE, 12, 1.5)
        bounds = self.canvas.window_rect.adjusted(4, 4, -4, -4)
        for name, rect in zip(shown, place(wanted, bounds, blocked), strict=True):
            plate(painter, rect, name, _PLATE, _WHITE)

    # --- words -----------------------------------------------------------------------------------------------------

    def describe(self, index: int) -> Sequence[str]:
        """Score, position, nearest model."""
        if index < -1 and self._stops is not None:
            return self._stops.describe(-2 - index)
        rows = np.nonzero(self._index == index)[0]
        if not rows.size:
            return ()
        x, y = self._at[rows[0]].tolist()
        found = np.nonzero(self._numbers == index)
        value, error = self._strays.get(index, (np.nan, np.nan))
        if found[0].size:
            value, error = float(self._values[found][0]), float(self._stderrs[found][0])
        lines = [
            f"{self._names[2]}: {self._written(value, error) if np.isfinite(value) else 'not finite'}",
            f"{self._names[0]} {number(x)}, {self._names[1]} {number(y)}",
        ]
        if self._models and self.canvas.equal:
            name = min(self._models, key=lambda key: float(np.hypot(*(np.array(self._models[key]) - (x, y)))))
            distance = float(np.hypot(*(np.array(self._models[name]) - (x, y))))
            lines.append(f"At {name}" if distance == 0 else f"{number(distance)} to {name}")
        return lines

    def order(self) -> NDArray[np.int64]:
        """In the order of scoring."""
        return np.sort(self._index)

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per grid point; a point not scored has no value."""
        x, y, value = self._names

        def rows() -> Iterable[Sequence[object]]:
            for j in range(self._ys.size):
                for i in range(self._xs.size):
                    given = self._given is not None and bool(self._given[j, i])
                    state = "scored" if self._scored[j, i] else "interpolated" if given else "not scored"
                    shown = float(self._values[j, i]) if self._scored[j, i] or given else np.nan
                    error = float(self._stderrs[j, i]) if self._scored[j, i] else np.nan
                    yield float(self._xs[i]), float(self._ys[j]), shown, error, state
            for index, (value_, error) in self._strays.items():
                x_, y_ = self._at[np.nonzero(self._index == index)[0][0]].tolist()
                yield x_, y_, value_, error, "scored between cells"

        return (x, y, value, f"{value} standard error", "state"), rows()
