"""SCE: select where models differ most, calculate weights, erase minorities."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import Param, bricks, method, reductions, selection
from solera_plugins.merging.sums import weighted_sum


@method(
    "sce",
    title="SCE",
    takes="delta",
    base="required",
    granularity="tensor",
    paper="Wan et al. 2024, FuseChat: knowledge fusion of chat models",
    url="https://arxiv.org/abs/2408.07990",
)
def sce(
    deltas: list[Tensor],
    *,
    density: Annotated[
        float, Param(0.0, 1.0, step=0.05, search=(0.05, 1.0), help="Share of the entries kept: where models vary most.")
    ] = 1.0,
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged vector.")] = 1.0,
    compat: Annotated[
        Literal["none", "mergekit"],
        Param(help="mergekit: equal shares where the energies total less than 1e-6, as after most light fine-tuning."),
    ] = "none",
) -> Tensor:
    """Keep where the task vectors vary most, weigh each by its energy in the tensor, drop signs of the minority.

    1. Select: of the entries at which the models differ, the ``floor(density * n)`` of largest variance. At density 1
       all entries stay, those where the models agree too.
    2. Calculate: ``w_i = |d_i|^2 / sum_j |d_j|^2``; equal shares where all vanish.
    3. Erase: at each entry, those whose sign is not that of ``sum_i d_i``. ``W = W0 + scale * sum w_i d_i / sum w_i``
       over the rest.

    Args:
        deltas: One task vector per model, one whole tensor, any one shape.
        density: Share kept.
        scale: Common factor.
        compat: Whose guards.

    Pitfalls:
        - mergekit takes equal shares where the mean squares total less than 1e-6, which most light fine-tuning does.
        - The variance decides per element across models: with two models it is the distance between them.
    """
    count = len(deltas)
    if density < 1:
        mean = weighted_sum(deltas, [1.0 / count] * count)
        variance = weighted_sum([(delta - mean).square() for delta in deltas], [1.0 / count] * count)
        chosen = selection.top_k_mask(variance, int(int((variance > 0).sum()) * density))
        deltas = [torch.where(chosen, delta, 0.0) for delta in deltas]
    energy = [reductions.dot(delta, delta) for delta in deltas]
    total = sum(energy)
    least = 1e-6 * deltas[0].numel() if compat == "mergekit" else 0.0
    weights = [e / total for e in energy] if total > least else [1.0 / count] * count
    signs = bricks.elect_sign(deltas)
    if compat == "mergekit":  # an even vote is read as plus
        signs = signs.masked_fill(signs == 0, 1.0)
    kept = [delta * weight for delta, weight in zip(deltas, weights, strict=True)]
    return bricks.disjoint_mean(kept, signs, weights) * scale
