"""SLERP: from one model to another along the arc between them."""

from __future__ import annotations

from math import acos, sin
from typing import Annotated

from torch import Tensor

from solera.api import Param, method, reductions
from solera_plugins.merging.sums import weighted_sum

#: A tensor shorter than this is taken as it is: its direction means nothing.
TINY = 1e-8


@method(
    "slerp",
    title="SLERP",
    takes="weights",
    granularity="tensor",
    inputs=(2, 2),
    paper="Shoemake 1985, Animating rotation with quaternion curves",
    url="https://doi.org/10.1145/325165.325242",
)
def slerp(
    tensors: list[Tensor],
    *,
    t: Annotated[float, Param(0.0, 1.0, step=0.05, help="0 is the first model, 1 the second.")] = 0.5,
    colinear: Annotated[
        float, Param(0.0, 0.999999, step=0.0005, help="Above this |cosine| the arc is replaced by a straight line.")
    ] = 0.9995,
) -> Tensor:
    """Interpolate each tensor along the great circle through both.

    ``W = (sin((1-t) w) A + sin(t w) B) / sin w`` with w the angle between A and B as flat vectors, A and B at their own
    lengths. Where they point (almost) the same or opposite ways, as tensors of one element always do, ``W = (1-t) A +
    t B``. A tensor that is all but zero counts as orthogonal to every other.

    Args:
        tensors: Two of one shape; empty ones give an empty one.
        t: Where on the arc.
        colinear: When to use the straight line.

    Pitfalls:
        - Fine-tuned models of one base nearly always lie above the cosine where the straight line is taken: for them
        this is the weighted average.
        - Halfway between opposite tensors lies 0.
    """
    a, b = tensors
    cosine = reductions.dot(a, b) / (_length(a) * _length(b))
    if abs(cosine) > colinear:
        return weighted_sum(tensors, (1 - t, t))
    angle = acos(cosine)
    return weighted_sum(tensors, (sin((1 - t) * angle) / sin(angle), sin(t * angle) / sin(angle)))


def _length(tensor: Tensor) -> float:
    length = reductions.norm(tensor)
    return length if length > TINY else 1.0
