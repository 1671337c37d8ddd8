"""PCB-Merging: weigh each entry by its size within its model and its accord with the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import HeldPasses, Param, Passes, method, selection
from solera_plugins.merging.order import Ranked
from solera_plugins.merging.sums import weighted_sum

Variant = Literal["readme", "vision", "search"]

#: Share of entries that is clipped at either end of the magnitudes.
CLIP = {"readme": 1e-4, "vision": 1e-2, "search": 1e-2}


@dataclass(frozen=True, slots=True)
class Row:
    """One model's bounds: of its magnitudes, and of its balance of competition."""

    low: float
    high: float
    floor: float = 0.0
    ceiling: float = 0.0


def balance(passes: Passes, *, density: float, variant: Variant, **_: object) -> list[Row]:
    """The bounds of every model: two passes for the magnitudes, two for the balance."""
    numel = 0
    ends: list[tuple[Ranked, Ranked]] = []
    for number in range(2):
        for _name, deltas in passes:
            ends = ends or [(Ranked(), Ranked()) for _ in deltas]
            numel += deltas[0].numel() if number == 0 else 0
            for delta, pair in zip(deltas, ends, strict=True):
                for end in pair:
                    end.add(delta.abs())
        for low, high in ends if numel else []:
            low.place(int(numel * CLIP[variant]), numel)
            high.place(max(int(numel * (1 - CLIP[variant]) - 1), 0), numel)
            low.end_pass()
            high.end_pass()
    if not numel:
        return []
    rows = [Row(low.value, high.value) for low, high in ends]
    first = int(numel * (1 - density))
    if first >= numel:
        return [Row(row.low, row.high) for row in rows]
    floors, ceilings = [Ranked() for _ in rows], [float("-inf")] * len(rows)
    for _number in range(2):
        for _name, deltas in passes:
            for i, score in enumerate(scores(list(deltas), rows, variant)):
                floors[i].add(score)
                if score.numel():
                    ceilings[i] = max(ceilings[i], float(score.max()))
        for floor in floors:
            floor.place(first, numel)
            floor.end_pass()
    return [
        Row(row.low, row.high, floor.value, top) for row, floor, top in zip(rows, floors, ceilings, strict=True)
    ]  # fmt: skip


@method(
    "pcb",
    title="PCB-Merging",
    takes="delta",
    base="required",
    granularity="tensor",
    prepare=balance,
    prepare_when=lambda params: params["scope"] == "model",
    gathers=4 * selection.HELD,  # two magnitudes, each sought among positive and negative numbers
    promise="tolerance",
    float64=True,
    paper="Du et al. 2024, Parameter competition balancing for model merging",
    url="https://arxiv.org/abs/2410.02396",
)
def pcb(
    deltas: list[Tensor],
    *,
    density: Annotated[
        float, Param(0.0, 1.0, step=0.05, search=(0.01, 0.5), help="Share of the entries of a model that count at all.")
    ] = 0.1,
    scale: Annotated[
        tuple[float, ...], Param(per_model=True, step=0.1, search=(0.8, 1.3), help="Factor of each task vector.")
    ] = (1.0,),
    variant: Annotated[
        Variant,
        Param(help="Accord by raw products with the sum, by products with the normalised sum, or pair by pair."),
    ] = "readme",
    scope: Annotated[
        Literal["tensor", "model"], Param(help="Order and extremes of each tensor, or of the model as one vector.")
    ] = "model",
    state: list[Row] | None = None,
) -> Tensor:
    """Average the task vectors entry by entry, weighted by a balance of competition.

    With magnitudes clipped at both ends, ``a``, and ``z = sign(d) norm(a)``, norm bringing a model's range to 0..1:
    ``b_t = exp(n norm(a_t)^2) * inter_t``, where ``inter_t`` is ``tanh(d_t sum_s d_s)`` (readme), ``tanh(d_t sum_s
    z_s)`` (vision) or ``sum_s tanh(z_t z_s)`` (search). All but the largest ``density`` of ``b_t`` get weight 0, the
    others ``beta_t`` rising to 1. ``W = W0 + sum_t scale_t beta_t d_t / sum_t beta_t``.

    A model without differences in size (all zeros) or in balance (opposite models) gets weight 0 instead of NaN; where
    nobody has a weight the base stays. ``readme`` depends on the size of the changes: for small ones it is all but
    linear in them.

    Args:
        deltas: One task vector per model, float64, one whole tensor.
        density: Share that counts.
        scale: Per model.
        variant: Which of the released formulas.
        scope: What order and extremes are taken over.
        state: Bounds from :func:`balance`.

    Paper:
        density 0.1 (README) or 0.05 (vision); scale 1.2 for each task, or searched from 0.8 to 1.3 on held-out data.

    Pitfalls:
        - The released code has three different formulas; the README's is taken unless told.
        - The README's inter-balance is a tanh of raw products, about 1e-6 for real changes, and so all but linear.
        - A task vector that vanishes divides by 0 in the released code; here it weighs nothing.
    """
    rows = balance(HeldPasses(deltas), density=density, variant=variant) if state is None else state
    if not deltas[0].numel():
        return deltas[0].clone()
    weights = [
        placed(score, row.floor, row.ceiling) for score, row in zip(scores(deltas, rows, variant), rows, strict=True)
    ]
    ones = [1.0] * len(deltas)
    clipped = [clip(delta, row) * delta.sign() for delta, row in zip(deltas, rows, strict=True)]
    total = weighted_sum([w * d for w, d in zip(weights, clipped, strict=True)], scale)
    return total / weighted_sum(weights, ones).clamp_min(1e-12)


def scores(deltas: list[Tensor], rows: list[Row], variant: Variant) -> list[Tensor]:
    """The balance of competition of every model, up to a common factor."""
    ones = [1.0] * len(deltas)
    signed = [
        placed(clip(delta, row), row.low, row.high) * delta.sign() for delta, row in zip(deltas, rows, strict=True)
    ]
    total = None if variant == "search" else weighted_sum(deltas if variant == "readme" else signed, ones)
    found = []
    for delta, own in zip(deltas, signed, strict=True):  # one after the other: each is as large as the tensor
        if total is None:
            between = weighted_sum([(own * other).tanh() for other in signed], ones)
        else:
            between = (delta * total).tanh()
        # exp(n (x^2 - 1)) instead of exp(n x^2): weights are relative, and many models would overflow.
        within = (len(deltas) * (own * own - 1)).exp()
        # Rounded to what bounds are found in, so that an entry on the bound lies on it exactly: its weight is 0.
        found.append((within * between).float().double())
    return found


def clip(delta: Tensor, row: Row) -> Tensor:
    """Magnitudes between a model's bounds."""
    return delta.abs().clamp(row.low, row.high)


def placed(values: Tensor, low: float, high: float) -> Tensor:
    """Where values lie between two bounds, 0 to 1; 0 where the bounds are one."""
    if not high > low:
        return torch.zeros_like(values)
    return ((values - low) / (high - low)).clamp(0.0, 1.0)
