"""Sliders and fields for the weights of an interpolation, with their total locked to 1."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QSizePolicy, QWidget

from solera_app.canvases.blend import Weights, rebalanced
from solera_app.canvases.ink import draw_text
from solera_app.docks.slider import Slider
from solera_app.number_box import NumberBox
from solera_app.theme import font, themes

_STEPS = 1000
_LABEL, _LABEL_MOST, _FIELD = 68, 100, 56


class ElidedLabel(QWidget):
    """A name that loses its middle where it does not fit; the tooltip has it whole.

    Args:
        text: The name.
        token: Colour.
        width: In px.
    """

    def __init__(self, text: str, token: str = "text-2", width: int = _LABEL) -> None:
        super().__init__()
        self._text, self._token = text, token
        self.setMinimumWidth(width)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(text)
        self.setAccessibleName(text)
        themes().changed.connect(self.update)

    def set_text(self, text: str) -> None:
        """Show another name."""
        self._text = text
        self.setToolTip(text)
        self.setAccessibleName(text)
        self.update()

    def sizeHint(self) -> QSize:
        """One line."""
        return QSize(self.minimumWidth(), 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it in the middle of the height."""
        painter = QPainter(self)
        middle = self.rect().toRectF().center()
        middle.setX(0)
        draw_text(painter, self._text, middle, self._token, width=self.width())


class WeightRows(QWidget):
    """One row per model: name, slider (0 to 1), field (may leave 0 to 1).

    Signals:
        changed: Weights that total 1, while something moves.
        settled: The same, when a slider is let go or a field is left.
        sumChanged: The total of what stands in the fields.
    """

    changed = Signal(tuple)
    settled = Signal(tuple)
    sumChanged = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.locked = True
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(4)
        self._sliders: list[Slider] = []
        self._fields: list[QDoubleSpinBox] = []
        self._weights: Weights = ()
        self._quiet = False

    @property
    def weights(self) -> Weights:
        """What stands in the fields; totals 1 while locked."""
        return self._weights

    def set_models(self, names: Sequence[str]) -> None:
        """One row per model."""
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._sliders, self._fields, self._weights = [], [], ()
        wanted = max((self.fontMetrics().horizontalAdvance(name) + 4 for name in names), default=0)
        width = min(max(wanted, _LABEL), _LABEL_MOST)
        for row, name in enumerate(names):
            slider, field = self._slider(name, row), self._field(name, row)
            label = ElidedLabel(name)
            label.setFixedWidth(width)
            for column, widget in enumerate((label, slider, field)):
                self._grid.addWidget(widget, row, column)

    def _slider(self, name: str, row: int) -> Slider:
        slider = Slider()
        slider.setRange(0, _STEPS)
        slider.setSingleStep(_STEPS // 100)
        slider.setPageStep(_STEPS // 10)
        slider.setMinimumWidth(64)
        slider.setAccessibleName(f"Weight of {name}")
        slider.setToolTip(f"Weight of {name}")
        slider.valueChanged.connect(lambda place: self._set(row, place / _STEPS))
        slider.sliderReleased.connect(self._settle)
        self._sliders.append(slider)
        return slider

    def _field(self, name: str, row: int) -> QDoubleSpinBox:
        field = NumberBox()
        field.setRange(-2.0, 3.0)
        field.setDecimals(2)
        field.setSingleStep(0.01)
        field.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        field.setFixedWidth(_FIELD)
        field.setFont(font("label"))
        field.setAccessibleName(f"Weight of {name}, number")
        field.setToolTip(f"Weight of {name}; below 0 and above 1 extrapolates")
        field.valueChanged.connect(lambda value: self._set(row, value))
        field.editingFinished.connect(self._settle)
        self._fields.append(field)
        return field

    def show_weights(self, weights: Sequence[float]) -> None:
        """Show weights without a signal."""
        if len(weights) != len(self._fields):
            return
        self._weights = tuple(weights)
        self._quiet = True
        for slider, field, weight in zip(self._sliders, self._fields, weights, strict=True):
            slider.setValue(round(weight * _STEPS))
            field.setValue(weight)
        self._quiet = False
        self.sumChanged.emit(sum(self._weights))

    def set_locked(self, locked: bool) -> None:
        """Locked, the others give way so that the total stays 1; locking rescales what does not total 1."""
        self.locked = locked
        total = sum(self._weights)
        if locked and self._weights and abs(total - 1) > 5e-4:
            even = (1 / len(self._weights),) * len(self._weights)
            self.show_weights(tuple(weight / total for weight in self._weights) if abs(total) > 1e-6 else even)
            self.changed.emit(self._weights)
            self._settle()

    def _set(self, row: int, value: float) -> None:
        if self._quiet or not self._weights:
            return
        if self.locked:
            weights = rebalanced(self._weights, row, value)
        else:
            weights = tuple(value if i == row else weight for i, weight in enumerate(self._weights))
        self.show_weights(weights)
        if self._whole:
            self.changed.emit(self._weights)

    @property
    def _whole(self) -> bool:
        return abs(sum(self._weights) - 1) <= 5e-4

    def _settle(self) -> None:
        if self._weights and self._whole and not self._quiet:
            self.settled.emit(self._weights)
