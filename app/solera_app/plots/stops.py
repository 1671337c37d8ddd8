"""A path over a plane: the stops of a training run or of a soup, in order, with what lies off the plane."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from solera_app.plots.canvas import Canvas, plate, text_size
from solera_app.plots.numerals import number
from solera_app.plots.plates import Wanted, place
from solera_app.theme import font, theme

_WHITE, _RIM, _PLATE = QColor(255, 255, 255), QColor(20, 20, 20), QColor(24, 23, 21, 215)
_NAMED = 9  # as many names as can be read beside a path


@dataclass(frozen=True, slots=True, eq=False)
class Stops:
    """Models in order, at their projections onto the plane shown.

    Attributes:
        at: Shape (n, 2), data units.
        names: One each.
        off: Shape (n,): distance from the plane, as ``off_unit`` says; NaN where it is not known.
        off_unit: ``"(L2 norm)"``, or ``"% of its way to the last"``.
        joined: Whether a line joins them.
    """

    at: NDArray[np.float64]
    names: tuple[str, ...]
    off: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    off_unit: str = ""
    joined: bool = True

    def describe(self, row: int) -> tuple[str, ...]:
        """Lines of a stop's readout: its name, its place in the path, how far off the plane it is."""
        lines = [self.names[row] or "Start", f"Stop {row + 1} of {len(self.names)}"]
        if self.off.size and np.isfinite(self.off[row]):
            off = float(self.off[row])
            lines.append(f"Off the plane: {number(off)} {self.off_unit}".rstrip() if off > 0 else "In the plane")
        return tuple(lines)

    def summary(self) -> str:
        """A sentence for those who do not see the path."""
        said = f"A path of {len(self.names)} stops from {self.names[0] or 'the start'} to {self.names[-1]}"
        known = self.off[np.isfinite(self.off)]
        return (
            f"{said}, at most {number(float(known.max()))} {self.off_unit} off the plane." if known.size else f"{said}."
        )


def paint_stops(painter: QPainter, canvas: Canvas, stops: Stops, *, on_map: bool = True) -> None:
    """The path with arrow heads, its stops (the further off the plane, the hollower), and the names of a few.

    Args:
        painter: Where.
        canvas: Whose data window.
        stops: The path.
        on_map: Whether a colour map lies below, so that ink is white with a dark rim.
    """
    where = canvas.to_px(stops.at[:, 0], stops.at[:, 1])
    points = [QPointF(*at) for at in where.tolist()]
    ink = _WHITE if on_map else theme().colour("text")
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if stops.joined and len(points) > 1:
        if on_map:
            painter.setPen(QPen(QColor(20, 20, 20, 150), 4))
            painter.drawPolyline(QPolygonF(points))
        painter.setPen(QPen(ink, 2))
        painter.drawPolyline(QPolygonF(points))
        for here, there in pairwise(where):
            _arrow(painter, here, there, ink)
    for row, at in enumerate(points):
        off = float(stops.off[row]) if stops.off.size else 0.0
        hollow = np.isfinite(off) and off > 0
        if not on_map:  # the score's own colour shows within
            painter.setPen(QPen(ink, 1.75))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(at, 6.5, 6.5)
            continue
        painter.setPen(QPen(_RIM, 1.25))
        painter.setBrush(_PLATE if hollow else _WHITE)
        painter.drawEllipse(at, 4.5, 4.5)
        if hollow:
            painter.setPen(QPen(_WHITE, 1.75))
            painter.drawEllipse(at, 3.75, 3.75)
    _paint_names(painter, canvas, stops, points, on_map=on_map)


def _arrow(painter: QPainter, here: NDArray[np.float64], there: NDArray[np.float64], ink: QColor) -> None:
    along = there - here
    length = float(np.hypot(*along))
    if length < 34:
        return
    unit = along / length
    middle = here + 0.55 * along
    aside = np.array([-unit[1], unit[0]])
    tips = (middle + 5 * unit, middle - 4 * unit + 4 * aside, middle - 4 * unit - 4 * aside)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    painter.drawPolygon(QPolygonF([QPointF(*tip.tolist()) for tip in tips]))
    painter.setPen(QPen(ink, 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _paint_names(painter: QPainter, canvas: Canvas, stops: Stops, points: list[QPointF], *, on_map: bool) -> None:
    rows = sorted(set(np.linspace(0, len(points) - 1, min(len(points), _NAMED)).round().astype(int).tolist()))
    rows = [row for row in rows if stops.names[row] and canvas.window_rect.contains(points[row])]
    metrics = QFontMetricsF(font("small", "medium"))
    names = [metrics.elidedText(stops.names[row], Qt.TextElideMode.ElideMiddle, 140) for row in rows]
    wanted = []
    for row, name in zip(rows, names, strict=True):
        width, height = text_size(name, "medium")
        wanted.append(Wanted(points[row], QSizeF(width + 12, height + 4), 10.0))
    blocked = [QRectF(at.x() - 5, at.y() - 5, 10, 10) for at in points]
    for name, rect in zip(names, place(wanted, canvas.window_rect.adjusted(4, 4, -4, -4), blocked), strict=True):
        if on_map:
            plate(painter, rect, name, _PLATE, _WHITE)
        else:
            plate(painter, rect, name, theme().colour("plot.background"), theme().colour("text"))
