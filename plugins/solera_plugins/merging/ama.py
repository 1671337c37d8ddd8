"""AMA: how far to go back to the model before alignment, by thirds of the depth, at a fixed share on average."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from torch import Tensor

from solera.api import Param, Passes, Piece, block_ratios, method

_BLOCK = re.compile(r"\.(\d+)\.")

Part = Literal["low", "middle", "high", "outside", "embedding"]


@dataclass(frozen=True, slots=True)
class Depths:
    """What the whole model tells.

    Attributes:
        cuts: The last block of the first part, and that of the second.
    """

    cuts: tuple[int, int]


def cuts(blocks: int) -> tuple[int, int]:
    """Where the authors cut in three: after block 8 and 16, of more than 30 after 11 and 21; short models in thirds."""
    if blocks > 30:
        return 11, 21
    return (8, 16) if blocks > 17 else (math.ceil(blocks / 3) - 1, math.ceil(2 * blocks / 3) - 1)


def prepare(passes: Passes, **_: object) -> Depths:
    """Count the blocks."""
    return Depths(cuts(1 + max((int(found) for name, _ in passes for found in _BLOCK.findall(name)[:1]), default=-1)))


def part_of(name: str, cuts: tuple[int, int]) -> Part:
    """Where a tensor lies: in a third of the depth, before all blocks (embeddings), or elsewhere (head, last norm)."""
    inside = _BLOCK.findall(name)
    if inside:
        depth = int(inside[0])
        return "low" if depth <= cuts[0] else "middle" if depth <= cuts[1] else "high"
    return "embedding" if "embed" in name or "wte" in name or "wpe" in name else "outside"


@method(
    "ama",
    title="Adaptive model averaging (AMA)",
    takes="delta",
    base="required",
    granularity="block",
    inputs=(1, 1),
    prepare=prepare,
    prepare_when=lambda params: params["first"] < 0 or params["second"] < 0,
    gathers=0,
    paper="Lin et al. 2024, Mitigating the alignment tax of RLHF",
    url="https://arxiv.org/abs/2309.06256",
    also={"Partial model averaging (PMA)": "rule given: low, middle, high are the shares themselves"},
)
def ama(
    deltas: list[Tensor],
    *,
    ratio: Annotated[
        float, Param(0.0, 1.0, step=0.05, search=(0.0, 1.0), help="Share of the model before alignment, on average.")
    ] = 0.2,
    low: Annotated[float, Param(step=0.1, search=(-4.0, 4.0), help="Logit, or share, of the first third.")] = 0.0,
    middle: Annotated[float, Param(step=0.1, search=(-4.0, 4.0), help="Logit, or share, of the second third.")] = 0.0,
    high: Annotated[float, Param(step=0.1, search=(-4.0, 4.0), help="Logit, or share, of the last third.")] = 0.0,
    epsilon: Annotated[float, Param(0.0, step=0.05, help="What keeps the parts near each other.")] = 0.2,
    rule: Annotated[
        Literal["adaptive", "given"], Param(help="Logits whose shares have the mean ratio; or shares as given.")
    ] = "adaptive",
    first: Annotated[int, Param(-1, help="Last block of the first part; -1 as the authors cut.")] = -1,
    second: Annotated[int, Param(-1, help="Last block of the second part; -1 as the authors cut.")] = -1,
    others: Annotated[
        Literal["mixed", "base"], Param(help="Mix norms, biases and embeddings as well; or take the base's.")
    ] = "mixed",
    state: Depths | None = None,
    piece: Piece | None = None,
) -> Tensor:
    """Average an aligned model with what it was before, each part of the depth at a share of its own.

    ``W = a_k W0 + (1 - a_k) W1`` in part k of the depth, with ``a_k = a0 (s(u_k) + e) / sum_j (s(u_j) + e) K`` and s
    the logistic function: the mean of a_k is a0 whatever the logits, so a search over them is one over parts alone.
    Head and last norm take a0. With ``rule`` given the a_k are low, middle and high, embeddings take the first.

    Args:
        deltas: What alignment changed, any shape; the base is the model before it.
        ratio: a0.
        low: u_1, or a_1.
        middle: u_2, or a_2.
        high: u_3, or a_3.
        epsilon: e.
        rule: What low, middle and high are.
        first: Last block of the first part.
        second: Last block of the second part.
        others: What becomes of tensors that are no matrix of a Linear.
        state: What :func:`prepare` found.
        piece: Which tensor this is.

    Paper:
        a0 0.2, epsilon 0.2, three parts; the logits start at logit(a0) and are trained on answers of the aligned model.

    Pitfalls:
        - The share is that of the model before alignment, not of the aligned one.
        - The authors' script mixes matrices of Linear alone and takes the rest from the base, so embeddings lose all
        that alignment changed: ``others`` base does so, mixed does not.
        - Embeddings are told by their names (embed, wte, wpe).
    """
    name = piece.name if piece is not None else ""
    found = state.cuts if state is not None else (0, 0)
    at = part_of(name, (first if first >= 0 else found[0], second if second >= 0 else found[1]))
    if others == "base" and (deltas[0].dim() < 2 or at == "embedding"):
        return deltas[0] * 0.0
    given = (low, middle, high)
    parts = given if rule == "given" else block_ratios(given, ratio, epsilon)
    share = {"low": parts[0], "middle": parts[1], "high": parts[2], "outside": ratio, "embedding": ratio}[at]
    if at == "embedding" and rule == "given":
        share = low
    return deltas[0] * (1.0 - share)
