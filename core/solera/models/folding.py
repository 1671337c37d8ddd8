"""BatchNorm with frozen statistics folded into the layer before it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

#: What a BatchNorm may follow, and what a network may begin with: layers that are affine in their weights.
LAYERS: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class FoldedNorms:
    """The BatchNorm layers of a traced module that were folded away, and the layers that took their place.

    ``gain * (W x + b - mean) / sqrt(var + eps) + shift`` is ``W' x + b'``; only a BatchNorm that alone reads what a
    linear or convolution layer gives is folded. Every other layer is shared with the module, not copied.

    Args:
        graph: A module in evaluation mode, traced by torch.fx; it is changed.

    """

    def __init__(self, graph: fx.GraphModule) -> None:
        parts = dict(graph.named_modules())
        self._folded: list[tuple[nn.Module, _BatchNorm, nn.Module]] = []
        for node in list(graph.graph.nodes):
            pair = _pair(node, parts)
            if pair is None:
                continue
            layer, norm = pair
            fused = _like(layer)
            name = f"folded_{self.pairs}"
            graph.add_submodule(name, fused)
            before = node.args[0]
            with graph.graph.inserting_before(before):
                merged = graph.graph.call_module(name, before.args, before.kwargs)
            node.replace_all_uses_with(merged)
            graph.graph.erase_node(node)
            graph.graph.erase_node(before)
            self._folded.append((layer, norm, fused))

    @property
    def pairs(self) -> int:
        """How many BatchNorm layers were folded."""
        return len(self._folded)

    @torch.no_grad()
    def refresh(self) -> None:
        """Fold anew from the module's weights and statistics."""
        for layer, norm, fused in self._folded:
            weight, bias = _tensor(layer.weight), layer.bias
            mean, var = _tensor(norm.running_mean), _tensor(norm.running_var)
            scale = torch.rsqrt(var + norm.eps)
            if norm.weight is not None:
                scale = scale * norm.weight
            shift = -mean * scale if bias is None else (_tensor(bias) - mean) * scale
            if norm.bias is not None:
                shift = shift + norm.bias
            torch.mul(weight, scale.view(-1, *(1,) * (weight.dim() - 1)), out=_tensor(fused.weight))
            _tensor(fused.bias).copy_(shift)


def _pair(node: fx.Node, parts: dict[str, nn.Module]) -> tuple[nn.Module, _BatchNorm] | None:
    """The layer and the BatchNorm of a node, where they can become one."""
    if node.op != "call_module":
        return None
    norm = parts[str(node.target)]
    before = node.args[0] if node.args else None
    if not isinstance(norm, _BatchNorm) or norm.running_mean is None or not isinstance(before, fx.Node):
        return None
    if before.op != "call_module" or len(before.users) != 1:
        return None
    layer = parts[str(before.target)]
    return (layer, norm) if type(layer) in LAYERS else None


def _like(layer: nn.Module) -> nn.Module:
    """A layer of the same kind with a bias and numbers of its own."""
    weight = _tensor(layer.weight)
    made: nn.Module
    if isinstance(layer, nn.Linear):
        made = nn.Linear(layer.in_features, layer.out_features)
    else:
        assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
        padding: Any = layer.padding
        size: Any = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, padding, layer.dilation)
        kind: Any = type(layer)
        made = kind(*size, layer.groups, True, layer.padding_mode)
    return made.to(weight.device).eval().requires_grad_(False)


def _tensor(value: Any) -> Tensor:
    assert isinstance(value, Tensor)
    return value
