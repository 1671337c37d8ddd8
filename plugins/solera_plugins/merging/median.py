"""Coordinate median: at each coordinate the middle of the models."""

from __future__ import annotations

import torch
from torch import Tensor

from solera.api import method


@method(
    "median",
    title="Coordinate median",
    takes="any",
    granularity="element",
    paper="Yin et al. 2018, Byzantine-robust distributed learning: towards optimal statistical rates",
    url="https://arxiv.org/abs/1803.01498",
)
def median(tensors: list[Tensor]) -> Tensor:
    """Take the middle value at each coordinate; of an even number of models the mean of the two middle ones.

    Less than half of the models cannot move it beyond the others. What is right for one coordinate need not be for
    all together: a median of models is none of them, nor between any two.

    Args:
        tensors: One per model, any one shape.

    Pitfalls:
        - Element by element it mixes models: the result need not lie between any two of them.
    """
    ranked = torch.stack(tensors).sort(dim=0).values
    middle = len(tensors) // 2
    return ranked[middle].clone() if len(tensors) % 2 else ranked[middle - 1] * 0.5 + ranked[middle] * 0.5
