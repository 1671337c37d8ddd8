"""A number with its error for each of some things: a disc with whiskers on a row of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QWidget

from solera_app.plots import marks
from solera_app.plots.numerals import measured
from solera_app.plots.plot import Plot
from solera_app.plots.ticks import GrowingRange
from solera_app.theme import font, theme

Floats = NDArray[np.float64]
_LONGEST = 190.0


class DotsPlot(Plot):
    """Rows of names with a value each; the axis below says what it is. A row without a number is crossed."""

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self._names: tuple[str, ...] = ()
        self._values = self._errors = np.empty(0)
        self._what = "value"
        self._log = False
        self._across = GrowingRange()
        self.canvas.x.grid, self.canvas.y.grid, self.canvas.y.hidden = True, False, True

    def reset(self) -> None:
        """Forget the axis' extent."""
        self._across.reset()
        self.canvas.fit()

    def set_values(
        self, names: Sequence[str], values: Floats, errors: Floats, index: NDArray[np.int64], what: str,
        *, log: bool = False,
    ) -> None:  # fmt: skip
        """Show these.

        Args:
            names: From the top.
            values: Shape (n,); NaN without a number.
            errors: Shape (n,), standard errors; NaN where unknown.
            index: Shape (n,), indices in their run; -1 where nothing is measured yet.
            what: What the values are, with unit.
            log: Powers of ten across; what is not above 0 has no place there and is crossed.
        """
        self._names, self._values, self._errors, self._what = tuple(names), values, errors, what
        self._log = self.canvas.x.powers = log
        self.canvas.x.title = what
        with np.errstate(divide="ignore", invalid="ignore"):
            at = np.where(values > 0, np.log10(values), np.nan) if log else values
        self._index = index
        self._at = np.column_stack((at, len(names) - 0.5 - np.arange(len(names)))).astype(np.float64)
        reach = np.nan_to_num(errors, nan=0.0, posinf=0.0) if not log else np.zeros(len(names))
        ends = np.concatenate((at - reach, at + reach))
        ends = ends[np.isfinite(ends)]
        if ends.size:
            pad = 0.04 * float(np.ptp(ends))
            self._across.cover(float(ends.min()) - pad, float(ends.max()) + pad, 11)
        metrics = QFontMetricsF(font("small"))
        widest = max((metrics.horizontalAdvance(name) for name in names), default=0.0)
        self.canvas.least_left = min(widest, _LONGEST) + 14
        self.canvas.set_range((*self._across.cover(np.nan, np.nan), 0.0, float(max(len(names), 1))))
        broken = int((~np.isfinite(self._at[:, 0]) & (index >= 0)).sum())
        self.canvas.note = f"× no number here, {broken:,}" if broken else ""
        told = [f"{n} {measured(float(v), float(e))}" for n, v, e in zip(names, values, errors, strict=True)]
        self.set_summary(f"{what}: {', '.join(told)}.")

    def paint(self, painter: QPainter) -> None:
        """Names, hairlines, whiskers, discs, crosses."""
        rect, metrics = self.canvas.window_rect, QFontMetricsF(font("small"))
        height, colour = metrics.height(), theme().colour("accent")
        every = max(1, int(np.ceil(len(self._names) * (height + 1) / max(rect.height(), 1.0))))
        painter.setFont(font("small"))
        for row in range(0, len(self._names), every):
            y = self.canvas.point(0, float(self._at[row, 1])).y()
            painter.setPen(theme().colour("plot.label"))
            text = metrics.elidedText(self._names[row], Qt.TextElideMode.ElideMiddle, _LONGEST)
            box = QRectF(rect.left() - 8 - _LONGEST, y - height / 2, _LONGEST, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
            painter.setPen(QPen(theme().colour("plot.grid"), 1))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
        known = np.isfinite(self._at[:, 0]) & (self._index >= 0)
        if not self._log:
            x, y_at, error = self._at[known, 0], self._at[known, 1], self._errors[known]
            marks.whiskers(painter, self.canvas.to_px(x - error, y_at), self.canvas.to_px(x + error, y_at), colour)
        for x_px, y_px in self.where()[known].tolist():
            marks.disc(painter, QPointF(x_px, y_px), colour)
        for row in np.nonzero(~known & (self._index >= 0))[0].tolist():
            y = self.canvas.point(0, float(self._at[row, 1])).y()
            marks.cross(painter, QPointF(rect.left() + 10, y), theme().colour("text-3"))
        here = self.position(self.selected)
        if here is not None:
            marks.selection(painter, here)

    def order(self) -> NDArray[np.int64]:
        """From the top."""
        return self._index[self._index >= 0]

    def describe(self, index: int) -> Sequence[str]:
        """Name, value with error."""
        rows = np.nonzero(self._index == index)[0]
        if index < 0 or not rows.size:
            return ()
        row = int(rows[0])
        value, error = float(self._values[row]), float(self._errors[row])
        return (self._names[row], f"{self._what}: {measured(value, error) if np.isfinite(value) else 'no number'}")

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per name that was measured."""
        rows = np.nonzero(self._index >= 0)[0].tolist()
        told = ((self._names[row], float(self._values[row]), float(self._errors[row])) for row in rows)
        return ("name", self._what, f"{self._what} standard error"), told
