"""Shared layers: blocks in a group get the same weights, each perhaps with a low-rank change of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from solera.api import Param, Passes, Piece, bricks, method

_BLOCK = re.compile(r"^(.*?\.)(\d+)(\..+)$")


def place(name: str, names: str, group: int) -> tuple[str, int] | None:
    """Where a tensor's shared form is kept: its name without the block's number, and the number of its group."""
    found = _BLOCK.match(name)
    if found is None or (not fnmatchcase(found[3][1:], names) and not fnmatchcase(name, names)):
        return None
    return f"{found[1]}*{found[3]}", int(found[2]) // group if group else 0


@dataclass(frozen=True, slots=True)
class Shared:
    """The shared tensors of all groups.

    Attributes:
        tensors: float32, flat, by place.
    """

    tensors: Mapping[tuple[str, int], Tensor]


def prepare(passes: Passes, *, names: str, group: int, take: str, **_: object) -> Shared:
    """Average the tensors of each group of blocks, or keep those of its first."""
    totals: dict[tuple[str, int], Tensor] = {}
    counts: dict[tuple[str, int], int] = {}
    for name, pieces in groupby(passes, key=itemgetter(0)):
        at = place(name, names, group)
        if at is None or (take == "first" and at in totals):
            continue
        tensor = torch.cat([tensors[0].reshape(-1).clone() for _, tensors in pieces])  # a piece lasts until the next
        totals[at] = totals[at] + tensor if at in totals else tensor.double()
        counts[at] = counts.get(at, 0) + 1
    return Shared({at: (total / counts[at]).float() for at, total in totals.items()})


def gathered(params: Mapping[str, Any], sizes: Mapping[str, int], models: int) -> int:
    """Bytes of every group's total in float64 and its mean, and of the tensor that is added."""
    groups: dict[tuple[str, int], int] = {}
    for name, numel in sizes.items():
        at = place(name, params["names"], params["group"])
        if at is not None:
            groups[at] = numel
    return 12 * sum(groups.values()) + 16 * max(groups.values(), default=0)


def granularity(params: Mapping[str, Any]) -> Literal["element", "tensor"]:
    """Matrices whole where each is given a low-rank change of its own."""
    return "tensor" if params["rank"] else "element"


@method(
    "shared_layers",
    title="Shared layers",
    takes="weights",
    granularity=granularity,
    inputs=(1, 1),
    prepare=prepare,
    gathers=gathered,
    version=2,
    promise="tolerance",
    paper="Liu et al. 2024, FoldGPT: simple and effective large language model compression scheme",
    url="https://arxiv.org/abs/2407.00928",
    also={
        "One shared FFN (Pires et al. 2023, One wide feedforward is all you need)": "names *mlp.*, group 0",
        "Block sharing": "group: how many blocks in a row share",
    },
)
def shared_layers(
    tensors: list[Tensor],
    *,
    names: Annotated[str, Param(help="Glob over names within a block, or whole names: what is shared.")] = "mlp.*",
    group: Annotated[int, Param(0, help="How many blocks in a row share; 0 is all.")] = 0,
    take: Annotated[
        Literal["mean", "first"], Param(help="Shared weights are the mean of a group's, or those of its first block.")
    ] = "mean",
    rank: Annotated[int, Param(0, help="Rank of the change that each matrix keeps of its own; 0 is none.")] = 0,
    state: Shared | None = None,
    piece: Piece | None = None,
) -> Tensor:
    """Give blocks of a group the same weights, their mean, and each matrix perhaps a low-rank change of its own.

    ``W_l = S + [W_l - S]_r`` with ``S = mean over the group of W_l``, and ``[.]_r`` the best approximation of rank r
    (none for r = 0). What no name matches stays, so that each block may keep its normalisations.

    Args:
        tensors: One, any shape; matrices whole where the rank is not 0.
        names: What is shared.
        group: Blocks in a row.
        take: Where S comes from: the mean, or the group's first block.
        rank: r.
        state: What :func:`prepare` found.
        piece: Which tensor this is.

    Paper:
        FoldGPT shares among blocks in a row, each with its own normalisations, and trains on; the shared FFN of Pires
        et al. is trained from the start. Sharing by a mean, and the low-rank rest, are ours: both are meant as a start
        for training.

    Pitfalls:
        - Without training on, a network whose feed-forward layers are one answers badly.
        - The file is not smaller: a format that stores a shared block once needs an architecture that knows of it.
        - Units of two layers have no common order, so a mean is nearer to nothing than either; align first, or take the
        first block's.
    """
    at = place(piece.name, names, group) if piece is not None else None
    if state is None or at is None or at not in state.tensors:
        return tensors[0] * 1.0
    tensor, start = tensors[0], piece.start if piece is not None else 0
    shared = state.tensors[at][start : start + tensor.numel()].to(tensor.device).view(tensor.shape)
    if not rank or tensor.dim() != 2:
        return shared * 1.0
    u, s, v = bricks.truncated_svd(tensor - shared, rank)
    own: Tensor = (u * s) @ v
    return shared + own.float()
