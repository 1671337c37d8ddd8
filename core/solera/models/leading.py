"""The first layers of a network: linear ones that read nothing but the data, so that on fixed data they are affine."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from solera.models.folding import LAYERS

#: What may lie between the data and a first layer: it reads no weights, and takes samples one by one or not at all.
_METHODS = frozenset({
    "view", "reshape", "flatten", "unflatten", "contiguous", "permute", "transpose", "movedim", "unsqueeze", "squeeze",
    "float", "size", "dim",
})  # fmt: skip
_FUNCTIONS = frozenset({
    getattr, operator.getitem, operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv,
    operator.neg, torch.flatten, torch.reshape, torch.permute, torch.transpose, torch.unsqueeze, torch.squeeze,
})  # fmt: skip
#: Marks the places of answers among a graph's arguments, in their nodes' notes.
ANSWER = "answer of a first layer"

_MODULES = (nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout)


@dataclass(frozen=True, slots=True)
class FirstLayer:
    """A layer that was taken out of a graph; its answer is handed in instead.

    Attributes:
        layer: Its weights are the network's.
        before: From the data to what the layer reads.
        laid: Memory format the network brings the answer into; None leaves it.
    """

    layer: nn.Module
    before: fx.GraphModule
    laid: torch.memory_format | None = None

    def read(self, data: Tensor) -> Tensor:
        """What the layer reads."""
        found: Tensor = self.before.forward(data)  # not by calling the module: torch.fx prints what goes wrong there
        return found

    def answer(self, data: Tensor) -> Tensor:
        """What takes the layer's place in the graph, by the layer itself.

        Args:
            data: What the network is called with, shape (n, ...).
        """
        found: Tensor = self.layer(self.read(data))
        return found if self.laid is None else found.contiguous(memory_format=self.laid)


def take_first_layers(graph: fx.GraphModule) -> tuple[FirstLayer, ...]:
    """Take the first layers out of a traced module, which then wants their answers as further arguments, in order.

    Args:
        graph: In evaluation mode, called with one argument; it is changed where there are first layers.

    Returns:
        The layers; empty where the module begins with something else, or hooks or several callers are in the way.
    """
    nodes = graph.graph
    given = [node for node in nodes.nodes if node.op == "placeholder"]
    if not given:
        return ()
    parts = dict(graph.named_modules())
    fixed = {given[0]}
    for node in nodes.nodes:
        if _fixed(node, parts) and node.all_input_nodes and fixed.issuperset(node.all_input_nodes):
            fixed.add(node)
    calls = [node.target for node in nodes.nodes if node.op == "call_module"]
    first = [
        node
        for node in nodes.nodes
        if node.op == "call_module"
        and _free(parts[str(node.target)])
        and calls.count(node.target) == 1
        and len(node.args) == 1
        and node.args[0] in fixed
        and not any(_normalises(user, parts) for user in node.users)
    ]
    taken, last = [], given[-1]
    for k, node in enumerate(first):
        tail, laid = _laid(node)
        taken.append(FirstLayer(parts[str(node.target)], _before(graph, node, fixed), laid))
        with nodes.inserting_after(last):
            last = nodes.placeholder(f"first_{k}")
            last.meta[ANSWER] = k
        tail.replace_all_uses_with(last)
    if taken:
        nodes.eliminate_dead_code()
    return tuple(taken)


def _fixed(node: fx.Node, parts: dict[str, nn.Module]) -> bool:
    """Whether a node is a step that may lie between the data and a first layer."""
    if node.op == "call_method":
        return node.target in _METHODS
    if node.op == "call_function":
        return node.target in _FUNCTIONS
    return node.op == "call_module" and type(parts[str(node.target)]) in _MODULES


def _free(module: nn.Module) -> bool:
    """Whether a module is a layer of a known kind that nobody has hooked anything to."""
    hooked = module._forward_hooks or module._forward_pre_hooks
    return type(module) in LAYERS and not hooked


def _normalises(user: fx.Node, parts: dict[str, nn.Module]) -> bool:
    """Whether a BatchNorm reads a layer: that is folded into it, which saves more."""
    return user.op == "call_module" and isinstance(parts[str(user.target)], nn.modules.batchnorm._BatchNorm)


def _laid(node: fx.Node) -> tuple[fx.Node, torch.memory_format | None]:
    """The last node of a layer and the memory format its answer is brought into, where that is all that reads it."""
    user: Any = next(iter(node.users), None)
    if len(node.users) == 1 and user.op == "call_method" and user.target == "contiguous":
        return user, user.kwargs.get("memory_format", torch.contiguous_format)
    return node, None


def _before(graph: fx.GraphModule, node: fx.Node, fixed: set[fx.Node]) -> fx.GraphModule:
    """The way from the data to what a layer reads."""
    steps = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for each in graph.graph.nodes:
        if each in fixed:
            copies[each] = steps.node_copy(each, lambda old: copies[old])
    (read,) = node.all_input_nodes
    steps.output(copies[read])
    found = fx.GraphModule(graph, steps)
    steps.eliminate_dead_code()
    found.recompile()
    return found
