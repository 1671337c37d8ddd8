"""Shares of models that are tried in turn, where a paper chooses the best by validation."""

from __future__ import annotations

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
