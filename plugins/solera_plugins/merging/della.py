"""DELLA: drop changes at random, small ones more often; elect signs; merge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import HeldPasses, InputError, Param, Passes, Piece, Tape, TapeValue, bricks, method
from solera_plugins.merging.combining import COMBINE_HELP, ZERO_SIGN_HELP, Combine, ZeroSign
from solera_plugins.merging.masks import Masks, remembered
from solera_plugins.merging.thinning import NORMS, Thinned

Rank = Literal["row", "tensor", "magnitude"]


def survey(
    passes: Passes, masks: Sequence[Tensor] | None = None, *, density: tuple[float, ...], window: tuple[float, ...],
    weight: tuple[float, ...], rank: Rank, rescale: str, seed: int, **_: object,
) -> Thinned:  # fmt: skip
    """Decide what is dropped of a tensor; goes over it only for norms."""

    def chance(i: int, delta: Tensor) -> Tensor:
        return chances(delta, density[i], window[i], rank)

    drawn = Masks(
        lambda i, delta, piece: bricks.random_mask(delta.shape, chance(i, delta), seed, piece, i),
        len(density), passes.numel if rescale in NORMS else 0,
    )  # fmt: skip

    def thin(deltas: Sequence[Tensor], piece: Piece) -> list[Tensor]:
        if rescale != "inverse":
            return [
                bricks.masked(delta, masks[i]) if masks is not None else drawn.keep(i, delta, piece)
                for i, delta in enumerate(deltas)
            ]
        kept = []
        for i, delta in enumerate(deltas):
            share = chance(i, delta)
            mask = masks[i] if masks is not None else bricks.random_mask(delta.shape, share, seed, piece, i)
            kept.append(delta * bricks.as_numbers(mask) / (share + bricks.equal(share, 0.0)))
        return kept

    def build(tape: Tape, values: Sequence[TapeValue], name: str) -> Sequence[TapeValue] | None:
        kept = [drawn.tape(tape, i, value) for i, value in enumerate(values)] if masks is None else [None]
        known = [value for value in kept if value is not None]
        return known if len(known) == len(kept) else None

    return Thinned(passes, thin, weight, rescale, build if rescale != "inverse" else None)


def taped(
    tape: Tape, values: Sequence[TapeValue], *, combine_by: Combine, zero_sign: ZeroSign, scale: float, state: Thinned,
    name: str, **_: object,
) -> TapeValue | None:  # fmt: skip
    """The merged task vector, element by element, once it was gone through for norms and its masks are remembered."""
    return state.taped(tape, values, name, combine_by, zero_sign, scale)


@method(
    "della",
    title="DELLA",
    takes="delta",
    base="required",
    granularity=lambda params: "tensor" if params["rank"] == "tensor" else "block",
    tape=taped,
    prepare=survey,
    prepare_over="tensor",
    gathers=lambda params, sizes, models: remembered(sizes, models) if params["rescale"] in NORMS else 0,
    version=3,
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
        Literal["inverse", "l1", "l2", "linf", "none"],
        Param(help="Divide what is kept by its own chance; bring each tensor to its former norm; or neither."),
    ] = "inverse",
    seed: Annotated[int, Param(help="Of the random masks; a mask is a function of seed, tensor name and model.")] = 0,
    state: Thinned | None = None,
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
        state: What :func:`survey` found.
        piece: Which tensor this is.

    Raises:
        InputError: A chance would lie outside 0 to 1.

    Paper:
        drop rate 0.3, window 0.14, scale 1.1 (README of the released code).

    Pitfalls:
        - mergekit's epsilon is half of this window.
        - The chances must lie within 0 and 1, so a density near either end wants a narrow window.
    """
    piece = piece or Piece("")
    if state is None:
        state = survey(
            HeldPasses(deltas, piece.name), masks, density=density, window=window, weight=weight, rank=rank,
            rescale=rescale, seed=seed,
        )  # fmt: skip
    return state.merged(deltas, piece, combine_by, zero_sign, scale)


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
    rows = delta.abs().reshape(1, -1) if rank == "tensor" or delta.dim() < 2 else delta.abs()
    if not rows.numel():
        return rows.view(delta.shape)
    if rank != "magnitude":
        return ranked(rows, density, low, window).view(delta.shape)
    least, most = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
    place = (rows - least) / (most - least).masked_fill(most == least, 1.0)
    return torch.where(most == least, density, low + window * place).view(delta.shape)


def ranked(sizes: Tensor, density: float, low: float, window: float) -> Tensor:
    """The chances by rank along the second axis, of equal magnitudes the first ranking lower.

    Args:
        sizes: Non-negative float32, two axes or more.
        density: The chance of one alone.
        low: The chance of the smallest.
        window: What the largest has more.
    """
    lines = sizes.movedim(1, -1).contiguous()
    count = lines.shape[-1]
    if count == 1:
        return torch.full_like(sizes, density)
    places = low + window * (torch.arange(count, device=sizes.device).to(sizes.dtype) / (count - 1))
    chance = bricks.by_rank(lines.view(-1, count), places)
    return chance.view(lines.shape).movedim(-1, 1).contiguous()
