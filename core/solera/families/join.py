"""Several recipes in one graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from solera.errors import InputError
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe, SumNode, upstream
from solera.recipes.order import ordered, reachable


def join(recipes: Sequence[Recipe]) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    """The nodes of several recipes side by side, and the id of each one's output.

    Equal nodes are shared (a checkpoint that appears in several is opened once); an id that two recipes use for
    different nodes gets a number in the later one: ``"base"``, ``"base_2"``. Nodes that an output does not need are
    left out.

    Raises:
        InputError: A recipe has no output, lacks a node it needs, or has free variables.
    """
    nodes: list[Node] = []
    outputs = []
    for recipe in recipes:
        if not recipe.output:
            raise InputError("A recipe without an output cannot be an end of a family; choose its output first.")
        if recipe.variables:
            free = ", ".join(var.name for var in recipe.variables)
            raise InputError(
                f"'{recipe.name or recipe.output}' has free variables ({free}); give them values before making it an "
                "end of a line or plane.",
                variables=free,
            )
        outputs.append(_graft(reachable(recipe), nodes))
    return tuple(nodes), tuple(outputs)


def unused(wanted: str, taken: Sequence[str]) -> str:
    """``wanted``, or the first of ``wanted_2``, ``wanted_3`` ... that is not taken."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _graft(recipe: Recipe, nodes: list[Node]) -> str:
    """Append a recipe's nodes to ``nodes``; returns the new id of its output."""
    renamed: dict[str, str] = {}
    for node in ordered(recipe):
        missing = [name for name in upstream(node) if name not in renamed]
        if missing:
            raise InputError(f"The node '{node.id}' needs '{missing[0]}', which is not in its recipe.", node=node.id)
        moved = _renamed(node, renamed)
        twin = next((other for other in nodes if _bare(other) == _bare(moved)), None)
        if twin is None:
            twin = replace(moved, id=unused(node.id, [other.id for other in nodes]))
            nodes.append(twin)
        renamed[node.id] = twin.id
    return renamed[recipe.output]


def _bare(node: Node) -> Node:
    return replace(node, id="", note="")


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    match node:
        case CheckpointNode():
            return node
        case SumNode(terms=terms):
            return replace(node, terms=tuple(replace(term, node=names[term.node]) for term in terms))
        case MethodNode(inputs=inputs, base=base):
            moved = tuple(names[name] for name in inputs)
            return replace(node, inputs=moved, base=names[base] if base else "")
