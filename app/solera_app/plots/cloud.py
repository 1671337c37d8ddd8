"""Three scores of a search as points in a box: the front above the rest, with drop lines to the floor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QWidget

from solera_app.plots import marks
from solera_app.plots.canvas import text_size
from solera_app.plots.header import Entry
from solera_app.plots.numerals import measured
from solera_app.plots.plates import Wanted, place
from solera_app.plots.space import SpacePlot
from solera_app.plots.ticks import tick_step
from solera_app.theme import font, theme

Floats = NDArray[np.float64]
_MOST_DROPS = 60


class CloudPlot(SpacePlot):
    """A Pareto scatter of three scores, projected; the readout has the numbers, for depth cannot be read off paper."""

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self._errors: Floats = np.empty((0, 3))
        self._front = self._noise = np.zeros(0, dtype=bool)
        self._titles: tuple[str, ...] = ("x", "y", "z")
        self._names: dict[int, str] = {}

    def set_points(
        self,
        values: Floats,
        errors: Floats,
        index: NDArray[np.int64],
        front: NDArray[np.bool_],
        noise: NDArray[np.bool_],
        titles: tuple[str, str, str],
        names: dict[int, str] | None = None,
    ) -> None:
        """Show these points.

        Args:
            values: Shape (n, 3); a point one of whose scores is not finite is counted and not drawn.
            errors: Same shape; standard errors.
            index: Shape (n,), numbers in their run.
            front: Shape (n,), on the front.
            noise: Shape (n,), within noise of it.
            titles: Short names of the three scores.
            names: Index -> name, of points that are named models.
        """
        self._space, self._index, self._errors = values, index, errors
        self._front, self._noise, self._titles, self._names = front, noise, titles, names or {}
        self._at = values[:, :2]
        finite = values[np.isfinite(values).all(axis=1)]
        if len(finite):
            low, high = finite.min(axis=0), finite.max(axis=0)
            steps = np.array([tick_step(a, b, 5) for a, b in zip(low.tolist(), high.tolist(), strict=True)])
            steps = np.where(high > low, steps, np.maximum(np.abs(low) * 0.1, 0.1)) / 2
            self.set_box(np.floor(low / steps) * steps, np.ceil(high / steps) * steps, (1.0, 1.0, 0.8))
        self._say()
        self.canvas.arrange()

    def _say(self) -> None:
        finite: NDArray[np.bool_] = np.asarray(np.isfinite(self._space).all(axis=1))
        front, noise = int(self._front.sum()), int(self._noise.sum())
        entries = [Entry("dot", marks.front_words(self._space[self._front]), "accent")]
        if noise:
            entries.append(Entry("ring", f"Within noise, {noise:,}"))
        entries.append(Entry("dot", f"Dominated, {int(finite.sum()) - front - noise:,}", "plot.dominated"))
        if not finite.all():
            entries.append(Entry("cross", f"Not finite, {int((~finite).sum()):,}", "text-3"))
        self.set_legend(entries)
        self.set_summary(
            f"{len(finite):,} points over {', '.join(self._titles)}, seen from azimuth {self.camera.azimuth:.0f} and "
            f"elevation {self.camera.elevation:.0f} degrees; {front:,} are on the front."
        )

    def paint(self, painter: QPainter) -> None:
        """Box, drop lines, points off the front, those on it from far to near, names, the chosen one, axes."""
        self.paint_box(painter)
        finite: NDArray[np.bool_] = np.asarray(np.isfinite(self._space).all(axis=1))
        rows = np.nonzero(finite)[0]
        seen = np.full((len(finite), 3), np.nan)
        seen[rows] = self.projected(self._space[rows])
        self._paint_drops(painter, np.nonzero(finite & (self._front | (self._index == self.selected)))[0], seen)
        accent, grey = theme().colour("accent"), theme().colour("plot.dominated")
        named = np.isin(self._index, list(self._names))
        plain = finite & ~named & ~self._front
        marks.discs(painter, seen[plain & ~self._noise, :2], grey)
        marks.rings(painter, seen[plain & self._noise, :2], accent)
        strong = np.nonzero(finite & (named | self._front))[0]
        for row in strong[np.argsort(seen[strong, 2])].tolist():
            at = QPointF(float(seen[row, 0]), float(seen[row, 1]))
            if named[row]:
                rim = accent if self._front[row] else theme().colour("text")
                marks.square(painter, at, rim, theme().colour("plot.background"))
            else:
                marks.disc(painter, at, accent)
        here = self.position(self.selected)
        if here is not None:
            marks.selection(painter, here)
        self._paint_names(painter, seen)
        self.paint_axes(painter)

    def _paint_drops(self, painter: QPainter, rows: NDArray[np.int64], seen: Floats) -> None:
        if len(rows) > _MOST_DROPS:
            rows = rows[self._index[rows] == self.selected]
        floor = self._space[rows].copy()
        floor[:, 2] = self._low[2]
        painter.setPen(QPen(theme().colour("accent-line"), 1))
        for (x, y, _), (u, v, _) in zip(seen[rows].tolist(), self.projected(floor).tolist(), strict=True):
            painter.drawLine(QPointF(x, y), QPointF(u, v))

    def _paint_names(self, painter: QPainter, seen: Floats) -> None:
        rows = [row for row in range(len(seen)) if int(self._index[row]) in self._names and np.isfinite(seen[row, 0])]
        points = [QPointF(float(seen[row, 0]), float(seen[row, 1])) for row in rows]
        names = [self._names[int(self._index[row])] for row in rows]
        wanted = [
            Wanted(at, QSizeF(text_size(name)[0] + 4, text_size(name)[1]), 9.0)
            for at, name in zip(points, names, strict=True)
        ]
        blocked = [QRectF(at.x() - 6, at.y() - 6, 12, 12) for at in points]
        painter.setFont(font("small"))
        for rect, name in zip(place(wanted, self.canvas.window_rect, blocked), names, strict=True):
            halo = theme().colour("plot.background")
            halo.setAlphaF(0.72)
            painter.fillRect(rect, halo)
            painter.setPen(theme().colour("text"))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, name)

    def order(self) -> NDArray[np.int64]:
        """Along the front, by the first score."""
        chosen = np.nonzero(self._front)[0]
        return self._index[chosen[np.argsort(self._space[chosen, 0], kind="stable")]]

    def _role(self, row: int) -> str:
        return "on the front" if self._front[row] else "within noise" if self._noise[row] else "dominated"

    def describe(self, index: int) -> Sequence[str]:
        """Name or number, role, the three scores."""
        rows = np.nonzero(self._index == index)[0]
        if not rows.size:
            return ()
        row = int(rows[0])
        told = zip(self._titles, self._space[row], self._errors[row], self._percents, strict=True)
        lines = [f"{title}: {measured(float(v), float(e), percent=percent)}" for title, v, e, percent in told]
        return [f"{self._names.get(index, f'Point {index + 1}')}, {self._role(row)}", *lines]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per point."""
        names = ["index", "name", "role"]
        for title in self._titles:
            names += [title, f"{title} standard error"]

        def rows() -> Iterable[Sequence[object]]:
            for row, index in enumerate(self._index.tolist()):
                cells: list[object] = [index, self._names.get(index, ""), self._role(row)]
                for value, error in zip(self._space[row], self._errors[row], strict=True):
                    cells += [float(value), float(error)]
                yield cells

        return names, rows()
