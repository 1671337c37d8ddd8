"""A recipe's own free variables as coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from solera.errors import Fault, FaultsError
from solera.families.coords import Coord
from solera.families.family import Family
from solera.params import ParamSpec, Value, Var, variables
from solera.recipes.checks import COEFFICIENT
from solera.recipes.nodes import MethodNode, Recipe, SumNode

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec


#: The unit of a whole number that is the place of an input.
INPUT = "input"


def recipe_family(
    recipe: Recipe,
    methods: Mapping[str, MethodSpec],
    labels: Mapping[str, tuple[float, ...]] | None = None,
) -> Family:
    """The family a recipe with free variables is.

    Bounds come from the variables; where one is missing, from the search range or limits of the parameter it stands
    for. A variable in the place of a switch, a choice or an input gives a coordinate of kind ``"choice"``, one of a
    whole number one of kind ``"whole"``.

    Args:
        recipe: With one free variable or more.
        methods: The registered methods.
        labels: Named models at coordinates; found by :func:`solera.families.labels.named_points` if None.

    Raises:
        FaultsError: There are no free variables, or some have no bounds.
    """
    from solera.families.labels import named_points

    coords: dict[str, Coord] = {}
    faults: list[Fault] = []
    for place, var, spec, inputs in _uses(recipe, methods):
        if var.name in coords:
            continue
        named = _named(var, spec, inputs)
        if named:
            coords[var.name] = Coord(var.name, 0.0, len(named) - 1.0, kind="choice", choices=named)
            continue
        low, high = _bounds(var, spec)
        if low is None or high is None or not low < high:
            message = f"The variable '{var.name}' has no bounds; write {{var: {var.name}, low: 0, high: 1}}."
            faults.append(Fault("family.bounds", place, message))
            continue
        whole = spec.kind == "int"
        unit = "" if spec.param.unit == INPUT else spec.param.unit
        log = (var.log or spec.param.log) and not whole
        coords[var.name] = Coord(var.name, low, high, unit=unit, log=log, kind="whole" if whole else "real")
    if not coords and not faults:
        message = "It has no free variables; make a parameter one, such as scale: {var: scale, low: 0, high: 1}."
        faults.append(Fault("family.variables", "", message))
    if faults:
        raise FaultsError(f"recipe {recipe.name or recipe.output}", faults)
    ordered = tuple(coords[var.name] for var in recipe.variables)
    return Family(recipe, ordered, "recipe", named_points(recipe, ordered, methods) if labels is None else labels)


def _named(var: Var, spec: ParamSpec, inputs: Sequence[str]) -> tuple[str, ...]:
    """What a person reads for each value of a variable that chooses: an input by its node's name, else the value."""
    if spec.param.unit == INPUT:
        places = [int(item) for item in var.choices if isinstance(item, (int, float))] or range(len(inputs))
        return tuple(inputs[place] if place < len(inputs) else str(place) for place in places)
    return tuple(str(item) for item in var.choices)


def _uses(recipe: Recipe, methods: Mapping[str, MethodSpec]) -> Iterator[tuple[str, Var, ParamSpec, tuple[str, ...]]]:
    """Every place where a free variable stands, with what is declared there and the inputs of its node."""
    for node in recipe.nodes:
        values: list[tuple[str, Value, ParamSpec]] = []
        inputs = node.inputs if isinstance(node, MethodNode) else ()
        match node:
            case SumNode(id=id_, terms=terms):
                values = [(f"nodes.{id_}.sum[{i}].times", t.coefficient, COEFFICIENT) for i, t in enumerate(terms)]
            case MethodNode(id=id_, method=method, params=params):
                spec = methods[method]
                values = [(f"nodes.{id_}.{key}", value, spec.param(key)) for key, value in params.items()]
        for place, value, declared in values:
            for var in variables(value):
                yield place, var, declared, inputs


def _bounds(var: Var, spec: ParamSpec) -> tuple[float | None, float | None]:
    low, high = spec.param.search or (spec.param.low, spec.param.high)
    return (low if var.low is None else var.low), (high if var.high is None else var.high)
