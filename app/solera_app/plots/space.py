"""Three dimensions on paper: a box with axes, seen from a direction that the hand turns; no OpenGL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from solera_app.plots.plot import Plot
from solera_app.plots.ticks import tick_labels, ticks
from solera_app.theme import font, theme

Floats = NDArray[np.float64]
_STEP = 7.5  # degrees a key turns
_ALL = slice(None)


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the box is seen from; far away, so that parallels stay parallel.

    Attributes:
        azimuth: Degrees around the upright axis. elevation: Degrees above the floor, 5 to 85.
    """

    azimuth: float = -60.0
    elevation: float = 28.0

    def turned(self, across: float, up: float) -> Camera:
        """Turned by degrees."""
        return Camera((self.azimuth + across + 180) % 360 - 180, max(5.0, min(85.0, self.elevation + up)))

    def project(self, points: Floats) -> Floats:
        """Points of the unit box, shape (n, 3), as (across, up, depth), shape (n, 3); a larger depth is nearer."""
        a, e = np.radians(self.azimuth), np.radians(self.elevation)
        x, y, z = (np.asarray(points, dtype=np.float64) - 0.5).T
        toward = x * np.cos(a) + y * np.sin(a)
        across = -x * np.sin(a) + y * np.cos(a)
        return np.column_stack(
            (across, z * np.cos(e) - toward * np.sin(e), z * np.sin(e) + toward * np.cos(e))
        )  # fmt: skip


class SpacePlot(Plot):
    """A box in which subclasses paint; dragging turns it, and so do the arrow keys with Shift.

    Points are kept in data units in ``_space`` (n, 3) beside ``_index``; subclasses fill both, and paint.

    Signals:
        turned: The camera, when it is seen from elsewhere.
    """

    turned = Signal(object)

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent, compact=compact)
        self.camera = Camera()
        self._space: Floats = np.empty((0, 3))
        self._low, self._high = np.zeros(3), np.ones(3)
        self._sizes = np.ones(3)
        self._axis_titles = ("", "", "")
        self._percents = (False, False, False)
        self._from: tuple[QPointF, Camera] | None = None
        canvas = self.canvas
        canvas.axes, canvas.takes_drags = False, True
        canvas.x.grid = canvas.y.grid = False
        canvas.margin_left, canvas.margin_bottom, canvas.margin_top = 24.0, 24.0, 8.0
        canvas.setToolTip("Drag to turn; 0 turns back")
        canvas.fitted.connect(lambda: self.look_from(Camera()))
        canvas.dragged.connect(self._turn)

    # --- what is shown ---------------------------------------------------------------------------------------------

    def set_space_axes(
        self, titles: tuple[str, str, str], percents: tuple[bool, bool, bool] = (False, False, False)
    ) -> None:
        """Titles in words with units: across, along, upright."""
        self._axis_titles, self._percents = titles, percents
        self.refresh()

    def set_box(self, low: Floats, high: Floats, sizes: tuple[float, float, float] = (1.0, 1.0, 0.7)) -> None:
        """The data's extent, shape (3,) each, and how long the box's sides are drawn, at most 1."""
        self._low, self._high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        self._high = np.where(self._high > self._low, self._high, self._low + 1.0)
        self._sizes = np.asarray(sizes, dtype=np.float64)
        self.refresh()

    def look_from(self, camera: Camera) -> None:
        """See it from elsewhere."""
        if camera != self.camera:
            self.camera = camera
            self.refresh()
            self.turned.emit(camera)

    # --- from data to pixels ----------------------------------------------------------------------------------------

    def unit(self, points: Floats) -> Floats:
        """Data as places in the unit box around its middle, shape (n, 3)."""
        share = (np.asarray(points, dtype=np.float64).reshape(-1, 3) - self._low) / (self._high - self._low)
        return 0.5 + (share - 0.5) * self._sizes

    def projected(self, points: Floats) -> Floats:
        """Data in pixels and depth, shape (n, 3)."""
        seen = self.camera.project(self.unit(points))
        rect = self.canvas.window_rect
        corners = self.camera.project(0.5 + (_CORNERS - 0.5) * self._sizes)
        low, high = corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
        room = np.array([max(rect.width() - 2 * _SIDE, 40.0), max(rect.height() - _BELOW, 40.0)])
        scale = float((room / np.maximum(high - low, 1e-9)).min())
        middle = (low + high) / 2
        x = rect.center().x() + scale * (seen[:, 0] - middle[0])
        y = rect.top() + (rect.height() - _BELOW) / 2 + 8 - scale * (seen[:, 1] - middle[1])
        return np.column_stack((x, y, seen[:, 2]))

    def where(self, rows: NDArray[np.int64] | slice = _ALL) -> Floats:
        """Where points are, px."""
        return self.projected(self._space[rows])[:, :2]

    # --- turning ----------------------------------------------------------------------------------------------------

    def _turn(self, start: QPointF, now: QPointF) -> None:
        if self._from is None or self._from[0] != start:
            self._from = (start, self.camera)
        moved = now - start
        self.look_from(self._from[1].turned(-0.4 * moved.x(), 0.4 * moved.y()))

    def _key(self, event: QKeyEvent) -> bool:
        turns = {
            Qt.Key.Key_Left: (_STEP, 0.0), Qt.Key.Key_Right: (-_STEP, 0.0),
            Qt.Key.Key_Up: (0.0, _STEP), Qt.Key.Key_Down: (0.0, -_STEP),
        }  # fmt: skip
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and event.key() in turns:
            self.look_from(self.camera.turned(*turns[Qt.Key(event.key())]))
            return True
        return super()._key(event)

    # --- painting ---------------------------------------------------------------------------------------------------

    def paint_box(self, painter: QPainter) -> None:
        """The floor and the two walls behind, with hairlines at the ticks; below what stands in the box."""
        back = [1.0 - side for side in self._near_corner()]
        painter.setBrush(theme().colour("plot.background"))
        for axis in range(3):
            others = [other for other in range(3) if other != axis]
            fixed = 0.0 if axis == 2 else back[axis]
            corners = []
            for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
                at = np.zeros(3)
                at[axis], at[others[0]], at[others[1]] = fixed, a, b
                corners.append(at)
            outline = self._from_shares(np.array(corners))
            painter.setPen(QPen(theme().colour("plot.grid"), 1))
            painter.drawPolygon(QPolygonF([QPointF(*at) for at in outline.tolist()]))
            for line in others:
                other = others[1 - others.index(line)]
                for share in self._tick_shares(line):
                    ends = np.zeros((2, 3))
                    ends[:, axis], ends[:, line], ends[1, other] = fixed, share, 1.0
                    one, two = self._from_shares(ends).tolist()
                    painter.drawLine(QPointF(*one), QPointF(*two))

    def paint_axes(self, painter: QPainter) -> None:
        """Ticks and titles along three edges that nothing hides."""
        near = self._near_corner()
        edges = ((0, {1: near[1], 2: 0.0}), (1, {0: near[0], 2: 0.0}))
        for axis, fixed in edges:
            self._paint_axis(painter, axis, fixed)
        seen = self.camera.project(_CORNERS)
        upright = min(((0, 0), (1, 0), (0, 1), (1, 1)), key=lambda c: seen[_corner(c[0], c[1], 0)][0])
        self._paint_axis(painter, 2, {0: float(upright[0]), 1: float(upright[1])})

    def _paint_axis(self, painter: QPainter, axis: int, fixed: dict[int, float]) -> None:
        ends = np.zeros((2, 3))
        for other, share in fixed.items():
            ends[:, other] = share
        ends[1, axis] = 1.0
        line, middle = self._from_shares(ends), self._from_shares(np.array([[0.5, 0.5, 0.0 if axis < 2 else 0.5]]))[0]
        painter.setPen(QPen(theme().colour("plot.axis"), 1))
        painter.drawLine(QPointF(*line[0].tolist()), QPointF(*line[1].tolist()))
        small, metrics = font("small"), QFontMetricsF(font("small"))
        along = line[1] - line[0]
        out = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
        out = np.array([-1.0, 0.0]) if axis == 2 else out * np.sign(out @ (line.mean(axis=0) - middle) or 1.0)
        values = ticks(float(self._low[axis]), float(self._high[axis]), 5)
        labels = tick_labels(values, percent=self._percents[axis])
        painter.setFont(small)
        widest = 0.0
        for share, label in zip(self._tick_shares(axis), labels, strict=True):
            at = line[0] + share * (line[1] - line[0])
            tip = at + 5 * out
            painter.setPen(QPen(theme().colour("plot.axis"), 1))
            painter.drawLine(QPointF(*at.tolist()), QPointF(*tip.tolist()))
            painter.setPen(theme().colour("plot.label"))
            width = metrics.horizontalAdvance(label)
            widest = max(widest, width)
            centre = tip + out * np.array([width / 2 + 5, metrics.height() / 2 + 2])
            box = QRectF(centre[0] - width / 2, centre[1] - metrics.height() / 2, width + 1, metrics.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label)
        self._paint_axis_title(painter, axis, line, out, widest)

    def _paint_axis_title(self, painter: QPainter, axis: int, line: Floats, out: Floats, widest: float) -> None:
        """Along its edge: turned with it, never upside down."""
        metrics = QFontMetricsF(font("small"))
        along = line[1] - line[0]
        angle = float(np.degrees(np.arctan2(along[1], along[0])))
        angle = (angle + 90) % 180 - 90
        if axis == 2:
            angle = -90.0
        x, y, height = abs(float(out[0])), abs(float(out[1])), metrics.height()
        labels = x * x * (widest / 2 + 5) + y * y * (height / 2 + 2) + x * widest / 2 + y * height / 2
        gap = widest + 22 if axis == 2 else labels + height / 2 + 12
        at = line.mean(axis=0) + out * gap
        room = max(float(np.hypot(*along)) - (12 if axis < 2 else -40), 90.0)
        text = metrics.elidedText(self._axis_titles[axis], Qt.TextElideMode.ElideMiddle, room)
        painter.save()
        painter.setPen(theme().colour("plot.label"))
        painter.translate(*at.tolist())
        painter.rotate(angle)
        painter.drawText(QPointF(-metrics.horizontalAdvance(text) / 2, metrics.ascent() / 2), text)
        painter.restore()

    def _tick_shares(self, axis: int) -> list[float]:
        low, high = float(self._low[axis]), float(self._high[axis])
        return [(value - low) / (high - low) for value in ticks(low, high, 5)]

    def _near_corner(self) -> tuple[float, float]:
        """Which sides of the floor are nearer: the share along the first and the second axis."""
        a = np.radians(self.camera.azimuth)
        return float(np.cos(a) > 0), float(np.sin(a) > 0)

    def _from_shares(self, shares: Floats) -> Floats:
        return self.projected(self._low + shares * (self._high - self._low))[:, :2]


_SIDE, _BELOW = 84.0, 62.0  # px that titles and ticks need beside and below the box
_CORNERS = np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])


def _corner(x: int, y: int, z: int) -> int:
    return 4 * x + 2 * y + z
