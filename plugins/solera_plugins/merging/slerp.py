"""SLERP: from one model to another along the arc between them."""

from __future__ import annotations

from collections.abc import Sequence
from math import acos, sin, sqrt
from typing import Annotated

from torch import Tensor

from solera.api import Param, Passes, Tape, TapeValue, bricks, method
from solera_plugins.merging.sums import weighted_sum

#: A tensor shorter than this is taken as it is: its direction means nothing.
TINY = 1e-8


def shares(products: Sequence[Sequence[float]], t: float, colinear: float) -> list[float]:
    """How much of each model is in the result, from their inner products; none for tensors without elements."""
    if not products:
        return [1 - t, t]
    cosine = products[0][1] / (_length(products[0][0]) * _length(products[1][1]))
    if abs(cosine) > colinear:
        return [1 - t, t]
    angle = acos(cosine)
    return [sin((1 - t) * angle) / sin(angle), sin(t * angle) / sin(angle)]


def survey(passes: Passes, *, t: float, colinear: float, **_: object) -> list[float]:
    """The shares of a tensor's models."""
    return shares(bricks.gram_over(passes), t, colinear)


def taped(tape: Tape, values: Sequence[TapeValue], *, state: list[float], **_: object) -> TapeValue:
    """The sum of both, element by element."""
    return tape.weighted_sum(values, state)


@method(
    "slerp",
    title="SLERP",
    takes="weights",
    granularity="element",
    tape=taped,
    prepare=survey,
    prepare_over="tensor",
    gathers=0,
    version=3,
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
    state: list[float] | None = None,
) -> Tensor:
    """Interpolate each tensor along the great circle through both.

    ``W = (sin((1-t) w) A + sin(t w) B) / sin w`` with w the angle between A and B as flat vectors, A and B at their own
    lengths. Where they point (almost) the same or opposite ways, as tensors of one element always do, ``W = (1-t) A +
    t B``. A tensor that is all but zero counts as orthogonal to every other.

    Args:
        tensors: Two of one shape; empty ones give an empty one.
        t: Where on the arc.
        colinear: When to use the straight line.
        state: The shares of both over the tensor.

    Pitfalls:
        - Fine-tuned models of one base nearly always lie above the cosine where the straight line is taken: for them
        this is the weighted average.
        - Halfway between opposite tensors lies 0.
    """
    return weighted_sum(tensors, state or shares(bricks.gram(tensors), t, colinear))


def _length(square: float) -> float:
    length = sqrt(square)
    return length if length > TINY else 1.0
