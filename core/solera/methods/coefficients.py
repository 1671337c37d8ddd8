"""Shares of models that are tried in turn, where a paper chooses the best by validation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from solera.errors import InputError
from solera.seeds import Seed


def pairwise_grid(count: int = 51) -> list[tuple[float, float]]:
    """Shares of two models on an even grid, from (1, 0) to (0, 1).

    Raises:
        InputError: Fewer than two points.
    """
    if count < 2:
        raise InputError(f"A grid from one model to the other has at least 2 points, not {count}.", count=count)
    return [(float(first), float(1.0 - first)) for first in np.linspace(1.0, 0.0, count)]


def simplex_draws(models: int, count: int, seed: int = 0) -> list[tuple[float, ...]]:
    """Shares of several models drawn evenly from all that total 1: a Dirichlet distribution with every parameter 1.

    Raises:
        InputError: There is no model, or nothing is to be drawn.
    """
    if models < 1 or count < 1:
        raise InputError(f"{count} shares of {models} models cannot be drawn.", models=models, count=count)
    drawn = Seed(seed).child("simplex").numpy().dirichlet(np.ones(models), count)
    return [tuple(float(share) for share in row) for row in drawn]


def block_ratios(logits: Sequence[float], mean: float, floor: float = 0.2) -> tuple[float, ...]:
    """Ratios of blocks of layers whose mean is given.

    ``mean * K * (sigmoid(u_k) + floor) / sum_j (sigmoid(u_j) + floor)``

    Lin et al. 2024, Mitigating the alignment tax of RLHF (adaptive model averaging): the search is over ratios of a
    fixed mean, so it moves along the trade-off it has chosen instead of along it.

    Args:
        logits: One per block, shape (K,).
        mean: What the ratios average to.
        floor: Keeps ratios apart by at most a factor of ``(1 + floor) / floor``.

    Returns:
        One per block; they may exceed 1.
    """
    shares = [1.0 / (1.0 + math.exp(-logit)) + floor for logit in logits]
    total = sum(shares)
    return tuple(mean * share / total * len(shares) for share in shares)
