"""Parameters: one declaration serves signatures, YAML, HDF5, forms and the command line.

A parameter is declared once, in the signature of the function that takes it::

    def ties(deltas: list[Tensor], *, density: Annotated[float, Param(0, 1, help="...")] = 0.2) -> Tensor: ...

Its *value* in a recipe may be a number, a list with one entry per model, rules by tensor-name pattern, a curve over
layers, or a free variable with bounds. :func:`decode` reads plain data (from YAML, JSON, HDF5, a form) into such a
value and reports every fault with its place; :func:`encode` is its inverse; :func:`resolve` gives the number a method
sees at one tensor.
"""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from solera.errors import Fault, InputError

Scalar = bool | int | float | str
ParamKind = Literal["float", "int", "bool", "str", "choice", "path"]


@dataclass(frozen=True, slots=True)
class Param:
    """What an annotation says beyond the type.

    Attributes:
        low: Smallest allowed value, inclusive.
        high: Largest allowed value, inclusive.
        step: A sensible step for a spin box.
        unit: ``"nats"``, ``"samples"`` ...; empty for a pure number.
        help: One sentence for tooltips and ``--help``.
        title: What a form calls it; from the name if empty.
        log: Whether a slider or a search should move on a logarithmic scale.
        per_model: Whether it may be one value per input model; the function then always gets a tuple.
        search: Default bounds when made a search variable; ``low``/``high`` if None.
    """

    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    help: str = ""
    title: str = ""
    log: bool = False
    per_model: bool = False
    search: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """A declared parameter; the row a form, a schema and ``--help`` are made of."""

    name: str
    kind: ParamKind
    default: Scalar | tuple[Scalar, ...] | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    param: Param = Param()

    @property
    def title(self) -> str:
        """What a form calls it."""
        return self.param.title or self.name.replace("_", " ").capitalize()

    def to_plain(self) -> dict[str, Any]:
        """As in a manifest; only what differs from the default of the declaration."""
        plain: dict[str, Any] = {"name": self.name, "kind": self.kind}
        if self.required:
            plain["required"] = True
        elif self.default is not None:
            plain["default"] = list(self.default) if isinstance(self.default, tuple) else self.default
        if self.choices:
            plain["choices"] = list(self.choices)
        empty = Param()
        for key in Param.__slots__:
            value = getattr(self.param, key)
            if value != getattr(empty, key):
                plain[key] = list(value) if isinstance(value, tuple) else value
        return plain

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> ParamSpec:
        """The inverse of :meth:`to_plain`.

        Raises:
            InputError: A key is unknown or a required one is missing.
        """
        known = {"name", "kind", "default", "required", "choices", *Param.__slots__}
        unknown = sorted(set(plain) - known)
        if unknown or not {"name", "kind"} <= set(plain):
            raise InputError(
                f"A parameter declaration needs 'name' and 'kind' and knows no {', '.join(unknown) or 'others'}.",
                unknown=unknown,
            )
        extra = {key: plain[key] for key in Param.__slots__ if key in plain}
        if "search" in extra:
            extra["search"] = tuple(extra["search"])
        default = plain.get("default")
        return ParamSpec(
            name=plain["name"],
            kind=plain["kind"],
            default=tuple(default) if isinstance(default, list) else default,
            required=bool(plain.get("required", False)),
            choices=tuple(plain.get("choices", ())),
            param=Param(**extra),
        )


# --- values -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Var:
    """A free variable: a recipe that has one is a family of models.

    Attributes:
        name: Unique in its recipe, an identifier.
        low: Lower bound of a search; None takes the parameter's.
        high: Upper bound.
        init: Where it stands until someone chooses.
        log: Search on a logarithmic scale.
        choices: What it chooses among; its number is then the place of one of them, from 0. Empty for a number.
    """

    name: str
    low: float | None = None
    high: float | None = None
    init: float | None = None
    log: bool = False
    choices: tuple[Scalar, ...] = ()

    def value(self, number: float) -> Scalar:
        """What stands in its place at a number: the number, or the choice at that place (the nearest there is)."""
        if not self.choices:
            return number
        return self.choices[min(max(round(number), 0), len(self.choices) - 1)]


@dataclass(frozen=True, slots=True)
class Curve:
    """A value over layers: knots spread evenly from the first layer to the last, straight lines between.

    A tensor that belongs to no layer takes the first knot if it comes before the layers (embeddings) and the last
    if it comes after (final norm, head). A knot may be a free variable: a curve with control points that are searched.
    """

    values: tuple[float | Var, ...]

    def at(self, fraction: float, numbers: Mapping[str, float] | None = None) -> float:
        """The value at ``fraction`` (0 = first layer, 1 = last).

        Args:
            fraction: Where.
            numbers: What free variables stand at; those absent take their ``init``.

        Raises:
            InputError: A variable has no number.
        """
        if len(self.values) == 1:
            return _knot(self.values[0], numbers or {})
        position = min(max(fraction, 0.0), 1.0) * (len(self.values) - 1)
        left = min(int(position), len(self.values) - 2)
        share = position - left
        first, second = (_knot(self.values[i], numbers or {}) for i in (left, left + 1))
        return first * (1 - share) + second * share


def _knot(knot: float | Var, numbers: Mapping[str, float]) -> float:
    if not isinstance(knot, Var):
        return knot
    number = numbers.get(knot.name, knot.init)
    if number is None:
        raise InputError(
            f"The variable '{knot.name}' of a curve has no value; give one with --set {knot.name}=VALUE.",
            variable=knot.name,
        )
    return number


@dataclass(frozen=True, slots=True)
class Rules:
    """A value by tensor name: the first glob that matches decides (``*`` matches dots too).

    Attributes:
        rules: ``(pattern, value)`` in order.
        otherwise: The value where none matches.
    """

    rules: tuple[tuple[str, Value], ...]
    otherwise: Value


@dataclass(frozen=True, slots=True)
class PerModel:
    """One value per input model, in the order of the inputs."""

    values: tuple[Value, ...]


Value = Scalar | Var | Curve | Rules | PerModel
Params = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Site:
    """Where in a model a parameter is asked for.

    Attributes:
        name: The tensor's name.
        fraction: Its place in depth, 0 = first layer, 1 = last; embeddings 0, head 1.
        models: How many input models the method has.
    """

    name: str
    fraction: float = 0.0
    models: int = 1


def variables(value: Value) -> Iterator[Var]:
    """The free variables in a value, depth first."""
    match value:
        case Var():
            yield value
        case PerModel(values) | Curve(values):
            for item in values:
                yield from variables(item)
        case Rules(rules, otherwise):
            for _, item in rules:
                yield from variables(item)
            yield from variables(otherwise)
        case _:
            return


def by_place(value: Value) -> bool:
    """Whether a value can be another one from tensor to tensor: it holds a curve or rules."""
    match value:
        case Curve() | Rules():
            return True
        case PerModel(values):
            return any(by_place(item) for item in values)
        case _:
            return False


def substitute(value: Value, numbers: Mapping[str, float]) -> Value:
    """The value with the named variables replaced by numbers; others stay."""
    match value:
        case Var(name=name):
            return value.value(numbers[name]) if name in numbers else value
        case Curve(values):
            return Curve(tuple(numbers.get(item.name, item) if isinstance(item, Var) else item for item in values))
        case PerModel(values):
            return PerModel(tuple(substitute(item, numbers) for item in values))
        case Rules(rules, otherwise):
            return Rules(
                tuple((pattern, substitute(item, numbers)) for pattern, item in rules),
                substitute(otherwise, numbers),
            )
        case _:
            return value


def resolve(value: Value, spec: ParamSpec, site: Site, numbers: Mapping[str, float]) -> Scalar | tuple[Scalar, ...]:
    """The plain value a function sees at one site.

    Args:
        value: What the recipe says.
        spec: The parameter's declaration; a ``per_model`` one always yields a tuple of ``site.models`` entries.
        site: Which tensor.
        numbers: What the free variables stand at.

    Raises:
        InputError: A variable has no number, or a list has the wrong length.
    """
    if spec.param.per_model:
        items: Sequence[Value]
        if isinstance(value, PerModel):
            if len(value.values) != site.models:
                raise InputError(
                    f"'{spec.name}' lists {len(value.values)} values for {site.models} models; "
                    f"give one per model, or a single number.",
                    param=spec.name,
                )
            items = value.values
        else:
            items = (value,) * site.models
        return tuple(_scalar_at(item, spec, site, numbers) for item in items)
    return _scalar_at(value, spec, site, numbers)


def _scalar_at(value: Value, spec: ParamSpec, site: Site, numbers: Mapping[str, float]) -> Scalar:
    match value:
        case Var(name=name, init=init):
            number = numbers.get(name, init)
            if number is None:
                raise InputError(
                    f"The variable '{name}' of '{spec.name}' has no value; give one with --set {name}=VALUE.",
                    variable=name,
                    param=spec.name,
                )
            return value.value(number)
        case Curve():
            return value.at(site.fraction, numbers)
        case Rules(rules, otherwise):
            for pattern, item in rules:
                if fnmatchcase(site.name, pattern):
                    return _scalar_at(item, spec, site, numbers)
            return _scalar_at(otherwise, spec, site, numbers)
        case PerModel():
            raise InputError(f"'{spec.name}' takes one value, not one per model.", param=spec.name)
        case _:
            return value


# --- codec --------------------------------------------------------------------------------------------------------


def encode(value: Value) -> Any:
    """A value as plain data for YAML, JSON and HDF5; the inverse of :func:`decode`."""
    match value:
        case Var(name, low, high, init, log, choices):
            plain: dict[str, Any] = {"var": name}
            if choices:
                plain["choices"] = list(choices)
            for key, item in (("low", low), ("high", high), ("init", init)):
                if item is not None:
                    plain[key] = item
            if log:
                plain["log"] = True
            return plain
        case Curve(values):
            return {"curve": [encode(item) for item in values]}
        case Rules(rules, otherwise):
            return {
                "rules": [{"match": pattern, "value": encode(item)} for pattern, item in rules],
                "otherwise": encode(otherwise),
            }
        case PerModel(values):
            return [encode(item) for item in values]
        case _:
            return value


def decode(plain: Any, spec: ParamSpec, place: str, faults: list[Fault]) -> Value | None:
    """Plain data as a value.

    Args:
        plain: What was read.
        spec: The parameter's declaration.
        place: Where it stands, for faults.
        faults: Every fault is appended here.

    Returns:
        The value, or None if a fault makes it meaningless.
    """
    if isinstance(plain, Mapping):
        return _decode_mapping(plain, spec, place, faults)
    if isinstance(plain, (list, tuple)):
        if not spec.param.per_model:
            faults.append(Fault("param.list", place, f"'{spec.name}' takes one value, not a list of {len(plain)}."))
            return None
        inner = replace(spec, param=replace(spec.param, per_model=False))
        items = [decode(item, inner, f"{place}[{i}]", faults) for i, item in enumerate(plain)]
        return PerModel(tuple(item for item in items if item is not None)) if None not in items else None
    return _decode_scalar(plain, spec, place, faults)


def _decode_mapping(plain: Mapping[Any, Any], spec: ParamSpec, place: str, faults: list[Fault]) -> Value | None:
    keys = set(plain)
    for lead, allowed in (
        ("var", {"var", "low", "high", "init", "log", "choices"}),
        ("curve", {"curve"}),
        ("rules", {"rules", "otherwise"}),
    ):
        if lead in keys:
            for key in sorted(str(k) for k in keys - allowed):
                faults.append(Fault("param.unknown-key", f"{place}.{key}", f"'{key}' is not known beside '{lead}'."))
            return {"var": _decode_var, "curve": _decode_curve, "rules": _decode_rules}[lead](
                plain, spec, place, faults
            )
    faults.append(
        Fault(
            "param.form",
            place,
            f"'{spec.name}' is a mapping without 'var', 'curve' or 'rules'; got {sorted(map(str, keys))}.",
        )
    )
    return None


def _decode_var(plain: Mapping[Any, Any], spec: ParamSpec, place: str, faults: list[Fault]) -> Value | None:
    name = plain["var"]
    if not isinstance(name, str) or not name.isidentifier():
        faults.append(Fault("param.var-name", f"{place}.var", f"A variable needs a name like 'scale', not {name!r}."))
        return None
    choices = _decode_choices(plain, spec, place, faults)
    if choices is None:
        return None
    numbers: dict[str, float | None] = {}
    for key in ("low", "high", "init"):
        item = plain.get(key)
        if item is None:
            numbers[key] = None
        elif isinstance(item, bool) or not isinstance(item, (int, float)) or not math.isfinite(item):
            faults.append(Fault("param.var-bound", f"{place}.{key}", f"'{key}' must be a number, not {item!r}."))
            return None
        else:
            numbers[key] = float(item)
    low, high = numbers["low"], numbers["high"]
    if low is not None and high is not None and low >= high:
        faults.append(Fault("param.var-bound", place, f"The variable '{name}' runs from {low:g} to {high:g}."))
        return None
    if choices and (low not in {None, 0} or high not in {None, len(choices) - 1} or plain.get("log", False)):
        message = f"The variable '{name}' chooses among {len(choices)}; it has no other bounds and no scale."
        faults.append(Fault("param.var-bound", place, message))
        return None
    return Var(name, low, high, numbers["init"], bool(plain.get("log", False)), choices)


def _decode_choices(
    plain: Mapping[Any, Any], spec: ParamSpec, place: str, faults: list[Fault]
) -> tuple[Scalar, ...] | None:
    """What a variable chooses among: what it says, else all there is; empty for a number, None for a fault."""
    given = plain.get("choices")
    if given is None:
        if spec.kind in {"choice", "bool"}:
            return spec.choices if spec.kind == "choice" else (False, True)
        if spec.kind in {"float", "int"}:
            return ()
        message = f"'{spec.name}' is no number; say what the variable chooses among: choices: [...]."
        faults.append(Fault("param.var-kind", place, message))
        return None
    if not isinstance(given, (list, tuple)) or len(given) < 2:
        faults.append(Fault("param.var-choices", f"{place}.choices", f"Choices are two or more; got {given!r}."))
        return None
    single = replace(spec, param=replace(spec.param, per_model=False))
    found = [_decode_scalar(item, single, f"{place}.choices[{i}]", faults) for i, item in enumerate(given)]
    kept = tuple(item for item in found if item is not None)
    if len(kept) < len(given):
        return None
    if len(set(kept)) < len(kept):
        faults.append(Fault("param.var-choices", f"{place}.choices", "A choice is named twice."))
        return None
    return kept


def _decode_curve(plain: Mapping[Any, Any], spec: ParamSpec, place: str, faults: list[Fault]) -> Value | None:
    knots = plain["curve"]
    if spec.kind != "float" or not isinstance(knots, (list, tuple)) or not knots:
        faults.append(
            Fault("param.curve", place, f"A curve for '{spec.name}' needs numbers, one or more; got {knots!r}.")
        )
        return None
    values: list[float | Var] = []
    for i, item in enumerate(knots):
        here = f"{place}.curve[{i}]"
        inner = replace(spec, param=replace(spec.param, per_model=False))
        found = _decode_var(item, inner, here, faults) if _is_var(item) else _decode_scalar(item, spec, here, faults)
        if isinstance(found, Var):
            values.append(found)
        elif isinstance(found, (int, float)):
            values.append(float(found))
    return Curve(tuple(values)) if len(values) == len(knots) else None


def _is_var(plain: Any) -> bool:
    return isinstance(plain, Mapping) and "var" in plain


def _decode_rules(plain: Mapping[Any, Any], spec: ParamSpec, place: str, faults: list[Fault]) -> Value | None:
    entries = plain["rules"]
    if "otherwise" not in plain:
        faults.append(
            Fault(
                "param.rules",
                place,
                f"Rules for '{spec.name}' need 'otherwise', the value where none matches.",
            )
        )
        return None
    if not isinstance(entries, (list, tuple)):
        faults.append(Fault("param.rules", place, "'rules' must be a list of {match, value}."))
        return None
    rules: list[tuple[str, Value]] = []
    for i, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or set(entry) != {"match", "value"}:
            faults.append(
                Fault("param.rules", f"{place}.rules[{i}]", "A rule has exactly 'match' (a glob) and 'value'.")
            )
            continue
        value = decode(entry["value"], spec, f"{place}.rules[{i}].value", faults)
        if value is not None:
            rules.append((str(entry["match"]), value))
    otherwise = decode(plain["otherwise"], spec, f"{place}.otherwise", faults)
    return None if otherwise is None else Rules(tuple(rules), otherwise)


def _decode_scalar(plain: Any, spec: ParamSpec, place: str, faults: list[Fault]) -> Scalar | None:
    wanted = {"float": "a number", "int": "a whole number", "bool": "true or false"}.get(spec.kind, "text")
    value: Scalar | None = None
    match spec.kind:
        case "float" if isinstance(plain, (int, float)) and not isinstance(plain, bool):
            value = float(plain)
        case "int" if isinstance(plain, (int, float)) and not isinstance(plain, bool) and plain == int(plain):
            value = int(plain)
        case "bool" if isinstance(plain, bool):
            value = plain
        case "str" | "path" | "choice" if isinstance(plain, str):
            value = plain
    if value is None:
        faults.append(Fault("param.type", place, f"'{spec.name}' must be {wanted}, not {plain!r}."))
        return None
    if spec.kind == "choice" and value not in spec.choices:
        faults.append(
            Fault("param.choice", place, f"'{spec.name}' is one of {', '.join(spec.choices)}, not {value!r}.")
        )
        return None
    if isinstance(value, float) and not math.isfinite(value):
        faults.append(Fault("param.finite", place, f"'{spec.name}' must be finite, not {value!r}."))
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = spec.param.low, spec.param.high
        if (low is not None and value < low) or (high is not None and value > high):
            faults.append(Fault("param.range", place, f"'{spec.name}' must be {_range(low, high)}, not {value:g}."))
            return None
    return value


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"from {low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"


def decode_all(
    plain: Mapping[str, Any], specs: Sequence[ParamSpec], place: str, faults: list[Fault]
) -> dict[str, Value]:
    """A whole mapping of parameters: unknown keys and missing required ones are faults; defaults are not filled in."""
    by_name = {spec.name: spec for spec in specs}
    values: dict[str, Value] = {}
    for key, item in plain.items():
        spec = by_name.get(key)
        if spec is None:
            known = ", ".join(by_name) or "none"
            faults.append(
                Fault("param.unknown-key", f"{place}.{key}", f"No parameter is called '{key}'; known: {known}.")
            )
            continue
        value = decode(item, spec, f"{place}.{key}", faults)
        if value is not None:
            values[key] = value
    for spec in specs:
        if spec.required and spec.name not in plain:
            faults.append(Fault("param.missing", f"{place}.{spec.name}", f"'{spec.name}' is required."))
    return values


def json_schema(specs: Sequence[ParamSpec]) -> dict[str, Any]:
    """JSON schema (2020-12) of the plain, scalar form of these parameters."""
    types_ = {"float": "number", "int": "integer", "bool": "boolean"}
    properties: dict[str, Any] = {}
    for spec in specs:
        entry: dict[str, Any] = {"type": types_.get(spec.kind, "string"), "title": spec.title}
        if spec.param.help:
            entry["description"] = spec.param.help
        if spec.choices:
            entry["enum"] = list(spec.choices)
        if spec.param.low is not None:
            entry["minimum"] = spec.param.low
        if spec.param.high is not None:
            entry["maximum"] = spec.param.high
        if spec.param.unit:
            entry["unit"] = spec.param.unit
        if spec.default is not None:
            entry["default"] = list(spec.default) if isinstance(spec.default, tuple) else spec.default
        properties[spec.name] = {"anyOf": [entry, {"type": "array", "items": entry}]} if spec.param.per_model else entry
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [spec.name for spec in specs if spec.required],
    }


# --- declarations from signatures -----------------------------------------------------------------------------------

_KINDS: dict[Any, ParamKind] = {float: "float", int: "int", bool: "bool", str: "str", Path: "path"}


def specs_from_signature(function: Callable[..., Any], skip: Container[str] = ()) -> tuple[ParamSpec, ...]:
    """The parameters of a function (or of a class's ``__init__``): its keyword-only arguments, in order.

    Arguments named in ``skip`` are no parameters.

    Understood annotations: ``float, int, bool, str, Path``, ``Literal["a", "b"]``, ``tuple[float, ...]`` (one per
    model), ``X | None``, each bare or as ``Annotated[X, Param(...)]``.

    Raises:
        InputError: An argument has no annotation or one that is not understood.
    """
    target = function.__init__ if inspect.isclass(function) else function
    hints = typing.get_type_hints(target, include_extras=True)
    specs = []
    for name, argument in inspect.signature(function).parameters.items():
        if argument.kind is not inspect.Parameter.KEYWORD_ONLY or name in skip:
            continue
        if name not in hints:
            raise InputError(f"{function.__qualname__}: the parameter '{name}' has no type.", param=name)
        specs.append(_spec(function.__qualname__, name, hints[name], argument.default))
    return tuple(specs)


def _spec(owner: str, name: str, hint: Any, default: Any) -> ParamSpec:
    extra = Param()
    if typing.get_origin(hint) is Annotated:
        hint, *marks = typing.get_args(hint)
        extra = next((mark for mark in marks if isinstance(mark, Param)), extra)
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    choices: tuple[str, ...] = ()
    if typing.get_origin(hint) is tuple:
        hint = typing.get_args(hint)[0]
        extra = replace(extra, per_model=True)
    if typing.get_origin(hint) is Literal:
        choices = tuple(str(arg) for arg in typing.get_args(hint))
    elif hint not in _KINDS:
        raise InputError(f"{owner}: the type of '{name}' is not understood: {hint!r}.", param=name)
    kind: ParamKind = "choice" if choices else _KINDS[hint]
    required = default is inspect.Parameter.empty
    if extra.per_model and isinstance(default, tuple) and len(default) == 1:
        default = default[0]  # one number stands for every model, however many there are
    return ParamSpec(name, kind, None if required else default, required, choices, extra)
