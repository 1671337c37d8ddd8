"""KnOTS: bring adapters' changes to common directions first, then merge there."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import Param, bricks, method
from solera_plugins.merging.ties import ties

#: Directions that are looked for first.
_PROBES = 64

#: Share of the squared norm that rounding may leave over.
_ROUNDING = 1e-13


@method(
    "knots",
    title="KnOTS with TIES",
    takes="delta",
    base="required",
    granularity="tensor",
    promise="tolerance",
    float64=True,
    paper="Stoica et al. 2025, Model merging with SVD to tie the KnOTS",
    url="https://arxiv.org/abs/2410.19735",
)
def knots(
    deltas: list[Tensor],
    *,
    density: Annotated[
        tuple[float, ...],
        Param(
            0.0, 1.0, per_model=True, step=0.05, search=(0.05, 1.0), help="Share of each aligned vector that is kept."
        ),
    ] = (0.2,),
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged change.")] = 1.0,
    weight: Annotated[
        tuple[float, ...], Param(per_model=True, step=0.05, search=(0.0, 1.0), help="Say of each model.")
    ] = (1.0,),
    side: Annotated[
        Literal["input", "output"], Param(help="Along which axis the changes are joined before they are decomposed.")
    ] = "input",
    merge: Annotated[Literal["mean", "sum", "max"], Param(help="How entries that agree are put together.")] = "mean",
    compat: Annotated[Literal["none", "authors"], Param(help="Whose counting of what is kept, as in TIES.")] = "none",
    floor: Annotated[float, Param(0.0, log=True, help="Singular values up to this are left out.")] = 1e-5,
) -> Tensor:
    """Join the changes of a matrix, decompose them once, merge by TIES in the common directions, go back.

    ``[d_1 .. d_T] = U S [V_1 .. V_T]``, singular values up to ``floor`` left out; TIES merges the blocks ``S V_t`` to
    ``M``; ``m = U M``. For sums and means it would change nothing: only rules per coordinate gain. Other tensors are
    merged by TIES as they are.

    Args:
        deltas: One task vector per model, float64, one whole tensor; for LoRA the product ``B A``.
        density: Share kept, per model.
        scale: Common factor.
        weight: Multiplies each vector before the election.
        side: How the changes are joined.
        merge: How agreeing entries are put together.
        compat: Whose counting.
        floor: Singular values left out.

    Pitfalls:
        - Averages and sums are the same in the common basis as outside it; only rules by coordinate gain.
    """
    blocks, back = deltas, None
    if deltas[0].dim() == 2 and deltas[0].numel():
        across = deltas if side == "input" else [delta.T for delta in deltas]
        left, values, right = _directions(torch.cat(across, dim=1), floor)
        kept = values > floor
        back = left[:, kept]
        joined = values[kept].unsqueeze(1) * right[kept]
        blocks = [block.contiguous() for block in torch.split(joined, across[0].shape[1], dim=1)]
    merged = ties.function(
        [block.float() for block in blocks], density=density, scale=scale, weight=weight, scope="tensor", elect="mass",
        zero_sign="majority", merge=merge, compat=compat,
    ).double()  # fmt: skip
    if back is None:
        return merged
    made = back @ merged
    return made if side == "input" else made.T.contiguous()


def _directions(joined: Tensor, floor: float) -> tuple[Tensor, Tensor, Tensor]:
    """The singular triples of a matrix; those whose value is at most ``floor`` may be missing.

    The changes of adapters have few directions. They are looked for in the images of a few fixed random vectors, and
    taken if what lies outside of those cannot hold a singular value above the floor; else all are computed.
    """
    side, total = min(joined.shape), float(joined.square().sum())
    probes = _PROBES
    while probes * 4 <= side:
        numbers = torch.Generator().manual_seed(probes)
        start = torch.randn(joined.shape[1], probes, generator=numbers, dtype=joined.dtype).to(joined.device)
        basis = torch.linalg.qr(joined @ start).Q
        inside = basis.T @ joined
        if total - float(inside.square().sum()) <= max(floor**2, _ROUNDING * total):
            left, values, right = bricks.truncated_svd(inside, probes)
            return basis @ left, values, right
        probes *= 4
    return bricks.truncated_svd(joined, side)
