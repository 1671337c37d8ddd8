"""The drawing area of a plot: axes, ticks, zoom and pointer, in pixels; what is drawn is the plot's affair."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPen, QWheelEvent
from PySide6.QtWidgets import QFrame, QWidget

from solera_app.bridge.weakly import WeakCall
from solera_app.plots._pg import Paint, Stage
from solera_app.plots.ticks import power_labels, power_ticks, tick_labels, ticks
from solera_app.theme import font, theme

_TICK = 4
_NEAR = 4  # px the pointer may move between press and release of a click
Range = tuple[float, float, float, float]


@dataclass(slots=True)
class Axis:
    """What an axis says.

    Attributes:
        title: In words, with unit and direction: ``"Code loss (nats per token), lower is better"``.
        percent: Write fractions as percents.
        grid: Draw a hairline at each tick.
        powers: Data are logarithms: a tick at 2 says 10².
        hidden: No ticks: what lies along it is named by the plot.
    """

    title: str = ""
    percent: bool = False
    grid: bool = False
    powers: bool = False
    hidden: bool = False

    def ticks(self, low: float, high: float, most: int) -> list[float]:
        """Where the ticks are, in data units."""
        if self.hidden:
            return []
        return power_ticks(low, high, most) if self.powers else ticks(low, high, most)

    def labels(self, values: list[float]) -> list[str]:
        """What they say."""
        return power_labels(values) if self.powers else tick_labels(values, percent=self.percent)


class Canvas(Stage):
    """Axes around a window of data.

    Signals are in stage pixels; ``dragged`` tells where a drag began and is, if the owner takes drags
    (:attr:`takes_drags`). The owner sets :attr:`under`, :attr:`over` (painted in the order of drawing) and
    :attr:`on_key`, which says whether it used a key.
    """

    clicked = Signal(QPointF)
    doubleClicked = Signal(QPointF)
    hovered = Signal(QPointF)
    pointerLeft = Signal()
    dragged = Signal(QPointF, QPointF)
    rangeChanged = Signal()
    fitted = Signal()

    under = WeakCall[Paint]()
    over = WeakCall[Paint]()
    on_key = WeakCall[Callable[[QKeyEvent], bool]]()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.x, self.y = Axis(), Axis(grid=True)
        self.under = self.over = None
        self.on_key = None
        self.equal = False
        self.margin_right, self.margin_top = 16.0, 10.0
        self.axes = True  # without them the window of data takes all but the margins
        self.margin_left, self.margin_bottom = 16.0, 16.0
        self.takes_drags = False
        self.least_left = self._own_left = 0.0
        self._arranged: tuple[object, ...] = ()
        self.note = ""
        self.window_rect = QRectF(0, 0, 1, 1)
        self.full: Range = (0.0, 1.0, 0.0, 1.0)
        self.shown: Range = self.full
        self._own: Range = self.full
        self._twin: Canvas | None = None
        self.keyboard = False
        self._x_ticks: list[float] = []
        self._y_ticks: list[float] = []
        self._pressed: QPointF | None = None
        self._dragged = False
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setMinimumSize(240, 120)

    def minimumSizeHint(self) -> QSize:
        """Room for axes and something to see."""
        return QSize(240, 120)

    # --- geometry --------------------------------------------------------------------------------------------------

    def set_range(self, full: Range) -> None:
        """The whole extent of the data, and of a linked canvas's; a zoomed view stays where it is."""
        self._own = full
        twin = self._twin
        whole = full if twin is None else _around(full, twin._own)
        for canvas in (self,) if twin is None else (self, twin):
            canvas._set_full(whole)

    def _set_full(self, full: Range) -> None:
        zoomed = self.zoomed
        self.full = full
        if not zoomed:
            self.shown = full
        self.arrange()

    def link(self, twin: Canvas) -> None:
        """Show the same part of the same extent as another canvas from now on."""
        self._twin, twin._twin = twin, self
        self.set_range(self._own)

    def unlink(self) -> None:
        """Go ways of one's own again."""
        if self._twin is not None:
            self._twin._twin = None
        self._twin = None

    def _show_alike(self) -> None:
        """Let the linked canvas show the same part."""
        if self._twin is not None and self._twin.shown != self.shown:
            self._twin.shown = self.shown
            self._twin.arrange()

    @property
    def zoomed(self) -> bool:
        """Whether less than everything is shown."""
        return self.shown != self.full

    def fit(self) -> None:
        """Show everything."""
        self.shown = self.full
        self.arrange()
        self._show_alike()
        self.fitted.emit()

    def arrange(self) -> None:
        """Place window and ticks for the current size and range; does little if nothing has changed."""
        self.repaint_layers()
        key = (
            self.width(), self.height(), self.shown, self.margin_top, self.margin_right, self.least_left, self.equal,
            bool(self.x.title or self.note), bool(self.y.title), self.x.percent, self.y.percent,
            self.x.powers, self.y.powers, self.axes, self.margin_left, self.margin_bottom,
        )  # fmt: skip
        if key == self._arranged:
            return
        self._arranged = key
        if not self.axes:
            self._arrange_bare()
            return
        caption = QFontMetricsF(font("small"))
        x0, x1, y0, y1 = self.shown
        bottom = _TICK + 4 + caption.height() + (caption.height() + 6 if self.x.title or self.note else 0) + 2
        height = max(self.height() - self.margin_top - bottom, 10.0)
        self._y_ticks = self.y.ticks(y0, y1, max(2, min(6, int(height // 28))))
        labels = self.y.labels(self._y_ticks)
        widest = max((caption.horizontalAdvance(label) for label in labels), default=0.0)
        self._own_left = max(math.ceil(widest / 6) * 6, 24) + _TICK + 8 + (caption.height() + 8 if self.y.title else 0)
        left = max(self._own_left, self.least_left)
        width = max(self.width() - left - self.margin_right, 10.0)
        rect = QRectF(left, self.margin_top, width, height)
        if self.equal and x1 > x0 and y1 > y0:
            scale = min(width / (x1 - x0), height / (y1 - y0))
            rect = QRectF(left, self.margin_top, scale * (x1 - x0), scale * (y1 - y0))
            rect.translate((width - rect.width()) // 2, 0)  # what is left over is left on both sides
        self._x_ticks = self._fitting_x_ticks(rect.width(), caption)
        self.window_rect = rect
        self.set_window(rect, self.shown)
        self.rangeChanged.emit()

    def _arrange_bare(self) -> None:
        self._x_ticks, self._y_ticks = [], []
        width = max(self.width() - self.margin_left - self.margin_right, 10.0)
        height = max(self.height() - self.margin_top - self.margin_bottom, 10.0)
        self.window_rect = QRectF(self.margin_left, self.margin_top, width, height)
        self.set_window(self.window_rect, self.shown)
        self.rangeChanged.emit()

    def _fitting_x_ticks(self, width: float, caption: QFontMetricsF) -> list[float]:
        for most in range(6, 1, -1):
            found = self.x.ticks(self.shown[0], self.shown[1], most)
            labels = self.x.labels(found)
            if sum(caption.horizontalAdvance(label) + 16 for label in labels) <= width:
                return found
        return found

    def align(self, other: Canvas) -> None:
        """Let both windows of data begin at the same distance from the left."""
        self.least_left = other.least_left = max(self._own_left, other._own_left)
        self.arrange()
        other.arrange()

    def to_px(self, x: NDArray[np.float64] | float, y: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Data to pixels: shape (n, 2) for arrays of shape (n,), (2,) for numbers."""
        rect, (x0, x1, y0, y1) = self.window_rect, self.shown
        across = rect.left() + (np.asarray(x, dtype=np.float64) - x0) / (x1 - x0) * rect.width()
        up = rect.bottom() - (np.asarray(y, dtype=np.float64) - y0) / (y1 - y0) * rect.height()
        return np.stack((across, up), axis=-1)

    def point(self, x: float, y: float) -> QPointF:
        """Data to one pixel position."""
        across, up = self.to_px(x, y)
        return QPointF(float(across), float(up))

    def from_px(self, at: QPointF) -> tuple[float, float]:
        """Pixels to data."""
        rect, (x0, x1, y0, y1) = self.window_rect, self.shown
        return (
            x0 + (at.x() - rect.left()) / rect.width() * (x1 - x0),
            y0 + (rect.bottom() - at.y()) / rect.height() * (y1 - y0),
        )

    # --- painting --------------------------------------------------------------------------------------------------

    def paint_under(self, painter: QPainter) -> None:
        """Grid hairlines, then the owner's lower layer, clipped to the window."""
        if self.x.grid or self.y.grid:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setPen(QPen(theme().colour("plot.grid"), 1))
            rect = self.window_rect
            for value in self._y_ticks if self.y.grid else ():
                level = round(self.point(0, value).y())
                painter.drawLine(QPointF(rect.left(), level), QPointF(rect.right(), level))
            for value in self._x_ticks if self.x.grid else ():
                across = round(self.point(value, 0).x())
                painter.drawLine(QPointF(across, rect.top()), QPointF(across, rect.bottom()))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.under is not None:
            painter.save()
            painter.setClipRect(self.window_rect)
            self.under(painter)
            painter.restore()

    def paint_over(self, painter: QPainter) -> None:
        """The axes, then the owner's upper layer (not clipped), then the ring of keyboard focus."""
        if self.axes:
            self._paint_axes(painter)
        if self.over is not None:
            painter.save()
            self.over(painter)
            painter.restore()

    def _paint_axes(self, painter: QPainter) -> None:
        rect, small = self.window_rect, font("small")
        caption = QFontMetricsF(small)
        line = QPen(theme().colour("plot.axis"), 1)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(line)
        left, bottom = round(rect.left()) - 1, round(rect.bottom())
        painter.drawLine(QPointF(left, round(rect.top())), QPointF(left, bottom))
        painter.drawLine(QPointF(left, bottom), QPointF(round(rect.right()), bottom))
        x_at = [round(self.point(value, 0).x()) for value in self._x_ticks]
        y_at = [round(self.point(0, value).y()) for value in self._y_ticks]
        for across in x_at:
            painter.drawLine(QPointF(across, bottom), QPointF(across, bottom + _TICK))
        for level in y_at:
            painter.drawLine(QPointF(left - _TICK, level), QPointF(left, level))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(small)
        painter.setPen(theme().colour("plot.label"))
        height = caption.height()
        for across, label in zip(x_at, self.x.labels(self._x_ticks), strict=True):
            box = QRectF(across - 60, bottom + _TICK + 3, 120, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, label)
        for level, label in zip(y_at, self.y.labels(self._y_ticks), strict=True):
            box = QRectF(left - _TICK - 4 - 120, level - height / 2, 120, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label)
        self._paint_titles(painter, caption, bottom)

    def _paint_titles(self, painter: QPainter, caption: QFontMetricsF, bottom: float) -> None:
        rect, height = self.window_rect, caption.height()
        line = QRectF(rect.left(), bottom + _TICK + 3 + height + 5, rect.width(), height)
        room = line.width()
        if self.note:
            most = room - min(caption.horizontalAdvance(self.x.title) + 16, max(0.4 * room, 60.0))
            note = caption.elidedText(self.note, Qt.TextElideMode.ElideMiddle, most)
            painter.setPen(theme().colour("text-3"))
            painter.drawText(line, Qt.AlignmentFlag.AlignRight, note)
            painter.setPen(theme().colour("plot.label"))
            room -= caption.horizontalAdvance(note) + 16
        title = caption.elidedText(self.x.title, Qt.TextElideMode.ElideMiddle, max(room, 60))
        width = caption.horizontalAdvance(title)
        start = min(line.center().x() - width / 2, line.left() + room - width)
        painter.drawText(QPointF(max(start, line.left()), line.top() + caption.ascent()), title)
        if self.y.title:
            painter.save()
            edge = rect.left() - self._own_left if self.equal else 0.0  # a window of equal scales stands in the middle
            painter.translate(edge + 2 + caption.ascent(), rect.center().y())
            painter.rotate(-90)
            title = caption.elidedText(self.y.title, Qt.TextElideMode.ElideMiddle, self.height() - 8)
            half = caption.horizontalAdvance(title) / 2
            # Rotated, right is up: a long title slides along so as to stay on the stage.
            low, high = half + 4 - (self.height() - rect.center().y()), rect.center().y() - half - 4
            painter.drawText(QPointF(-half + max(low, min(0.0, high)), 0), title)
            painter.restore()

    def focus_ring(self, painter: QPainter, rect: QRectF) -> None:
        """Two accent pixels around ``rect``, while the keyboard is in use here."""
        if self.keyboard and self.hasFocus():
            painter.setPen(QPen(theme().colour("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect.adjusted(-2, -2, 2, 2), 4, 4)

    # --- pointer and keyboard --------------------------------------------------------------------------------------

    def resizeEvent(self, event: QEvent) -> None:
        """Place everything anew."""
        super().resizeEvent(event)
        if hasattr(self, "window_rect"):
            self.arrange()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a drag."""
        self.keyboard = False
        self._pressed, self._dragged = event.position(), False
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the view when zoomed in; else tell where the pointer is."""
        if self._pressed is not None and event.buttons() & Qt.MouseButton.LeftButton:
            delta = event.position() - self._pressed
            if self._dragged or delta.manhattanLength() > _NEAR:
                self._dragged = True
                if self.takes_drags:
                    self.dragged.emit(self._pressed, event.position())
                elif self.zoomed:
                    self._pan(delta)
                    self._pressed = event.position()
        else:
            self.hovered.emit(event.position())
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A press and release in place is a click."""
        if self._pressed is not None and not self._dragged and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(event.position())
        self._pressed = None
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Tell where."""
        self._pressed = None
        self.doubleClicked.emit(event.position())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        """The pointer is gone."""
        super().leaveEvent(event)
        self.pointerLeft.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer, both axes alike, never beyond everything."""
        turn = event.angleDelta().y()
        if turn and self.window_rect.contains(event.position()):
            self.zoom(0.8 ** (turn / 120), event.position())
        event.accept()

    def zoom(self, factor: float, about: QPointF) -> None:
        """Show ``factor`` times as much of each axis, keeping the data at ``about`` px where it is."""
        x, y = self.from_px(about)
        x0, x1, y0, y1 = self.shown
        whole = self.full[1] - self.full[0]
        if (x1 - x0) * factor >= whole * 0.999:
            self.fit()
            return
        if (x1 - x0) * factor < whole * 1e-4:
            return
        self._show(x + (x0 - x) * factor, y + (y0 - y) * factor, (x1 - x0) * factor, (y1 - y0) * factor)

    def _pan(self, delta: QPointF) -> None:
        x0, x1, y0, y1 = self.shown
        dx = -delta.x() / self.window_rect.width() * (x1 - x0)
        dy = delta.y() / self.window_rect.height() * (y1 - y0)
        self._show(x0 + dx, y0 + dy, x1 - x0, y1 - y0)

    def _show(self, x: float, y: float, width: float, height: float) -> None:
        f0, f1, g0, g1 = self.full
        x = max(f0, min(x, f1 - width))
        y = max(g0, min(y, g1 - height))
        self.shown = (x, x + width, y, y + height)
        self.arrange()
        self._show_alike()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Plus, minus and 0 zoom; everything else is the owner's."""
        self.keyboard = True
        self.repaint_layers()
        if event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.zoom(1.25 if event.key() == Qt.Key.Key_Minus else 0.8, self.window_rect.center())
        elif event.key() == Qt.Key.Key_0:
            self.fit()
        elif self.on_key is None or not self.on_key(event):
            event.ignore()

    def focusInEvent(self, event: QEvent) -> None:
        """Remember whether the keyboard brought the focus."""
        super().focusInEvent(event)
        reason = event.reason() if hasattr(event, "reason") else Qt.FocusReason.OtherFocusReason
        self.keyboard = reason in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self.repaint_layers()

    def focusOutEvent(self, event: QEvent) -> None:
        """No ring without focus."""
        super().focusOutEvent(event)
        self.repaint_layers()


def text_size(text: str, weight: str = "regular", size: str = "small") -> tuple[float, float]:
    """Width and height of a line of text, px."""
    metrics = QFontMetricsF(font(size, weight))
    return metrics.horizontalAdvance(text), metrics.height()


def plate(painter: QPainter, rect: QRectF, text: str, ground: QColor, ink: QColor, weight: str = "medium") -> None:
    """A name on a rounded plate."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ground)
    painter.drawRoundedRect(rect, 4, 4)
    painter.setFont(font("small", weight))
    painter.setPen(ink)
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)


def _around(one: Range, other: Range) -> Range:
    """The smallest extent that holds both."""
    return min(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3])


def inside(canvas: Canvas, at: QPoint | QPointF) -> bool:
    """Whether a pixel lies in the data window."""
    return bool(canvas.window_rect.contains(QPointF(at)))
