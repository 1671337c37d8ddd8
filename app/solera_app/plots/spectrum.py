"""Lines over a number, each with its name: spectra, densities, curves that a probe found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QWidget

from solera_app.plots import lines, marks
from solera_app.plots._pg import dashed
from solera_app.plots.lines import FEW, Series
from solera_app.plots.numerals import counted, measured, number
from solera_app.plots.plot import Plot
from solera_app.plots.ticks import GrowingRange
from solera_app.theme import theme

Floats = NDArray[np.float64]
_DECADES = 9  # a logarithmic axis reaches no further down: what is there is next to nothing


class SpectrumPlot(Plot):
    """Lines with names at their ends, on a linear or a logarithmic scale; 0 across is marked where it is inside."""

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self._said: tuple[Series, ...] = ()
        self._drawn: tuple[Series, ...] = ()
        self._across, self._up = GrowingRange(), GrowingRange()
        self._names = ("x", "value")
        self._across_zero = False

    def set_names(self, x: str, value: str) -> None:
        """Short names of the number and of what is drawn over it, for readout and CSV."""
        self._names = (x, value)

    def reset(self) -> None:
        """Forget the axes' extents."""
        self._across.reset()
        self._up.reset()
        self.canvas.fit()

    def set_series(self, series: Sequence[Series], *, log: bool = False) -> None:
        """Show these lines.

        Args:
            series: Each with the index of its points in their run.
            log: Powers of ten upwards; what is not above 0 has no place there and is counted.
        """
        self.canvas.y.powers = log
        self._said = tuple(series)
        self._drawn = tuple(_logged(line) for line in series) if log else self._said
        self._index = np.concatenate([line.index for line in series]) if series else self._index[:0]
        at = [np.column_stack((line.x, line.y)) for line in self._drawn]
        self._at = np.concatenate(at) if at else np.empty((0, 2))
        finite = self._at[np.isfinite(self._at).all(axis=1)]
        x0, x1 = self._across.cover(np.nan, np.nan)
        if len(finite):
            x0, x1 = self._across.cover(float(finite[:, 0].min()), float(finite[:, 0].max()))
            low, high = (line.extent() for line in (min(self._drawn, key=_low), max(self._drawn, key=_high)))
            flat = 0.0 if not log and 0 <= low[0] <= 0.3 * high[1] else low[0]
            self._up.cover(max(flat, high[1] - _DECADES) if log else flat, high[1], 11)
        self._across_zero = x0 < 0 < x1
        self.canvas.margin_right = 24.0 + min(lines.end_label_room([line.name for line in series]), 150.0)
        self.canvas.set_range((x0, x1, *self._up.cover(np.nan, np.nan)))
        self._say(log)

    def _say(self, log: bool) -> None:
        values = np.concatenate([line.y for line in self._said]) if self._said else np.empty(0)
        broken, low = int((~np.isfinite(values)).sum()), int((values <= 0).sum()) if log else 0
        notes = [f"× not finite, {broken:,}"] if broken else []
        below = int((self._at[:, 1] < self.canvas.full[2] - 1e-9).sum()) if log else 0
        if below:
            notes.append(f"{below:,} below the axis")
        if low:
            notes.append(f"{low:,} at or below 0, not on this scale")
        self.canvas.note = " · ".join(notes)
        self.set_summary(
            f"{self._names[1]} over {self._names[0]}: {counted(len(self._said), 'line')} of "
            f"{counted(len(values), 'point')}. {'. '.join(notes)}"
        )

    def paint(self, painter: QPainter) -> None:
        """The line at 0, bands, lines, crosses where there is no number, names."""
        painter.save()
        rect = self.canvas.window_rect
        painter.setClipRect(rect.adjusted(-7, -7, 7, 0 if self.canvas.y.powers else 7))
        if self._across_zero:
            across = self.canvas.point(0.0, 0.0).x()
            painter.setPen(dashed(QPen(theme().colour("text-3"), 1), (1.5, 3)))
            painter.drawLine(QPointF(across, rect.top()), QPointF(across, rect.bottom()))
        for line in reversed(self._drawn):
            lines.paint_band(painter, self.canvas, line)
            lines.paint_line(painter, self.canvas, line, dots=line.y.size <= FEW)
        for line in self._said:
            for x in line.x[~np.isfinite(line.y)].tolist():
                marks.cross(painter, QPointF(self.canvas.point(x, 0).x(), rect.bottom() - 8), theme().colour("text-3"))
        here = self.position(self.selected)
        if here is not None:
            marks.selection(painter, here)
        painter.restore()
        lines.paint_end_labels(painter, self.canvas, self._drawn)

    def describe(self, index: int) -> Sequence[str]:
        """Line, place, value."""
        for line in self._said:
            rows = np.nonzero(line.index == index)[0]
            if rows.size:
                row = int(rows[0])
                error = float(line.stderr[row]) if line.stderr is not None else np.nan
                said = measured(float(line.y[row]), error)
                return (line.name or self._names[1], f"{self._names[0]}: {number(float(line.x[row]))}",
                        f"{self._names[1]}: {said}")  # fmt: skip
        return ()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per line and point."""

        def rows() -> Iterable[Sequence[object]]:
            for line in self._said:
                errors = line.stderr if line.stderr is not None else np.full(line.y.size, np.nan)
                for x, y, error in zip(line.x, line.y, errors, strict=True):
                    yield (line.name, float(x), float(y), float(error))

        return ("line", *self._names, f"{self._names[1]} standard error"), rows()


def _logged(line: Series) -> Series:
    """The line in powers of ten; its errors have no symmetrical place there and are left to the readout."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return Series(line.name, line.x, np.where(line.y > 0, np.log10(line.y), np.nan), None, line.index, line.colour)


def _low(line: Series) -> float:
    return float(np.nan_to_num(line.extent()[0], nan=np.inf))


def _high(line: Series) -> float:
    return float(np.nan_to_num(line.extent()[1], nan=-np.inf))
