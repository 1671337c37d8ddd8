"""A module that computes the same with fewer passes over memory, where torch.fx can trace it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from solera.models.folding import LAYERS, FoldedNorms
from solera.models.graphs import graph_of
from solera.models.leading import ANSWER, FirstLayer, take_first_layers

#: Layers and functions that give a tensor of their own, which nobody else reads.
_MAKING = (*LAYERS, nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)
_ADDING = frozenset({operator.add, torch.add})
_RELU = frozenset({F.relu, torch.relu})


class LeanModule(nn.Module):
    """What a module in evaluation mode computes, with its frozen BatchNorm folded away and ReLU done in place.

    Weights are shared with the module, not copied, but for what is folded.

    Args:
        module: In evaluation mode, called with one argument.
        lead: Whether the answers of its first layers are handed in (see :mod:`solera.models.leading`).

    Attributes:
        first: The layers whose answers :meth:`forward` wants after its argument, in order.
        pairs: How many BatchNorm layers were folded.
        in_place: How many ReLU write over what they read.
        call: What :meth:`forward` does, without the hooks of modules: for inner loops.

    Raises:
        RuntimeError: torch.fx cannot trace it (or any other error its tracer gives).
    """

    def __init__(self, module: nn.Module, *, lead: bool = False) -> None:
        super().__init__()
        graph = graph_of(module)
        self.first: tuple[FirstLayer, ...] = take_first_layers(graph) if lead else ()
        self._norms = FoldedNorms(graph)
        self.in_place = _relu_in_place(graph)
        graph.recompile()
        self._graph = graph
        self.call: Callable[..., Any] = graph.forward

    @property
    def pairs(self) -> int:
        """How many BatchNorm layers were folded."""
        return self._norms.pairs

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes, at the weights of the last :meth:`refresh`. Answers handed in are overwritten."""
        return self._graph(*args, **kwargs)

    def refresh(self) -> None:
        """Take in the module's weights and statistics."""
        self._norms.refresh()


def _relu_in_place(graph: fx.GraphModule) -> int:
    """Let ReLU write over what it reads, where that is a new tensor that nothing else reads; how many do."""
    parts = dict(graph.named_modules())
    changed = 0
    for node in list(graph.graph.nodes):
        before = node.args[0] if node.args else None
        if not _is_relu(node, parts) or not isinstance(before, fx.Node) or len(before.users) > 1:
            continue
        if _makes(before, parts):
            with graph.graph.inserting_before(node):
                node.replace_all_uses_with(graph.graph.call_method("relu_", (before,)))
            graph.graph.erase_node(node)
            changed += 1
    return changed


def _is_relu(node: fx.Node, parts: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return type(parts[str(node.target)]) is nn.ReLU
    return node.target in _RELU if node.op == "call_function" else (node.op, node.target) == ("call_method", "relu")


def _makes(node: fx.Node, parts: dict[str, nn.Module]) -> bool:
    """Whether what a node gives is a tensor nobody else holds; answers of first layers are made for each call."""
    if node.op == "call_module":
        part = parts[str(node.target)]
        return isinstance(part, _MAKING) and not part._forward_hooks
    return ANSWER in node.meta or (node.op == "call_function" and node.target in _ADDING)
