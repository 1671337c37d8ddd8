"""Weights and Deltas: the type of every node, and why a combination is refused.

Weights - Weights = Delta; Weights + Delta = Weights; Delta + Delta and number x Delta = Delta; number x Weights only
inside a sum whose numeric coefficients of Weights total 1 (Weights) or 0 (Delta).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
        Node id -> ``"weights"`` or ``"delta"``; nodes whose type cannot be told are absent.
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
        case CheckpointNode():
            return "weights"
        case SumNode():
            return _sum_type(node, found, faults)
        case MethodNode():
            spec = find_method(methods, node)
            return None if spec is None else _method_type(node, spec, found, faults)
        case StackNode() | TokensNode():
            return _view_type(node, found, faults)


def _view_type(node: Node, found: Mapping[str, ValueType], faults: list[Fault]) -> ValueType | None:
    for name in dict.fromkeys(upstream(node)):
        if found.get(name) == "delta":
            message = f"'{name}' is a delta; layers and tokens are those of weights."
            faults.append(node_fault("recipe.type", node.id, "", message, f"add it to a base: base + {name}"))
            return None
    return "weights" if all(name in found for name in upstream(node)) else None


def _sum_type(node: SumNode, found: Mapping[str, ValueType], faults: list[Fault]) -> ValueType | None:
    if not node.terms or any(term.node not in found for term in node.terms):
        return None
    weights = [term for term in node.terms if found[term.node] == "weights"]
    if not weights:
        return "delta"
    if not all(_is_number(term.coefficient) for term in weights):
        faults.append(_not_a_number(node, weights))
        return None
    total = math.fsum(float(term.coefficient) for term in weights if isinstance(term.coefficient, (int, float)))
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
    if node.base and found.get(node.base) == "delta":
        faults.append(
            node_fault("recipe.base-delta", node.id, "base", f"The base '{node.base}' is a delta; a base is weights.")
        )
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
    if node.base or spec.takes == "weights":
        return "weights"
    return kinds[0]


def _refuse_input(node: MethodNode, spec: MethodSpec, name: str, kind: ValueType | None) -> tuple[str, ...] | None:
    """The sentence and remedies if this input is of the wrong type; with a base, weights become deltas."""
    if kind == "delta" and spec.takes == "weights":
        return (f"'{node.method}' takes weights, but '{name}' is a delta.", f"add it to a base: base + {name}")
    if kind == "weights" and spec.takes == "delta" and not node.base:
        return (
            f"'{node.method}' takes deltas, but '{name}' is weights and there is no base to subtract.",
            f"give '{node.id}' a base", f"subtract one: {name} - base",
        )  # fmt: skip
    return None
