"""Fisher-weighted averaging: each weight counts as much as its model's predictions depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from solera.api import Param, StatisticPasses, method, reductions
from solera_plugins.merging.sums import weighted_sum

Coefficients = Annotated[
    tuple[float, ...], Param(0.0, per_model=True, step=0.05, search=(0.0, 1.0), help="Share of each model.")
]


def norms(passes: StatisticPasses, **_: Any) -> list[float]:
    """The 2-norm of each model's Fisher information over all its tensors together."""
    totals: list[float] = []
    for _name, importances in passes.statistics():
        squares = [reductions.dot(f.reshape(-1), f.reshape(-1)) if f is not None else 0.0 for f in importances]
        totals = [total + more for total, more in zip(totals or [0.0] * len(squares), squares, strict=True)]
    return [total**0.5 for total in totals]


@method(
    "fisher",
    title="Fisher-weighted average",
    takes="weights",
    granularity="element",
    needs="fisher",
    prepare=norms,
    prepare_when=lambda params: bool(params.get("normalize", True)),
    gathers=0,
    paper="Matena and Raffel 2022, Merging models with Fisher-weighted averaging",
    url="https://arxiv.org/abs/2111.09832",
    also={
        "Fisher merging": "all parameters left alone",
        "Intermediate-task transfer": "the target first, the donor second; weight searched on held-out data",
    },
)
def fisher(
    tensors: list[Tensor],
    *,
    weight: Coefficients = (1.0,),
    normalize: Annotated[bool, Param(help="Divide each model's Fisher information by its norm over the model.")] = True,
    floor: Annotated[float, Param(0.0, log=True, help="Least Fisher information of a weight.")] = 1e-6,
    favor_target: Annotated[bool, Param(help="The floor holds for the first model alone, else for all.")] = True,
    rest: Annotated[
        Literal["target", "average"], Param(help="What tensors without Fisher information take.")
    ] = "target",
    statistics: Sequence[Tensor | None] = (),
    state: list[float] | None = None,
) -> Tensor:
    """Average the models, each weight by its Fisher information.

    ``W = sum_j a_j F_j W_j / sum_j a_j F_j``, element by element, with ``F_0 <- max(F_0, floor)``: where no model knows
    better, the first one (the target) stays. With ``normalize`` ``a_j <- a_j / ||F_j||``, the norm over all tensors of
    model j together, before the floor; a model without any information keeps its share as it is. Where the divisor is
    0, the models' weighted average stands.

    Args:
        tensors: One per model, any one shape; the first is the target.
        weight: The shares a_j.
        normalize: Whether models with larger gradients are brought to the others' scale.
        floor: Least value of F; not applied to the scaled one.
        favor_target: Whether only the first model has the floor.
        rest: ``"target"``: the first model's tensor, as a head that is not merged; or the weighted average.
        statistics: Diagonal Fisher information of each model, the tensors' shape; None where there is none.
        state: Norms by model.

    Paper:
        normalised, floor 1e-6 on the target; of two models the better of 51 shares from (1, 0) to (0, 1) by validation,
        of more 50 draws of a Dirichlet distribution.

    Pitfalls:
        - Exact and sampled Fisher information want no labels; the empirical one vanishes as the training loss does.
        - The floor is one of the raw Fisher information: where all gradients are small it swamps the target's own.
    """
    if all(importance is None for importance in statistics):
        return tensors[0].clone() if rest == "target" else _average(tensors, weight)
    total = torch.zeros_like(tensors[0])
    divisor = torch.zeros_like(tensors[0])
    for j, (tensor, importance, share) in enumerate(zip(tensors, statistics, weight, strict=True)):
        known = torch.zeros_like(tensor) if importance is None else importance
        if j == 0 or not favor_target:
            known = known.clamp_min(floor)
        scaled = known * (share / state[j] if state and state[j] > 0 else share)
        total += scaled * tensor
        divisor += scaled
    return torch.where(
        divisor > 0, total / divisor.clamp_min(torch.finfo(divisor.dtype).tiny), _average(tensors, weight)
    )


def _average(tensors: list[Tensor], weight: Sequence[float]) -> Tensor:
    shares = list(weight) if sum(weight) > 0 else [1.0] * len(tensors)
    return weighted_sum(tensors, [share / sum(shares) for share in shares])
