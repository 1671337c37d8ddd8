"""LiNeS: scale a task vector by depth, shallow layers less than deep ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from torch import Tensor

from solera.api import InputError, Param, Passes, Piece, method, reductions

_BLOCK = re.compile(r"\.(?=(\d+)\.)")


@dataclass(frozen=True, slots=True)
class Depths:
    """What the whole model tells.

    Attributes:
        blocks: How many blocks there are.
        alpha: The share at depth 0.
    """

    blocks: int
    alpha: float


def measure(passes: Passes, *, alpha: float, rule: str, blocks: int, **_: object) -> Depths:
    """Count the blocks; find alpha from the 1-norms of the merged vector and of the sum of those it was made of."""
    highest, merged, parts, tasks = -1, 0.0, 0.0, 0
    for name, deltas in passes:
        highest = max([highest, *map(int, _BLOCK.findall(name))])
        if rule == "norms":
            tasks = len(deltas) - 1
            merged += reductions.sum_abs(deltas[0])
            if tasks:
                total = deltas[1].clone()
                for delta in deltas[2:]:
                    total += delta
                parts += reductions.sum_abs(total)
    if rule == "norms":
        if not tasks:
            raise InputError("LiNeS finds alpha from the task vectors: give them as further inputs.")
        alpha = parts / merged / tasks if merged > 0 else 0.0
    return Depths(blocks or highest + 1, alpha)


@method(
    "lines",
    title="LiNeS",
    takes="delta",
    base="required",
    granularity="element",
    version=3,
    prepare=measure,
    prepare_when=lambda params: params["blocks"] == 0 or params["rule"] == "norms",
    gathers=0,
    ordered=True,
    paper="Wang et al. 2025, LiNeS: post-training layer scaling prevents forgetting and enhances model merging",
    url="https://arxiv.org/abs/2410.17146",
)
def lines(
    deltas: list[Tensor],
    *,
    alpha: Annotated[
        float, Param(step=0.05, search=(0.0, 1.0), help="Factor of the first block and of the rest.")
    ] = 0.5,
    beta: Annotated[
        float, Param(step=0.05, search=(0.0, 1.0), help="What the last block has more; 1 - alpha for a single task.")
    ] = 0.5,
    rule: Annotated[
        Literal["given", "norms"],
        Param(help="Take alpha as given; or find it from the task vectors, the further inputs, by their 1-norms."),
    ] = "given",
    blocks: Annotated[int, Param(0, help="How many blocks there are; 0 counts them by name.")] = 0,
    state: Depths | None = None,
    piece: Piece | None = None,
) -> Tensor:
    """Scale each block of a (merged) task vector by its depth, linearly.

    Block i of L (the first number between dots in a tensor's name, from 0) is multiplied by ``alpha + beta i/(L-1)``,
    what lies in no block by ``alpha``, and a single block too. With ``rule`` norms, ``alpha = |sum_t d_t|_1 / |d|_1 /
    T`` over the whole model, where the first input is the merged vector d and the T others those it was made of.

    Args:
        deltas: The task vector; further ones only for ``rule`` norms. Any one shape.
        alpha: Factor at depth 0.
        beta: What is added at full depth.
        rule: Where alpha comes from.
        blocks: How many, if not to be counted.
        state: What :func:`measure` found.
        piece: Which tensor this is.

    Paper:
        for one task beta = 1 - alpha; for several alpha from the norms and beta tuned.

    Pitfalls:
        - Blocks are told by the first number between dots in a name; stages numbered anew within each other are
        misread.
        - Embeddings and heads lie in no block and take alpha.
    """
    depths = state or Depths(blocks, alpha)
    inside = [int(found) for found in _BLOCK.findall(piece.name if piece else "") if int(found) < depths.blocks]
    depth = inside[0] / (depths.blocks - 1) if inside and depths.blocks > 1 else 0.0
    return deltas[0] * (depths.alpha + beta * depth)
