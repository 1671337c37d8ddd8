"""WUDI: find the change that interferes least, in each matrix, with what the tasks' inputs see."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import Param, Piece, method
from solera_plugins.merging.spectral import average, spectral
from solera_plugins.merging.sums import weighted_sum

#: Adam's, as published and as everyone has them.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@method(
    "wudi",
    title="WUDI",
    takes="delta",
    base="required",
    granularity="tensor",
    promise="tolerance",
    float64=True,
    paper="Cheng et al. 2025, Whoever started the interference should end it: guiding data-free model merging via task "
    "vectors",
    url="https://arxiv.org/abs/2503.08099",
)
def wudi(
    deltas: list[Tensor],
    *,
    scale: Annotated[float, Param(step=0.1, search=(0.5, 2.0), help="How far to go along the merged change.")] = 1.0,
    iterations: Annotated[
        int, Param(0, 100_000, help="Steps of Adam; stopping early is part of the method, more is not better.")
    ] = 300,
    rate: Annotated[float, Param(0.0, log=True, help="Learning rate: how far an entry can move in one step.")] = 1e-5,
    others: Annotated[
        Literal["base", "average"], Param(help="What becomes of vectors and kernels: stay, or be averaged.")
    ] = "base",
    skip: Annotated[str, Param(help="Matrices of these names are treated as vectors are.")] = "*embed*",
    piece: Piece | None = None,
) -> Tensor:
    """Start at the sum of the task vectors and descend the interference, matrix by matrix.

    Minimise ``sum_t |(m - d_t) d_t'|^2 / |d_t|^2`` from ``m = sum_t d_t`` by Adam: an entry moves at most ``rate *
    iterations``. Task vectors of zeros say nothing and are left out. Cost: ``iterations`` products of a matrix with a
    square one of its width.

    Args:
        deltas: One task vector per model, float64, one whole tensor.
        scale: Common factor.
        iterations: Steps.
        rate: Learning rate.
        others: What other tensors become.
        skip: Pattern of names that count as others.
        piece: Which tensor this is.

    Paper:
        Adam with rate 1e-5, 300 steps; matrices of Linear layers only.

    Pitfalls:
        - Stopping early belongs to the method: the minimum itself, for full-rank changes, is another merge.
    """
    if not spectral(deltas[0], piece, skip):
        return average(deltas) * scale if others == "average" else torch.zeros_like(deltas[0])
    merged = weighted_sum(deltas, [1.0] * len(deltas))
    width = deltas[0].shape[1]
    square, target = merged.new_zeros(width, width), torch.zeros_like(merged)
    for delta in deltas:
        size = float(delta.square().sum())
        if size > 0:
            inner = delta.T @ delta / size
            square += inner
            target += delta @ inner
    first, second = torch.zeros_like(merged), torch.zeros_like(merged)
    for step in range(1, iterations + 1):
        slope = 2 * (merged @ square - target)
        first = BETA1 * first + (1 - BETA1) * slope
        second = BETA2 * second + (1 - BETA2) * slope * slope
        merged = merged - rate * (first / (1 - BETA1**step)) / ((second / (1 - BETA2**step)).sqrt() + EPSILON)
    return merged * scale
