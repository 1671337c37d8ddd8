"""Inner products of differences of models, in float64, one piece of a tensor at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from solera.errors import MismatchError, NumericError
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.tensors.reductions import BLOCK, dot

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint
    from solera.methods.spec import MethodSpec

#: Elements read at once; a whole number of blocks, so that the sums do not depend on it.
_PIECE = 16 * BLOCK


@dataclass(frozen=True, slots=True)
class Products:
    """Of ``u = b - a`` and ``v = c - a`` over all weights (statistics and counters left out, tied tensors once).

    Attributes:
        uu: ``u.u``.
        uv: ``u.v``; 0 for two models.
        height: ``|v - (uv/uu) u|^2``; 0 for two models.
    """

    uu: float
    uv: float = 0.0
    height: float = 0.0


class _Weights:
    """The weights of one model: tensors by name, read in pieces."""

    def __init__(self, name: str, numels: Mapping[str, int], read: Callable[[str, int, int], Tensor]) -> None:
        self.name = name
        self.numels = numels
        self._read = read

    def piece(self, name: str, start: int, stop: int) -> Tensor:
        """Elements of a flat tensor in float64.

        Raises:
            NumericError: One is NaN or infinite.
        """
        piece = self._read(name, start, stop).double()
        if not bool(piece.isfinite().all()):
            raise NumericError(
                f"The tensor '{name}' of '{self.name}' holds NaN or infinity, so distances to it have no meaning.",
                tensor=name,
                checkpoint=self.name,
            )
        return piece


def inner_products(
    recipe: Recipe, ends: Sequence[str], checkpoints: Mapping[str, Checkpoint], methods: Mapping[str, MethodSpec]
) -> Products:
    """The inner products that fix the frame of a line (two ends) or plane (three).

    Checkpoints are read in pieces; an end made by methods is materialised in memory.

    Args:
        recipe: The nodes of all ends.
        ends: Ids of two or three nodes, the origin first.
        checkpoints: By node id.
        methods: The registered methods.

    Raises:
        MismatchError: The ends have different tensors.
        NumericError: A weight is NaN or infinite.
    """
    models = [_weights(recipe, end, checkpoints, methods) for end in ends]
    for model in models[1:]:
        _check_same(models[0], model)
    if len(models) == 2:
        return Products(sum(dot(u, u) for (u,) in _differences(models)))
    uu = uv = vv = 0.0
    for u, v in _differences(models):
        uu, uv, vv = uu + dot(u, u), uv + dot(u, v), vv + dot(v, v)
    if uu == 0.0:
        return Products(0.0)
    k, height = uv / uu, vv - uv * uv / uu
    if height < 1e-6 * vv:  # too much cancels: measure what is left directly
        height = sum(dot(rest, rest) for rest in (v - k * u for u, v in _differences(models)))
    return Products(uu, uv, height)


def gram(
    recipe: Recipe, ends: Sequence[str], checkpoints: Mapping[str, Checkpoint], methods: Mapping[str, MethodSpec]
) -> NDArray[np.float64]:
    """The inner products of all differences from the first model, each model read once.

    Args:
        recipe: The nodes of all models.
        ends: Ids of two nodes or more, the origin first.
        checkpoints: By node id.
        methods: The registered methods.

    Returns:
        Shape (len(ends) - 1, len(ends) - 1), float64, symmetric; the order of sums does not depend on threads.

    Raises:
        MismatchError: The models have different tensors.
        NumericError: A weight is NaN or infinite.
    """
    models = [_weights(recipe, end, checkpoints, methods) for end in ends]
    for model in models[1:]:
        _check_same(models[0], model)
    found = np.zeros((len(ends) - 1, len(ends) - 1))
    for differences in _differences(models):
        for i, u in enumerate(differences):
            for j in range(i + 1):
                found[i, j] += dot(u, differences[j])
    return np.asarray(found + np.tril(found, -1).T)


def _differences(models: Sequence[_Weights]) -> Iterator[list[Tensor]]:
    for name, numel in models[0].numels.items():
        for start in range(0, numel, _PIECE):
            origin, *others = (model.piece(name, start, min(start + _PIECE, numel)) for model in models)
            yield [other - origin for other in others]


def _weights(
    recipe: Recipe, end: str, checkpoints: Mapping[str, Checkpoint], methods: Mapping[str, MethodSpec]
) -> _Weights:
    node = recipe.node(end)
    if isinstance(node, CheckpointNode):
        checkpoint = checkpoints[end]
        kept = {
            name: ref.numel for name, ref in checkpoint.items() if ref.kind == "weight" and name not in checkpoint.ties
        }
        return _Weights(checkpoint.name, kept, lambda name, start, stop: checkpoint[name].read(start, stop).flatten())
    from solera.execution.memory import materialise
    from solera.tensors.dtypes import dtype_name
    from solera.tensors.specs import kind_of

    tensors = materialise(replace(recipe, output=end), checkpoints, methods)
    numels = {n: t.numel() for n, t in tensors.items() if kind_of(n, dtype_name(t.dtype)) == "weight"}
    return _Weights(end, numels, lambda name, start, stop: tensors[name].flatten()[start:stop])


def _check_same(a: _Weights, b: _Weights) -> None:
    odd = sorted(set(a.numels) ^ set(b.numels)) or [name for name in a.numels if a.numels[name] != b.numels[name]]
    if odd:
        raise MismatchError(
            f"'{a.name}' and '{b.name}' do not fit: {len(odd)} tensors are in one only or differ in size "
            f"({', '.join(odd[:3])}{' ...' if len(odd) > 3 else ''}). Models of one family share their architecture.",
            tensors=odd,
        )
