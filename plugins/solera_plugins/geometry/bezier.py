"""A point of the Bezier curve whose control points are models."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from solera.api import Param, curves, method
from solera_plugins.geometry.blending import blended


@method(
    "bezier",
    title="Point of a Bezier curve",
    takes="any",
    granularity="element",
    inputs=(2, None),
    ordered=True,
    paper="Garipov et al. 2018, Loss surfaces, mode connectivity, and fast ensembling of DNNs",
    url="https://arxiv.org/abs/1802.10026",
    also={"Mode-connecting curve": "two ends and trained bends as inputs, in order"},
)
def bezier(
    tensors: list[Tensor],
    *,
    t: Annotated[float, Param(search=(0.0, 1.0), step=0.05, help="Where: 0 is the first model, 1 the last.")] = 0.5,
) -> Tensor:
    """Blend the models with the weights of a Bezier curve.

    ``W(t) = sum_i binomial(n, i) (1 - t)^(n - i) t^i W_i`` for models 0 to n. The curve begins in the first model and
    ends in the last; those between pull it towards themselves.

    Args:
        tensors: One per model, in order, any one shape.
        t: Where.

    Paper:
        two trained ends and one bend that is trained with the ends fixed (``num_bends`` 3 in the published code counts
        the ends).
    """
    return blended(tensors, curves.bernstein(t, len(tensors)))
