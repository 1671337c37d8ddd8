"""What a network's products alone take: the part of its time that no way of evaluating it can save."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

#: Rows and columns of the matrices that a core's speed is measured on, and how often.
_SIDE, _TIMES = 512, 5


def seconds_of_products(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """Seconds on the CPU for the products of matrices and convolutions of a call, by this machine's speed at products.

    Args:
        call: Made once, to count.
        clock: What tells seconds.
    """
    with FlopCounterMode(display=False) as counted:
        call()
    one, other = torch.rand(_SIDE, _SIDE), torch.rand(_SIDE, _SIDE)
    best = float("inf")
    for _ in range(_TIMES):
        began = clock()
        torch.mm(one, other)
        best = min(best, clock() - began)
    return float(counted.get_total_flops()) / (2 * _SIDE**3) * best
