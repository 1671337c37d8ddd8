"""Splits for data that name none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solera.seeds import Seed
from solera.tasks.scores import SPLITS, Split

#: What each of :data:`~solera.tasks.scores.SPLITS` gets.
_SHARES = (0.6, 0.15, 0.25)


def split_rows(count: int, split: Split, seed: Seed) -> NDArray[np.int64]:
    """Which samples make up a split: a permutation, cut into 60 % train, 15 % selection and 25 % report.

    Args:
        count: How many samples there are.
        split: Which part.
        seed: Decides the permutation; the same for all three parts.

    Returns:
        Indices in ascending order, int64. The parts do not overlap, and together are every sample.
    """
    order = seed.numpy().permutation(count)
    ends = [0, *np.round(np.cumsum(_SHARES) * count).astype(int)]
    place = SPLITS.index(split)
    return np.sort(order[ends[place] : ends[place + 1]])
