"""A matrix of numbers as coloured cells with names along both sides: similarities of models, statistics of layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QWidget

from solera_app.plots import marks
from solera_app.plots._pg import colour_table
from solera_app.plots.colourbar import ColourBar
from solera_app.plots.numerals import measured, short
from solera_app.plots.plot import Plot
from solera_app.theme import font, theme

Floats = NDArray[np.float64]
_WHITE, _INK, _FAILED = QColor(255, 255, 255), QColor(20, 20, 20), QColor(128, 124, 118)
_LONGEST = 190.0  # px of a name beside its row or below its column
_ROW = 13.0  # px that a name needs beside the next


class MatrixPlot(Plot):
    """Cells of a matrix; each is a point that can be chosen.

    Signed values take a map that is white at nought, others viridis. A cell without a number is crossed, one that is
    not measured yet stays blank.
    """

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self._rows: tuple[str, ...] = ()
        self._columns: tuple[str, ...] = ()
        self._values = self._errors = np.empty((0, 0))
        self._measured = np.zeros((0, 0), dtype=bool)
        self._numbers = np.empty((0, 0), dtype=np.int64)
        self._titles = ("row", "column", "value")
        self._log = self._upright = False
        self._table = colour_table("viridis")
        self._bar = ColourBar()
        self._bar.set_table(self._table)
        self.canvas.axes = False
        self.canvas.x.grid = self.canvas.y.grid = False

    def set_titles(self, rows: str, columns: str, value: str) -> None:
        """What lies along both sides, and what the cells hold, with its unit."""
        self._titles = (rows, columns, value)
        self._bar.title = value

    def set_cells(
        self,
        rows: Sequence[str],
        columns: Sequence[str],
        values: Floats,
        numbers: NDArray[np.int64],
        *,
        errors: Floats | None = None,
        log: bool = False,
        limits: tuple[float | None, float | None] = (None, None),
    ) -> None:
        """Show these cells.

        Args:
            rows: Names, from the top.
            columns: Names, from the left.
            values: Shape (rows, columns); NaN where a cell has no number.
            numbers: Same shape: index of each cell in its run; -1 where it is not measured yet.
            errors: Same shape: standard errors.
            log: Colours follow the logarithm; cells at or below 0 then have no colour.
            limits: Of the colours; None takes them from the values.
        """
        self._rows, self._columns, self._log = tuple(rows), tuple(columns), log
        self._values, self._numbers, self._measured = values, numbers, numbers >= 0
        self._errors = np.full(values.shape, np.nan) if errors is None else errors
        found = np.nonzero(self._measured)
        self._index = numbers[found]
        self._at = np.column_stack((found[1] + 0.5, len(rows) - found[0] - 0.5)).astype(np.float64)
        self._choose_colours(limits)
        self._make_room()
        self.canvas.set_range((0.0, float(max(len(columns), 1)), 0.0, float(max(len(rows), 1))))
        self._say()

    def _choose_colours(self, limits: tuple[float | None, float | None]) -> None:
        shown = self._values[np.isfinite(self._values)]
        if self._log:
            shown = shown[shown > 0]
        low, high = (float(shown.min()), float(shown.max())) if shown.size else (0.0, 1.0)
        signed = low < 0 < high or limits == (-1, 1)
        if signed:
            reach = max(-low, high) if limits[0] is None or limits[1] is None else max(-limits[0], limits[1])
            low, high = -reach, reach
        else:
            low = low if limits[0] is None or self._log else min(low, limits[0])
        if high <= low:
            low, high = (low / 2, low * 2) if self._log else (low - 0.5, low + 0.5)
        self._table = colour_table("CET-D1A" if signed else "viridis")
        self._bar.set_table(self._table)
        self._bar.limits, self._bar.scale = (low, high), "log" if self._log else "linear"

    def _make_room(self) -> None:
        metrics = QFontMetricsF(font("small"))
        widest = max((metrics.horizontalAdvance(name) for name in self._rows), default=0.0)
        self.canvas.margin_left = min(widest, _LONGEST) + metrics.height() + 22
        longest = max((metrics.horizontalAdvance(name) for name in self._columns), default=0.0)
        self.canvas.margin_right = self._bar.room()
        room = self.width() - 32 - self.canvas.margin_left - self.canvas.margin_right
        self._upright = longest > room / max(len(self._columns), 1) - 8
        below = min(longest, _LONGEST) if self._upright else metrics.height()
        self.canvas.margin_bottom = below + metrics.height() + 22
        self.canvas.arrange()

    def resizeEvent(self, event: object) -> None:
        """Names turn upright where they do not fit."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        if self._rows:
            self._make_room()

    def _say(self) -> None:
        finite = self._values[self._measured & np.isfinite(self._values)]
        broken = int((self._measured & ~np.isfinite(self._values)).sum())
        said = f"{self._titles[2]} of {len(self._rows)} by {len(self._columns)} cells"
        if finite.size:
            said += f", from {short(float(finite.min()))} to {short(float(finite.max()))}"
        self.set_summary(f"{said}.{f' {broken:,} cells have no number.' if broken else ''}")

    # --- painting ---------------------------------------------------------------------------------------------------

    def _colour(self, value: float) -> QColor | None:
        low, high = self._bar.limits
        if not np.isfinite(value) or (self._log and value <= 0):
            return None
        share = np.log(value / low) / np.log(high / low) if self._log else (value - low) / (high - low)
        red, green, blue, _ = self._table[int(np.clip(share * 255, 0, 255))].tolist()
        return QColor(red, green, blue)

    def _cell(self, row: int, column: int) -> QRectF:
        count = len(self._rows)
        one, other = self.canvas.point(column, count - row), self.canvas.point(column + 1, count - row - 1)
        left, top = round(one.x()), round(one.y())
        return QRectF(left, top, round(other.x()) - left, round(other.y()) - top)

    def paint(self, painter: QPainter) -> None:
        """Cells, their numbers where there is room, names, selection, colour bar."""
        if not self._rows or not self._columns:
            return
        painter.save()
        painter.setClipRect(self.canvas.window_rect.adjusted(-1, -1, 1, 1))
        gap = 1.0 if self._cell(0, 0).width() > 6 and self._cell(0, 0).height() > 6 else 0.0
        metrics = QFontMetricsF(font("small"))
        texts = [[short(float(v)) for v in row] for row in self._values] if self._cell(0, 0).height() > 15 else []
        widest = max((metrics.horizontalAdvance(text) for row in texts for text in row), default=np.inf)
        written = widest + 6 <= self._cell(0, 0).width()
        painter.setFont(font("small"))
        for row in range(len(self._rows)):
            for column in range(len(self._columns)):
                if self._measured[row, column]:
                    box = self._cell(row, column).adjusted(0, 0, -gap, -gap)
                    self._paint_cell(painter, box, float(self._values[row, column]))
                    if written and np.isfinite(self._values[row, column]):
                        self._paint_number(painter, box, float(self._values[row, column]), texts[row][column])
        self._paint_selected(painter)
        painter.restore()
        self._paint_names(painter)
        self._bar.paint(painter, self.canvas.window_rect, self._value_of(self.selected))

    def _paint_cell(self, painter: QPainter, box: QRectF, value: float) -> None:
        colour = self._colour(value)
        if colour is None:
            marks.cross(painter, box.center(), _FAILED, min(4.0, box.width() / 3, box.height() / 3))
            return
        painter.fillRect(box, colour)

    def _paint_number(self, painter: QPainter, box: QRectF, value: float, text: str) -> None:
        ground = self._colour(value)
        light = ground is None or 0.299 * ground.red() + 0.587 * ground.green() + 0.114 * ground.blue() > 140
        painter.setPen((theme().colour("text") if ground is None else _INK) if light else _WHITE)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_selected(self, painter: QPainter) -> None:
        place = self._place_of(self.selected)
        if place is not None:
            box = self._cell(*place).adjusted(0.5, 0.5, -1.5, -1.5)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for pen in (QPen(_INK, 4), QPen(_WHITE, 2)):
                painter.setPen(pen)
                painter.drawRect(box)

    def _paint_names(self, painter: QPainter) -> None:
        rect, metrics = self.canvas.window_rect, QFontMetricsF(font("small"))
        painter.setFont(font("small"))
        painter.setPen(theme().colour("plot.label"))
        height, edge = metrics.height(), Qt.TextElideMode.ElideMiddle
        for row in _every(len(self._rows), rect.height()):
            middle = self._cell(row, 0).center().y()
            box = QRectF(rect.left() - 8 - _LONGEST, middle - height / 2, _LONGEST, height)
            text = metrics.elidedText(self._rows[row], edge, _LONGEST)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        for column in _every(len(self._columns), rect.width()) if self._upright else range(len(self._columns)):
            middle = self._cell(0, column).center().x()
            text = metrics.elidedText(self._columns[column], edge, _LONGEST)
            painter.save()
            painter.translate(middle, rect.bottom() + 7)
            if self._upright:
                painter.rotate(-90)
                painter.drawText(QPointF(-metrics.horizontalAdvance(text), metrics.ascent() / 2 - 1), text)
            else:
                painter.drawText(QPointF(-metrics.horizontalAdvance(text) / 2, metrics.ascent()), text)
            painter.restore()
        line = QRectF(rect.left(), self.canvas.height() - height - 2, rect.width(), height)
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, self._titles[1])
        painter.save()
        painter.translate(2 + metrics.ascent(), rect.center().y())
        painter.rotate(-90)
        painter.drawText(QPointF(-metrics.horizontalAdvance(self._titles[0]) / 2, 0), self._titles[0])
        painter.restore()

    # --- pointer and words -----------------------------------------------------------------------------------------

    def hit(self, at: QPointF) -> int:
        """The cell under a pixel."""
        if not self.canvas.window_rect.contains(at) or not self._rows:
            return -1
        x, y = self.canvas.from_px(at)
        row, column = len(self._rows) - 1 - int(y), int(x)
        inside = 0 <= row < len(self._rows) and 0 <= column < len(self._columns)
        return int(self._numbers[row, column]) if inside else -1

    def order(self) -> NDArray[np.int64]:
        """Row by row."""
        return self._index

    def _place_of(self, index: int) -> tuple[int, int] | None:
        rows, columns = np.nonzero((self._numbers == index) & self._measured)
        return (int(rows[0]), int(columns[0])) if index >= 0 and rows.size else None

    def _value_of(self, index: int) -> float:
        place = self._place_of(index)
        return np.nan if place is None else float(self._values[place])

    def describe(self, index: int) -> Sequence[str]:
        """Both names, and the number with its error."""
        place = self._place_of(index)
        if place is None:
            return ()
        value, error = float(self._values[place]), float(self._errors[place])
        said = measured(value, error) if np.isfinite(value) else "no number"
        return (f"{self._titles[2]}: {said}", f"{self._titles[0]}: {self._rows[place[0]]}",
                f"{self._titles[1]}: {self._columns[place[1]]}")  # fmt: skip

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per cell measured."""

        def rows() -> Iterable[Sequence[object]]:
            for row, column in zip(*np.nonzero(self._measured), strict=True):
                value, error = float(self._values[row, column]), float(self._errors[row, column])
                yield (self._rows[row], self._columns[column], value, error)

        return (*self._titles, f"{self._titles[2]} standard error"), rows()


def _every(count: int, room: float) -> range:
    """Which names have room beside each other."""
    return range(0, count, max(1, int(np.ceil(count * _ROW / max(room, 1.0)))))
