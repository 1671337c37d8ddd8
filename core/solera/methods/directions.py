"""Random directions in weight space and their normalisation, after Li et al. 2018 (arXiv 1712.09913).

What the paper leaves open is decided here, once:

- A *filter* is a slice along the axis of outputs: the first one. A row of an embedding (a token), of a Linear or of a
  fused projection (an output unit), a kernel of a convolution. Layers whose outputs lie along the second axis (GPT-2's
  ``Conv1D``, transposed convolutions) are named by the caller, for a shape does not tell.
- A table of shape (1, T, d) that is no layer's ``weight`` (positions) has its rows along the second axis.
- Vectors and scalars (biases, gains and shifts of norms) have no filters. The published picture leaves them where they
  are (``"zero"``); without that the published code moves them along themselves (``"weight"``). ``"noise"`` draws them
  like all others, without normalising them.
- Running statistics, counters and frozen tensors do not move. Tied tensors are one tensor and move once.
- A filter of weights that are all 0 stays where it is: nothing is divided by 0.
- Nothing is made orthogonal and nothing divided by a global norm: one unit of a coordinate is one filter norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

import torch
from torch import Tensor

from solera.errors import InputError
from solera.tensors import reductions

Normalisation = Literal["filter", "layer", "weight", "dfilter", "dlayer", "none"]
Vectors = Literal["zero", "weight", "noise"]

#: What the published code adds to the norm of a direction before it divides by it.
_EPSILON = 1e-10


def filter_axis(name: str, shape: Sequence[int], transposed: Sequence[str] = ()) -> int:
    """Along which axis the filters of a tensor lie.

    Args:
        name: Of the tensor.
        shape: Its shape, two sizes or more.
        transposed: Globs of the tensors whose outputs lie along the second axis.
    """
    if any(fnmatchcase(name, pattern) for pattern in transposed):
        return 1
    table = len(shape) == 3 and shape[0] == 1 and name.rpartition(".")[2] != "weight"
    return 1 if table else 0


def normalised(
    direction: Tensor, weights: Tensor, rule: Normalisation, vectors: Vectors = "zero", axis: int = 0
) -> Tensor:
    """A direction brought to the size of the weights.

    ``filter``: each slice f along the axis becomes ``d_f * |w_f| / (|d_f| + 1e-10)``. ``layer``: ``d * |w| / |d|``.
    ``weight``: ``d * w``, element by element. ``dfilter``, ``dlayer``: unit norm of each slice, or of the whole,
    whatever the weights. ``none``: as it is.

    Args:
        direction: Shape as the weights; NaN spreads.
        weights: One tensor of a model.
        rule: See above; for tensors of two axes or more.
        vectors: What becomes of tensors with one axis or none: 0, the weights themselves, or the direction as it is.
        axis: Along which the filters lie.

    Returns:
        New memory, of the direction's dtype. Norms are float64 sums in an order that does not depend on threads.

    Raises:
        InputError: There is no such rule.
    """
    if direction.ndim <= 1:
        return {
            "zero": torch.zeros_like,
            "weight": lambda _: weights.to(direction.dtype).clone(),
            "noise": torch.clone,
        }[vectors](direction)
    if not direction.numel():
        return direction.clone()
    match rule:
        case "none":
            return direction.clone()
        case "weight":
            return direction * weights
        case "layer":
            length = reductions.norm(direction)
            return direction * (reductions.norm(weights) / length) if length else torch.zeros_like(direction)
        case "dlayer":
            length = reductions.norm(direction)
            return direction / length if length else torch.zeros_like(direction)
        case "filter" | "dfilter":
            own = filter_norms(direction, axis) + _EPSILON
            factors = (filter_norms(weights, axis) if rule == "filter" else torch.ones_like(own)) / own
            shape = [1] * direction.ndim
            shape[axis] = -1
            return direction * factors.view(shape).to(direction.dtype)
    raise InputError(f"A direction is normalised by filter, layer, weight, dfilter, dlayer or none, not {rule!r}.")


def filter_norms(tensor: Tensor, axis: int = 0) -> Tensor:
    """The Euclidean norm of each slice along an axis, float64, shape (size of the axis,)."""
    rows = tensor.movedim(axis, 0).reshape(tensor.shape[axis], -1).double().square()
    width = 1 << max(rows.shape[1] - 1, 0).bit_length()
    rows = torch.nn.functional.pad(rows, (0, width - rows.shape[1]))
    while width > 1:  # halved, so that the order of sums is fixed
        width //= 2
        rows = rows[:, :width] + rows[:, width:]
    return rows[:, 0].sqrt()
