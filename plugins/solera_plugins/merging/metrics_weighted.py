"""Metrics-weighted averaging: checkpoints with lower loss, or later ones, count more."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Annotated, Literal

from torch import Tensor

from solera.api import InputError, Param, method
from solera_plugins.merging.sums import weighted_sum


@method(
    "metrics_weighted",
    title="Metrics-weighted average",
    takes="any",
    granularity="element",
    ordered=True,
    paper="Yu & Choi 2025, Parameter-efficient checkpoint merging via metrics-weighted averaging",
    url="https://arxiv.org/abs/2504.18580",
    also={
        "MWA": "metric: a number for each checkpoint",
        "Loss-weighted average": "by loss; metric: the training loss at each checkpoint, smoothed",
        "Step-weighted average": "by step; metric: the step of each checkpoint",
    },
)
def metrics_weighted(
    tensors: list[Tensor],
    *,
    metric: Annotated[tuple[float, ...], Param(per_model=True, help="The loss or the step of each checkpoint.")] = (
        1.0,
    ),
    by: Annotated[
        Literal["loss", "step"], Param(help="Lower is better (a loss); or larger is (a step, an accuracy).")
    ] = "loss",
    penalty: Annotated[
        float, Param(0.0, step=0.5, search=(0.0, 8.0), help="How strongly the metric counts; 0 is the plain average.")
    ] = 1.0,
    rule: Annotated[
        Literal["power", "softmax"],
        Param(help="Shares as a power of 1/loss or of the step; or a softmax of standard scores, for any sign."),
    ] = "power",
) -> Tensor:
    """Average checkpoints of one run with shares that a metric decides.

    ``W = sum_i s_i W_i`` with ``s_i`` in proportion to ``g_i^penalty``, ``g_i`` being ``1 / loss_i`` or ``step_i``; by
    softmax to ``exp(penalty * z_i)``, ``z_i`` the standard score of ``-loss_i`` or ``step_i``. At 0 all count alike,
    and as the penalty grows the best counts alone.

    The weights are chosen as the paper's abstract describes them: by loss or by step, with one factor for the spread.
    Its own formula could not be read, so the two rules are ours. Adapters are averaged factor by factor when their
    checkpoints are given: the mean of B times the mean of A is not the mean of BA.

    Args:
        tensors: One per checkpoint, any one shape.
        metric: One number per checkpoint.
        by: Which way is better.
        penalty: How strongly it counts.
        rule: How shares come from it.

    Raises:
        InputError: A loss is not above 0, or a step is below 0, and the rule is a power.

    Pitfalls:
        - The loss of a single step is noise; give a smoothed one.
        - Losses that differ little give equal shares unless the penalty is large.
    """
    return weighted_sum(tensors, shares(metric, by, penalty, rule))


def shares(metric: tuple[float, ...], by: str, penalty: float, rule: str) -> list[float]:
    """The share of each checkpoint; they total 1."""
    count, sign = len(metric), -1.0 if by == "loss" else 1.0
    if rule == "softmax":
        mean = sum(metric) / count
        spread = sqrt(sum((number - mean) ** 2 for number in metric) / count)
        powers = [sign * (number - mean) / spread * penalty if spread > 0 else 0.0 for number in metric]
    elif penalty == 0:
        powers = [0.0] * count
    elif min(metric) < 0 or (by == "loss" and min(metric) == 0) or max(metric) == 0:
        raise InputError(
            f"A power of the {by} needs positive numbers, not {list(metric)}; give some, or take the rule 'softmax'.",
            metric=list(metric),
        )
    else:
        powers = [sign * penalty * log(number) if number > 0 else float("-inf") for number in metric]
    sizes = [exp(power - max(powers)) for power in powers]
    return [size / sum(sizes) for size in sizes]
