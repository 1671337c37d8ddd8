"""Changes that are a product of two thin matrices: LoRA, rsLoRA, AdaLoRA, VeRA; with a magnitude, DoRA.

LoRA: Hu et al. 2022 (https://arxiv.org/abs/2106.09685). rsLoRA: Kalajdzievski 2023 (https://arxiv.org/abs/2312.03732).
DoRA: Liu et al. 2024 (https://arxiv.org/abs/2402.09353). AdaLoRA: Zhang et al. 2023 (https://arxiv.org/abs/2303.10512).
VeRA: Kopiczko et al. 2024 (https://arxiv.org/abs/2310.11454).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solera.checkpoints.adapters.change import (
    BLOCK,
    Added,
    Change,
    Formula,
    Rows,
    Site,
    float_bytes,
    read_float,
)
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

#: What AdaLoRA adds to the rank it divides by.
_ADALORA_EPSILON = 1e-5


@dataclass(frozen=True)
class LowRank:
    """``W' = W + scale * L R``, or with a magnitude ``m``: ``W' = m (W + scale * L R) / |W + scale * L R|``.

    The norms of DoRA are those of the outputs: of the rows, or where the base keeps its weight transposed (embeddings,
    the linear layers of GPT-2), of the columns.

    Attributes:
        up: The factor on the output's side, (outputs, rank) once it is flattened.
        down: The factor on the input's side, (rank, inputs) once it is flattened.
        shape: Rows and columns of the weight.
        scale: Factor of the product.
        transposed: Whether the base's rows are inputs.
        up_diagonal: Scales the rows of ``up``: (outputs,).
        down_diagonal: Scales the rows of ``down``: (rank,).
        magnitude: DoRA's ``m``, one for every output.
    """

    up: TensorRef
    down: TensorRef
    shape: tuple[int, int]
    scale: float
    transposed: bool = False
    up_diagonal: TensorRef | None = None
    down_diagonal: TensorRef | None = None
    magnitude: TensorRef | None = None

    @property
    def additive(self) -> bool:
        """All but DoRA."""
        return self.magnitude is None

    @property
    def nbytes(self) -> int:
        """Bytes of the two factors."""
        return float_bytes(self.up, self.down)

    def load(self, rows: Rows) -> Formula:
        """Read the factors; DoRA on a transposed weight reads the base's once."""
        left, right = self._factors()
        scale = self.scale

        def product(first: int, last: int, _: Rows) -> Tensor:
            return (left[first:last] @ right).mul_(scale)

        if self.magnitude is None:
            return product
        magnitude = read_float(self.magnitude).reshape(-1)
        if self.transposed:
            factor = (magnitude / self._column_norms(product, rows)).unsqueeze(0)
            return lambda first, last, rows: (product(first, last, rows) + rows(first, last)).mul_(factor)

        def scaled(first: int, last: int, rows: Rows) -> Tensor:
            import torch

            total = product(first, last, rows).add_(rows(first, last))
            norms = torch.linalg.vector_norm(total, dim=1, dtype=torch.float64).float()
            return total.mul_((magnitude[first:last] / norms).unsqueeze(1))

        return scaled

    def _factors(self) -> tuple[Tensor, Tensor]:
        """The factors as (rows, rank) and (rank, columns), contiguous."""
        outputs, inputs = reversed(self.shape) if self.transposed else self.shape
        # VeRA's factors are shared: every module takes the corner that fits it.
        up = read_float(self.up).flatten(1)[:outputs]
        down = read_float(self.down).flatten(1)[:, :inputs]
        if self.up_diagonal is not None:
            up = up * read_float(self.up_diagonal).reshape(-1, 1)
        if self.down_diagonal is not None:
            down = down * read_float(self.down_diagonal).reshape(-1, 1)
        return (down.T.contiguous(), up.T.contiguous()) if self.transposed else (up.contiguous(), down.contiguous())

    def _column_norms(self, product: Formula, rows: Rows) -> Tensor:
        import torch

        squares = torch.zeros(self.shape[1], dtype=torch.float64)
        for first, last in _blocks(self.shape):
            squares += (product(first, last, rows) + rows(first, last)).double().square_().sum(0)
        return squares.sqrt_().float()


def _blocks(shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    step = max(BLOCK // max(shape[1], 1), 1)
    for first in range(0, shape[0], step):
        yield first, min(first + step, shape[0])


def lora(site: Site) -> dict[str, Change]:
    """LoRA, rsLoRA, DoRA: ``W + s B A``, with DoRA brought to learnt norms; linear, convolution, embedding.

    Raises:
        MismatchError: Its tensors do not fit the base's, or its config.
    """
    config = site.adapter.config
    embedding = "lora_embedding_A" in site.parts
    names = ("lora_embedding_A", "lora_embedding_B") if embedding else ("lora_A", "lora_B")
    down, up = (site.part(name) for name in names)
    rank = down.shape[0] if down.shape else 0
    _check_rank(site, names[0], rank, config.at("rank_pattern", site.module, config.integer("r", 8)))
    transposed = embedding or _is_transposed(site, down, up)
    _check_factors(site, names, rank, transposed)
    alpha = config.at("alpha_pattern", site.module, config.number("lora_alpha", 8))
    scale = alpha / math.sqrt(rank) if config.flag("use_rslora") else alpha / rank
    outputs = site.matrix[1] if transposed else site.matrix[0]
    magnitude = site.parts.get("lora_magnitude_vector")
    if config.flag("use_dora") and magnitude is None:
        magnitude = site.part("lora_magnitude_vector")
    if magnitude is not None and magnitude.numel != outputs:
        raise site.misfit("lora_magnitude_vector", f"{outputs} numbers")
    changes: dict[str, Change] = {"weight": LowRank(up, down, site.matrix, scale, transposed, magnitude=magnitude)}
    if "lora_B.bias" in site.parts:
        bias = site.part("lora_B.bias")
        if site.bias != bias.shape:
            raise MismatchError(
                f"The adapter {site.adapter.name} changes the bias of '{site.module}', but the base has "
                f"{'none' if site.bias is None else f'one of shape {list(site.bias)}'} there.",
                module=site.module,
            )
        changes["bias"] = Added(bias, scale)
    return changes


def adalora(site: Site) -> dict[str, Change]:
    """AdaLoRA: ``W + s B diag(E) A``, scaled by alpha over the rank it began with; linear, convolution.

    Raises:
        MismatchError: Its tensors do not fit the base's.
    """
    config = site.adapter.config
    down, up = site.part("lora_A"), site.part("lora_B")
    rank = down.shape[0] if down.shape else 0
    transposed = _is_transposed(site, down, up)
    _check_factors(site, ("lora_A", "lora_B"), rank, transposed)
    diagonal = site.expect("lora_E", rank, 1)
    alpha = config.number("lora_alpha", 8)
    scale = (alpha if alpha > 0 else float(rank)) / (config.integer("init_r", 12) + _ADALORA_EPSILON)
    return {"weight": LowRank(up, down, site.matrix, scale, transposed, down_diagonal=diagonal)}


def vera(site: Site) -> dict[str, Change]:
    """VeRA: ``W + diag(b) B diag(d) A``, where all modules share A and B, which must be in the file; linear.

    Raises:
        MismatchError: Its tensors do not fit the base's, or A and B were not saved.
    """
    shared = site.adapter.shared
    if not {"vera_A", "vera_B"} <= set(shared):
        raise MismatchError(
            f"The adapter {site.adapter.name} was saved without its projections A and B. They depend on the random "
            "numbers of the torch that made them; load it with peft and save it with save_projection=True.",
            path=str(site.adapter.path),
        )
    down, up = shared["vera_A"], shared["vera_B"]
    transposed = site.adapter.config.flag("fan_in_fan_out")
    outputs, inputs = reversed(site.matrix) if transposed else site.matrix
    rank = down.shape[0]
    up_diagonal, down_diagonal = site.expect("vera_lambda_b", outputs), site.expect("vera_lambda_d", rank)
    if down.shape[1] < inputs or up.shape[0] < outputs or up.shape[1] != rank:
        raise MismatchError(
            f"The shared projections of {site.adapter.name}, A {list(down.shape)} and B {list(up.shape)}, are too "
            f"small for '{site.module}' of shape {list(site.weight)}.",
            module=site.module,
        )
    return {"weight": LowRank(up, down, site.matrix, 1.0, transposed, up_diagonal, down_diagonal)}


def _is_transposed(site: Site, down: TensorRef, up: TensorRef) -> bool:
    """Whether the base keeps its weight as (inputs, outputs). Shapes tell; of a square one the config must."""
    if len(site.weight) != 2 or len(down.shape) != 2 or len(up.shape) != 2:
        return False
    outputs, inputs = up.shape[0], down.shape[1]
    if outputs == inputs:
        return site.adapter.config.flag("fan_in_fan_out")
    return site.weight == (inputs, outputs)


def _check_rank(site: Site, name: str, rank: int, wanted: float) -> None:
    if rank != wanted or rank == 0:
        raise MismatchError(
            f"'{site.module}.{name}' of the adapter {site.adapter.name} has rank {rank}; its config says {wanted:g}. "
            "Config and weights belong to different adapters, or the weights are incomplete.",
            module=site.module, got=rank, wanted=wanted,
        )  # fmt: skip


def _check_factors(site: Site, names: tuple[str, str], rank: int, transposed: bool) -> None:
    """Whether the factors' product has the shape of the base's weight."""
    down, up = (site.part(name) for name in names)
    outputs, inputs = reversed(site.matrix) if transposed else site.matrix
    kernel = site.weight[1:] if len(site.weight) > 2 else (inputs,)
    if down.shape not in ((rank, *kernel), (rank, inputs)):
        raise site.misfit(names[0], [rank, *kernel])
    if up.shape != (outputs, rank) and up.shape != (outputs, rank, *(1 for _ in site.weight[2:])):
        raise site.misfit(names[1], [outputs, rank])
