"""Shares of the models on a curve: polygonal chains and Bezier curves (Garipov et al. 2018, arXiv 1802.10026)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from solera.errors import InputError


def hats(t: float, knots: Sequence[float]) -> list[float]:
    """The shares of the models at a point of a polyline: two of them are not 0, or one at a knot.

    Args:
        t: Where; beyond the ends the first and last line go on.
        knots: Where each model lies, two or more; all equal means spread evenly from 0 to that number.

    Raises:
        InputError: The knots do not rise.
    """
    count = len(knots)
    if len(set(knots)) == 1 and knots[0] > 0:
        knots = [knots[0] * i / (count - 1) for i in range(count)]
    if any(later <= earlier for earlier, later in pairwise(knots)):
        raise InputError(f"The knots of a polyline rise from model to model; got {list(knots)}.")
    left = max(0, min(count - 2, sum(knot <= t for knot in knots) - 1))
    share = (t - knots[left]) / (knots[left + 1] - knots[left])
    return [1.0 - share if i == left else share if i == left + 1 else 0.0 for i in range(count)]


def bernstein(t: float, count: int) -> list[float]:
    """The shares of the control points of a Bezier curve at a point; they total 1 up to rounding.

    Args:
        t: Where: 0 is the first, 1 the last.
        count: How many there are, 2 or more.
    """
    n = count - 1
    return [math.comb(n, i) * (1.0 - t) ** (n - i) * t**i for i in range(count)]
