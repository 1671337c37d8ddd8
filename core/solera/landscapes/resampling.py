"""Noise of scores: intervals by resampling documents or prompts, places on a front, a task's signal and noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.errors import InputError
from solera.landscapes.pareto import nondominated
from solera.seeds import Seed
from solera.tasks.scores import Score, metric

Floats = NDArray[np.float64]
Kind = Literal["percentile", "basic"]

#: Resamples of an interval.
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and where it lies.

    Attributes:
        value: The estimate.
        low, high: The interval's ends.
        stderr: Standard deviation over the resamples.
        share: How much of the probability lies inside.
    """

    value: float
    low: float
    high: float
    stderr: float
    share: float = 0.95


def resamples(
    count: int, groups: NDArray[np.int64] | None, seed: Seed, times: int = RESAMPLES
) -> Iterator[NDArray[np.int64]]:
    """Which samples each resample takes: as many as there are with replacement, or whole groups.

    Args:
        count: Samples.
        groups: Group of each (document, prompt), shape (count,); None takes single samples.
        seed: Draws them.
        times: How many resamples.
    """
    generator = seed.numpy()
    if groups is None:
        for _ in range(times):
            yield generator.integers(count, size=count)
        return
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    for _ in range(times):
        yield np.concatenate([members[i] for i in generator.integers(len(members), size=len(members))])


def interval(
    samples: ArrayLike, draws: Iterable[NDArray[np.int64]], *, kind: Kind = "percentile", share: float = 0.95
) -> Interval:
    """Bootstrap interval of a mean (Efron 1979).

    Args:
        samples: Per-sample values, or differences of two models on the same samples; shape (n,), n >= 1.
        draws: Which samples each resample takes; :func:`resamples`.
        kind: ``"percentile"``, or ``"basic"``, mirrored at the estimate.
        share: Of the probability.

    Raises:
        InputError: There is nothing to resample.
    """
    values = np.asarray(samples, dtype=np.float64)
    means = np.array([values[rows].mean() for rows in draws])
    if values.size == 0 or means.size == 0:
        raise InputError("An interval needs samples, and resamples of them.")
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    value = float(values.mean())
    if kind == "basic":
        low, high = 2 * value - high, 2 * value - low
    return Interval(value, float(low), float(high), float(means.std(ddof=1)) if means.size > 1 else math.nan, share)


def score_interval(score: Score, seed: Seed, *, times: int = RESAMPLES, share: float = 0.95) -> Interval:
    """Bootstrap interval of a score, by document or prompt where its samples have groups.

    Raises:
        InputError: The score keeps no per-sample values.
    """
    if score.samples is None:
        raise InputError(f"{score.column.title} has no per-sample values; its interval cannot be resampled.")
    found = interval(score.samples, resamples(score.count, score.groups, seed, times), share=share)
    if metric(score.column.metric).aggregate != "exp-mean":
        return found
    value = score.value
    return Interval(value, math.exp(found.low), math.exp(found.high), value * found.stderr, share)


def paired_interval(a: Score, b: Score, seed: Seed, *, times: int = RESAMPLES, share: float = 0.95) -> Interval:
    """Bootstrap interval of ``a - b`` on the same samples, in per-sample units (nats, where a perplexity is shown).

    Raises:
        InputError: They are of different columns, or keep no per-sample values of the same samples.
    """
    if a.column != b.column or a.samples is None or b.samples is None or a.samples.size != b.samples.size:
        raise InputError(f"{a.column.title} and {b.column.title} have no samples in common to pair.")
    gaps = a.samples.astype(np.float64) - b.samples
    return interval(gaps, resamples(a.count, a.groups, seed, times), share=share)


def wilson(share: float, count: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's interval of a share of ``count`` independent samples (1927); right near 0 and 1 too."""
    middle = share + z**2 / (2 * count)
    width = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    scale = 1 + z**2 / count
    return (middle - width) / scale, (middle + width) / scale


def front_shares(scores: Sequence[Sequence[Score]], seed: Seed, times: int = 500, units: Sequence[str] = ()) -> Floats:
    """In what share of resamples of the data each point is on the front.

    A resample takes the same samples for every point, so what moves all points alike moves none on or off the front;
    metrics of one task, and tasks that score the same samples, are resampled together, other tasks apart.

    Args:
        scores: One row per point, one score per objective, the same columns in each row.
        seed: Draws the resamples.
        times: How many.
        units: Of each objective's task (see :class:`solera.tasks.task.Task`); empty if each has samples of its own.

    Returns:
        Shape (n,); NaN where an objective has no per-sample values. Such a point is not held against the others.
    """
    found = np.full(len(scores), np.nan)
    counts = [max((score.count for score in column), default=0) for column in zip(*scores, strict=True)]
    known = [
        i
        for i, row in enumerate(scores)
        if all(score.samples is not None and score.count == n for score, n in zip(row, counts, strict=True))
    ]
    if not known:
        return found
    columns = list(zip(*(scores[i] for i in known), strict=True))
    tables = [np.stack([np.asarray(score.samples, dtype=np.float64) for score in column]) for column in columns]
    signs = [1.0 if metric(column[0].column.metric).better == "lower" else -1.0 for column in columns]
    draws = [  # the same seed, the same samples
        resamples(
            column[0].count, column[0].groups, seed.child(f"units:{unit}" if unit else column[0].column.task), times
        )
        for column, unit in zip(columns, units or [""] * len(columns), strict=True)
    ]
    on = np.zeros(len(known))
    for rows in zip(*draws, strict=True):
        means = [sign * table[:, row].mean(axis=1) for sign, table, row in zip(signs, tables, rows, strict=True)]
        on += nondominated(np.stack(means, axis=1))
    found[known] = on / times
    return found


@dataclass(frozen=True, slots=True)
class SignalToNoise:
    """How well a task tells models apart.

    Attributes:
        signal: Spread of the models' final scores, as a share of their mean.
        noise: Standard deviation over the last checkpoints (divided by their number, as published), as a share of the
            mean.
        ratio: Signal over noise.
    """

    signal: float
    noise: float
    ratio: float


def signal_to_noise(curves: Sequence[ArrayLike], last: int = 5, *, pooled: bool = False) -> SignalToNoise:
    """Signal-to-noise of a task over checkpoints of several models (Heineman et al. 2025).

    Args:
        curves: For each model the scores of its checkpoints in order; higher is better and away from 0.
        last: Checkpoints at the end that count as equal but for noise.
        pooled: As the published script does it for small models: all models' last checkpoints in one list, so that the
            noise contains the spread between models, and the signal is of the means of each model's last ones.

    Raises:
        InputError: There are fewer than two models, or a model has fewer than two checkpoints.
    """
    ends = [np.asarray(curve, dtype=np.float64)[-last:] for curve in curves]
    if len(ends) < 2 or min(end.size for end in ends) < 2:
        raise InputError("Signal against noise needs two models or more, with two checkpoints or more each.")
    if pooled:
        finals, everything = np.array([end.mean() for end in ends]), np.concatenate(ends)
        noise = float(everything.std() / everything.mean())
    else:
        finals = np.array([end[-1] for end in ends])
        noise = float(np.mean([end.std() / end.mean() for end in ends]))
    signal = float(np.ptp(finals) / finals.mean())
    return SignalToNoise(signal, noise, signal / noise if noise else math.inf)
