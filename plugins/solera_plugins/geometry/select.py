"""One of several models, by its place: a choice of model or of method that a search can make."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from solera.api import InputError, Param, method


@method(
    "select",
    title="Choice of an input",
    takes="any",
    granularity="element",
    inputs=(2, None),
    ordered=True,
    also={"Choice of method": "the inputs are merges by several methods, and which is a variable"},
)
def select(
    tensors: list[Tensor],
    *,
    which: Annotated[int, Param(0, unit="input", help="The place of the input that is taken, from 0.")] = 0,
) -> Tensor:
    """Take one of the inputs as it is.

    ``W = W_which``. With a free variable as ``which`` a family chooses among models, or among merges of the same models
    by different methods.

    Args:
        tensors: One per model, any one shape.
        which: The place of the one that is taken.

    Raises:
        InputError: There is no such input.

    Pitfalls:
        - In a landscape all inputs are computed at every point, whichever is taken.
    """
    if not 0 <= which < len(tensors):
        raise InputError(f"There is no input {which}; there are {len(tensors)}, counted from 0.")
    return tensors[which].clone()
