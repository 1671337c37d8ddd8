"""Many scores of many points side by side: an axis for each score, a line for each point, ranges to be brushed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from solera_app.plots import marks
from solera_app.plots._pg import path
from solera_app.plots.header import Entry
from solera_app.plots.kept import Kept
from solera_app.plots.numerals import counted, measured
from solera_app.plots.plot import Plot
from solera_app.plots.ticks import tick_labels, ticks
from solera_app.theme import font, theme

Floats = NDArray[np.float64]
_NEAR = 14.0  # px beside an axis that brush it
_FAINT = 0.45
_NOTHING = (math.inf, -math.inf)
_SMOOTH = 400  # so many lines are drawn smoothly; more are a texture, and dear


@dataclass(frozen=True, slots=True)
class Rail:
    """One upright axis.

    Attributes:
        title: In words with unit: ``"Rotated loss (nats)"``.
        lower: Whether lower is better; then low values stand at the top, so that up is good on every axis.
        percent: Write fractions as percents.
        judged: Whether it is a score; a coordinate has no better end and grows upwards.
    """

    title: str
    lower: bool = False
    percent: bool = False
    judged: bool = True


class ParallelPlot(Plot):
    """Parallel coordinates. Drag along an axis to brush it; a click beside the brush, or Escape, clears it.

    With the keyboard, left and right choose an axis, up and down move a brush of a third of it, Shift narrows it.

    Signals:
        brushed: Number of points that lie in all brushes.
    """

    brushed = Signal(int)

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self._rails: tuple[Rail, ...] = ()
        self._values = self._errors = np.empty((0, 0))
        self._front = np.zeros(0, dtype=bool)
        self._names: dict[int, str] = {}
        self._spans: list[tuple[float, float]] = []
        self._brushes: dict[int, tuple[float, float]] = {}
        self._axis = -1
        self._outside, self._inside = Kept(), Kept()
        canvas = self.canvas
        canvas.axes, canvas.takes_drags = False, True
        canvas.x.grid = canvas.y.grid = False
        canvas.margin_left = canvas.margin_right = 56.0
        canvas.margin_top, canvas.margin_bottom = 44.0, 30.0
        canvas.dragged.connect(self._drag)

    def set_points(
        self,
        rails: Sequence[Rail],
        values: Floats,
        errors: Floats,
        index: NDArray[np.int64],
        front: NDArray[np.bool_],
        names: dict[int, str] | None = None,
    ) -> None:
        """Show these points.

        Args:
            rails: The axes, from the left.
            values: Shape (n, axes); a line breaks where one is not finite.
            errors: Same shape; NaN where unknown.
            index: Shape (n,), numbers in their run.
            front: Shape (n,), which are on the front.
            names: Index -> name, of points that are named models.
        """
        if [rail.title for rail in rails] != [rail.title for rail in self._rails]:
            self._brushes.clear()
            self._spans = [_NOTHING] * len(rails)
        self._rails, self._values, self._errors = tuple(rails), values, errors
        self._index, self._front, self._names = index, front, names or {}
        self._spans = [_span(values[:, place], span) for place, span in enumerate(self._spans)]
        last = max(len(rails) - 1, 1)
        self.canvas.set_range((0.0, float(last), 0.0, 1.0))
        self._at = np.column_stack((np.zeros(len(index)), self._level(0))) if len(rails) else np.empty((0, 2))
        self._say()
        self.refresh()

    def reset(self) -> None:
        """Forget the axes' extents."""
        self._spans = [_NOTHING] * len(self._rails)

    def _level(self, place: int) -> Floats:
        """How high each point stands on an axis, 0 to 1."""
        return self._up(place, self._values[:, place])

    def _up(self, place: int, values: Floats) -> Floats:
        low, high = self._spans[place]
        level = (values - low) / (high - low)
        rail = self._rails[place]
        return 1.0 - level if rail.judged and rail.lower else level

    def _say(self) -> None:
        inside = self.inside()
        broken = int((~np.isfinite(self._values)).any(axis=1).sum()) if len(self._rails) else 0
        front = int(self._front.sum())
        entries = [
            Entry("line", marks.front_words(self._values[self._front])),
            Entry("line", f"Dominated, {len(inside) - front - broken:,}", "plot.dominated"),
        ]
        if broken:
            entries.append(Entry("cross", f"Not finite somewhere, {broken:,}", "text-3"))
        if self._brushes:
            entries.append(Entry("area", f"In all brushes, {int(inside.sum()):,}", "accent-soft"))
        self.set_legend(entries)
        axes = ", ".join(rail.title for rail in self._rails)
        self.set_summary(f"{counted(len(inside), 'point')} over {counted(len(self._rails), 'axis', 'axes')}: {axes}.")

    # --- brushes ----------------------------------------------------------------------------------------------------

    @property
    def brushes(self) -> dict[int, tuple[float, float]]:
        """Axis -> the range of values brushed."""
        return dict(self._brushes)

    def brush(self, place: int, limits: tuple[float, float] | None) -> None:
        """Brush an axis between two values; None clears it."""
        if limits is None:
            self._brushes.pop(place, None)
        else:
            self._brushes[place] = (min(limits), max(limits))
        self._axis = place
        self._say()
        self.refresh()
        self.brushed.emit(int(self.inside().sum()))

    def inside(self) -> NDArray[np.bool_]:
        """Which points lie in all brushes, shape (n,)."""
        kept = np.ones(len(self._values), dtype=bool)
        for place, (low, high) in self._brushes.items():
            kept &= (self._values[:, place] >= low) & (self._values[:, place] <= high)
        return kept

    def _axis_at(self, at: QPointF) -> int:
        across = [self.canvas.point(place, 0).x() for place in range(len(self._rails))]
        gaps = np.abs(np.array(across) - at.x()) if across else np.array([np.inf])
        return int(np.argmin(gaps)) if gaps.min() <= _NEAR else -1

    def _value_at(self, place: int, at: QPointF) -> float:
        level = float(np.clip(self.canvas.from_px(at)[1], 0.0, 1.0))
        low, high = self._spans[place]
        rail = self._rails[place]
        return high - level * (high - low) if rail.judged and rail.lower else low + level * (high - low)

    def _drag(self, start: QPointF, now: QPointF) -> None:
        place = self._axis_at(start)
        if place >= 0:
            self.brush(place, (self._value_at(place, start), self._value_at(place, now)))

    def _click(self, at: QPointF) -> None:
        place = self._axis_at(at)
        if place in self._brushes:
            low, high = self._brushes[place]
            if not low <= self._value_at(place, at) <= high:
                self.brush(place, None)
                return
        super()._click(at)

    def _key(self, event: QKeyEvent) -> bool:
        key, last = event.key(), len(self._rails) - 1
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and last >= 0:
            self._axis = max(0, min(last, self._axis + (1 if key == Qt.Key.Key_Right else -1)))
            self.refresh()
            return True
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and 0 <= self._axis <= last:
            self._move_brush(1 if key == Qt.Key.Key_Up else -1, event.modifiers())
            return True
        if key == Qt.Key.Key_Escape and self._brushes:
            self._brushes.clear()
            self.brush(max(self._axis, 0), None)
            return True
        return super()._key(event)

    def _move_brush(self, step: int, modifiers: Qt.KeyboardModifier) -> None:
        """Up is towards better; with Shift the far end comes nearer."""
        place = self._axis
        low, high = self._spans[place]
        rail, span = self._rails[place], high - low
        up = -step if rail.judged and rail.lower else step
        start, stop = self._brushes.get(place, (low, low + span / 3) if up < 0 else (high - span / 3, high))
        if place in self._brushes:
            if modifiers & Qt.KeyboardModifier.ShiftModifier:
                start, stop = (start + span / 20, stop) if up > 0 else (start, stop - span / 20)
            else:
                start, stop = start + up * span / 20, stop + up * span / 20
        self.brush(place, (max(low, min(start, stop)), min(high, max(start, stop))))

    # --- painting ---------------------------------------------------------------------------------------------------

    def paint(self, painter: QPainter) -> None:
        """Lines, the brushed and the front above the rest, axes, brushes, the chosen line."""
        if not self._rails:
            return
        inside, none = self.inside(), np.empty(0, dtype=np.intp)
        accent, grey = theme().colour("accent"), theme().colour("plot.dominated")
        painter.setBrush(Qt.BrushStyle.NoBrush)
        self._paint_many(painter, self._outside, ~inside & ~self._front, _thin(grey, 0.18))
        self._paint_lines(painter, np.nonzero(~inside & self._front)[0], _thin(accent, 0.18), 1.0)
        self._paint_many(painter, self._inside, inside & ~self._front, _thin(grey, _FAINT))
        self._paint_lines(painter, np.nonzero(inside & self._front)[0], accent, 1.6)
        for row in np.nonzero(~np.isfinite(self._values).all(axis=1))[0].tolist():
            self._paint_breaks(painter, row)
        for index, colour in ((self.hovered, theme().colour("text-2")), (self.selected, theme().colour("text"))):
            self._paint_lines(painter, np.nonzero(self._index == index)[0] if index >= 0 else none, colour, 2.5)
        for place in range(len(self._rails)):
            self._paint_rail(painter, place)

    def _paint_many(self, painter: QPainter, kept: Kept, rows: NDArray[np.bool_], colour: QColor) -> None:
        """Hairlines: a few smoothly, more of them as a texture, which is dear and so is kept."""
        if int(rows.sum()) <= _SMOOTH:
            self._paint_lines(painter, np.nonzero(rows)[0], colour, 1.0)
            return
        opaque = _upon_paper(colour)

        def draw(onto: QPainter, some: NDArray[np.intp]) -> None:
            px = self._segments(some).reshape(-1, 2)
            onto.setPen(QPen(opaque, 1))
            onto.drawPath(path(px[:, 0], px[:, 1], "pairs"))

        rect = self.canvas.window_rect
        look = (self._rails, tuple(self._spans), rect.getRect(), self.canvas.shown, opaque.rgba())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        kept.paint(painter, self.canvas.size(), rows, look, draw)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _paint_lines(self, painter: QPainter, rows: NDArray[np.intp], colour: QColor, width: float) -> None:
        painter.setPen(QPen(colour, width))  # one by one: strokes that cross in one path are several times as dear
        painter.drawLines([QLineF(*ends) for ends in self._segments(rows).reshape(-1, 4).tolist()])

    def _segments(self, rows: NDArray[np.intp]) -> Floats:
        """The pieces of lines from axis to axis, px, shape (pieces, 2 ends, 2); none where a value is not finite."""
        levels = np.column_stack([self._up(place, self._values[rows, place]) for place in range(len(self._rails))])
        across = np.broadcast_to(np.arange(len(self._rails), dtype=np.float64), levels.shape)
        px = self.canvas.to_px(across, levels)
        pieces = np.stack((px[:, :-1], px[:, 1:]), axis=2).reshape(-1, 2, 2)
        return pieces[np.isfinite(pieces).all(axis=(1, 2))]

    def _paint_breaks(self, painter: QPainter, row: int) -> None:
        """A cross below each axis on which a point has no number."""
        for place in np.nonzero(~np.isfinite(self._values[row]))[0].tolist():
            foot = self.canvas.point(place, 0)
            marks.cross(painter, QPointF(foot.x(), foot.y() + 9), theme().colour("text-3"))

    def _paint_rail(self, painter: QPainter, place: int) -> None:
        rail, (low, high) = self._rails[place], self._spans[place]
        top, foot = self.canvas.point(place, 1), self.canvas.point(place, 0)
        if place in self._brushes:
            ends = self._up(place, np.array(self._brushes[place]))
            one, other = (self.canvas.point(place, float(level)).y() for level in ends)
            ground = theme().colour("accent-soft")
            ground.setAlphaF(0.75)
            painter.setPen(QPen(theme().colour("accent"), 1.25))
            painter.setBrush(ground)
            painter.drawRect(QRectF(top.x() - 7, min(one, other), 14, max(abs(one - other), 2.0)))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        chosen = place == self._axis and self.canvas.keyboard and self.canvas.hasFocus()
        painter.setPen(QPen(theme().colour("accent" if chosen else "plot.axis"), 2 if chosen else 1))
        painter.drawLine(top, foot)
        small, metrics = font("small"), QFontMetricsF(font("small"))
        painter.setFont(small)
        values = ticks(low, high, 5)
        levels = self._up(place, np.array(values)) if values else np.empty(0)
        for level, label in zip(levels.tolist(), tick_labels(values, percent=rail.percent), strict=True):
            y = self.canvas.point(place, level).y()
            box = QRectF(top.x() + 6, y - metrics.height() / 2, metrics.horizontalAdvance(label) + 2, metrics.height())
            halo = theme().colour("plot.background")
            halo.setAlphaF(0.7)
            painter.fillRect(box, halo)
            painter.setPen(QPen(theme().colour("plot.axis"), 1))
            painter.drawLine(QPointF(top.x() - 3, y), QPointF(top.x() + 3, y))
            painter.setPen(theme().colour("plot.label"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label)
        self._paint_title(painter, place, top)

    def _paint_title(self, painter: QPainter, place: int, top: QPointF) -> None:
        """The axis title in two lines: what it is, and which way is better."""
        rail, metrics = self._rails[place], QFontMetricsF(font("small"))
        gap = self.canvas.window_rect.width() / max(len(self._rails) - 1, 1)
        room = max(min(gap - 10, 240.0), 40.0)
        left = min(max(top.x() - room / 2, 2.0), self.canvas.width() - room - 2)
        align = Qt.AlignmentFlag.AlignHCenter if left == top.x() - room / 2 else Qt.AlignmentFlag.AlignLeft
        if left + room >= self.canvas.width() - 3:
            align = Qt.AlignmentFlag.AlignRight
        for line, (text, token) in enumerate(
            ((rail.title, "text-2"), (_better(rail) if rail.judged else "", "text-3"))
        ):
            painter.setPen(theme().colour(token))
            box = QRectF(left, top.y() - 8 - (2 - line) * metrics.height(), room, metrics.height())
            painter.drawText(box, align, metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, room))

    # --- pointer and words -----------------------------------------------------------------------------------------

    def hit(self, at: QPointF) -> int:
        """The line nearest to a pixel, by its height where the pointer is."""
        if len(self._rails) < 2 or not len(self._index):
            return -1
        x, y = self.canvas.from_px(at)
        left = int(np.clip(np.floor(x), 0, len(self._rails) - 2))
        if not -0.05 <= x <= len(self._rails) - 0.95:
            return -1
        share = float(np.clip(x - left, 0.0, 1.0))
        level = (1 - share) * self._level(left) + share * self._level(left + 1)
        gaps = np.abs(level - y) * self.canvas.window_rect.height()
        gaps = np.where(np.isfinite(gaps) & (self.inside() | (not self._brushes)), gaps, np.inf)
        nearest = int(np.argmin(gaps))
        return int(self._index[nearest]) if gaps[nearest] <= 6.0 else -1

    def order(self) -> NDArray[np.int64]:
        """The front's points in all brushes, by the first axis; all of them where none is on the front."""
        inside = self.inside()
        chosen = np.nonzero(inside & self._front)[0] if (inside & self._front).any() else np.nonzero(inside)[0]
        return (
            self._index[chosen[np.argsort(-self._level(0)[chosen], kind="stable")]] if len(self._rails) else self._index
        )

    def describe(self, index: int) -> Sequence[str]:
        """Name or number, role, every value."""
        rows = np.nonzero(self._index == index)[0]
        if not rows.size:
            return ()
        row = int(rows[0])
        lines = [
            f"{self._names.get(index, f'Point {index + 1}')}, {'on the front' if self._front[row] else 'dominated'}"
        ]
        for rail, value, error in zip(self._rails, self._values[row], self._errors[row], strict=True):
            said = measured(float(value), float(error), percent=rail.percent) if np.isfinite(value) else "not finite"
            lines.append(f"{rail.title}: {said}")
        return lines

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per point; whether it lies in all brushes."""
        names = ["index", "name", "role", "brushed"]
        for rail in self._rails:
            names += [rail.title, f"{rail.title} standard error"]

        def rows() -> Iterable[Sequence[object]]:
            inside = self.inside()
            for row, index in enumerate(self._index.tolist()):
                role = "front" if self._front[row] else "dominated"
                cells: list[object] = [index, self._names.get(index, ""), role, bool(inside[row])]
                for value, error in zip(self._values[row], self._errors[row], strict=True):
                    cells += [float(value), float(error)]
                yield cells

        return names, rows()


def _span(values: Floats, before: tuple[float, float]) -> tuple[float, float]:
    """An axis' extent: as it was while all values lie in it, so that a line stays where it was drawn."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if before[0] <= low and high <= before[1]:
        return before
    pad = 0.03 * (high - low) or abs(low) * 0.05 or 0.5
    return low - pad, high + pad


def _thin(colour: QColor, alpha: float) -> QColor:
    thin = QColor(colour)
    thin.setAlphaF(alpha)
    return thin


def _upon_paper(colour: QColor) -> QColor:
    """What a thin colour looks like on the paper, opaque: many such lines are painted several times as fast."""
    paper, share = theme().colour("plot.background"), colour.alphaF()
    pairs = ((colour.red(), paper.red()), (colour.green(), paper.green()), (colour.blue(), paper.blue()))
    red, green, blue = (round(share * ink + (1 - share) * ground) for ink, ground in pairs)
    return QColor(red, green, blue)


def _better(rail: Rail) -> str:
    return "lower is better, on top" if rail.lower else "higher is better"
