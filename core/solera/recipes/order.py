"""Reading order: a recipe's nodes so that each comes after what it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from solera.errors import Fault, PluginError, suggestion
from solera.recipes.nodes import (
    AdapterNode,
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

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec


def by_id(recipe: Recipe) -> dict[str, Node]:
    """The nodes by id; of two with the same id the first."""
    found: dict[str, Node] = {}
    for node in recipe.nodes:
        found.setdefault(node.id, node)
    return found


def ordered(recipe: Recipe, faults: list[Fault] | None = None) -> tuple[Node, ...]:
    """Every node after all those it depends on; otherwise in the recipe's own order.

    Args:
        recipe: Any recipe, however wrong.
        faults: Cycles are appended here, one fault each.

    Returns:
        The nodes, each id once. In a cycle one edge is ignored.
    """
    nodes = by_id(recipe)
    done: dict[str, Node] = {}
    for root in nodes:
        _visit(root, nodes, done, faults if faults is not None else [])
    return tuple(done.values())


def _visit(root: str, nodes: Mapping[str, Node], done: dict[str, Node], faults: list[Fault]) -> None:
    """Depth first without recursion: a script may chain thousands of sums."""
    path: dict[str, None] = {}
    stack: list[tuple[str, bool]] = [(root, False)]
    while stack:
        id_, leaving = stack.pop()
        if leaving:
            del path[id_]
            done[id_] = nodes[id_]
        elif id_ in path:
            round_ = [*list(path)[list(path).index(id_) :], id_]
            message = f"The nodes go in a circle: {' <- '.join(round_)}. Cut one of these connections."
            faults.append(node_fault("recipe.cycle", id_, "", message))
        elif id_ not in done and id_ in nodes:
            path[id_] = None
            stack.append((id_, True))
            stack.extend((name, False) for name in reversed(upstream(nodes[id_])))


def reachable(recipe: Recipe) -> Recipe:
    """The recipe without the nodes its output does not need."""
    nodes = by_id(recipe)
    wanted: set[str] = set()
    waiting = [recipe.output]
    while waiting:
        id_ = waiting.pop()
        if id_ in nodes and id_ not in wanted:
            wanted.add(id_)
            waiting.extend(upstream(nodes[id_]))
    return replace(recipe, nodes=tuple(node for node in recipe.nodes if node.id in wanted))


def reference(recipe: Recipe) -> str:
    """Id of the checkpoint that lends the output its names, order, dtypes, integer tensors and config.

    A method's base, or its first input; a sum's first term; followed down to a checkpoint, or to a view (a stack, a
    layout of tokens), which is opened as one. Empty if there is none.
    """
    nodes = by_id(recipe)
    id_, seen = recipe.output, set[str]()
    while id_ in nodes and id_ not in seen:
        seen.add(id_)
        match nodes[id_]:
            case AdapterNode(base=base):
                id_ = base
            case StatisticNode(model=model):
                id_ = model
            case CheckpointNode() | StackNode() | TokensNode():
                return id_
            case SumNode(terms=terms):
                id_ = terms[0].node if terms else ""
            case MethodNode(inputs=inputs, base=base):
                id_ = base or (inputs[0] if inputs else "")
    return ""


def node_fault(code: str, id_: str, part: str, message: str, *remedies: str) -> Fault:
    """A fault at ``nodes.<id>[.<part>]`` whose fields name the node."""
    place = f"nodes.{id_}.{part}" if part else f"nodes.{id_}"
    return Fault(code, place, message, remedies, {"node": id_})


def find_method(
    methods: Mapping[str, MethodSpec], node: MethodNode, faults: list[Fault] | None = None
) -> MethodSpec | None:
    """A node's method; None, with a fault, if nobody has it or its plugin cannot be loaded."""
    fault = None
    if node.method not in methods:
        message, meant = f"No method is called '{node.method}'.", suggestion(node.method, methods)
        remedies = () if meant else ("install or enable the plugin that has it",)
        fault = node_fault("recipe.unknown-method", node.id, "method", message + meant, *remedies)
    else:
        try:
            return methods[node.method]
        except PluginError as error:
            fault = node_fault("recipe.broken-method", node.id, "method", str(error))
    if faults is not None:
        faults.append(fault)
    return None
