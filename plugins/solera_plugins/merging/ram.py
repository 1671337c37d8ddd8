"""RAM: average what several models changed, keep whole what only one did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import Param, Passes, bricks, method
from solera_plugins.merging.sums import weighted_sum

_PAPER = "Yuan et al. 2026, Behavior knowledge merge in reinforced agentic models"
_URL = "https://arxiv.org/abs/2601.13572"

Epsilon = Annotated[float, Param(0.0, log=True, help="A change no larger than this is none.")]
Scale = Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged vector.")]


@method("ram", title="RAM", takes="delta", base="required", granularity="element", paper=_PAPER, url=_URL)
def ram(deltas: list[Tensor], *, epsilon: Epsilon = 1e-5, scale: Scale = 1.0) -> Tensor:
    """Average at each coordinate over the models that changed it.

    ``W = W0 + scale * sum_i m_i d_i / max(sum_i m_i, 1)`` with ``m_i = [|d_i| > epsilon]``: what one model alone
    changed stays whole, where a plain average would thin it out. Signs are not reconciled. Made for reinforcement
    learning, which changes few weights; after ordinary fine-tuning nearly all are shared and this is the average.

    Args:
        deltas: One task vector per model, any one shape.
        epsilon: Largest change that counts as none, in the unit of the weights.
        scale: Common factor.

    Paper:
        epsilon 1e-5.

    Pitfalls:
        - Epsilon is in the unit of the weights; bfloat16 rounding alone moves weights of 0.01 by more than 1e-5.
    """
    kept, count = changed(deltas, epsilon)
    return weighted_sum(kept, [1.0] * len(kept)) / count.clamp_min(1.0) * scale


def overlaps(passes: Passes, *, epsilon: float, **_: object) -> list[float]:
    """How many of each model's changes are shared for every one that is its own, over the whole model."""
    shared: list[int] = []
    unique: list[int] = []
    for _name, deltas in passes:
        shared, unique = shared or [0] * len(deltas), unique or [0] * len(deltas)
        kept, count = changed(deltas, epsilon)
        for i, (common, own) in enumerate(counts(kept, count)):
            shared[i], unique[i] = shared[i] + common, unique[i] + own
    return [common / max(own, 1) for common, own in zip(shared, unique, strict=True)]


@method(
    "ram_plus",
    title="RAM+",
    takes="delta",
    base="required",
    granularity="tensor",
    prepare=overlaps,
    prepare_when=lambda params: params["scope"] == "model",
    gathers=0,
    paper=_PAPER,
    url=_URL,
    also={"RAM+ tensor-local (ramplus_tl)": "scope tensor"},
)
def ram_plus(
    deltas: list[Tensor],
    *,
    r: Annotated[
        float, Param(0.0, step=0.05, search=(0.0, 1.0), help="How strongly sharing makes up for what is diluted.")
    ] = 0.1,
    alpha: Annotated[float, Param(0.0, step=0.05, help="Largest ratio of shared to own changes that counts.")] = 0.2,
    epsilon: Epsilon = 1e-5,
    scope: Annotated[
        Literal["model", "tensor"], Param(help="Count over the model, as in the paper, or in each tensor.")
    ] = "model",
    scale: Scale = 1.0,
    state: list[float] | None = None,
) -> Tensor:
    """RAM, with what one model alone changed scaled up the more of its other changes are shared.

    ``W = W0 + scale * sum_i m_i f_i d_i`` with ``m_i = [|d_i| > epsilon]`` and ``f_i = 1 / sum_j m_j`` where several
    models changed the coordinate, ``f_i = 1 + r * min(rho_i, alpha)`` where i alone did; ``rho_i`` is how many of its
    changes are shared over how many are its own. With ``scope=tensor`` it is mergekit's ``ramplus_tl``.

    Args:
        deltas: One task vector per model, one whole tensor, any one shape.
        r: Strength.
        alpha: Cap of the ratio.
        epsilon: Largest change that counts as none, in the unit of the weights.
        scope: What is counted over.
        scale: Common factor.
        state: What :func:`overlaps` found over the model.

    Paper:
        r 0.1, alpha 0.2, epsilon 1e-5, counted over the model (mergekit counts in each tensor).

    Pitfalls:
        - After ordinary fine-tuning nearly all changes are shared, and it is the average.
    """
    kept, count = changed(deltas, epsilon)
    ratios = state or [common / max(own, 1) for common, own in counts(kept, count)]
    single = count == 1
    shares = [torch.where(single, 1.0 + r * min(ratio, alpha), 1.0 / count.clamp_min(1.0)) for ratio in ratios]
    return weighted_sum([change * share for change, share in zip(kept, shares, strict=True)], [scale] * len(kept))


def changed(deltas: Sequence[Tensor], epsilon: float) -> tuple[list[Tensor], Tensor]:
    """The task vectors without what counts as no change, and by how many models each coordinate is changed."""
    masks = [delta.abs() > epsilon for delta in deltas]
    count = torch.zeros_like(deltas[0])
    for mask in masks:
        count += mask
    return [bricks.masked(delta, mask) for mask, delta in zip(masks, deltas, strict=True)], count


def counts(kept: Sequence[Tensor], count: Tensor) -> list[tuple[int, int]]:
    """For each model how many of its changes are shared, and how many are its own."""
    single = count == 1
    found = []
    for change in kept:
        own = int(torch.count_nonzero(torch.where(single, change, 0.0)))
        found.append((int(torch.count_nonzero(change)) - own, own))
    return found
