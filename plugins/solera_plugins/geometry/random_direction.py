"""A random direction in the weight space of a model, brought to the size of its filters."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from solera.api import Param, Passes, Piece, directions, hashing, kind_of, method, reductions


def _globs(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _still(name: str, frozen: str) -> bool:
    """Whether a tensor does not move: a running statistic, a counter, or frozen."""
    return kind_of(name, "float32") != "weight" or any(fnmatchcase(name, pattern) for pattern in _globs(frozen))


def _length(passes: Passes, *, seed: int, frozen: str, **_: Any) -> float:
    """The norm of the whole direction before it is brought to unit length."""
    total, name, start = 0.0, "", 0
    for here, (weights,) in passes:
        start = start if here == name else 0
        name = here
        if not _still(here, frozen):
            drawn = hashing.normal(seed, here, 0, start, weights.numel())
            total += reductions.dot(drawn, drawn)
        start += weights.numel()
    return math.sqrt(total)


@method(
    "random_direction",
    title="Random direction",
    takes="weights",
    gives="delta",
    granularity="tensor",
    inputs=(1, 1),
    prepare=_length,
    prepare_when=lambda params: params["normalise"] == "unit",
    gathers=0,
    paper="Li et al. 2018, Visualizing the loss landscape of neural nets",
    url="https://arxiv.org/abs/1712.09913",
    also={
        "Filter normalisation": "normalise: filter, vectors: zero (the published pictures)",
        "A column of a dense random subspace": "normalise: unit, vectors: noise",
    },
)
def random_direction(
    tensors: list[Tensor],
    *,
    seed: Annotated[int, Param(help="Which direction; any whole number.")] = 0,
    normalise: Annotated[
        Literal["filter", "layer", "weight", "dfilter", "dlayer", "unit", "none"],
        Param(help="What each part of the direction is brought to; unit is length 1 for the direction as a whole."),
    ] = "filter",
    vectors: Annotated[
        Literal["zero", "weight", "noise"],
        Param(help="What biases and the gains and shifts of norms do: stay, move along themselves, or move at random."),
    ] = "zero",
    frozen: Annotated[str, Param(help="Globs, with commas between, of tensors that stay where they are.")] = "",
    transposed: Annotated[
        str,
        Param(
            help="Globs of tensors whose outputs lie along the second axis: GPT-2's Conv1D, transposed convolutions."
        ),
    ] = "",
    state: float | None = None,
    piece: Piece | None = None,
) -> Tensor:
    """Draw a direction from normal numbers and bring each filter of it to the norm of the model's filter.

    ``D_f = Z_f |W_f| / |Z_f|`` for each filter f, ``Z ~ N(0, 1)``. The result is a difference of weights: ``W + t D``
    are the points of a line through the model.

    Args:
        tensors: The model, any shape.
        seed: Which direction.
        normalise: ``filter``, ``layer``: to the norm of the weights'; ``weight``: times the weights; ``dfilter``,
            ``dlayer``: to 1; ``unit``: to 1 over the whole model; ``none``.
        vectors: Rule for tensors of one axis or none.
        frozen: Globs of what does not move.
        transposed: Globs of what has its filters along the second axis.
        state: The length of the whole direction, from the first pass.
        piece: Which tensor.

    Paper:
        filter normalisation, biases and norms left where they are, two directions drawn independently and not made
        orthogonal.

    Pitfalls:
        - A filter is a row of an embedding, of a Linear and of a fused projection, a kernel of a convolution.
        - Running statistics of BatchNorm do not move; a landscape may recalibrate them at each point.
        - Of a merged adapter the effective weights are normalised, not the factors.
    """
    weights, name = tensors[0], piece.name if piece else ""
    if _still(name, frozen):
        return torch.zeros_like(weights)
    drawn = hashing.normal(seed, name, 0, 0, weights.numel()).to(weights.device).view(weights.shape)
    if normalise == "unit":
        unit = drawn / state if state else drawn
        return directions.normalised(unit, weights, "none", vectors)
    axis = directions.filter_axis(name, weights.shape, _globs(transposed)) if weights.ndim > 1 else 0
    return directions.normalised(drawn, weights, normalise, vectors, axis)
