"""Exponential moving average over a trajectory: later checkpoints count more."""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor

from solera.api import Param, method
from solera_plugins.merging.sums import weighted_sum


@method(
    "ema",
    title="Exponential moving average",
    takes="any",
    granularity="element",
    ordered=True,
    paper="Morales-Brotons et al. 2024, Exponential moving average of weights in deep learning: dynamics and benefits",
    url="https://arxiv.org/abs/2411.18704",
    also={"Polyak averaging": "start debiased with decay 1 is the plain mean of the trajectory"},
)
def ema(
    tensors: list[Tensor],
    *,
    decay: Annotated[
        float,
        Param(0.0, 1.0, step=0.05, search=(0.0, 1.0), help="What is kept at each checkpoint; 0 is the last alone."),
    ] = 0.9,
    start: Annotated[
        Literal["first", "debiased"],
        Param(help="Begin at the first checkpoint, which then counts for all before it; or make shares total 1."),
    ] = "first",
) -> Tensor:
    """Follow the checkpoints of a run, given in order of time, with a running average.

    ``A_1 = W_1``, ``A_i = decay * A_{i-1} + (1 - decay) W_i``; the result is the last. Debiased, the share of
    checkpoint i of n is in proportion to ``decay^(n-i)``, so that the first has no share of its own. The decay is per
    checkpoint: one of 0.999 per step is ``0.999^k`` for checkpoints k steps apart.

    Args:
        tensors: One per checkpoint, the earliest first, any one shape.
        decay: What is kept at each.
        start: Where it begins.

    Pitfalls:
        - A long memory counts early checkpoints too: with few checkpoints take the debiased form or a lower decay.
    """
    count = len(tensors)
    shares = [decay ** (count - 1 - i) for i in range(count)]
    if start == "first":
        shares = [shares[0], *((1 - decay) * share for share in shares[1:])]
    else:
        shares = [share / sum(shares) for share in shares]
    return weighted_sum(tensors, shares)
