"""Typing over a parameter field or a title, in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from solera.errors import Fault
from solera.params import Curve, Param, ParamSpec, PerModel, Value, Var, decode
from solera_app.canvases.faces import FieldFace
from solera_app.number_box import number_of
from solera_app.theme import font, theme

_BOOLS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


def parse_field(text: str, field: FieldFace) -> tuple[Value | None, str]:
    """What was typed as a value, in the form the field has now.

    A variable keeps its name and bounds and takes the number as its start; commas make a list or the knots of a curve.

    Returns:
        The value and an empty text, or None and the sentence why not.
    """
    text = text.strip().replace("−", "-")
    spec, faults = field.spec, list[Fault]()
    if isinstance(field.value, Var):
        start = decode(_plain(text, spec), spec, field.name, faults)
        if isinstance(start, (int, float)):
            return replace(field.value, init=float(start)), ""
    elif isinstance(field.value, Curve) or ("," in text and spec.kind == "float" and not spec.param.per_model):
        value = decode({"curve": [_plain(part, spec) for part in text.split(",")]}, spec, field.name, faults)
        if value is not None:
            return value, ""
    elif spec.param.per_model and ("," in text or isinstance(field.value, PerModel)):
        parts = [part for part in text.split(",") if part.strip()]
        value = decode([_plain(part, spec) for part in parts], spec, field.name, faults)
        if value is not None:
            return value if len(parts) != 1 else value.values[0] if isinstance(value, PerModel) else value, ""
    else:
        value = decode(_plain(text, spec), spec, field.name, faults)
        if value is not None:
            return value, ""
    return None, faults[0].message if faults else f"'{spec.name}' cannot be {text!r}."


def _plain(text: str, spec: ParamSpec) -> object:
    """Typed text as the plain data the codec reads."""
    text = text.strip()
    if spec.kind in {"float", "int"}:
        try:
            return number_of(text)
        except ValueError:
            return text
    if spec.kind == "bool":
        return _BOOLS.get(text.lower(), text)
    if spec.kind == "choice":
        return next((choice for choice in spec.choices if choice.lower() == text.lower()), text)
    return text


def choices_of(field: FieldFace) -> tuple[str, ...]:
    """What a field can be when that is one of a few: the choices, or yes and no."""
    return ("yes", "no") if field.spec.kind == "bool" else field.spec.choices


def text_field(name: str, value: str) -> FieldFace:
    """A field for free text (a title), so that one editor serves both."""
    return FieldFace(name, name, value, "value", ParamSpec(name, "str", param=Param()), value)


class FieldEditor(QLineEdit):
    """A line edit over a field: Enter or leaving takes the text, Escape drops it; what cannot be read stays open.

    Args:
        field: What is edited.
        take: Called with the text; returns the sentence of a refusal, empty when it was taken.
        box: Where, in px of the parent.
        parent: The canvas.
    """

    def __init__(self, field: FieldFace, take: Callable[[str], str], box: QRectF, parent: QWidget) -> None:
        super().__init__(parent)
        self._take, self._over = take, False
        self.setText(_editable(field))
        self.setAccessibleName(f"{field.label}, {field.spec.param.help}".rstrip(", "))
        self.setToolTip(field.spec.param.help)
        self.setFont(font("label"))
        self.setTextMargins(0, 0, 0, 0)
        self.setStyleSheet(f"padding: 0 6px; min-height: 0; border: 2px solid {theme().hex('accent')};")
        height = max(round(box.height()) + 4, 24)
        width = max(round(box.width()) + 4, 64)
        self.setGeometry(round(box.right()) + 2 - width, round(box.center().y() - height / 2), width, height)
        self.selectAll()
        self.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.returnPressed.connect(self.finish)

    def finish(self) -> None:
        """Hand the text over; stay open if it is refused."""
        if self._over:
            return
        refusal = self._take(self.text())
        if refusal:
            self.setToolTip(refusal)
            self.setStyleSheet(f"padding: 0 6px; min-height: 0; border: 2px solid {theme().hex('error')};")
            return
        self._close()

    def _close(self) -> None:
        self._over = True
        parent = self.parentWidget()
        self.hide()
        self.deleteLater()
        if parent is not None:
            parent.setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape drops what was typed."""
        if event.key() == Qt.Key.Key_Escape:
            self._close()
            return
        super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Leaving takes the text; if it is refused it is dropped."""
        super().focusOutEvent(event)
        if not self._over and event.reason() != Qt.FocusReason.PopupFocusReason:
            self._take(self.text())
            self._close()


def _editable(field: FieldFace) -> str:
    """The value as a person would type it, with all its digits."""
    match field.value:
        case Var(init=init):
            return "" if init is None else f"{init:g}"
        case Curve(values) | PerModel(values):
            return ", ".join(f"{item:g}" if isinstance(item, (int, float)) else str(item) for item in values)
        case bool():
            return "yes" if field.value else "no"
        case float() | int():
            return f"{field.value:.12g}"
        case _:
            return field.text
