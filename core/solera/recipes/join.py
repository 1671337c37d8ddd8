"""Several recipes in one graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from solera.errors import InputError
from solera.recipes.nodes import (
    UNION,
    AdapterNode,
    AlignedNode,
    CheckpointNode,
    MethodNode,
    Node,
    Recipe,
    StackNode,
    StatisticNode,
    SumNode,
    TokensNode,
    upstream,
)
from solera.recipes.order import ordered, reachable


def join(recipes: Sequence[Recipe]) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    """The nodes of several recipes side by side, and the id of each one's output.

    Equal nodes are shared (a checkpoint that appears in several is opened once); an id that two recipes use for
    different nodes gets a number in the later one: ``"base"``, ``"base_2"``. Nodes that an output does not need are
    left out.

    Raises:
        InputError: A recipe has no output, or lacks a node it needs.
    """
    nodes: dict[str, Node] = {}
    twins: dict[Node | str, str] = {}
    return_ids = []
    for recipe in recipes:
        if not recipe.output:
            raise InputError("A recipe without an output cannot be part of another; choose its output first.")
        return_ids.append(_graft(reachable(recipe), nodes, twins))
    return tuple(nodes.values()), tuple(return_ids)


def shared(recipe: Recipe) -> Recipe:
    """The recipe with every node that is equal to an earlier one left out, so that it is read and computed once.

    Two nodes are equal if they say the same of equal nodes, whatever their names and notes. The numbers do not change:
    methods know nothing of nodes, and random ones draw by seed, tensor and input.

    Raises:
        InputError: It has no output, or lacks a node it needs.
    """
    nodes, (output,) = join([recipe])
    return replace(recipe, nodes=nodes, output=output)


def unused(wanted: str, taken: Collection[str]) -> str:
    """``wanted``, or the first of ``wanted_2``, ``wanted_3`` ... that is not taken."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _graft(recipe: Recipe, nodes: dict[str, Node], twins: dict[Node | str, str]) -> str:
    """Add a recipe's nodes; returns the new id of its output."""
    renamed: dict[str, str] = {}
    for node in ordered(recipe):
        missing = [name for name in upstream(node) if name not in renamed]
        if missing:
            raise InputError(f"The node '{node.id}' needs '{missing[0]}', which is not in its recipe.", node=node.id)
        moved = _renamed(node, renamed)
        key = repr(replace(moved, id="", note=""))  # parameters are a mapping, which cannot be hashed
        if key not in twins:
            id_ = unused(node.id, nodes)
            nodes[id_] = replace(moved, id=id_)
            twins[key] = id_
        renamed[node.id] = twins[key]
    return renamed[recipe.output]


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    match node:
        case AdapterNode(base=base):
            return replace(node, base=names[base] if base else "")
        case AlignedNode(to=to):
            return replace(node, to=names[to] if to else "")
        case StatisticNode(model=model):
            params = {key: node.params[key] for key in sorted(node.params)}
            return replace(node, model=names[model] if model else "", params=params)
        case CheckpointNode():
            return node
        case SumNode(terms=terms):
            return replace(node, terms=tuple(replace(term, node=names[term.node]) for term in terms))
        case MethodNode(inputs=inputs, base=base):
            moved = tuple(names[name] for name in inputs)
            params = {key: node.params[key] for key in sorted(node.params)}
            statistics = tuple(names[name] for name in node.statistics)
            return replace(node, inputs=moved, base=names[base] if base else "", params=params, statistics=statistics)
        case StackNode() | TokensNode():
            return renamed_view(node, lambda name: names[name])


def renamed_view(node: StackNode | TokensNode, name: Callable[[str], str]) -> StackNode | TokensNode:
    """A view of other nodes; what ``name`` gives an empty id for is left out.

    Args:
        node: The view; it keeps its own id.
        name: The new id of an old one.
    """
    if isinstance(node, StackNode):
        return replace(node, parts=tuple(replace(part, node=new) for part in node.parts if (new := name(part.node))))
    rows = {
        token: replace(row, node=name(row.node)) if row.node else row
        for token, row in sorted(node.rows.items())
        if not row.node or name(row.node)
    }
    vocabulary = node.vocabulary if node.vocabulary in {"", UNION} else name(node.vocabulary)
    among = tuple(new for old in node.among if (new := name(old)))
    own, base = (name(old) if old else "" for old in (node.node, node.base))
    return replace(node, node=own, base=base, vocabulary=vocabulary, among=among, rows=rows)
