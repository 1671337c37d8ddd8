"""A curve over layers drawn by hand: knots to drag, shapes to begin with, knots to add and take away."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QSpinBox, QToolButton, QVBoxLayout, QWidget

from solera.params import Curve, ParamSpec, Value, Var
from solera_app.docks.fields import Field, search_bounds
from solera_app.plots.numerals import short
from solera_app.theme import font, icon, theme, themes

#: Height of a row of a form that holds a curve.
CURVE_ROW = 132
_HEIGHT, _INSET, _GRIP = 88, 10.0, 12.0
_MOST = 64
_FINE, _COARSE = 0.01, 0.1

#: Name -> what share of the range a curve has at a share of the way through the layers.
SHAPES: dict[str, Callable[[float], float]] = {
    "Flat": lambda at: 0.5,
    "Rising": lambda at: at,
    "Falling": lambda at: 1 - at,
    "Hill": lambda at: math.sin(math.pi * at),
    "Valley": lambda at: 1 - math.sin(math.pi * at),
    "Early layers only": lambda at: float(at < 1 / 3),
    "Middle layers only": lambda at: float(1 / 3 <= at <= 2 / 3),
    "Late layers only": lambda at: float(at > 2 / 3),
}


class CurveEdit(QWidget):
    """Paints a curve and lets its knots be dragged up and down; arrows do the same.

    Signals:
        changed: The curve, while a knot moves.
    """

    changed = Signal(object)

    def __init__(self, low: float, high: float, name: str) -> None:
        super().__init__()
        self._low, self._high = low, high
        self._knots: tuple[float | Var, ...] = (low, high)
        self._held, self._current = -1, 0
        self._before: tuple[float | Var, ...] = self._knots
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{name} over the layers")
        themes().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Wide enough for a dozen knots."""
        return QSize(150, _HEIGHT)

    def set_curve(self, curve: Curve) -> None:
        """Show a curve (no signal); the range grows to hold it."""
        self._knots = curve.values
        numbers = [self._number(i) for i in range(len(self._knots))]
        self._low, self._high = min(self._low, *numbers), max(self._high, *numbers)
        self._current = min(self._current, len(self._knots) - 1)
        self._tell_words()
        self.update()

    @property
    def curve(self) -> Curve:
        """What is shown."""
        return Curve(self._knots)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value that can be drawn."""
        return self._low, self._high

    def _number(self, place: int) -> float:
        knot = self._knots[place]
        if isinstance(knot, Var):
            return knot.init if knot.init is not None else self._low
        return float(knot)

    def _box(self) -> QRectF:
        return QRectF(self.rect()).adjusted(_INSET, _INSET, -_INSET, -_INSET - 12)

    def knot_px(self, place: int) -> QPointF:
        """Where a knot is."""
        box = self._box()
        share = place / max(len(self._knots) - 1, 1)
        height = (self._number(place) - self._low) / ((self._high - self._low) or 1.0)
        return QPointF(box.left() + share * box.width(), box.bottom() - height * box.height())

    def _set(self, place: int, value: float) -> None:
        value = round(min(max(value, self._low), self._high), 4)
        self._knots = (*self._knots[:place], value, *self._knots[place + 1 :])
        self._tell_words()
        self.update()
        self.changed.emit(self.curve)

    def _tell_words(self) -> None:
        knot = self._knots[self._current]
        value = f"{knot.name}, searched" if isinstance(knot, Var) else short(float(knot))
        text = f"Knot {self._current + 1} of {len(self._knots)}: {value}. Drag it, or use the arrow keys."
        self.setToolTip(text)
        self.setAccessibleDescription(text)

    # --- painting ----------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paper, the curve, its knots, the range."""
        colour = theme().colour
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(colour("accent" if self.hasFocus() else "line-strong"), 2 if self.hasFocus() else 1))
        painter.setBrush(colour("base"))
        painter.drawRoundedRect(frame, 4, 4)
        box = self._box()
        painter.setPen(QPen(colour("line"), 1))
        middle = box.center().y()
        painter.drawLine(QPointF(box.left(), middle), QPointF(box.right(), middle))
        points = [self.knot_px(i) for i in range(len(self._knots))]
        painter.setPen(QPen(colour("accent"), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
        for place, at in enumerate(points):
            searched = isinstance(self._knots[place], Var)
            painter.setPen(QPen(colour("accent"), 2 if place == self._current and self.hasFocus() else 1.25))
            painter.setBrush(colour("accent-soft" if searched else "base"))
            radius = 5.0 if place == self._current else 4.0
            painter.drawEllipse(at, radius, radius)
        painter.setFont(font("small"))
        painter.setPen(colour("text-3"))
        foot = QRectF(_INSET, self.height() - 18, self.width() - 2 * _INSET, 14)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, "first")
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, "last")
        shown = f"{self._low:g} to {self._high:g}"
        painter.drawText(foot, Qt.AlignmentFlag.AlignHCenter, shown)

    # --- mouse and keys ----------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the nearest knot."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        distances = [abs(self.knot_px(i).x() - event.position().x()) for i in range(len(self._knots))]
        self._held = self._current = min(range(len(distances)), key=distances.__getitem__)
        self._before = self._knots
        self._follow(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag it; drawing across takes the next knots along."""
        if self._held < 0:
            self.setCursor(Qt.CursorShape.SizeVerCursor)
            return
        box = self._box()
        share = (event.position().x() - box.left()) / max(box.width(), 1.0)
        near = min(max(round(share * (len(self._knots) - 1)), 0), len(self._knots) - 1)
        step = 1 if near >= self._held else -1
        for place in range(self._held, near + step, step):  # a fast hand leaves no knot out
            self._held = self._current = place
            self._follow(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._held = -1

    def _follow(self, px: QPointF) -> None:
        box = self._box()
        share = (box.bottom() - px.y()) / max(box.height(), 1.0)
        self._set(self._held, self._low + share * (self._high - self._low))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right choose a knot, up and down move it; Escape gives up a drag."""
        key = event.key()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = 1 if key == Qt.Key.Key_Right else -1
            self._current = min(max(self._current + step, 0), len(self._knots) - 1)
            self._tell_words()
            self.update()
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            coarse = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            size = (_COARSE if coarse else _FINE) * (self._high - self._low)
            self._set(self._current, self._number(self._current) + (size if key == Qt.Key.Key_Up else -size))
        elif key == Qt.Key.Key_Escape and self._held >= 0:
            self._held, self._knots = -1, self._before
            self.update()
            self.changed.emit(self.curve)
        else:
            super().keyPressEvent(event)


class CurveField(Field):
    """A curve with the number of its knots and shapes to begin with.

    Args:
        spec: The declaration; its search range is what can be drawn.
    """

    def __init__(self, spec: ParamSpec) -> None:
        super().__init__(spec)
        self.edit = CurveEdit(*search_bounds(spec), spec.title)
        self.edit.changed.connect(lambda _: self.sigChanged.emit())
        self.knots = QSpinBox(minimum=2, maximum=_MOST)
        self.knots.setAccessibleName(f"Knots of {spec.title}")
        self.knots.setToolTip("How many knots, spread evenly from the first layer to the last")
        self.knots.setSuffix(" knots")
        self.knots.setKeyboardTracking(False)
        self.knots.valueChanged.connect(self._resample)
        self.shape = QToolButton()
        self.shape.setIconSize(QSize(16, 16))
        self.shape.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.shape.setAccessibleName(f"Shape of {spec.title}")
        self.shape.setToolTip("Begin with a shape: rising, a hill, some blocks of layers only")
        menu = QMenu(self.shape)
        menu.setAccessibleName("Shapes")
        for name in SHAPES:
            menu.addAction(name, partial(self.take_shape, name))
        self.shape.setMenu(menu)
        column = QVBoxLayout()
        column.setSpacing(4)
        tools = QHBoxLayout()
        tools.addWidget(self.knots)
        tools.addStretch(1)
        tools.addWidget(self.shape)
        column.addWidget(self.edit)
        column.addLayout(tools)
        self.row.addLayout(column, 1)
        themes().changed.connect(self._recolour)
        self._recolour()

    def _recolour(self) -> None:
        self.shape.setIcon(icon("curve", "text-2"))

    def value(self) -> Value | None:  # noqa: D102
        return self.edit.curve

    def setValue(self, value: Value | None) -> None:  # noqa: D102
        if isinstance(value, Curve):
            self.edit.set_curve(value if len(value.values) > 1 else Curve(value.values * 2))
            self.knots.blockSignals(True)
            self.knots.setValue(len(self.edit.curve.values))
            self.knots.blockSignals(False)

    def take_shape(self, name: str) -> None:
        """Draw a shape over the whole range."""
        low, high = self.edit.bounds
        count = self.knots.value()
        made = [low + SHAPES[name](i / (count - 1)) * (high - low) for i in range(count)]
        self.setValue(Curve(tuple(round(value, 4) for value in made)))
        self.sigChanged.emit()

    def _resample(self, count: int) -> None:
        """The same curve with more or fewer knots; knots that are searched stand at what they begin with."""
        old = self.edit.curve
        self.setValue(Curve(tuple(round(old.at(i / (count - 1)), 4) for i in range(count))))
        self.sigChanged.emit()
