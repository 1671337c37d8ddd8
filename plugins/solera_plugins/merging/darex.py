"""DAREx-q with its divisor found from data: what survives dropping is scaled by what each layer's inputs say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from solera.api import Param, Piece, StatisticPasses, bricks, darex_q, method
from solera_plugins.merging.combining import COMBINE_HELP, ZERO_SIGN_HELP, Combine, ZeroSign, combine

Density = Annotated[
    tuple[float, ...],
    Param(0.0, 1.0, per_model=True, step=0.05, search=(0.05, 1.0), help="Share kept, 1 - the drop rate p."),
]


def mean_divisors(
    passes: StatisticPasses, *, density: Sequence[float], eta: float, compat: Literal["none", "authors"], **_: Any
) -> list[float]:
    """The mean over layers of each model's divisor: what tensors that have none of their own take."""
    means = {name: _lasting(each) for name, each in passes.statistics()}
    found: list[list[float]] = [[] for _ in density]
    for name, deltas in _whole(passes, means):
        for i, (delta, mean) in enumerate(zip(deltas, means[name], strict=True)):
            if mean is not None:
                found[i].append(_divisor(_matrix(delta, mean), mean.reshape(-1), density[i], eta, compat))
    return [sum(each) / len(each) if each else share for each, share in zip(found, density, strict=True)]


def _lasting(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Copies: what a stream yields is valid until its next step."""
    return [None if tensor is None else tensor.clone() for tensor in tensors]


def _whole(passes: StatisticPasses, means: Mapping[str, Sequence[Tensor | None]]) -> Iterator[tuple[str, list[Tensor]]]:
    """The tensors that have a mean, put together from their pieces."""
    last, pieces = "", list[list[Tensor]]()
    for name, tensors in passes:
        if name != last and pieces:
            yield last, [torch.cat(parts) for parts in zip(*pieces, strict=True)]
            pieces = []
        last = name
        if any(mean is not None for mean in means.get(name, ())):
            pieces.append([tensor.reshape(-1).clone() for tensor in tensors])
    if pieces:
        yield last, [torch.cat(parts) for parts in zip(*pieces, strict=True)]


def _matrix(delta: Tensor, mean: Tensor) -> Tensor:
    """A task vector as (outputs, inputs): a mean of two axes says that it is stored the other way round."""
    return delta.reshape(-1, mean.numel()) if mean.dim() == 1 else delta.reshape(mean.numel(), -1).T


def _divisor(delta: Tensor, mean: Tensor, density: float, eta: float, compat: Literal["none", "authors"]) -> float:
    if not 0 < density < 1:
        return density
    return float(darex_q(delta, mean, density, eta=eta, compat=compat).double().mean())


@method(
    "darex_q",
    title="DAREx-q",
    takes="delta",
    base="required",
    granularity="tensor",
    needs="mean",
    prepare=mean_divisors,
    gathers=lambda params, sizes, models: 16 * (models + 2) * max(sizes.values(), default=0),  # a tensor, whole
    version=2,
    paper="Deng et al. 2025, DARE the extreme: revisiting delta-parameter pruning for fine-tuned models",
    url="https://arxiv.org/abs/2410.09344",
)
def darex(
    deltas: list[Tensor],
    *,
    density: Density = (0.1,),
    eta: Annotated[
        float, Param(0.0, step=0.05, search=(0.1, 1.2), help="Balance of mean and spread, tuned on held-out data.")
    ] = 0.45,
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged vector.")] = 1.0,
    weight: Annotated[
        tuple[float, ...], Param(per_model=True, step=0.05, search=(0.0, 1.0), help="Weight of each task vector.")
    ] = (1.0,),
    combine_by: Annotated[Combine, Param(title="Combine by", help=COMBINE_HELP)] = "sum",
    zero_sign: Annotated[ZeroSign, Param(help=ZERO_SIGN_HELP)] = "majority",
    compat: Annotated[Literal["none", "authors"], Param(help="Whose search: exact, or in half precision.")] = "none",
    seed: Annotated[int, Param(help="Of the random masks; a mask is a function of seed, tensor name and model.")] = 0,
    statistics: Sequence[Tensor | None] = (),
    piece: Piece | None = None,
    state: list[float] | None = None,
) -> Tensor:
    """Drop each change with probability p, divide the others by a q found for each Linear from its mean input.

    ``d'_i = d_i m_i / q_i`` with ``m_i ~ Bernoulli(1 - p)``; a Linear's q is the mean over its outputs of the divisor
    that bounds how far dropping moves them (``solera.api.darex_q``). Tensors without a mean input (biases, norms,
    embeddings) take the mean over the model's layers. The paper's two other choices, one q for all by a score or by how
    little outputs move, are ``solera.api.chosen_q`` with the parameter q of DARE.

    Args:
        deltas: One task vector per model, one whole tensor, any one shape.
        density: Probability of being kept, per model.
        eta: Balance of mean and spread.
        scale: Common factor.
        weight: One number per model.
        combine_by: How the sparse vectors are put together.
        zero_sign: What an even vote takes.
        compat: ``"authors"`` searches as their code does.
        seed: Of the masks.
        statistics: Mean input of this Linear in each model, (inputs,), or (inputs, 1) where the weight is stored
            (inputs, outputs); None where it is none.
        piece: Which tensor this is.
        state: Mean divisor of each model.

    Paper:
        drop rates of 0.9 to 0.99; eta chosen on held-out data, 0.27 to 1.01 in the authors' examples; for decoders one
        q tuned on held-out data (the parameter q of DARE).

    Pitfalls:
        - The least bound is flat in q: a little other data can move it much. Compare with one tuned q.
        - Where changes are large, no divisor makes up for dropping most of them.
    """
    sparse = []
    for i, (delta, share, mean) in enumerate(zip(deltas, density, statistics, strict=True)):
        own = mean is not None and delta.dim() == 2
        q = state[i] if state else share
        if own and mean is not None:
            q = _divisor(_matrix(delta, mean), mean.reshape(-1), share, eta, compat)
        mask = bricks.random_mask(delta.shape, share, seed, piece, i)
        kept = bricks.masked(delta, mask)
        sparse.append(kept / q if q > 0 else kept)
    return combine(sparse, weight, combine_by, zero_sign) * scale
