"""TALL masks and Consensus: keep of the summed task vector what enough tasks call their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from solera.api import InputError, Param, bricks, method
from solera_plugins.merging.sums import weighted_sum

_PAPER = "Wang et al. 2024, Localizing task information for improved model merging and compression"
_URL = "https://arxiv.org/abs/2405.07813"


@method(
    "consensus",
    title="Consensus",
    takes="delta",
    base="required",
    granularity="element",
    paper=_PAPER,
    url=_URL,
)
def consensus(
    deltas: list[Tensor],
    *,
    threshold: Annotated[
        tuple[float, ...],
        Param(0.0, per_model=True, step=0.1, search=(0.2, 0.6), help="The larger, the fewer entries a task claims."),
    ] = (0.4,),
    agree: Annotated[int, Param(0, help="How many tasks must claim an entry; 0 keeps all, as task arithmetic.")] = 2,
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged vector.")] = 0.3,
) -> Tensor:
    """Add the task vectors where enough of the tasks claim the entry, leave the base elsewhere.

    A task's mask is ``m_t = |d_t| > threshold_t * |S - d_t|`` with ``S = sum_t d_t``, unscaled. ``W = W0 + scale * S *
    [sum_t m_t >= agree]``. With ``agree`` 2 both selfish entries (of one task) and catastrophic ones (of none) go; with
    more than there are models the base stays.

    Args:
        deltas: One task vector per model, any one shape.
        threshold: Per model.
        agree: Least number of tasks.
        scale: Common factor.

    Paper:
        threshold chosen for each task from 0.2 to 0.6 on held-out data, agree 2.

    Pitfalls:
        - Thresholds hang on the unscaled sum: with more tasks the same threshold claims less.
    """
    total = weighted_sum(deltas, [1.0] * len(deltas))
    claims = torch.zeros_like(total)
    for mask in tall_masks(deltas, total, threshold):
        claims += mask
    return bricks.masked(total, claims >= agree) * scale


@method(
    "tall_mask",
    title="TALL mask",
    takes="delta",
    base="required",
    granularity="element",
    ordered=True,
    paper=_PAPER,
    url=_URL,
)
def tall_mask(
    deltas: list[Tensor],
    *,
    task: Annotated[int, Param(1, help="Which model is to be brought back, from 1.")] = 1,
    threshold: Annotated[
        float, Param(0.0, step=0.1, search=(0.2, 0.6), help="The larger, the fewer entries the task claims.")
    ] = 0.4,
) -> Tensor:
    """Bring one of the models back from the sum of all, by its mask.

    ``W = W0 + S * m_t`` with ``S = sum_t d_t`` and ``m_t = |d_t| > threshold * |S - d_t|``.

    Args:
        deltas: One task vector per model, any one shape.
        task: Which model.
        threshold: Of its mask.

    Raises:
        InputError: There is no such model.

    Paper:
        threshold chosen for each task from 0.2 to 0.6 on held-out data.

    Pitfalls:
        - It brings back one task; a model for all is Consensus.
    """
    if task > len(deltas):
        raise InputError(f"Model {task} is to be brought back, but there are {len(deltas)}.", task=task)
    total = weighted_sum(deltas, [1.0] * len(deltas))
    (mask,) = tall_masks([deltas[task - 1]], total, [threshold])
    return bricks.masked(total, mask)


def tall_masks(deltas: Sequence[Tensor], total: Tensor, threshold: Sequence[float]) -> list[Tensor]:
    """Where each task's own change outweighs what the others add: bool. A change of 0 claims nothing."""
    return [delta.abs() > (total - delta).abs() * at for delta, at in zip(deltas, threshold, strict=True)]
