"""Weights, Deltas and Importances: the type of every node, and why a combination is refused.

Weights - Weights = Delta; Weights + Delta = Weights; Delta + Delta and number x Delta = Delta; number x Weights only
inside a sum whose numeric coefficients of Weights total 1 (Weights) or 0 (Delta). An Importance is made by a statistic
and taken by a method that needs it, nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from solera.errors import Fault
from solera.params import Value, Var
from solera.recipes.nodes import (
    AdapterNode,
    CheckpointNode,
    MethodNode,
    Node,
    Recipe,
    StackNode,
    StatisticNode,
    SumNode,
    Term,
    TokensNode,
    ValueType,
    upstream,
)
from solera.recipes.order import find_method, node_fault, ordered

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec

#: How far the coefficients of Weights may be from 1 or 0: enough for 0.333333 + 0.333333 + 0.333334.
TOTAL_TOLERANCE = 1e-6


def infer_types(
    recipe: Recipe, methods: Mapping[str, MethodSpec], faults: list[Fault] | None = None
) -> dict[str, ValueType]:
    """The type of every node that has one.

    Args:
        recipe: Any recipe; it may be incomplete.
        methods: The registered methods.
        faults: Every refusal is appended here, with its reason. Unknown ids and methods are not reported here (see
            :func:`solera.recipes.checks.check`).

    Returns:
        Node id -> ``"weights"``, ``"delta"`` or ``"importance"``; nodes whose type cannot be told are absent.
    """
    found: dict[str, ValueType] = {}
    refusals: list[Fault] = faults if faults is not None else []
    for node in ordered(recipe):
        type_ = _type_of(node, found, methods, refusals)
        if type_ is not None:
            found[node.id] = type_
    return found


def _type_of(
    node: Node, found: Mapping[str, ValueType], methods: Mapping[str, MethodSpec], faults: list[Fault]
) -> ValueType | None:
    match node:
        case AdapterNode():
            return "delta"
        case StatisticNode():
            return _statistic_type(node, found, faults)
        case CheckpointNode():
            return "weights"
        case SumNode():
            return _sum_type(node, found, faults)
        case MethodNode():
            spec = find_method(methods, node)
            return None if spec is None else _method_type(node, spec, found, faults)
        case StackNode() | TokensNode():
            return _view_type(node, found, faults)


def _statistic_type(node: StatisticNode, found: Mapping[str, ValueType], faults: list[Fault]) -> ValueType | None:
    kind = found.get(node.model)
    if kind not in {None, "weights"}:
        remedy = f"add it to a base: base + {node.model}"
        message = f"'{node.model}' is {_a(kind)}; a statistic is one of weights."
        faults.append(node_fault("recipe.type", node.id, "of", message, remedy))
        return None
    return "importance"


def _a(kind: str | None) -> str:
    return {"importance": "an importance", "delta": "a delta"}.get(kind or "", str(kind))


def _view_type(node: Node, found: Mapping[str, ValueType], faults: list[Fault]) -> ValueType | None:
    for name in dict.fromkeys(upstream(node)):
        if found.get(name, "weights") != "weights":
            message = f"'{name}' is {_a(found[name])}; layers and tokens are those of weights."
            faults.append(node_fault("recipe.type", node.id, "", message, f"add it to a base: base + {name}"))
            return None
    return "weights" if all(name in found for name in upstream(node)) else None


def total_of(numbers: Iterable[float]) -> float:
    """Their sum, rounded once; infinite where it leaves the range of float64 on the way."""
    try:
        return math.fsum(numbers)
    except OverflowError:
        return math.inf


def _sum_type(node: SumNode, found: Mapping[str, ValueType], faults: list[Fault]) -> ValueType | None:
    if not node.terms or any(term.node not in found for term in node.terms):
        return None
    for term in node.terms:
        if found[term.node] == "importance":
            message = f"'{term.node}' is an importance; it is taken by methods that weigh by it, not added."
            faults.append(node_fault("recipe.type", node.id, "sum", message))
            return None
    weights = [term for term in node.terms if found[term.node] == "weights"]
    if not weights:
        return "delta"
    if not all(_is_number(term.coefficient) for term in weights):
        faults.append(_not_a_number(node, weights))
        return None
    total = total_of(float(term.coefficient) for term in weights if isinstance(term.coefficient, (int, float)))
    if abs(total - 1.0) <= TOTAL_TOLERANCE:
        return "weights"
    if abs(total) <= TOTAL_TOLERANCE:
        return "delta"
    names = " + ".join(f"{float(term.coefficient):g}*{term.node}" for term in weights)  # type: ignore[arg-type]
    faults.append(
        node_fault(
            "recipe.sum-total", node.id, "sum",
            f"The coefficients of weights in {names} total {total:g}. A sum of weights is weights when they total 1 "
            "and a delta when they total 0; anything else is neither.",
            "make the coefficients total 1",
            f"subtract a base: {weights[0].node} - base is a delta, which may be scaled",
        )
    )  # fmt: skip
    return None


def _not_a_number(node: SumNode, weights: Sequence[Term]) -> Fault:
    first = next(term for term in weights if not _is_number(term.coefficient))
    what = f"the variable '{first.coefficient.name}'" if isinstance(first.coefficient, Var) else "no single number"
    return node_fault(
        "recipe.sum-variable", node.id, "sum",
        f"The coefficient of the weights '{first.node}' is {what}, so the sum cannot be shown to total 1. Only a delta "
        "may have a free coefficient.",
        f"write a + t*(b - a): make a delta such as {first.node} - base and scale that",
    )  # fmt: skip


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _method_type(
    node: MethodNode, spec: MethodSpec, found: Mapping[str, ValueType], faults: list[Fault]
) -> ValueType | None:
    before = len(faults)
    if node.base and found.get(node.base, "weights") != "weights":
        message = f"The base '{node.base}' is {_a(found[node.base])}; a base is weights."
        faults.append(node_fault("recipe.base-delta", node.id, "base", message))
    _check_statistics(node, spec, found, faults)
    if node.base and spec.base == "none":
        faults.append(
            node_fault(
                "recipe.base-unwanted",
                node.id,
                "base",
                f"'{node.method}' takes no base.",
                "list it as an input instead",
            )
        )
    kinds = [found.get(name) for name in node.inputs]
    for i, (name, kind) in enumerate(zip(node.inputs, kinds, strict=True)):
        refusal = _refuse_input(node, spec, name, kind)
        if refusal:
            faults.append(node_fault("recipe.type", node.id, f"inputs[{i}]", *refusal))
    if spec.takes == "any" and not node.base and {"weights", "delta"} <= set(kinds):
        faults.append(
            node_fault("recipe.mixed", node.id, "inputs", f"'{node.method}' takes weights or deltas, not both at once.")
        )
    if len(faults) > before or not kinds or None in kinds or (node.base and node.base not in found):
        return None
    if spec.gives == "delta":
        return "delta"
    if node.base or spec.takes == "weights":
        return "weights"
    return kinds[0]


def _refuse_input(node: MethodNode, spec: MethodSpec, name: str, kind: ValueType | None) -> tuple[str, ...] | None:
    """The sentence and remedies if this input is of the wrong type; with a base, weights become deltas."""
    if kind == "importance":
        return (f"'{name}' is an importance, which is no input but one of the statistics of a method.",)
    if kind == "delta" and spec.takes == "weights":
        return (f"'{node.method}' takes weights, but '{name}' is a delta.", f"add it to a base: base + {name}")
    if kind == "weights" and spec.takes == "delta" and not node.base:
        return (
            f"'{node.method}' takes deltas, but '{name}' is weights and there is no base to subtract.",
            f"give '{node.id}' a base", f"subtract one: {name} - base",
        )  # fmt: skip
    return None


def _check_statistics(node: MethodNode, spec: MethodSpec, found: Mapping[str, ValueType], faults: list[Fault]) -> None:
    """A method that needs statistics is given one for each input, others none."""
    if not spec.needs and node.statistics:
        message = f"'{node.method}' needs no statistics."
        faults.append(node_fault("recipe.statistics", node.id, "statistics", message, "leave them out"))
    if spec.needs and len(node.statistics) != len(node.inputs):
        message = (
            f"'{node.method}' needs a statistic '{spec.needs}' for each input; {len(node.inputs)} inputs have "
            f"{len(node.statistics)}."
        )
        remedy = f"add a node {{statistic: {spec.needs}, of: INPUT, task: NAME}} for each and list them as statistics"
        faults.append(node_fault("recipe.statistics", node.id, "statistics", message, remedy))
    for i, name in enumerate(node.statistics):
        if found.get(name, "importance") != "importance":
            message = f"'{name}' is {_a(found[name])}, no statistic."
            faults.append(node_fault("recipe.type", node.id, f"statistics[{i}]", message))
