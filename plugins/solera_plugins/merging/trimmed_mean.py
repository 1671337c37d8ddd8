"""Trimmed mean: leave out the extremes at each coordinate, average the rest."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from solera.api import Param, method
from solera_plugins.merging.sums import weighted_sum


@method(
    "trimmed_mean",
    title="Trimmed mean",
    takes="any",
    granularity="element",
    paper="Yin et al. 2018, Byzantine-robust distributed learning: towards optimal statistical rates",
    url="https://arxiv.org/abs/1803.01498",
)
def trimmed_mean(
    tensors: list[Tensor],
    *,
    trim: Annotated[
        float, Param(0.0, 0.5, step=0.05, search=(0.0, 0.4), help="Share of the models left out at either end.")
    ] = 0.1,
) -> Tensor:
    """Average at each coordinate all models but the ``floor(trim * T)`` largest and as many smallest.

    At least one (or of an even number two) is kept: 0.5 is the median. With 0, and with fewer than ``1/trim`` models,
    it is the plain average.

    Args:
        tensors: One per model, any one shape.
        trim: Share left out at either end.

    Pitfalls:
        - With fewer models than 1/trim nothing is trimmed.
    """
    count = len(tensors)
    out = min(int(trim * count), (count - 1) // 2)
    if out == 0:
        return weighted_sum(tensors, [1.0 / count] * count)
    kept = torch.stack(tensors).sort(dim=0).values[out : count - out]
    return weighted_sum(list(kept), [1.0 / len(kept)] * len(kept))
