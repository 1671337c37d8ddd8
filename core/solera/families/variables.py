"""A recipe's own free variables as coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from solera.errors import Fault, FaultsError
from solera.families.coords import Coord
from solera.families.family import Family
from solera.families.labels import named_points
from solera.params import ParamSpec, Value, Var, variables
from solera.recipes.checks import COEFFICIENT
from solera.recipes.nodes import MethodNode, Recipe, SumNode

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec


def recipe_family(
    recipe: Recipe,
    methods: Mapping[str, MethodSpec],
    labels: Mapping[str, tuple[float, ...]] | None = None,
) -> Family:
    """The family a recipe with free variables is.

    Bounds come from the variables; where one is missing, from the search range or limits of the parameter it stands
    for.

    Args:
        recipe: With one free variable or more.
        methods: The registered methods.
        labels: Named models at coordinates; found by :func:`solera.families.labels.named_points` if None.

    Raises:
        FaultsError: There are no free variables, or some have no bounds.
    """
    coords: dict[str, Coord] = {}
    faults: list[Fault] = []
    for place, var, spec in _uses(recipe, methods):
        low, high = _bounds(var, spec)
        if var.name in coords:
            continue
        if low is None or high is None or not low < high:
            message = f"The variable '{var.name}' has no bounds; write {{var: {var.name}, low: 0, high: 1}}."
            faults.append(Fault("family.bounds", place, message))
            continue
        coords[var.name] = Coord(var.name, low, high, unit=spec.param.unit, log=var.log or spec.param.log)
    if not coords and not faults:
        message = "It has no free variables; make a parameter one, such as scale: {var: scale, low: 0, high: 1}."
        faults.append(Fault("family.variables", "", message))
    if faults:
        raise FaultsError(f"recipe {recipe.name or recipe.output}", faults)
    ordered = tuple(coords[var.name] for var in recipe.variables)
    return Family(recipe, ordered, "recipe", named_points(recipe, ordered, methods) if labels is None else labels)


def _uses(recipe: Recipe, methods: Mapping[str, MethodSpec]) -> Iterator[tuple[str, Var, ParamSpec]]:
    """Every place where a free variable stands, with what is declared there."""
    for node in recipe.nodes:
        values: list[tuple[str, Value, ParamSpec]] = []
        match node:
            case SumNode(id=id_, terms=terms):
                values = [(f"nodes.{id_}.sum[{i}].times", t.coefficient, COEFFICIENT) for i, t in enumerate(terms)]
            case MethodNode(id=id_, method=method, params=params):
                spec = methods[method]
                values = [(f"nodes.{id_}.{key}", value, spec.param(key)) for key, value in params.items()]
        for place, value, declared in values:
            for var in variables(value):
                yield place, var, declared


def _bounds(var: Var, spec: ParamSpec) -> tuple[float | None, float | None]:
    low, high = spec.param.search or (spec.param.low, spec.param.high)
    return (low if var.low is None else var.low), (high if var.high is None else var.high)
