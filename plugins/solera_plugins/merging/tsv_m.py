"""TSV-M: put the leading singular directions of every task side by side, without overlap."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from solera.api import Param, Piece, bricks, method
from solera_plugins.merging.spectral import SKIP_HELP, average, spectral


@method(
    "tsv_m",
    title="TSV-M",
    takes="delta",
    base="required",
    granularity="tensor",
    promise="tolerance",
    float64=True,
    paper="Gargiulo et al. 2025, Task singular vectors: reducing task interference in model merging",
    url="https://arxiv.org/abs/2412.00081",
)
def tsv_m(
    deltas: list[Tensor],
    *,
    scale: Annotated[float, Param(step=0.1, search=(0.5, 2.0), help="How far to go along the merged change.")] = 1.0,
    lossless: Annotated[bool, Param(help="Keep all directions of every task instead of their share.")] = False,
    skip: Annotated[str, Param(help=SKIP_HELP)] = "*text_projection*",
    piece: Piece | None = None,
) -> Tensor:
    """Keep each task's leading singular triples, make the directions of all tasks orthogonal, add up.

    Of a matrix of rank R the top ``floor(R / T)`` triples of each ``d_t`` are put side by side, ``U = [U_1 .. U_T]``,
    ``V`` likewise, and replaced by the nearest orthogonal matrices; ``m = U S V'``; other tensors are averaged. A
    matrix of lower rank than there are tasks keeps nothing. Tasks that share directions exactly (equal or opposite
    ones) leave the nearest orthogonal matrix open; then it is the one that adds no direction.

    Args:
        deltas: One task vector per model, float64, one whole tensor.
        scale: Common factor.
        lossless: Whether to keep all triples.
        skip: Pattern of names that are averaged.
        piece: Which tensor this is.

    Paper:
        scale 1; each task keeps its share of the singular directions.

    Pitfalls:
        - With more tasks than directions a matrix keeps none, and its change is dropped.
        - Equal or opposite tasks leave directions undecided; the released code's result is then the library's choice.
    """
    if not spectral(deltas[0], piece, skip):
        return average(deltas) * scale
    rank = min(deltas[0].shape)
    keep = rank if lossless else rank // len(deltas)
    if keep == 0:
        return torch.zeros_like(deltas[0])
    parts = [bricks.truncated_svd(delta, keep) for delta in deltas]
    left = bricks.polar(torch.cat([part[0] for part in parts], dim=1))
    right = bricks.polar(torch.cat([part[2] for part in parts], dim=0))
    return left * torch.cat([part[1] for part in parts]) @ right * scale
