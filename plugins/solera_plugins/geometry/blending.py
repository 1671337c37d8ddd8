"""The sum that curves end with."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def blended(tensors: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """``sum_i shares[i] * tensors[i]``, added in order; models whose share is 0 are left out.

    At a point that is one of the models the result is that model to the bit. Products and sums are rounded one by one,
    so that the result does not depend on how tensors are cut.

    Args:
        tensors: One or more of one shape; NaN spreads from those that have a share.
        shares: As many numbers, not all 0.
    """
    taken = [(share, tensor) for share, tensor in zip(shares, tensors, strict=True) if share]
    total = taken[0][1] * taken[0][0]
    for share, tensor in taken[1:]:
        total += tensor * share
    return total
