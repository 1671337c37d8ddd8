"""Units in torch's own attention and transformer layers, which a trace of the graph does not look into.

Heads move as blocks. Within a head the dimensions of queries and keys change places together, and so do those of values
and of what the output projection takes.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from solera.alignment.flow import Flow, Units

_POINTWISE = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Identity)


def attend(
    units: Units, name: str, layer: nn.MultiheadAttention, query: Flow, key: Flow, value: Flow, *, apart: bool = False
) -> Flow | None:
    """What an attention gives.

    Args:
        units: Takes its claims.
        name: The layer's.
        layer: With or without projections of its own for keys and values.
        query: Units of what comes in, along its last dimension.
        key: Likewise.
        value: Likewise.
        apart: Whether what is done elsewhere tells its heads apart, so that they must stay.

    Returns:
        The units it makes; None where it is not understood.
    """
    if layer.bias_k is not None or layer.add_zero_attn:
        return None
    size, dot = layer.embed_dim, f"{name}."
    fused: Any = layer.in_proj_weight  # None where keys or values have another width
    known = units.fused.get((f"{dot}in_proj_weight", 0)) or _known(units, f"{dot}v_proj_weight", f"{dot}q_proj_weight")
    values, keys = (known[-1], known[0]) if known else units.heads(name, size, layer.num_heads)
    if fused is not None:
        for flow in (query, key, value):
            units.claim(f"{dot}in_proj_weight", 1, flow)
        units.fused[f"{dot}in_proj_weight", 0] = (keys, keys, values)
    else:
        for letter, flow, own in (("q", query, keys), ("k", key, keys), ("v", value, values)):
            units.claim(f"{dot}{letter}_proj_weight", 1, flow)
            units.claim(f"{dot}{letter}_proj_weight", 0, Flow(own, 0))
    if layer.in_proj_bias is not None:
        units.fused[f"{dot}in_proj_bias", 0] = (keys, keys, values)
    if apart:
        units.hold(Flow(values, 0))
        units.hold(Flow(keys, 0))
    units.claim(f"{dot}out_proj.weight", 1, Flow(values, 0))
    return _made(units, f"{dot}out_proj", size, query.dim, layer.out_proj.bias is not None)


def encode(units: Units, name: str, layer: nn.TransformerEncoderLayer, flow: Flow) -> Flow | None:
    """What an encoder layer gives: its own stream, around self-attention and the layers after it.

    Args:
        units: Takes its claims.
        name: The layer's.
        layer: Normalised before or after.
        flow: The stream.
    """
    return _block(units, name, layer, flow, None)


def decode(units: Units, name: str, layer: nn.TransformerDecoderLayer, flow: Flow, memory: Flow) -> Flow | None:
    """What a decoder layer gives, as :func:`encode`; it also attends to the units of a memory."""
    return _block(units, name, layer, flow, memory)


def stack(units: Units, name: str, module: Any, flow: Flow, memory: Flow | None = None) -> Flow | None:
    """What layers one after another give, and the normalisation after them.

    Args:
        units: Takes their claims.
        name: Of the module.
        module: An ``nn.TransformerEncoder`` or ``nn.TransformerDecoder``.
        flow: The stream.
        memory: What the layers of a decoder attend to.
    """
    found: Flow | None = flow
    for i, layer in enumerate(module.layers):
        found = None if found is None else _block(units, f"{name}.layers.{i}", layer, found, memory)
    if found is not None and module.norm is not None:
        return found if _normalise(units, f"{name}.norm", module.norm, found) else None
    return found


def _block(units: Units, name: str, layer: Any, flow: Flow, memory: Flow | None) -> Flow | None:
    pointwise = layer.activation in {F.relu, F.gelu, F.silu, torch.relu} or isinstance(layer.activation, _POINTWISE)
    if flow.rest != 1 or not pointwise:
        return None
    branches = [attend(units, f"{name}.self_attn", layer.self_attn, flow, flow, flow)]
    if memory is not None:
        branches.append(attend(units, f"{name}.multihead_attn", layer.multihead_attn, flow, memory, memory))
    units.claim(f"{name}.linear1.weight", 1, flow)
    inner = _made(units, f"{name}.linear1", layer.linear1.out_features, flow.dim, layer.linear1.bias is not None)
    units.claim(f"{name}.linear2.weight", 1, inner)
    out = layer.linear2
    branches.append(_made(units, f"{name}.linear2", out.out_features, flow.dim, out.bias is not None))
    for branch in branches:
        if branch is None:
            return None
        units.join(flow.units, branch.units)
    norms = ("norm1", "norm2", "norm3")[: len(branches)]
    return flow if all(_normalise(units, f"{name}.{each}", getattr(layer, each), flow) for each in norms) else None


def _normalise(units: Units, name: str, norm: nn.Module, flow: Flow) -> bool:
    """Let the tensors of a normalisation follow the units it works on."""
    if not isinstance(norm, (nn.LayerNorm, nn.RMSNorm)) or len(norm.normalized_shape) > 1:
        return False
    for leaf in ("weight", "bias"):
        if getattr(norm, leaf, None) is not None:
            units.claim(f"{name}.{leaf}", 0, flow)
    return True


def _made(units: Units, name: str, size: int, dim: int, bias: bool) -> Flow:
    known = units.claims.get((f"{name}.weight", 0))
    flow = Flow(known[0] if known else units.new(name, size), dim)
    for leaf in ("weight", "bias") if bias else ("weight",):
        units.claim(f"{name}.{leaf}", 0, flow)
    return flow


def _known(units: Units, *tensors: str) -> tuple[int, ...]:
    found = [units.claims.get((tensor, 0)) for tensor in reversed(tensors)]
    return tuple(each[0] for each in found if each is not None)
