"""LoKr: the change is a Kronecker product of a small matrix and a larger one, each possibly low-rank.

LyCORIS: Yeh et al. 2024 (https://arxiv.org/abs/2309.14859); KronA: Edalati et al. 2022
(https://arxiv.org/abs/2212.10650).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from solera.checkpoints.adapters.change import Change, Formula, Rows, Site, read_float
from solera.checkpoints.adapters.hadamard import Factor
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Kronecker:
    """``W' = W + scale * (C kron D)``.

    Attributes:
        outer: C, whole or as factors.
        inner: D, whole or as factors; a convolution's kernel belongs to it.
        shape: Rows and columns of the weight.
        scale: The factor.
    """

    outer: TensorRef | Factor
    inner: TensorRef | Factor
    shape: tuple[int, int]
    scale: float
    additive: bool = True

    @property
    def nbytes(self) -> int:
        """Bytes of both matrices, multiplied out; of the whole change where a row cannot be had alone."""
        rows, columns = self.shape
        return 4 * (rows * columns if self._scrambled else sum(_numel(side) for side in (self.outer, self.inner)))

    @property
    def _scrambled(self) -> bool:
        """Whether the product mixes its axes: peft's does for the whole kernel of a one-dimensional convolution."""
        return isinstance(self.inner, TensorRef) and len(self.inner.shape) == 3

    def load(self, rows: Rows) -> Formula:
        """Read both matrices."""
        import torch

        outer, inner = _matrix(self.outer), _matrix(self.inner)
        if self._scrambled:
            whole = torch.kron(outer, inner).reshape(self.shape).mul_(self.scale)
            return lambda first, last, _: whole[first:last].clone()
        inner = inner.reshape(inner.shape[0], -1)
        height = inner.shape[0]

        def product(first: int, last: int, _: Rows) -> Tensor:
            index = torch.arange(first, last)
            tile = outer[index // height].unsqueeze(2) * inner[index % height].unsqueeze(1)
            return tile.reshape(last - first, -1).mul_(self.scale)

        return product


def _matrix(side: TensorRef | Factor) -> Tensor:
    if isinstance(side, TensorRef):
        return read_float(side)
    left, right = side.load()
    return left @ right


def _numel(side: TensorRef | Factor) -> int:
    if isinstance(side, TensorRef):
        return side.numel
    rows, columns = _extent(side)
    return rows * columns


def _extent(side: TensorRef | Factor) -> tuple[int, int]:
    """Rows and columns of one side once it is multiplied out and flattened."""
    if isinstance(side, TensorRef):
        return (side.shape[0], side.numel // side.shape[0]) if side.numel else (0, 0)
    if side.core is None:
        return side.left.shape[0], side.right.shape[1]
    kernel = side.core.numel // max(side.core.shape[0] * side.core.shape[1], 1)
    return side.left.shape[1], side.right.shape[1] * kernel


def lokr(site: Site) -> dict[str, Change]:
    """LoKr: ``W + s (C kron D)``, either whole or low-rank; linear, convolution, also with a Tucker core.

    Raises:
        MismatchError: Its tensors do not fit the base's.
    """
    config = site.adapter.config
    outer, inner = _side(site, "lokr_w1", ""), _side(site, "lokr_w2", "lokr_t2")
    (rows1, columns1), (rows2, columns2) = _extent(outer), _extent(inner)
    if (rows1 * rows2, columns1 * columns2) != site.matrix:
        raise MismatchError(
            f"The Kronecker product of '{site.module}' in the adapter {site.adapter.name} has {rows1}x{rows2} rows and "
            f"{columns1}x{columns2} columns; the base's weight of shape {list(site.weight)} has {site.matrix[0]} and "
            f"{site.matrix[1]}.",
            module=site.module, weight=list(site.weight),
        )  # fmt: skip
    rank = config.at("rank_pattern", site.module, config.integer("r", 8))
    alpha = config.at("alpha_pattern", site.module, config.number("alpha", 8))
    return {"weight": Kronecker(outer, inner, site.matrix, alpha / rank)}


def _side(site: Site, name: str, core: str) -> TensorRef | Factor:
    if name in site.parts:
        whole = site.parts[name]
        if len(whole.shape) < 2:
            raise site.misfit(name, "a matrix")
        return whole
    left, right = site.part(f"{name}_a"), site.part(f"{name}_b")
    factor = Factor(left, right, site.parts.get(core))
    rank = right.shape[0] if right.shape else 0
    inner = left.shape[0 if factor.core is not None else -1] if left.shape else 0
    if len(left.shape) != 2 or len(right.shape) != 2 or inner != rank:
        raise site.misfit(f"{name}_a", "a factor of the rank of the other")
    if factor.core is not None and factor.core.shape[:2] != (rank, rank):
        raise site.misfit(core, "(rank, rank, kernel)")
    return factor
