"""Means over tasks, with errors that know which tasks score the same samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solera.errors import InputError
from solera.tasks.scores import Difference, Score, metric


@dataclass(frozen=True, slots=True)
class Mean:
    """The plain mean of one metric over tasks.

    Attributes:
        value: Mean of the tasks' values; every task counts the same, however many samples it has.
        stderr: Its standard error over samples; NaN if a task has no per-sample values.
    """

    value: float
    stderr: float


def mean_over_tasks(scores: Sequence[Score], units: Sequence[str]) -> Mean:
    """The mean of one score per task.

    Tasks of the same, non-empty ``units`` score the same samples in the same order (see
    :class:`solera.tasks.task.Task`): what a sample adds to each of them is added up before squaring, so that samples
    that are hard under every task widen the error as they should. Other tasks are independent.

    Args:
        scores: One per task, of one metric and split.
        units: ``task.units`` of each.

    Raises:
        InputError: There are none, or they measure different things.
    """
    _check(scores)
    value = sum(score.value for score in scores) / len(scores)
    shares = [_influence(score) for score in scores]
    return Mean(value, _pooled_error(shares, scores, units))


def mean_difference(a: Sequence[Score], b: Sequence[Score], units: Sequence[str]) -> Difference:
    """The difference of two models' means over the same tasks, paired by sample.

    Args:
        a: One score per task of the first model.
        b: The same tasks, in the same order, of the second.
        units: ``task.units`` of each task.

    Raises:
        InputError: The scores are not of the same columns.
    """
    _check(a)
    if [score.column.to_plain() for score in a] != [score.column.to_plain() for score in b]:
        raise InputError("These scores are of different tasks, metrics or splits; they cannot be paired.")
    value = sum(score.value for score in a) / len(a) - sum(score.value for score in b) / len(b)
    shares: list[NDArray[np.float64] | None] = []
    for left, right in zip(a, b, strict=True):
        x, y = _influence(left), _influence(right)
        shares.append(x - y if x is not None and y is not None and x.size == y.size else None)
    return Difference(value, _pooled_error(shares, a, units), min(score.count for score in a))


def _check(scores: Sequence[Score]) -> None:
    kinds = {(score.column.metric, score.column.split) for score in scores}
    if len(kinds) != 1:
        got = ", ".join(sorted(f"{name} on {split}" for name, split in kinds)) or "nothing"
        raise InputError(f"A mean over tasks is of one metric on one split, not of {got}.")


def _influence(score: Score) -> NDArray[np.float64] | None:
    """How much each sample moves the aggregated value, to first order, times the number of samples."""
    if score.samples is None:
        return None
    values = score.samples.astype(np.float64)
    scale = score.value if metric(score.column.metric).aggregate == "exp-mean" else 1.0
    influence: NDArray[np.float64] = (values - values.mean()) * scale
    return influence


def _pooled_error(shares: Sequence[NDArray[np.float64] | None], scores: Sequence[Score], units: Sequence[str]) -> float:
    """Root of the summed variances of independent populations; clustered by group, or by sample, within each."""
    populations: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    for share, score, unit in zip(shares, scores, units, strict=True):
        if share is None or share.size == 0:
            return math.nan
        clusters = score.groups if score.groups is not None else np.arange(share.size, dtype=np.int64)
        centred = (share - share.mean()) / (share.size * len(scores))
        populations.setdefault(unit or f"task:{score.column.task}", []).append((clusters, centred))
    variance = 0.0
    for parts in populations.values():
        clusters = np.concatenate([part[0] for part in parts])
        _, index = np.unique(clusters, return_inverse=True)
        count = int(index.max()) + 1
        if count < 2:
            return math.nan
        sums = np.bincount(index, weights=np.concatenate([part[1] for part in parts]), minlength=count)
        variance += count / (count - 1) * float(sums @ sums)
    return math.sqrt(variance)
