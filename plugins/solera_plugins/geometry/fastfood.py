"""A direction of a random subspace that is a fast transform, not a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

import torch
from torch import Tensor

from solera.api import Fastfood, Param, Passes, Piece, kind_of, method


def _column(passes: Passes, *, seed: int, index: int, frozen: str, **_: Any) -> dict[str, Tensor]:
    """The column as a part for each tensor that moves, in order of name."""
    globs = [part.strip() for part in frozen.split(",") if part.strip()]
    numels: dict[str, int] = {}
    for name, (weights,) in passes:
        if kind_of(name, "float32") == "weight" and not any(fnmatchcase(name, pattern) for pattern in globs):
            numels[name] = numels.get(name, 0) + weights.numel()
    coordinate = torch.zeros(index + 1)
    coordinate[index] = 1.0
    column = Fastfood.drawn(sum(numels.values()), seed).project(coordinate).float()
    names = sorted(numels)
    return dict(zip(names, torch.split(column, [numels[name] for name in names]), strict=True))


def _gathered(params: Mapping[str, Any], sizes: Mapping[str, int], models: int) -> int:
    """Bytes of the map while its column is made, and of the column."""
    numel = sum(sizes.values())
    return 64 * (1 << max(numel - 1, 0).bit_length()) + 4 * numel


@method(
    "fastfood",
    title="Fastfood direction",
    takes="weights",
    gives="delta",
    granularity="element",
    inputs=(1, 1),
    prepare=_column,
    gathers=_gathered,
    paper="Le et al. 2013, Fastfood: approximating kernel expansions in loglinear time",
    url="https://arxiv.org/abs/1408.3060",
    also={"Intrinsic dimension (Li et al. 2018)": "one direction for each index, all of one seed"},
)
def fastfood(
    tensors: list[Tensor],
    *,
    seed: Annotated[int, Param(help="Which subspace; any whole number.")] = 0,
    index: Annotated[int, Param(0, help="Which of its directions, from 0.")] = 0,
    frozen: Annotated[str, Param(help="Globs, with commas between, of tensors that stay where they are.")] = "",
    state: dict[str, Tensor] | None = None,
    piece: Piece | None = None,
) -> Tensor:
    """Take a column of the Fastfood map from coordinates to all weights of the model.

    ``D = (H G P H B e_i)`` cut to the number of weights and divided by ``sqrt(L |G|^2) sqrt(n / L)``: H a Hadamard
    matrix of the next power of two L, G normal numbers, P a permutation, B signs. One map serves the whole model, its
    weights in order of their tensors' names.

    Args:
        tensors: The model, any shape; only its shapes matter.
        seed: Which subspace.
        index: Which direction of it.
        frozen: Globs of what does not move.
        state: The column, from the first pass.
        piece: Which tensor, and where in it.

    Paper:
        columns of length 1, on average where the number of weights is no power of two.

    Pitfalls:
        - Two directions are less orthogonal than of a dense subspace: their cosine varies by sqrt(2 / L).
    """
    part = (state or {}).get(piece.name if piece else "")
    if part is None:
        return torch.zeros_like(tensors[0])
    start = piece.start if piece else 0
    return part[start : start + tensors[0].numel()].to(tensors[0].device).view(tensors[0].shape)
