"""A slider as the tokens draw it: a groove of 4 px, a knob of 14."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSlider, QWidget

from solera_app.theme import theme, themes

_KNOB = 14.0


class Slider(QSlider):
    """Horizontal; a click sets the place, a drag moves it, arrows step."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setMinimumWidth(40)
        self.setFixedHeight(20)
        themes().changed.connect(self.update)

    def sizeHint(self) -> QSize:  # noqa: D102 - Qt's name
        return QSize(96, 20)

    def _x(self) -> float:
        span = max(self.maximum() - self.minimum(), 1)
        share = (self.sliderPosition() - self.minimum()) / span
        return _KNOB / 2 + 1 + share * (self.width() - _KNOB - 2)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: D102 - Qt's name
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        middle, x = self.height() / 2, self._x()
        accent = theme().colour("accent" if self.isEnabled() else "line-strong")
        painter.setBrush(theme().colour("line-strong"))
        painter.drawRoundedRect(QRectF(1, middle - 2, self.width() - 2, 4), 2, 2)
        painter.setBrush(accent)
        painter.drawRoundedRect(QRectF(1, middle - 2, x - 1, 4), 2, 2)
        painter.setBrush(theme().colour("base"))
        painter.setPen(QPen(accent, 2))
        painter.drawEllipse(QPointF(x, middle), _KNOB / 2 - 1, _KNOB / 2 - 1)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme().colour("accent-line"), 1.5))
            painter.drawEllipse(QPointF(x, middle), _KNOB / 2 + 1, _KNOB / 2 + 1)

    def _go(self, event: QMouseEvent) -> None:
        share = (event.position().x() - _KNOB / 2 - 1) / max(self.width() - _KNOB - 2, 1)
        self.setValue(round(self.minimum() + min(max(share, 0.0), 1.0) * (self.maximum() - self.minimum())))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: D102 - Qt's name
        if event.button() is Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._go(event)
            event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: D102 - Qt's name
        if self.isSliderDown():
            self._go(event)
            event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: D102 - Qt's name
        self.setSliderDown(False)
        event.accept()
