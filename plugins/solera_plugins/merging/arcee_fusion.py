"""Arcee Fusion: take over from the second model only what stands out as important."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import Param, method, selection
from solera_plugins.merging.sums import row_sum

#: Added to every probability.
EPSILON = 1e-8


@method(
    "arcee_fusion",
    title="Arcee Fusion",
    takes="weights",
    granularity="tensor",
    inputs=(2, 2),
    promise="tolerance",
    float64=True,
    paper="Goddard et al. 2024, Arcee's MergeKit: a toolkit for merging large language models",
    url="https://github.com/arcee-ai/mergekit",
)
def arcee_fusion(
    tensors: list[Tensor],
    *,
    compat: Annotated[
        Literal["none", "mergekit"],
        Param(help="mergekit: divergences in float32, whose rounding decides many of the entries."),
    ] = "none",
) -> Tensor:
    """Keep the base, the first model, except where the change of the second is an outlier in importance.

    With base ``A`` and other ``B``: ``I = |B - A| KL(softmax B || softmax A)``, softmax and divergence over each row
    along the last axis; ``W = B`` where ``I >= median(I) + 1.5 (Q3(I) - Q1(I))``, else ``A``. Quantiles are those of
    the whole tensor, exact (mergekit takes them from a random million).

    A row of one number has no divergence. Where no entry of a tensor is more important than another, as in a scalar,
    the whole of B is taken.

    Args:
        tensors: The base and the other model, one whole tensor of each, float64; empty ones give an empty one.
        compat: Whose arithmetic.

    Pitfalls:
        - A row's divergence depends on all of its numbers, so a long row (a bias, an embedding of one token) stands or
        falls together.
        - mergekit draws its quantiles at random for tensors above a million entries; these are exact.
    """
    base, other = tensors
    if not base.numel():
        return base.clone()
    scores = importance(base, other) if compat == "none" else importance(base.float(), other.float())
    low, middle, high = (quantile(scores, share) for share in (0.25, 0.5, 0.75))
    return torch.where(scores >= middle + 1.5 * (high - low), other, base)


def importance(base: Tensor, other: Tensor) -> Tensor:
    """How much each change matters: its size times how far its row moved as a distribution; of the inputs' shape."""
    rows = other.shape[-1] if other.dim() else 1
    p, q = (torch.softmax(tensor.reshape(-1, rows), dim=-1) + EPSILON for tensor in (other, base))
    terms = p * (p / q).log()
    divergence = (row_sum(terms) if terms.dtype == torch.float64 else terms.sum(-1)).unsqueeze(-1)
    return ((other - base).abs().reshape(-1, rows) * divergence).view(other.shape)


def quantile(scores: Tensor, share: float) -> float:
    """The number at the place ``floor(share * (n - 1))`` of the rising order."""
    return selection.kth_largest(scores, scores.numel() - int(share * (scores.numel() - 1)))
