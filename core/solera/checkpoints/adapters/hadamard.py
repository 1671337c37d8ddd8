"""LoHa: the change is the element-wise product of two low-rank matrices, by a scale.

Hyeon-Woo et al. 2022, FedPara (https://arxiv.org/abs/2108.06098); LyCORIS (https://arxiv.org/abs/2309.14859).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from solera.checkpoints.adapters.change import Change, Formula, Rows, Site, float_bytes, read_float
from solera.checkpoints.tensor_ref import TensorRef

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Factor:
    """A low-rank matrix ``L R``; with a core ``T`` (Tucker) it is ``sum_ij T[i, j] L[i] R[j]`` over a kernel.

    Attributes:
        left: (rows, rank); with a core (rank, rows).
        right: (rank, columns); with a core (rank, inputs).
        core: (rank, rank, kernel ...).
    """

    left: TensorRef
    right: TensorRef
    core: TensorRef | None = None

    @property
    def refs(self) -> tuple[TensorRef, ...]:
        """Its tensors."""
        return (self.left, self.right) if self.core is None else (self.left, self.right, self.core)

    def load(self) -> tuple[Tensor, Tensor]:
        """(rows, rank) and (rank, columns)."""
        import torch

        left, right = read_float(self.left), read_float(self.right)
        if self.core is None:
            return left, right
        core = read_float(self.core)
        rank = core.shape[0]
        spread = torch.einsum("ijk,jr->irk", core.reshape(rank, rank, -1), right)
        return left.T.contiguous(), spread.reshape(rank, -1)

    def check(self, site: Site, names: tuple[str, str, str], rows: int) -> None:
        """Whether the product has the base's rows and columns.

        Raises:
            MismatchError: It has not.
        """
        columns = site.matrix[1]
        left, right, core = names
        if self.core is None:
            rank = self.right.shape[0] if self.right.shape else 0
            site.expect(left, rows, rank)
            if self.right.shape != (rank, columns):
                raise site.misfit(right, [rank, columns])
            return
        rank = self.core.shape[0] if self.core.shape else 0
        kernel = 1
        for size in self.core.shape[2:]:
            kernel *= size
        if self.core.shape[:2] != (rank, rank):
            raise site.misfit(core, "(rank, rank, kernel)")
        site.expect(left, rank, rows)
        if len(self.right.shape) != 2 or self.right.shape[0] != rank or self.right.shape[1] * kernel != columns:
            raise site.misfit(right, [rank, columns // max(kernel, 1)])


@dataclass(frozen=True)
class Hadamard:
    """``W' = W + scale * (L1 R1) * (L2 R2)``."""

    first: Factor
    second: Factor
    scale: float
    additive: bool = True

    @property
    def nbytes(self) -> int:
        """Bytes of the factors."""
        return float_bytes(*self.first.refs, *self.second.refs)

    def load(self, rows: Rows) -> Formula:
        """Read the factors."""
        (left1, right1), (left2, right2) = self.first.load(), self.second.load()

        def product(first: int, last: int, _: Rows) -> Tensor:
            return (left1[first:last] @ right1).mul_(left2[first:last] @ right2).mul_(self.scale)

        return product


def loha(site: Site) -> dict[str, Change]:
    """LoHa: ``W + s (B1 A1) * (B2 A2)``, by elements; linear, convolution, also with a Tucker core.

    Raises:
        MismatchError: Its tensors do not fit the base's.
    """
    config = site.adapter.config
    factors = []
    for i in (1, 2):
        names = (f"hada_w{i}_a", f"hada_w{i}_b", f"hada_t{i}")
        factor = Factor(site.part(names[0]), site.part(names[1]), site.parts.get(names[2]))
        factor.check(site, names, site.matrix[0])
        factors.append(factor)
    rank = config.at("rank_pattern", site.module, config.integer("r", 8))
    alpha = config.at("alpha_pattern", site.module, config.number("alpha", 8))
    return {"weight": Hadamard(factors[0], factors[1], alpha / rank)}
