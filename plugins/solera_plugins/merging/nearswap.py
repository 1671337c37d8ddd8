"""NearSwap: take over the second model where it is near the base, and no more than so much elsewhere."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from solera.api import Param, method


@method(
    "nearswap",
    title="NearSwap",
    takes="delta",
    base="required",
    granularity="element",
    inputs=(1, 1),
    paper="alchemonaut 2024, QuartetAnemoi-70B-t0.0001 (model card)",
    url="https://huggingface.co/alchemonaut/QuartetAnemoi-70B-t0.0001",
)
def nearswap(
    deltas: list[Tensor],
    *,
    t: Annotated[
        float, Param(0.0, log=True, search=(1e-5, 1e-2), help="Farthest that any weight moves from the base.")
    ] = 1e-4,
) -> Tensor:
    """Move every weight towards the other model, but by no more than t.

    ``W = W0 + min(t / |d|, 1) d`` with ``d = W1 - W0``, so ``W = W0 + sign(d) min(|d|, t)``: where the models differ by
    less than t the result is the second, where they differ much it is all but the base.

    Args:
        deltas: The other model less the base, any shape.
        t: Farthest step, in the unit of the weights.

    Paper:
        t 0.0001 (in the model's name).

    Pitfalls:
        - t is in the unit of the weights: what is near in one layer may be far in another.
    """
    return deltas[0].clamp(-t, t)
