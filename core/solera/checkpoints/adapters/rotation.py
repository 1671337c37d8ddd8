"""Changes that turn the inputs of a layer: OFT and BOFT by blocks of rotations, HRA by reflections.

OFT: Qiu et al. 2023 (https://arxiv.org/abs/2306.07280). BOFT: Liu et al. 2024 (https://arxiv.org/abs/2311.06243).
HRA: Yuan et al. 2024 (https://arxiv.org/abs/2405.17484).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solera.checkpoints.adapters.change import Change, Formula, Rows, Site, float_bytes, read_float
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import CheckpointError, MismatchError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Oft:
    """Every block of a row's columns is multiplied by a rotation: ``W' = W diag(R_1 .. R_n)^T``.

    Attributes:
        skew: Upper triangles of the skew-symmetric matrices, (blocks or 1 that all share, elements).
        size: Columns of a block.
        neumann: Terms of the series that stands for Cayley's transform; 0 solves it.
        limit: Largest norm of a skew-symmetric matrix (COFT); 0 for none.
        backwards: Whether the rotation itself is applied instead of its transpose, as peft does to embeddings.
    """

    skew: TensorRef
    size: int
    neumann: int
    limit: float
    backwards: bool
    additive: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the rotations."""
        return 4 * self.skew.shape[0] * self.size**2

    def load(self, rows: Rows) -> Formula:
        """Make the rotations."""
        import torch

        upper = read_float(self.skew)
        above, right = torch.triu_indices(self.size, self.size, 1)
        skew = torch.zeros(upper.shape[0], self.size, self.size)
        skew[:, above, right] = upper
        skew = skew - skew.transpose(1, 2)
        if self.limit:
            norms = torch.linalg.vector_norm(skew, dim=(1, 2), keepdim=True)
            most = self.limit / math.sqrt(upper.shape[0])
            skew = torch.where(norms <= most, skew, most * skew / norms)
        turn = _neumann(skew, self.neumann) if self.neumann else cayley(skew)
        return blockwise(turn if self.backwards else turn.transpose(1, 2))


@dataclass(frozen=True)
class Boft:
    """As OFT, and then every output by a factor: ``W' = diag(s) W diag(R_1 .. R_n)^T``.

    Attributes:
        blocks: Whose skew-symmetric parts make the rotations, (1, blocks, size, size).
        scale: One number for every row.
    """

    blocks: TensorRef
    scale: TensorRef
    additive: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the rotations and factors."""
        return float_bytes(self.blocks, self.scale)

    def load(self, rows: Rows) -> Formula:
        """Make the rotations."""
        data = read_float(self.blocks)[0]
        turned = blockwise(cayley(0.5 * (data - data.transpose(1, 2))).transpose(1, 2))
        scale = read_float(self.scale).reshape(-1, 1)
        return lambda first, last, rows: turned(first, last, rows).mul_(scale[first:last])


@dataclass(frozen=True)
class Hra:
    """A chain of reflections: ``W' = W (I - 2 u_1 u_1^T) .. (I - 2 u_r u_r^T)``, each ``u`` of length 1.

    Attributes:
        vectors: The ``u`` before they are normalised, (columns, rank).
        orthogonal: Whether they are made orthogonal first (Gram-Schmidt).
    """

    vectors: TensorRef
    orthogonal: bool
    additive: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors."""
        return float_bytes(self.vectors)

    def load(self, rows: Rows) -> Formula:
        """Read and normalise the vectors."""
        vectors = list(read_float(self.vectors).unbind(1))
        units: list[Tensor] = []
        for vector in vectors:
            for unit in units if self.orthogonal else ():
                vector = vector - (unit @ vector) * unit
            units.append(vector / vector.norm())

        def reflected(first: int, last: int, rows: Rows) -> Tensor:
            made = rows(first, last).clone()
            for unit in units:
                made.addr_(made @ unit, unit, alpha=-2.0)
            return made

        return reflected


def cayley(skew: Tensor) -> Tensor:
    """Cayley's transform ``(I + S)^-1 (I - S)`` of skew-symmetric matrices: rotations.

    Args:
        skew: (blocks, size, size).
    """
    import torch

    one = torch.eye(skew.shape[-1]).expand_as(skew)
    turns: Tensor = torch.linalg.solve(one + skew, one - skew, left=False)
    return turns


def _neumann(skew: Tensor, terms: int) -> Tensor:
    """Cayley's transform by peft's series: ``I + 2 Q + 2 Q^2 .. + Q^n``, the last term once."""
    import torch

    made = torch.eye(skew.shape[-1]).repeat(skew.shape[0], 1, 1)
    if terms < 2:
        return made
    made += 2 * skew
    if terms < 3:
        return made
    power = skew @ skew
    made += 2 * power
    for _ in range(3, terms - 1):
        power = power @ skew
        made += 2 * power
    return made + power @ skew


def blockwise(blocks: Tensor) -> Formula:
    """Multiply each block of the columns by its matrix, or all by the one.

    Args:
        blocks: (blocks or 1, size, size).
    """
    size = blocks.shape[-1]

    def turned(first: int, last: int, rows: Rows) -> Tensor:
        import torch

        pieces = rows(first, last).reshape(last - first, -1, size)
        return torch.einsum("nbi,bij->nbj", pieces, blocks.expand(pieces.shape[1], size, size)).reshape(
            last - first, -1
        )

    return turned


def oft(site: Site) -> dict[str, Change]:
    """OFT: every block of inputs is turned by a rotation, ``W diag(R)^T``; linear, convolution, embedding.

    Raises:
        MismatchError: Its tensors do not fit the base's.
        CheckpointError: It was made by a peft whose rotations were others.
    """
    config = site.adapter.config
    _refuse_transposed(site)
    embedding = "oft_embedding_R" in site.parts
    name = "oft_embedding_R" if embedding else "oft_R"
    skew = site.part(name)
    size = (1 + math.isqrt(1 + 8 * skew.shape[1])) // 2 if len(skew.shape) == 2 else 0
    columns = site.matrix[1]
    count = 1 if config.flag("block_share") else columns // max(size, 1)
    if size == 0 or columns % size or skew.shape != (count, size * (size - 1) // 2):
        raise site.misfit(name, f"upper triangles of {count} blocks that divide {columns} columns")
    neumann = config.integer("num_cayley_neumann_terms", 5) if config.flag("use_cayley_neumann") else 0
    if neumann and _version(config.plain.get("peft_version")) < (0, 18):
        raise CheckpointError(
            f"The adapter {site.adapter.name} was saved by a peft before 0.18, whose OFT with Cayley-Neumann meant "
            "another rotation. Train or save it again with a newer peft.",
            path=str(site.adapter.path),
        )
    limit = config.number("eps", 6e-5) if config.flag("coft") else 0.0
    return {"weight": Oft(skew, size, neumann, limit, embedding)}


def boft(site: Site) -> dict[str, Change]:
    """BOFT: ``diag(s) W diag(R)^T`` with one butterfly factor, peft's default; linear, convolution.

    Raises:
        MismatchError: Its tensors do not fit the base's, or it has several factors.
    """
    _refuse_transposed(site)
    blocks, scale = site.part("boft_R"), site.part("boft_s")
    rows, columns = site.matrix
    if len(blocks.shape) == 4 and blocks.shape[0] > 1:
        raise MismatchError(
            f"'{site.module}' of the adapter {site.adapter.name} has {blocks.shape[0]} butterfly factors; Solera reads "
            "BOFT with one. Merge it into its base with peft, on a GPU, and open the result.",
            module=site.module, factors=blocks.shape[0],
        )  # fmt: skip
    if len(blocks.shape) != 4 or blocks.shape[2] != blocks.shape[3] or blocks.shape[1] * blocks.shape[2] != columns:
        raise site.misfit("boft_R", f"one factor of square blocks that fill {columns} columns")
    if scale.numel != rows:
        raise site.misfit("boft_s", f"{rows} numbers")
    return {"weight": Boft(blocks, scale)}


def hra(site: Site) -> dict[str, Change]:
    """HRA: ``W (I - 2 u u^T) ...``, a chain of reflections, with or without Gram-Schmidt; linear, convolution.

    Raises:
        MismatchError: Its tensors do not fit the base's.
    """
    vectors = site.part("hra_u")
    if len(vectors.shape) != 2 or vectors.shape[0] != site.matrix[1]:
        raise site.misfit("hra_u", f"({site.matrix[1]}, rank)")
    return {"weight": Hra(vectors, site.adapter.config.flag("apply_GS"))}


def _refuse_transposed(site: Site) -> None:
    if site.adapter.config.flag("fan_in_fan_out"):
        raise MismatchError(
            f"The adapter {site.adapter.name} turns the inputs of '{site.module}', whose weight is kept transposed "
            "(fan_in_fan_out); peft itself cannot merge that.",
            module=site.module,
        )


def _version(text: object) -> tuple[int, ...]:
    numbers = re.match(r"(\d+)\.(\d+)", text) if isinstance(text, str) else None
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
