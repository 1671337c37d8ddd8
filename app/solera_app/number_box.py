"""A field for a number, in which one may write arithmetic: ``1/3``, ``2 * (0.4 + 0.1)``."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable

from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}

#: Longer texts are not read: no number that is typed is, and deep brackets would be.
_LONGEST = 80

#: What arithmetic is made of, as one types it.
_BEGINNING = re.compile(r"[\d.+\-*/()eE\s]*")


def number_of(text: str) -> float:
    """The number that a text stands for: ``+ - * / **``, brackets and numbers, in float64.

    Raises:
        ValueError: It is something else, or comes to no finite number.
    """
    try:
        number = _read(text.strip().replace("−", "-"))
    except (SyntaxError, ArithmeticError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"'{text}' is not a number; arithmetic such as 1/3 is read, too.")
    return number


def _read(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return _value(ast.parse(text, mode="eval").body) if len(text) < _LONGEST else math.nan


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.UnaryOp(op=sign, operand=inner) if type(sign) in _UNARY:
            return _UNARY[type(sign)](_value(inner))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return _BINARY[type(sign)](_value(left), _value(right))
    raise ValueError("only numbers and their arithmetic")


class NumberBox(QDoubleSpinBox):
    """A spin box that takes arithmetic; once it is taken the field shows what it comes to."""

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(self.locale().c())
        self.setKeyboardTracking(False)

    def valueFromText(self, text: str) -> float:
        """The number."""
        return number_of(text)

    def validate(self, text: str, place: int) -> tuple[QValidator.State, str, int]:
        """Acceptable, the beginning of what may be, or neither."""
        try:
            inside = self.minimum() <= number_of(text) <= self.maximum()
        except ValueError:
            inside = False
        # What lies outside may be the beginning of what does not.
        begun = QValidator.State.Intermediate if _BEGINNING.fullmatch(text) else QValidator.State.Invalid
        return (QValidator.State.Acceptable if inside else begun), text, place
