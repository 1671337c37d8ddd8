"""How sparse task vectors are put together: added, averaged, or after an election of signs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from solera.api import bricks
from solera_plugins.merging.sums import normalised, weighted_sum
from solera_plugins.merging.ties import agreeing, decide

Combine = Literal["sum", "mean", "ties", "ties_sum"]
ZeroSign = Literal["majority", "plus", "drop"]

#: Said alike by every method that offers the choice.
COMBINE_HELP = "Add, average, or elect a sign and take the mean (ties) or sum (ties_sum) of what agrees."
ZERO_SIGN_HELP = "Where an elected sign is even: the one most coordinates of the tensor have, plus, or the base."


def combine(deltas: list[Tensor], weight: Sequence[float], how: Combine, zero_sign: ZeroSign = "majority") -> Tensor:
    """One task vector from several.

    Args:
        deltas: One or more of one shape.
        weight: One number per model.
        how: Sum, mean (by total weight), or an election of signs over the weighted vectors.
        zero_sign: What an even vote takes.
    """
    if how in {"sum", "mean"}:
        return weighted_sum(deltas, weight if how == "sum" else normalised(weight))
    kept = [delta * w for delta, w in zip(deltas, weight, strict=True)]
    signs = bricks.elect_sign(kept)
    undecided = decide(signs, zero_sign, "none", None)
    if undecided:
        signs = signs.masked_fill(signs == 0, undecided)
    return agreeing(kept, signs, tuple(weight), "mean" if how == "ties" else "sum")
