"""Sums that methods end with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def weighted_sum(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """``sum_i weights[i] * tensors[i]``, added in order; products and sums are rounded one by one.

    (A fused multiply-add would round differently at the ends of a chunk, and so make the result depend on chunks.)

    Args:
        tensors: One or more of one shape; NaN spreads.
        weights: As many numbers.
    """
    total = tensors[0] * weights[0]
    for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
        total += tensor if weight == 1.0 else tensor * weight
    return total


def normalised(weights: Sequence[float]) -> list[float]:
    """The weights divided by their total; as they are when that is 0 (below 1e-8)."""
    total = sum(weights)
    return [weight / total for weight in weights] if abs(total) >= 1e-8 else list(weights)


def row_sum(values: Tensor) -> Tensor:
    """Sums along the last axis by halving, the same whatever the threads; float64 is wanted, the axis is dropped."""
    width = 1 << max(values.shape[-1] - 1, 0).bit_length()
    padded = torch.nn.functional.pad(values, (0, width - values.shape[-1]))
    while width > 1:
        width //= 2
        padded = padded[..., :width] + padded[..., width:]
    return padded[..., 0]
