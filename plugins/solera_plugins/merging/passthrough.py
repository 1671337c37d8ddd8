"""Passthrough: one model as it is, or scaled."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from solera.api import Param, method


@method(
    "passthrough",
    title="Passthrough",
    takes="any",
    granularity="element",
    inputs=(1, 1),
    affine=True,
    paper="Goddard et al. 2024, Arcee's MergeKit: a toolkit for merging large language models",
    url="https://arxiv.org/abs/2403.13257",
)
def passthrough(
    tensors: list[Tensor],
    *,
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="Factor on the weights.")] = 1.0,
) -> Tensor:
    """Hand a model on as it is, tensors scaled where a rule says so.

    ``W = scale * W1``. With rules by tensor name it scales some tensors alone, such as the last projection of each
    block of a model whose layers were stacked.

    Args:
        tensors: One, any shape.
        scale: The factor.

    Pitfalls:
        - A factor on whole weights changes what a network computes, unless a normalisation follows.
    """
    return tensors[0] * scale
