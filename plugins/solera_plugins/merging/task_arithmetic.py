"""Task arithmetic: add, subtract and scale what fine-tuning changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from torch import Tensor

from solera.api import Param, Tape, TapeValue, method
from solera_plugins.merging.sums import normalised, weighted_sum


def taped(
    tape: Tape, values: Sequence[TapeValue], *, scale: float, weight: tuple[float, ...], normalize: bool
) -> TapeValue:  # fmt: skip
    """The scaled sum, element by element."""
    return tape.scale(tape.weighted_sum(values, normalised(weight) if normalize else weight), scale)


@method(
    "task_arithmetic",
    title="Task arithmetic",
    takes="delta",
    base="required",
    granularity="element",
    tape=taped,
    affine=True,
    paper="Ilharco et al. 2023, Editing models with task arithmetic",
    url="https://arxiv.org/abs/2212.04089",
    also={
        "Task negation": "scale below 0 forgets",
        "Task analogy": "weight [1, 1, -1] for c, b, a: what c has and b has beyond a",
    },
)
def task_arithmetic(
    deltas: list[Tensor],
    *,
    scale: Annotated[
        float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the summed task vectors.")
    ] = 1.0,
    weight: Annotated[
        tuple[float, ...],
        Param(per_model=True, step=0.05, search=(0.0, 1.0), help="Weight of each task vector; negative forgets."),
    ] = (1.0,),
    normalize: Annotated[bool, Param(help="Divide by the total of the weights, unless that is 0.")] = False,
) -> Tensor:
    """Add the scaled sum of the task vectors.

    ``W = W0 + scale * sum_i w_i d_i`` with ``d_i = W_i - W0``.

    Args:
        deltas: One task vector per model, any one shape.
        scale: Common factor.
        weight: One number per model.
        normalize: Whether to divide the weights by their total.

    Paper:
        one scale for all, tuned from 0 to 1 in steps of 0.05 on held-out data.

    Pitfalls:
        - At scale 1 the sum of many task vectors overshoots; 0.3 is a usual start for eight tasks.
    """
    return weighted_sum(deltas, normalised(weight) if normalize else weight) * scale
