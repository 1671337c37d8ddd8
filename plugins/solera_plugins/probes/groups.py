"""What sharpness is measured with: groups of samples, and the scale on which weights are moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from solera.api import Estimate, InputError, NetworkObjective, Param

Only = Annotated[str, Param(help="Tensors that are moved, globs with commas between; '-*bias' leaves some out.")]
Dtype = Annotated[Literal["float32", "float64"], Param(help="Of the arithmetic.")]
Normalise = Annotated[
    bool, Param(help="Centre logits and scale them to norm 1 before the loss, to compare models of different scale.")
]
GroupSize = Annotated[int, Param(0, None, help="Samples of a group, each with a worst case of its own; 0 is all.")]
Scale = Annotated[
    Literal["one", "weights", "weights_plus_one"],
    Param(help="What a step is measured by: plainly, relative to each weight, or to one more than its size."),
]


def groups_of(objective: NetworkObjective, m: int) -> list[slice]:
    """Consecutive groups of m samples; the last may be smaller. One of all samples if m is 0.

    Raises:
        InputError: There are fewer samples than a group has.
    """
    if m > objective.count:
        raise InputError(f"Groups of {m} samples need as many; there are {objective.count}.", m=m)
    step = m or objective.count
    return [slice(start, min(start + step, objective.count)) for start in range(0, objective.count, step)]


def scale_of(theta: Tensor, scale: str) -> Tensor:
    """By what a step is measured at each weight, shape (P,)."""
    match scale:
        case "weights":
            return theta.abs()
        case "weights_plus_one":
            return theta.abs() + 1
        case _:
            return torch.ones_like(theta)


def mean_of(samples: Sequence[float]) -> Estimate:
    """A mean with its standard error over groups or draws; the error of one alone is unknown."""
    values = np.asarray(samples, dtype=np.float64)
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), error, len(values))
