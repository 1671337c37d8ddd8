"""Previews: a fixed part of a split that looks like the whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solera.errors import InputError
from solera.seeds import Seed


def stratified(strata: NDArray[np.int64], limit: int | None, seed: int) -> NDArray[np.int64]:
    """Which samples a preview scores.

    Every stratum gets its share of ``limit`` by largest remainder (ties to the smaller stratum number), so shares
    differ from the whole by less than one sample. For one seed a stratum's picks are a prefix of one fixed order.

    Args:
        strata: Shape (n,), the class or document of each sample.
        limit: How many to keep; None or at least n keeps all.
        seed: Which subset.

    Returns:
        Indices in ascending order, int64 of shape (min(limit, n),).

    Raises:
        InputError: ``limit`` is below one.
    """
    n = strata.size
    if limit is not None and limit < 1:
        raise InputError(f"A preview needs at least one sample, not {limit}.", limit=limit)
    if limit is None or limit >= n:
        return np.arange(n, dtype=np.int64)
    order = Seed(seed).child("preview").numpy().permutation(n)
    _, index, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    exact = sizes * (limit / n)
    take = np.floor(exact).astype(np.int64)
    remainder = np.round(exact - take, 9)
    short = limit - int(take.sum())
    take[np.argsort(-remainder, kind="stable")[:short]] += 1
    kept = [order[index[order] == stratum][:count] for stratum, count in enumerate(take)]
    return np.sort(np.concatenate(kept)).astype(np.int64)
