"""mergekit settings as our values: numbers, lists over layers, rules by a part of the name; in order of precedence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from solera.checkpoints.layers import after_layers
from solera.errors import Fault
from solera.params import Curve, PerModel, Rules, Scalar, Value
from solera.recipes.mergekit.config import Settings, flag
from solera.recipes.mergekit.methods import Declared


@dataclass(frozen=True, slots=True)
class Said:
    """Settings and where they stand; of several the first that says something goes."""

    settings: Settings
    place: str


class Reading:
    """Reads settings of one document.

    Args:
        faults: Where faults go.
        names: Gives the names of the tensors the values are for, where they can be known.
        head_first: Whether tensors after the layers take a list's first number, as in mergekit, and not its last.
    """

    def __init__(self, faults: list[Fault], names: Callable[[], Sequence[str]], *, head_first: bool = False) -> None:
        self._faults = faults
        self._names = names
        self._head_first = head_first
        self._part = ""
        self.lists_reach_head = False
        self.filters_by_number = False

    def value(self, declared: Declared, said: Sequence[Said], where: str) -> Value | None:
        """What a parameter is, or None if nothing is said and it has no default.

        Args:
            declared: The parameter.
            said: By order of precedence.
            where: Place of a fault if it is missing.
        """
        for i, one in enumerate(said):
            if declared.name in one.settings:
                place = f"{one.place}.{declared.name}" if one.place else declared.name
                return self._decoded(one.settings[declared.name], declared, place, said[i + 1 :], where)
        if declared.required:
            message = f"'{declared.name}' is required; mergekit has no default for it."
            if where == "base_model":
                message += " The base is merged like the others here: list it among the models, or leave it out."
            self._faults.append(Fault("param.missing", where, message))
        return declared.default

    def _decoded(self, plain: Any, declared: Declared, place: str, rest: Sequence[Said], where: str) -> Value | None:
        if isinstance(plain, Mapping):
            return self._rules([plain], declared, place, rest, where)
        if isinstance(plain, (list, tuple)):
            if not plain:
                return self.value(declared, rest, where)
            if any(isinstance(item, Mapping) for item in plain):
                return self._rules(plain, declared, place, rest, where)
            return self._over_layers(plain, declared, place)
        return self._scalar(plain, declared, place)

    def _over_layers(self, plain: Sequence[Any], declared: Declared, place: str) -> Value | None:
        items = [self._scalar(item, declared, f"{place}[{i}]") for i, item in enumerate(plain)]
        numbers = [item for item in items if item is not None]
        if len(numbers) < len(items):
            return None
        if all(item == numbers[0] for item in numbers):
            return numbers[0]
        if declared.kind != "float":
            message = f"'{declared.name}' cannot change from layer to layer; give one value."
            self._faults.append(Fault("mergekit.list", place, message))
            return None
        curve = Curve(tuple(float(item) for item in numbers))
        last = [name for name in after_layers(self._names()) if self._part in name]
        if curve.values[0] == curve.values[-1] or not last:
            return curve
        self.lists_reach_head = True
        if not self._head_first:
            return curve
        return Rules(tuple((_literal(name), curve.values[0]) for name in last), curve)

    def _rules(
        self, plain: Sequence[Any], declared: Declared, place: str, rest: Sequence[Said], where: str
    ) -> Value | None:
        rules: list[tuple[str, Value]] = []
        parts: list[str] = []
        for i, entry in enumerate(plain):
            here = f"{place}[{i}]" if len(plain) > 1 else place
            if not isinstance(entry, Mapping) or "value" not in entry or not set(entry) <= {"filter", "value"}:
                message = "An entry is a value, or {filter, value} with a part of tensor names as the filter."
                self._faults.append(Fault("mergekit.rule", here, message))
                return None
            part = entry.get("filter")
            self._part = "" if part in {None, "*"} else str(part)
            value = self._decoded(entry["value"], declared, f"{here}.value", (), here)
            self._part = ""
            if value is None:
                return None
            if part is None or part == "*":
                return Rules(tuple(rules), value) if rules else value
            parts.append(str(part))
            self.filters_by_number |= any(letter.isdigit() for letter in str(part))
            rules.append((f"*{_literal(str(part))}*", value))
        otherwise = self._otherwise(parts, rules[-1][1], declared, place, rest, where)
        return None if otherwise is None else Rules(tuple(rules), otherwise)

    def _otherwise(
        self, parts: Sequence[str], last: Value, declared: Declared, place: str, rest: Sequence[Said], where: str
    ) -> Value | None:
        """The value where no filter matches: of the next settings, the default, or none if all names match."""
        if any(declared.name in said.settings for said in rest):
            return self.value(declared, rest, where)
        if not declared.required:
            if declared.default is None and declared.kind == "float":
                return 1.0  # only a factor has no default
            return declared.default
        names = self._names()
        open_ = [name for name in names if not any(part in name for part in parts)]
        if names and not open_:
            return last
        example = f", such as '{open_[0]}'" if open_ else ""
        message = f"'{declared.name}' says nothing of tensors that no filter matches{example}; add {{value: ...}}."
        self._faults.append(Fault("mergekit.rule", place, message))
        return None

    def _scalar(self, plain: Any, declared: Declared, place: str) -> Scalar | None:
        value: Scalar | None = None
        if isinstance(plain, str):  # YAML 1.1 reads 1e-5 as text, and mergekit takes it for a number
            plain = _number(plain)
        if declared.kind == "bool":
            value = flag(plain)
        elif isinstance(plain, (int, float)) and not isinstance(plain, bool):
            value = int(plain) if declared.kind == "int" and plain == int(plain) else float(plain)
        if value is None or (declared.kind == "int" and not isinstance(value, int)):
            wanted = {"float": "a number", "int": "a whole number", "bool": "true or false"}[declared.kind]
            message = f"'{declared.name}' must be {wanted}, not {plain!r}."
            self._faults.append(Fault("param.type", place, message))
            return None
        return value


def per_model(values: Sequence[Value]) -> Value:
    """One value for each model, as one where all are equal."""
    return values[0] if all(value == values[0] for value in values) else PerModel(tuple(values))


def _literal(text: str) -> str:
    """A glob that matches the text itself."""
    return re.sub(r"([*?\[])", r"[\1]", text)


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
