"""Fields for one parameter: a number with slider and bounds, a choice, a switch, a text.

Each has ``value()``, ``setValue(value)`` and the signal ``sigChanged``, which is what a parameter tree asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from PySide6.QtCore import QSignalBlocker, QSize, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QWidget,
)

from solera.params import ParamSpec, PerModel, Rules, Value, Var
from solera_app.docks.slider import Slider
from solera_app.number_box import NumberBox
from solera_app.theme import icon

_STEPS = 1000


class Field(QWidget):
    """The root: holds the declaration and tells when the value changed."""

    sigChanged = Signal()

    def __init__(self, spec: ParamSpec) -> None:
        super().__init__()
        self.spec = spec
        self.setToolTip(spec.param.help)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 2, 0, 2)
        self.row.setSpacing(6)

    def value(self) -> Value | None:
        """The value shown."""
        raise NotImplementedError

    def setValue(self, value: Value | None) -> None:
        """Show a value without telling."""
        raise NotImplementedError


class _Spin(NumberBox):
    """A number box that shows two decimals, or as many more as the number has; a tiny number as ``1e-08``."""

    def textFromValue(self, value: float) -> str:
        if self.decimals() == 0:
            return f"{value:.0f}"
        if 0 < abs(value) < 1e-4:
            return f"{value:.4g}"
        text = f"{value:.6f}".rstrip("0")
        return text.ljust(text.index(".") + 3, "0")


def spin(spec: ParamSpec) -> QDoubleSpinBox:
    """A spin box for a declared number; wide bounds where none are declared."""
    box = _Spin()
    low, high = spec.param.low, spec.param.high
    box.setRange(-1e9 if low is None else low, 1e9 if high is None else high)
    whole = spec.kind == "int"
    box.setDecimals(0 if whole else 12)
    box.setSingleStep(spec.param.step or (1 if whole else 0.05))
    box.setAccessibleName(spec.title)
    box.setFixedWidth(60)
    return box


def search_bounds(spec: ParamSpec) -> tuple[float, float]:
    """Where a slider or a search variable of this parameter runs by default."""
    if spec.param.search is not None:
        return spec.param.search
    low, high = spec.param.low, spec.param.high
    return (0.0 if low is None else low, max(1.0, 0.0 if low is None else low + 1) if high is None else high)


class NumberField(Field):
    """Slider and field; a bracket button makes the number a search variable with from and to.

    Args:
        spec: The declaration.
        variable: Whether the bracket button is offered, and the name a variable would get.
    """

    def __init__(self, spec: ParamSpec, variable: str = "") -> None:
        super().__init__(spec)
        self._variable = variable
        self._var: Var | None = None
        self._bounds = search_bounds(spec)
        self.slider = Slider()
        self.slider.setRange(0, _STEPS)
        self.slider.setAccessibleName(f"{spec.title} slider")
        self.number = spin(spec)
        self.low, self.high = spin(spec), spin(spec)
        self.low.setAccessibleName(f"{spec.title} from")
        self.high.setAccessibleName(f"{spec.title} to")
        self._to = QLabel("to")
        self._to.setProperty("tone", "3")
        self.bracket = QToolButton()
        self.bracket.setCheckable(True)
        self.bracket.setIconSize(QSize(16, 16))
        self.bracket.setFixedSize(24, 24)
        self.bracket.setVisible(bool(variable))
        self.bracket.setAccessibleName(f"Search over {spec.title}")
        self.bracket.setToolTip("Make this a search variable with bounds")
        self.low.setFixedWidth(52)
        self.high.setFixedWidth(52)
        self.row.setSpacing(4)
        for widget in (self.slider, self.number, self.low, self._to, self.high, self.bracket):
            self.row.addWidget(widget, 1 if widget is self.slider else 0)
        self.row.insertStretch(1, 0)
        self.slider.valueChanged.connect(self._slid)
        self.number.valueChanged.connect(self._typed)
        self.low.valueChanged.connect(self._bounded)
        self.high.valueChanged.connect(self._bounded)
        self.bracket.toggled.connect(self._toggled)
        self._show()

    def value(self) -> Value | None:
        """The number, or the variable."""
        if self._var is not None:
            return self._var
        number = self.number.value()
        return int(number) if self.spec.kind == "int" else number

    def setValue(self, value: Value | None) -> None:  # noqa: D102
        self._var = value if isinstance(value, Var) else None
        shown = value.init if isinstance(value, Var) else value
        with self._quiet():
            self.number.setValue(
                next((float(v) for v in (shown, self.spec.default) if isinstance(v, (int, float))), 0.0)
            )
        self._show()

    def _show(self) -> None:
        var = self._var
        self.slider.setVisible(var is None)
        self.number.setVisible(var is None)
        self.low.setVisible(var is not None)
        self._to.setVisible(var is not None)
        self.high.setVisible(var is not None)
        if var is not None:
            low, high = (
                given if given is not None else default
                for given, default in zip((var.low, var.high), self._bounds, strict=True)
            )
            with self._quiet():
                self.low.setValue(low)
                self.high.setValue(high)
        low, high = self._bounds
        share = 0.0 if high == low else (self.number.value() - low) / (high - low)
        place = round(min(max(share, 0.0), 1.0) * _STEPS)  # a number may be typed far beyond the slider's ends
        with self._quiet():
            self.slider.setValue(place)
            self.bracket.setChecked(var is not None)
        self.bracket.setIcon(icon("variable", "accent" if var is not None else "text-3"))

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        with ExitStack() as stack:
            for widget in (self.slider, self.number, self.low, self.high, self.bracket):
                stack.enter_context(QSignalBlocker(widget))
            yield

    def _slid(self, place: int) -> None:
        low, high = self._bounds
        number = low + (high - low) * place / _STEPS
        with self._quiet():
            self.number.setValue(number)
        self.sigChanged.emit()

    def _typed(self) -> None:
        self._show()
        self.sigChanged.emit()

    def _bounded(self) -> None:
        if self._var is not None and self.low.value() < self.high.value():
            self._var = Var(self._var.name, self.low.value(), self.high.value(), self._var.init, self._var.log)
            self.sigChanged.emit()

    def _toggled(self, on: bool) -> None:
        number = self.number.value()
        self._var = Var(self._variable, *self._bounds, number, self.spec.param.log) if on else None
        self._show()
        self.sigChanged.emit()


class ChoiceField(Field):
    """One of a few words."""

    def __init__(self, spec: ParamSpec) -> None:
        super().__init__(spec)
        self.box = QComboBox()
        self.box.addItems(list(spec.choices))
        self.box.setAccessibleName(spec.title)
        self.row.addWidget(self.box, 1)
        self.box.currentTextChanged.connect(lambda _: self.sigChanged.emit())

    def value(self) -> Value | None:  # noqa: D102
        return self.box.currentText()

    def setValue(self, value: Value | None) -> None:  # noqa: D102
        self.box.blockSignals(True)
        self.box.setCurrentText(str(value))
        self.box.blockSignals(False)


class SwitchField(Field):
    """On or off."""

    def __init__(self, spec: ParamSpec) -> None:
        super().__init__(spec)
        self.box = QCheckBox()
        self.box.setAccessibleName(spec.title)
        self.row.addWidget(self.box)
        self.row.addStretch(1)
        self.box.toggled.connect(lambda _: self.sigChanged.emit())

    def value(self) -> Value | None:  # noqa: D102
        return self.box.isChecked()

    def setValue(self, value: Value | None) -> None:  # noqa: D102
        self.box.blockSignals(True)
        self.box.setChecked(bool(value))
        self.box.blockSignals(False)


class TextField(Field):
    """Free text, or a path."""

    def __init__(self, spec: ParamSpec) -> None:
        super().__init__(spec)
        self.edit = QLineEdit()
        self.edit.setAccessibleName(spec.title)
        self.edit.setPlaceholderText(spec.param.help)
        self.row.addWidget(self.edit, 1)
        self.edit.editingFinished.connect(self.sigChanged.emit)

    def value(self) -> Value | None:  # noqa: D102
        return self.edit.text()

    def setValue(self, value: Value | None) -> None:  # noqa: D102
        self.edit.setText("" if value is None else str(value))


class StructureField(Field):
    """A value with a form of its own (rules, one per model): told in words; reset returns to a number."""

    def __init__(self, spec: ParamSpec) -> None:
        super().__init__(spec)
        self._value: Value | None = None
        self.words = QLabel()
        self.words.setProperty("tone", "2")
        self.row.addWidget(self.words, 1)

    def value(self) -> Value | None:  # noqa: D102
        return self._value

    def setValue(self, value: Value | None) -> None:  # noqa: D102
        self._value = value
        match value:
            case Rules(rules):
                text = f"{len(rules)} rules by tensor name"
            case PerModel(values):
                text = f"{len(values)} values, one per model"
            case _:
                text = str(value)
        self.words.setText(text)


def help_of(spec: ParamSpec) -> str:
    """What a tooltip says of a parameter: its help, its range and unit; never nothing."""
    low, high = spec.param.low, spec.param.high
    bounds = f"{low:g} to {high:g}" if low is not None and high is not None else ""
    if not bounds and low is not None:
        bounds = f"{low:g} or more"
    elif not bounds and high is not None:
        bounds = f"{high:g} at most"
    return " ".join(part for part in (spec.param.help or f"{spec.title}.", bounds, spec.param.unit) if part)
