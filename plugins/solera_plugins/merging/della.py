"""DELLA: drop changes at random, small ones more often; elect signs; merge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import InputError, Param, Piece, bricks, method
from solera_plugins.merging.combining import COMBINE_HELP, ZERO_SIGN_HELP, Combine, ZeroSign, combine

Rank = Literal["row", "tensor", "magnitude"]


@method(
    "della",
    title="DELLA",
    takes="delta",
    base="required",
    granularity="tensor",
    paper="Deep et al. 2024, DELLA-Merging: reducing interference in model merging through magnitude-based sampling",
    url="https://arxiv.org/abs/2406.11617",
    also={
        "DELLA linear": "combine by sum",
        "MAGPRUNE": "one model, combine by sum",
    },
)
def della(
    deltas: list[Tensor],
    masks: Sequence[Tensor] | None = None,
    *,
    density: Annotated[
        tuple[float, ...],
        Param(0.0, 1.0, per_model=True, step=0.05, search=(0.1, 0.9), help="Share kept on average, 1 - the drop rate."),
    ] = (0.7,),
    window: Annotated[
        tuple[float, ...],
        Param(0.0, 1.0, per_model=True, step=0.02, search=(0.0, 0.4), help="Chance of the largest less the smallest."),
    ] = (0.14,),
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged vector.")] = 1.1,
    weight: Annotated[
        tuple[float, ...], Param(per_model=True, step=0.05, search=(0.0, 1.0), help="Weight of each task vector.")
    ] = (1.0,),
    combine_by: Annotated[Combine, Param(title="Combine by", help=COMBINE_HELP)] = "ties",
    zero_sign: Annotated[ZeroSign, Param(help=ZERO_SIGN_HELP)] = "majority",
    rank: Annotated[
        Rank,
        Param(help="Chance by rank along the second axis (a vector is a row) or in the tensor, or by size itself."),
    ] = "row",
    rescale: Annotated[
        Literal["inverse", "l1", "none"],
        Param(help="Divide what is kept by its own chance; bring each tensor to its former 1-norm (l1); or neither."),
    ] = "inverse",
    seed: Annotated[int, Param(help="Of the random masks; a mask is a function of seed, tensor name and model.")] = 0,
    piece: Piece | None = None,
) -> Tensor:
    """Keep each change with a chance that grows with its rank, divide it by that chance, elect signs, merge.

    The chance of rank ``r`` of ``n`` (1 the smallest magnitude) is ``p = density - window/2 + window (r-1)/(n-1)``, one
    element alone has ``density``; ``d' = d m / p``; ``W = W0 + scale * m`` with ``m`` the mean of what agrees with the
    elected sign. At density 0 or 1 nothing or everything is kept.

    Args:
        deltas: One task vector per model, one whole tensor, any one shape.
        masks: True where kept, one per model; drawn if None.
        density: Mean chance of being kept, per model.
        window: How far chances spread, per model.
        scale: Common factor.
        weight: One number per model.
        combine_by: How the sparse vectors are put together.
        zero_sign: What an even vote takes.
        rank: What a chance depends on.
        rescale: How the loss is made up for.
        seed: Of the masks.
        piece: Which tensor this is.

    Raises:
        InputError: A chance would lie outside 0 to 1.

    Paper:
        drop rate 0.3, window 0.14, scale 1.1 (README of the released code).

    Pitfalls:
        - mergekit's epsilon is half of this window.
        - The chances must lie within 0 and 1, so a density near either end wants a narrow window.
    """
    sparse = []
    for i, (delta, share, spread) in enumerate(zip(deltas, density, window, strict=True)):
        chance = chances(delta, share, spread, rank)
        mask = bricks.random_mask(delta.shape, chance, seed, piece, i) if masks is None else masks[i]
        kept = torch.where(mask, delta, 0.0)
        if rescale == "inverse":
            kept = kept / chance.masked_fill(chance == 0, 1.0)
        sparse.append(bricks.rescale_l1(kept, delta) if rescale == "l1" else kept)
    return combine(sparse, weight, combine_by, zero_sign) * scale


def chances(delta: Tensor, density: float, window: float, rank: Rank) -> Tensor:
    """The probability of being kept, for every element: float32, of the delta's shape."""
    if density in {0.0, 1.0}:
        return torch.full_like(delta, density)
    low, high = density - window / 2, density + window / 2
    if low < 0 or high > 1:
        raise InputError(
            f"With density {density:g} and window {window:g} chances run from {low:g} to {high:g}; they must lie "
            "within 0 and 1: take a smaller window.",
            density=density, window=window,
        )  # fmt: skip
    size = delta.abs()
    rows = size.reshape(1, -1) if rank == "tensor" or delta.dim() < 2 else size
    if rank == "magnitude":
        if not rows.numel():
            return rows.view(delta.shape)
        least, most = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
        place = (rows - least) / (most - least).masked_fill(most == least, 1.0)
        alone = (most == least).expand_as(rows)
    else:
        place = rows.argsort(dim=1, stable=True).argsort(dim=1).to(delta.dtype) / max(rows.shape[1] - 1, 1)
        alone = torch.full_like(rows, rows.shape[1] == 1, dtype=torch.bool)
    return torch.where(alone, density, low + window * place).view(delta.shape)
