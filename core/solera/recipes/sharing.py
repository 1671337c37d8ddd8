"""Equal parts of a recipe made one, so that what is written twice is read and computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from solera.recipes.nodes import AdapterNode, AlignedNode, CheckpointNode, MethodNode, Node, Recipe, SumNode
from solera.recipes.order import ordered


def shared(recipe: Recipe) -> Recipe:
    """The recipe with every node that is equal to an earlier one left out.

    Two nodes are equal if they say the same of equal nodes, whatever their names and notes. The numbers do not change:
    methods know nothing of nodes, and random ones draw by seed, tensor and input.

    Args:
        recipe: Without views, and without faults.
    """
    first: dict[str, str] = {}
    alias: dict[str, str] = {}
    kept: list[Node] = []
    for node in ordered(recipe):
        renamed = _renamed(node, alias)
        alias[node.id] = first.setdefault(_meaning(renamed), node.id)
        if alias[node.id] == node.id:
            kept.append(renamed)
    return replace(recipe, nodes=tuple(kept), output=alias[recipe.output])


def _renamed(node: Node, alias: Mapping[str, str]) -> Node:
    match node:
        case AdapterNode():
            return replace(node, base=alias.get(node.base, node.base))
        case AlignedNode():
            return replace(node, to=alias.get(node.to, node.to))
        case SumNode():
            return replace(node, terms=tuple(replace(term, node=alias[term.node]) for term in node.terms))
        case MethodNode():
            return replace(node, inputs=tuple(alias[name] for name in node.inputs), base=alias.get(node.base, ""))
        case _:
            return node


def _meaning(node: Node) -> str:
    """A text that is equal for equal nodes. Parameters are data whose ``repr`` tells them apart."""
    bare = replace(node, id="", note="")
    if isinstance(bare, MethodNode):
        bare = replace(bare, params=dict(sorted(bare.params.items())))
    elif isinstance(bare, CheckpointNode) and not bare.source:
        return f"unnamed {node.id}"
    return repr(bare)
