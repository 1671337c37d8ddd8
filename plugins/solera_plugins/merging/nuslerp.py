"""NuSLERP: SLERP with a weight for each model, over whole tensors or row by row."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import InputError, Param, method, reductions
from solera_plugins.merging.sums import row_sum

#: Where the sine of the angle is smaller, the arc is replaced by a straight line; shorter rows have no direction.
TINY = 1e-8


@method(
    "nuslerp",
    title="NuSLERP",
    takes="any",
    granularity="tensor",
    version=3,
    base="optional",
    inputs=(2, 2),
    promise="tolerance",
    float64=True,
    paper="Goddard et al. 2024, Arcee's MergeKit: a toolkit for merging large language models",
    url="https://arxiv.org/abs/2403.13257",
)
def nuslerp(
    tensors: list[Tensor],
    *,
    weight: Annotated[
        tuple[float, ...],
        Param(per_model=True, step=0.05, search=(0.0, 1.0), help="Of each; t is the second's share."),
    ] = (1.0,),
    by: Annotated[
        Literal["tensor", "row", "column"],
        Param(help="One angle for each tensor, for each row along its last axis, or for each column along its first."),
    ] = "tensor",
) -> Tensor:
    """Interpolate along the arc between two models, with ``t`` the second's share of the weights.

    ``W = (sin((1-t) o) A + sin(t o) B) / sin o`` with o the angle between A and B; where they point the same or
    opposite ways, or one is zero, ``W = (1-t) A + t B``. Two task vectors are interpolated alike.

    Args:
        tensors: Two of one shape, float64; empty ones give an empty one.
        weight: Two numbers that do not total 0.
        by: What an angle belongs to.

    Raises:
        InputError: The weights total 0.

    Pitfalls:
        - As for SLERP, fine-tuned models of one base lie so near each other that the arc is all but straight; task
        vectors do not.
        - Rows that vanish in one model have no angle and are taken along the straight line.
    """
    if abs(sum(weight)) < TINY:
        raise InputError(f"The weights {list(weight)} total 0 and have no share.")
    t = weight[1] / sum(weight)
    if by == "column" and tensors[0].dim() > 1:
        turned = [tensor.transpose(0, -1).contiguous() for tensor in tensors]
        return arc(turned, t, "row").transpose(0, -1).contiguous()
    return arc(tensors, t, by)


def arc(tensors: list[Tensor], t: float, by: str) -> Tensor:
    """The point of the arc at ``t``: one arc for the whole tensors, or (by row) for each row along the last axis."""
    a, b = tensors
    if by != "tensor" and a.dim() > 0:
        products = [row_sum(x * y).unsqueeze(-1) for x, y in ((a, b), (a, a), (b, b))]
    else:
        products = [torch.tensor(reductions.dot(x, y), dtype=a.dtype) for x, y in ((a, b), (a, a), (b, b))]
    dot, left, right = products
    lengths = (left * right).sqrt()
    angle = (dot / lengths.clamp_min(TINY)).clamp(-1.0, 1.0).acos()
    sine = angle.sin()
    flat = (sine < TINY) | (lengths < TINY)
    below = sine.masked_fill(flat, 1.0)
    share_a = torch.where(flat, 1 - t, ((1 - t) * angle).sin() / below)
    share_b = torch.where(flat, t, (t * angle).sin() / below)
    return share_a * a + share_b * b
