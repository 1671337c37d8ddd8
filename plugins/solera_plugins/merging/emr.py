"""EMR: elect one vector for all tasks; per task a mask and a scale bring it near the model it came from."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from solera.api import InputError, Param, Passes, bricks, method, reductions
from solera_plugins.merging.sums import weighted_sum


def rescalers(passes: Passes, *, task: int, **_: object) -> float:
    """By how much the masked vector of the task is to be scaled: one number for the model."""
    own: dict[str, float] = {}
    masked: dict[str, float] = {}
    numels: dict[str, int] = {}
    for name, deltas in passes:
        delta = chosen(list(deltas), task)
        unified = elected(list(deltas))
        own[name] = own.get(name, 0.0) + reductions.sum_abs(delta)
        masked[name] = masked.get(name, 0.0) + reductions.sum_abs(agreeing(unified, delta))
        numels[name] = numels.get(name, 0) + delta.numel()
    names = [name for name, numel in numels.items() if numel]
    below = sum(masked[name] / numels[name] for name in names)
    return sum(own[name] / numels[name] for name in names) / below if below > 0 else 0.0


@method(
    "emr",
    title="EMR",
    takes="delta",
    base="required",
    granularity="element",
    version=3,
    prepare=rescalers,
    prepare_when=lambda params: params["task"] > 0,
    gathers=0,
    paper="Huang et al. 2024, EMR-Merging: tuning-free high-performance model merging",
    url="https://arxiv.org/abs/2405.17461",
)
def emr(
    deltas: list[Tensor],
    *,
    task: Annotated[int, Param(0, help="Which model is to be rebuilt, from 1; 0 gives the one unified vector.")] = 0,
    state: float | None = None,
) -> Tensor:
    """Elect signs, take the largest change that agrees; for one task mask and rescale it.

    ``s = sign(sum_t d_t)`` with 0 counted as minus, ``u = s * max_t |d_t|`` over those that agree. The unified model is
    ``W0 + u``; model t is ``W0 + c_t * u * [d_t s > 0]`` with ``c_t = sum mean|d_t| / sum mean|u [d_t s > 0]|``, means
    per tensor, so that small tensors weigh as much as large ones. A task that changed nothing gives the base.

    Args:
        deltas: One task vector per model, any one shape.
        task: Which model; 0 for the unified vector.
        state: The scale, from :func:`rescalers`.

    Raises:
        InputError: There is no such model.

    Pitfalls:
        - The unified vector alone is no good model of any task: masks and scales belong to it.
        - A model for one task is as large as the base; only its mask is small.
    """
    unified = elected(deltas)
    if task == 0:
        return unified
    return agreeing(unified, chosen(deltas, task)) * (1.0 if state is None else state)


def chosen(deltas: list[Tensor], task: int) -> Tensor:
    """The task vector of one task."""
    if task > len(deltas):
        raise InputError(f"Model {task} is to be rebuilt, but there are {len(deltas)}.", task=task)
    return deltas[task - 1]


def elected(deltas: list[Tensor]) -> Tensor:
    """The unified vector."""
    signs = torch.where(weighted_sum(deltas, [1.0] * len(deltas)) > 0, 1.0, -1.0)
    largest = torch.zeros_like(deltas[0])
    for delta in deltas:
        largest = torch.maximum(largest, delta * signs)
    return largest * signs


def agreeing(unified: Tensor, delta: Tensor) -> Tensor:
    """The unified vector where the task vector has its sign."""
    return bricks.masked(unified, unified * delta > 0)
