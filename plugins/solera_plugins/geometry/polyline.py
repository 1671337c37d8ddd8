"""A point of the polyline through models in order."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from solera.api import Param, curves, method
from solera_plugins.geometry.blending import blended


@method(
    "polyline",
    title="Point of a polyline",
    takes="any",
    granularity="element",
    inputs=(2, None),
    ordered=True,
    paper="Garipov et al. 2018, Loss surfaces, mode connectivity, and fast ensembling of DNNs",
    url="https://arxiv.org/abs/1802.10026",
    also={"Polygonal chain": "two ends and trained bends as inputs, in order", "LERP along checkpoints": "t"},
)
def polyline(
    tensors: list[Tensor],
    *,
    t: Annotated[
        float, Param(search=(0.0, 1.0), step=0.05, help="Where on the polyline; the first model is at 0.")
    ] = 0.5,
    knot: Annotated[
        tuple[float, ...],
        Param(per_model=True, help="Where each model lies, rising; one number spreads them evenly from 0 to it."),
    ] = (1.0,),
) -> Tensor:
    """Go in a straight line from each model to the next.

    ``W(t) = sum_i c_i(t) W_i`` where ``c_i`` is 1 at the knot of model i, 0 at all others, and straight between them.
    Beyond the ends the first and last line go on.

    Args:
        tensors: One per model, in order, any one shape.
        t: Where.
        knot: One rising number per model.

    Raises:
        InputError: The knots do not rise.

    Paper:
        knots at ``i / (n - 1)``; the ends are trained models, the bend between them is trained with the ends fixed.
    """
    return blended(tensors, curves.hats(t, knot))
