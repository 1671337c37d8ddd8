"""Objectives that are one and the same have no trade-off."""

from __future__ import annotations

import itertools

import numpy as np

from solera.errors import InputError
from solera.landscapes.explorer import History, Space

#: Points that must agree before chance is ruled out.
_AGREED = 4


def refuse_equal_objectives(space: Space, history: History) -> None:
    """Refuse objectives that had the same score, or one the exponential of the other, at every point so far.

    Raises:
        InputError: Two are the same; the sentence names them.
    """
    values = history.values
    for a, b in itertools.combinations(space.objectives, 2):
        there = np.isfinite(values[:, a]) & np.isfinite(values[:, b])
        x, y = values[there, a], values[there, b]
        if len(x) < _AGREED or len(np.unique(x)) < _AGREED:
            continue
        with np.errstate(over="ignore"):
            same = any(np.allclose(p, q, rtol=1e-9, atol=0) for p, q in ((x, y), (np.exp(x), y), (x, np.exp(y))))
        if same:
            names = space.columns[a].name, space.columns[b].name
            raise InputError(
                f"The objectives {names[0]} and {names[1]} are the same at all {len(x)} points, so there is nothing to "
                "trade. Choose objectives that differ, or search for the best of one (explorer single).",
                objectives=list(names),
            )
