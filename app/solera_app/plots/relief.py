"""A value over a plane as a surface in space, turned by hand: drawn by OpenGL where there is one, else painted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from solera_app.bridge.background import in_background
from solera_app.plots import marks
from solera_app.plots._pg import colour_table, on_pixels
from solera_app.plots.canvas import plate, text_size
from solera_app.plots.colourbar import ColourBar
from solera_app.plots.gl_surface import GlSurface, probe
from solera_app.plots.numerals import counted, measured, number
from solera_app.plots.plates import Wanted, place
from solera_app.plots.raster import colour_range
from solera_app.plots.space import SpacePlot
from solera_app.theme import theme

Floats = NDArray[np.float64]
_WHITE, _RIM, _PLATE = QColor(255, 255, 255), QColor(20, 20, 20), QColor(24, 23, 21, 215)
_MOST, _MOST_GL = 72, 512  # cells along a side that are painted, and drawn by OpenGL; a finer grid is thinned


class ReliefPlot(SpacePlot):
    """A grid of values as a surface. A cell one of whose corners has no number is a hole."""

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self._xs = self._ys = np.array([0.0, 1.0])
        self._values = self._stderrs = np.full((2, 2), np.nan)
        self._scored = np.zeros((2, 2), dtype=bool)
        self._numbers = np.full((2, 2), -1, dtype=np.int64)
        self._guessed = np.zeros((2, 2), dtype=bool)
        self._models: dict[str, tuple[float, float]] = {}
        self._names, self._percent = ("x", "y", "value"), False
        self._limits, self._note = (0.0, 1.0), ""
        self._table, self._bar = colour_table("viridis"), ColourBar()
        self._bar.set_table(self._table)
        self._gl: GlSurface | None = None
        in_background(probe, self._use_gl, owner=self)

    def _use_gl(self, there: bool) -> None:
        """From now on draw by OpenGL, if it is there."""
        if there:
            self._gl = GlSurface(self)
            self.refresh()

    def set_names(self, x: str, y: str, value: str, *, percent: bool = False) -> None:
        """Short names of coordinates and value; percent writes fractions so."""
        self._names, self._percent = (x, y, value), percent
        self._bar.title, self._bar.percent = value, percent

    def set_models(self, models: Mapping[str, tuple[float, float]]) -> None:
        """Named models: squares on the floor, and pins up to the surface."""
        self._models = dict(models)

    def set_surface(
        self,
        xs: Floats,
        ys: Floats,
        values: Floats,
        scored: NDArray[np.bool_],
        numbers: NDArray[np.int64],
        stderrs: Floats,
        *,
        guessed: NDArray[np.bool_] | None = None,
        equal: bool = True,
    ) -> None:
        """Show a grid.

        Args:
            xs: Grid lines across, ascending.
            ys: Grid lines along, ascending.
            values: Shape (rows, columns): ``values[j, i]`` at ``(xs[i], ys[j])``.
            scored: Same shape: evaluated, whatever came out.
            numbers: Same shape: index of each cell in its run; -1 without one.
            stderrs: Same shape.
            guessed: Same shape: interpolated.
            equal: Draw both coordinates at one scale.
        """
        self._xs, self._ys, self._values, self._scored = xs, ys, values, scored
        self._numbers, self._stderrs = numbers, stderrs
        self._guessed = np.zeros(values.shape, dtype=bool) if guessed is None else guessed
        rows, columns = np.nonzero(numbers >= 0)
        self._index = numbers[rows, columns]
        shown = np.where(scored | self._guessed, values, np.nan)
        low, high, cut = colour_range(shown)
        self._limits = (low, high)
        self._bar.limits = self._limits
        heights = np.clip(values[rows, columns], low, high)
        self._space = np.column_stack((xs[columns], ys[rows], np.where(np.isfinite(heights), heights, low)))
        spans = np.array([max(float(np.ptp(xs)), 1e-12), max(float(np.ptp(ys)), 1e-12)])
        sides = spans / spans.max() if equal else np.ones(2)
        self.set_box(
            np.array([xs[0], ys[0], low]), np.array([xs[-1], ys[-1], high]),
            (max(float(sides[0]), 0.35), max(float(sides[1]), 0.35), 0.62),
        )  # fmt: skip
        self._say(shown, cut)
        self.canvas.margin_right = self._bar.room()
        self.canvas.arrange()

    def _say(self, shown: Floats, cut: bool) -> None:
        low, high = self._limits
        notes = []
        if cut:
            with np.errstate(invalid="ignore"):
                notes.append(f"{counted(int(((shown > high) | (shown < low)).sum()), 'cell')} beyond the box, cut off")
        broken = int((self._scored & ~np.isfinite(self._values)).sum())
        if broken:
            notes.append(f"× not finite, {broken:,}: holes")
        if self._guessed.any():
            notes.append(f"{int(self._guessed.sum()):,} cells interpolated, without outline")
        self._note = " · ".join(notes)
        self.set_summary(
            f"{self._names[2]} at {int(self._scored.sum()):,} of {self._scored.size:,} grid points, from "
            f"{self._written(low)} to {self._written(high)}. {'. '.join(notes)}"
        )

    def _thinning(self, most: int) -> tuple[int, int]:
        rows, columns = self._values.shape
        return max(1, -(-rows // most)), max(1, -(-columns // most))

    def _written(self, value: float, stderr: float = np.nan) -> str:
        return measured(value, stderr, percent=self._percent)

    # --- painting ---------------------------------------------------------------------------------------------------

    def paint(self, painter: QPainter) -> None:
        """Box, cells from far to near, crosses, models, the chosen point, axes, bar."""
        self.paint_box(painter)
        self._paint_models_below(painter)
        thinned = self._draw_cells(painter) or self._paint_cells(painter)
        self._paint_crosses(painter)
        self.paint_axes(painter)
        self._paint_models(painter)
        here = self.position(self.selected)
        if here is not None:
            marks.selection(painter, here, on_surface=True)
        found = self._values[self._numbers == self.selected] if self.selected >= 0 else self._values[:0]
        rect = self.canvas.window_rect.adjusted(0, 10, 0, -30)
        self._bar.paint(painter, rect, float(found.flat[0]) if found.size else np.nan)
        note = " · ".join(filter(None, [self._note, f"every {thinned}th line painted" if thinned > 1 else ""]))
        _, height = text_size(note)
        painter.setPen(theme().colour("text-3"))
        foot = QRectF(
            self.canvas.window_rect.left(), self.canvas.height() - height - 4, self.canvas.window_rect.width(), height
        )
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, note)

    def _cells(self, most: int) -> tuple[Floats, NDArray[np.uint8], NDArray[np.bool_], int]:
        """The cells whose corners all have numbers.

        Args:
            most: Lines along a side at most.

        Returns:
            Corners in turn, px and depth, shape (n, 4, 3); colours, shape (n, 3); which rest on interpolated numbers,
            shape (n,); and that every so many lines are taken.
        """
        down, across = self._thinning(most)
        rows = np.unique(np.append(np.arange(0, len(self._ys), down), len(self._ys) - 1))
        columns = np.unique(np.append(np.arange(0, len(self._xs), across), len(self._xs) - 1))
        grid = np.ix_(rows, columns)
        known = self._scored[grid] | self._guessed[grid]
        values = np.where(known, self._values[grid], np.nan)
        low, high = self._limits
        x, y = np.meshgrid(self._xs[columns], self._ys[rows])
        heights = np.clip(np.nan_to_num(values, nan=low), low, high)
        seen = self.projected(np.column_stack((x.ravel(), y.ravel(), heights.ravel()))).reshape(*x.shape, 3)
        corners = np.stack((seen[:-1, :-1], seen[:-1, 1:], seen[1:, 1:], seen[1:, :-1]), axis=2)
        mean = (values[:-1, :-1] + values[:-1, 1:] + values[1:, 1:] + values[1:, :-1]) / 4
        guess = self._guessed[grid]
        guess = guess[:-1, :-1] | guess[:-1, 1:] | guess[1:, 1:] | guess[1:, :-1]
        whole = np.isfinite(mean)
        shares = (np.clip((mean[whole] - low) / (high - low), 0, 1) * 255).astype(int)
        return corners[whole], self._table[shares, :3], guess[whole], max(down, across)

    def _draw_cells(self, painter: QPainter) -> int:
        """Draw the cells by OpenGL; every how many lines, or 0 if that cannot be."""
        if self._gl is None or not on_pixels(painter):
            return 0
        cells, colours, guess, thinned = self._cells(_MOST_GL)
        scale = painter.deviceTransform().m11()
        size = QSizeF(self.canvas.width(), self.canvas.height()) * scale
        cells[..., :2] *= scale
        outlined = ~guess if len(cells) <= _MOST**2 else np.zeros_like(guess)  # smaller cells would be all outline
        image = self._gl.image(cells, colours, outlined, size.toSize())
        if image.isNull():
            return 0
        image.setDevicePixelRatio(scale)
        painter.drawImage(QPointF(0, 0), image)
        return thinned

    def _paint_cells(self, painter: QPainter) -> int:
        """Paint the cells from far to near; every how many lines."""
        cells, colours, guess, thinned = self._cells(_MOST)
        edge = QPen(QColor(255, 255, 255, 90), 0.75)
        for cell in np.argsort(cells[..., 2].mean(axis=1)).tolist():
            colour = QColor(*colours[cell].tolist())
            painter.setPen(QPen(colour, 0.75) if guess[cell] else edge)
            painter.setBrush(colour)
            painter.drawPolygon(QPolygonF([QPointF(float(p[0]), float(p[1])) for p in cells[cell]]))
        return thinned

    def _paint_crosses(self, painter: QPainter) -> None:
        rows, columns = np.nonzero(self._scored & ~np.isfinite(self._values))
        low = np.full(len(rows), self._limits[0])
        for x, y, _ in self.projected(np.column_stack((self._xs[columns], self._ys[rows], low))).tolist():
            marks.cross(painter, QPointF(x, y), QColor(128, 124, 118))

    def _heights(self, at: Floats) -> Floats:
        """The surface above places of the floor, by its nearest cells; NaN where there is none."""
        columns = np.abs(self._xs[None, :] - at[:, :1]).argmin(axis=1)
        rows = np.abs(self._ys[None, :] - at[:, 1:2]).argmin(axis=1)
        known = self._scored[rows, columns] | self._guessed[rows, columns]
        return np.clip(np.where(known, self._values[rows, columns], np.nan), *self._limits)

    def _inside(self) -> dict[str, tuple[float, float]]:
        xs, ys = self._xs, self._ys
        return {n: at for n, at in self._models.items() if xs[0] <= at[0] <= xs[-1] and ys[0] <= at[1] <= ys[-1]}

    def _paint_models_below(self, painter: QPainter) -> None:
        """A small square on the floor below each model."""
        at = np.array(list(self._inside().values())).reshape(-1, 2)
        floor = np.column_stack((at, np.full(len(at), self._limits[0])))
        for x, y, _ in self.projected(floor).tolist():
            marks.square(painter, QPointF(x, y), theme().colour("text-3"), theme().colour("plot.background"), 7, 1.25)

    def _paint_models(self, painter: QPainter) -> None:
        models = self._inside()
        at = np.array(list(models.values())).reshape(-1, 2)
        heights = self._heights(at)
        heights = np.where(np.isfinite(heights), heights, self._limits[0])
        tops = [QPointF(x, y) for x, y, _ in self.projected(np.column_stack((at, heights))).tolist()]
        wanted = []
        for name, top in zip(models, tops, strict=True):
            marks.square(painter, top, _RIM, _WHITE, 11, 1.5)
            width, height = text_size(name, "medium")
            wanted.append(Wanted(top, QSizeF(width + 16, height + 6), 12.0))
        blocked = [QRectF(top.x() - 7, top.y() - 7, 14, 14) for top in tops]
        bounds = self.canvas.window_rect.adjusted(4, 4, -4, -4)
        for name, rect in zip(models, place(wanted, bounds, blocked), strict=True):
            plate(painter, rect, name, _PLATE, _WHITE)

    # --- words ------------------------------------------------------------------------------------------------------

    def order(self) -> NDArray[np.int64]:
        """In the order of scoring."""
        return np.sort(self._index)

    def describe(self, index: int) -> Sequence[str]:
        """Score and position."""
        found = np.nonzero(self._numbers == index)
        if index < 0 or not found[0].size:
            return ()
        row, column = int(found[0][0]), int(found[1][0])
        value, error = float(self._values[row, column]), float(self._stderrs[row, column])
        return (
            f"{self._names[2]}: {self._written(value, error) if np.isfinite(value) else 'not finite'}",
            f"{self._names[0]} {number(float(self._xs[column]))}, {self._names[1]} {number(float(self._ys[row]))}",
        )

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per grid point, with how its value came about."""
        x, y, value = self._names

        def rows() -> Iterable[Sequence[object]]:
            for j in range(self._ys.size):
                for i in range(self._xs.size):
                    scored, guessed = bool(self._scored[j, i]), bool(self._guessed[j, i])
                    state = "scored" if scored else "interpolated" if guessed else "not scored"
                    shown = float(self._values[j, i]) if scored or guessed else np.nan
                    error = float(self._stderrs[j, i]) if scored else np.nan
                    yield (float(self._xs[i]), float(self._ys[j]), shown, error, state)

        return (x, y, value, f"{value} standard error", "state"), rows()
