"""ExPO: on beyond the aligned model, in the direction alignment took."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from solera.api import Param, method


@method(
    "expo",
    title="ExPO",
    takes="delta",
    base="required",
    granularity="element",
    inputs=(1, 1),
    affine=True,
    paper="Zheng et al. 2024, Model extrapolation expedites alignment",
    url="https://arxiv.org/abs/2404.16792",
    also={
        "Model extrapolation": "as it is",
    },
)
def expo(
    deltas: list[Tensor],
    *,
    alpha: Annotated[
        float, Param(0.0, step=0.05, search=(0.0, 1.0), help="How far beyond the aligned model; 0 is that model.")
    ] = 0.3,
) -> Tensor:
    """Extrapolate from the model before alignment, the base, through the aligned one.

    ``W = W1 + alpha (W1 - W0)``. The best alpha differs from model to model: choose it on held-out data, for too far is
    quickly worse than not at all.

    Args:
        deltas: The aligned model less the base, any shape.
        alpha: How far beyond.

    Paper:
        alpha chosen on held-out data.

    Pitfalls:
        - Too far is quickly worse than not at all, and how far that is differs from model to model.
    """
    return deltas[0] * (1.0 + alpha)
