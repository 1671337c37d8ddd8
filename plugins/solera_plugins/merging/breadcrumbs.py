"""Model Breadcrumbs: leave out both the largest changes and the small ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import HeldPasses, Param, Passes, Piece, Tape, TapeValue, bricks, method, selection
from solera_plugins.merging.combining import COMBINE_HELP, ZERO_SIGN_HELP, Combine, ZeroSign
from solera_plugins.merging.thinning import Thinned
from solera_plugins.merging.trimming import Norm, cuts_at, trimmed


def survey(
    passes: Passes, *, density: tuple[float, ...], gamma: tuple[float, ...], weight: tuple[float, ...], scope: str,
    order: str, rescale: Norm, compat: str, **_: object,
) -> Thinned:  # fmt: skip
    """Find where each vector is cut; goes over the tensor for thresholds and norms."""

    def rows(deltas: Sequence[Tensor], piece: Piece) -> list[Tensor]:
        if compat == "authors" and deltas[0].dim() == 0:  # they leave scalars alone
            return list(deltas)
        kept = []
        for delta, share, top in zip(deltas, density, gamma, strict=True):
            lines = delta.reshape(-1, delta.shape[-1] if delta.dim() else 1)
            first, last = middle(lines.shape[1], share, top, order, compat)
            mask = rank_mask(lines, last) & ~rank_mask(lines, first)
            kept.append(bricks.masked(delta, mask.view(delta.shape)))
        return kept

    if scope == "row" and passes.numel:
        return Thinned(passes, rows, weight, rescale)
    ranks = [middle(passes.numel, share, top, order, compat) for share, top in zip(density, gamma, strict=True)]
    cuts = cuts_at(passes, [(i, count) for i, pair in enumerate(ranks) for count in pair])

    def thin(deltas: Sequence[Tensor], piece: Piece) -> list[Tensor]:
        if compat == "authors" and deltas[0].dim() == 0:
            return list(deltas)
        outliers, wanted = trimmed(deltas, cuts[::2], piece), trimmed(deltas, cuts[1::2], piece)
        return [entry - outlier for entry, outlier in zip(wanted, outliers, strict=True)]

    def build(tape: Tape, values: Sequence[TapeValue], name: str) -> Sequence[TapeValue] | None:
        kept = []
        for i, value in enumerate(values):
            outlier, wanted = (cut.tape(tape, value, name) for cut in cuts[2 * i : 2 * i + 2])
            if outlier is None or wanted is None:
                return None
            kept.append(tape.subtract(wanted, outlier))
        return kept

    return Thinned(passes, thin, weight, rescale, build if compat != "authors" else None)


def taped(
    tape: Tape, values: Sequence[TapeValue], *, combine_by: Combine, zero_sign: ZeroSign, scale: float, state: Thinned,
    name: str, **_: object,
) -> TapeValue | None:  # fmt: skip
    """The merged task vector, element by element."""
    return state.taped(tape, values, name, combine_by, zero_sign, scale)


@method(
    "breadcrumbs",
    title="Model Breadcrumbs",
    takes="delta",
    base="required",
    granularity=lambda params: "block" if params["scope"] == "row" or params["compat"] == "authors" else "element",
    tape=taped,
    prepare=survey,
    prepare_over="tensor",
    gathers=2 * selection.HELD,
    version=3,
    paper="Davari & Belilovsky 2024, Model Breadcrumbs: scaling multi-task model merging with sparse masks",
    url="https://arxiv.org/abs/2312.06795",
    also={
        "Breadcrumbs TIES": "combine by ties_sum (or ties)",
    },
)
def breadcrumbs(
    deltas: list[Tensor],
    *,
    density: Annotated[
        tuple[float, ...],
        Param(0.0, 1.0, per_model=True, step=0.05, search=(0.05, 1.0), help="Share of each task vector that is kept."),
    ] = (0.15,),
    gamma: Annotated[
        tuple[float, ...],
        Param(0.0, 1.0, per_model=True, step=0.002, search=(0.0, 0.05), help="Share of the largest left out."),
    ] = (0.006,),
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged vector.")] = 0.2,
    weight: Annotated[
        tuple[float, ...], Param(per_model=True, step=0.05, search=(0.0, 1.0), help="Weight of each task vector.")
    ] = (1.0,),
    combine_by: Annotated[Combine, Param(title="Combine by", help=COMBINE_HELP)] = "sum",
    zero_sign: Annotated[ZeroSign, Param(help=ZERO_SIGN_HELP)] = "majority",
    scope: Annotated[
        Literal["tensor", "row"],
        Param(help="Count over the tensor, or over each row along the last axis (of a 3x3 kernel: 3 numbers)."),
    ] = "tensor",
    order: Annotated[
        Literal["remove_first", "keep_first"],
        Param(help="Keep a share of what is left without outliers, or take the outliers from what is kept."),
    ] = "remove_first",
    rescale: Annotated[
        Norm, Param(help="Bring each tensor to its former 1-norm, 2-norm or largest magnitude; or leave it.")
    ] = "none",
    compat: Annotated[
        Literal["none", "authors", "mergekit014"],
        Param(
            help="authors: outliers go even where fewer than the density remain; mergekit014: as authors do not, but "
            "nothing is kept where no outlier is counted."
        ),
    ] = "none",
    state: Thinned | None = None,
    piece: Piece | None = None,
) -> Tensor:
    """Keep the middle of each task vector by magnitude, add what is kept.

    Of ``n`` magnitudes in falling order the ranks from ``floor(gamma n)`` on, ``floor(density n)`` of them, are kept;
    where too few would remain, fewer outliers are left out. ``W = W0 + scale * sum_i w_i d'_i``. Of equal magnitudes
    the first counts as larger. In short tensors both counts may be 0: nothing is kept where the density says so.

    Args:
        deltas: One task vector per model, one whole tensor, any one shape.
        density: Share kept, per model.
        gamma: Share left out at the top, per model.
        scale: Common factor.
        weight: One number per model.
        combine_by: How the kept entries are put together.
        zero_sign: What an even vote takes.
        scope: What shares are counted over.
        order: Which goes first.
        rescale: Whether the loss is made up for.
        compat: Whose counting.
        state: What :func:`survey` found.
        piece: Which tensor this is.

    Paper:
        by row; the released code searches density 0.05 to 0.2, gamma 0.001 to 0.01 and scale 0.01 to 1.

    Pitfalls:
        - The released code's beta is the share kept, the paper's the share left out at the bottom.
        - Counts are rounded down: of rows or tensors with fewer than 1/density entries nothing is kept.
    """
    piece = piece or Piece("")
    if state is None:
        state = survey(
            HeldPasses(deltas, piece.name), density=density, gamma=gamma, weight=weight, scope=scope, order=order,
            rescale=rescale, compat=compat,
        )  # fmt: skip
    return state.merged(deltas, piece, combine_by, zero_sign, scale)


def middle(numel: int, density: float, gamma: float, order: str, compat: str) -> tuple[int, int]:
    """The ranks that are kept: from the first to before the last, 0 the largest."""
    keep, top = int(numel * density), int(numel * gamma)
    if order == "keep_first":
        return min(top, keep), keep
    if compat == "authors":
        return top, min(top + keep, numel)
    if compat == "mergekit014" and density < 1 and min(top, numel - keep) == 0:
        return 0, 0
    top = min(top, numel - keep)
    return top, top + keep


def rank_mask(rows: Tensor, count: int) -> Tensor:
    """The ``count`` largest magnitudes of each row, of equal ones the first."""
    order = rows.abs().argsort(dim=1, descending=True, stable=True)
    return torch.zeros_like(rows, dtype=torch.bool).scatter_(1, order[:, :count], True)
