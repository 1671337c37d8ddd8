"""WiSE-FT: on the straight line from the base to the fine-tuned model."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from solera.api import Param, method


@method(
    "wise_ft",
    title="WiSE-FT",
    takes="delta",
    base="required",
    granularity="element",
    inputs=(1, 1),
    affine=True,
    paper="Wortsman et al. 2022, Robust fine-tuning of zero-shot models",
    url="https://arxiv.org/abs/2109.01903",
    also={
        "Layer-wise interpolation": "alpha: a curve over the layers",
        "Model averaging against the alignment tax (MA)": "alpha: the share of the aligned model",
    },
)
def wise_ft(
    deltas: list[Tensor],
    *,
    alpha: Annotated[
        float, Param(0.0, 1.0, step=0.05, search=(0.0, 1.0), help="0 is the base, 1 the fine-tuned model.")
    ] = 0.5,
) -> Tensor:
    """Go part of the way from the zero-shot model to the fine-tuned one.

    ``W = (1 - alpha) W0 + alpha W1``: accuracy on the task and robustness to shifts often both gain around 0.5.

    Args:
        deltas: The task vector, any shape.
        alpha: How far.

    Paper:
        alpha 0.5 where there is no data to choose it.

    Pitfalls:
        - Between models without a common start the line crosses a barrier.
    """
    return deltas[0] * alpha
