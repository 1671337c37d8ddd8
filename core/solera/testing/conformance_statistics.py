"""Statistics of tiny models for the suite of methods: made up, the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from solera.methods.statistics import STATISTICS
from solera.tensors.hashing import normal


def tiny_statistic(kind: str, shapes: Mapping[str, Sequence[int]], index: int) -> dict[str, Tensor]:
    """A statistic of one model: float32 by name of tensor.

    Args:
        kind: A name of :data:`solera.methods.statistics.STATISTICS`.
        shapes: The model's tensors; matrices called ``*.weight`` are Linear layers.
        index: Which model.
    """
    found: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        numel = 1
        for length in shape:
            numel *= length
        if STATISTICS[kind].aligned:
            found[name] = tiny_importance(name, index, 0, numel).view(tuple(shape))
        elif len(shape) == 2 and name.endswith(".weight"):
            inputs = normal(4, name, index, 0, 3 * shape[1] * shape[1]).view(-1, shape[1])
            found[name] = inputs.mean(0) if kind == "mean" else inputs.T @ inputs / len(inputs)
    return found


def tiny_importance(name: str, index: int, start: int, count: int) -> Tensor:
    """Positive numbers for elements of a flat tensor; one in four is 0, as where a model has no information."""
    drawn = normal(3, name, index, start, count)
    return drawn.square().where(drawn > -0.6745, 0.0)
