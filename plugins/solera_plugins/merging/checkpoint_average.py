"""Checkpoint averaging: the mean of a run's checkpoints, all of them, the last ones, or every so many."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from solera.api import Param, method
from solera_plugins.merging.sums import weighted_sum


@method(
    "checkpoint_average",
    title="Checkpoint average",
    takes="any",
    granularity="element",
    ordered=True,
    paper="Schmidt et al. 2023, Free lunch: robust cross-lingual transfer via model checkpoint averaging",
    url="https://arxiv.org/abs/2305.16834",
    also={
        "SWA (stochastic weight averaging)": "every: how many checkpoints lie between the ends of two cycles",
        "LAWA (latest weight averaging)": "last: how many",
        "Last-k averaging": "last: k",
    },
)
def checkpoint_average(
    tensors: list[Tensor],
    *,
    last: Annotated[int, Param(0, help="How many are averaged, the latest; 0 is all.")] = 0,
    every: Annotated[int, Param(1, help="Take every so many, counted back from the latest.")] = 1,
) -> Tensor:
    """Average the checkpoints of a run, given in order of time.

    ``W = 1/|S| sum_{i in S} W_i`` with S the latest checkpoint and every ``every``-th before it, ``last`` of them (or
    as many as there are). Which are left out is not read off scores: nothing is tuned.

    Args:
        tensors: One per checkpoint, the earliest first, any one shape.
        last: How many.
        every: Stride.

    Paper:
        all checkpoints of a run, about ten; no choice by scores.

    Pitfalls:
        - Independent runs with their own random heads cannot be averaged: freeze one head for all.
        - Early checkpoints, from before training settled, pull the average back: take the last few.
    """
    chosen = sorted(range(len(tensors) - 1, -1, -every)[: last or len(tensors)])
    return weighted_sum([tensors[i] for i in chosen], [1.0 / len(chosen)] * len(chosen))
