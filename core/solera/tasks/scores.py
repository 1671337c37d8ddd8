"""Metrics and scores: a number with its unit, direction, standard error and sample count."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from solera.errors import InputError

Better = Literal["lower", "higher"]
Split = Literal["train", "selection", "report"]
SPLITS: tuple[Split, ...] = ("train", "selection", "report")


@dataclass(frozen=True, slots=True)
class Metric:
    """A kind of number, fixed once.

    Attributes:
        name: ``"accuracy"``. title: ``"Accuracy"``.
        unit: ``"nats"``, ``"nats per token"``; empty for a fraction or a ratio.
        better: Which way is good.
        low, high: The range it can have; None is unbounded.
        aggregate: ``"mean"`` over samples, or ``"exp-mean"`` (perplexity: exp of the mean of nats).
        display: ``"plain"``, or ``"percent"`` for fractions a person reads as percent (stored data stay fractions).
    """

    name: str
    title: str
    unit: str
    better: Better
    low: float | None = None
    high: float | None = None
    aggregate: Literal["mean", "exp-mean"] = "mean"
    display: Literal["plain", "percent"] = "plain"


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "Accuracy", "", "higher", 0, 1, display="percent"),
        Metric("cross_entropy", "Cross-entropy", "nats", "lower", 0),
        Metric("loss", "Loss", "nats per token", "lower", 0),
        Metric("perplexity", "Perplexity", "per token", "lower", 1, aggregate="exp-mean"),
        Metric("exact_match", "Exact match", "", "higher", 0, 1, display="percent"),
        Metric("normalised_accuracy", "Accuracy, length-normalised", "", "higher", 0, 1, display="percent"),
        Metric("mse", "Mean squared error", "", "lower", 0),
        Metric("mae", "Mean absolute error", "", "lower", 0),
        Metric("r2", "R²", "", "higher", None, 1),
        Metric("score", "Score", "", "higher"),
        Metric("penalty", "Penalty", "", "lower"),
    )
}


def metric(name: str) -> Metric:
    """The registered metric of this name.

    Raises:
        InputError: There is none.
    """
    if name not in METRICS:
        raise InputError(f"No metric is called '{name}'; known: {', '.join(METRICS)}.", metric=name)
    return METRICS[name]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of scores in a run: which task, which metric, on which split.

    Attributes:
        task: The task's name. metric: A key of :data:`METRICS`. split: Which data.
        count: Samples the task has on that split (those scored may be fewer in a preview).
    """

    task: str
    metric: str
    split: Split
    count: int = 0

    @property
    def name(self) -> str:
        """``"rotated.cross_entropy"``: how a person names it."""
        return f"{self.task}.{self.metric}"

    @property
    def title(self) -> str:
        """``"rotated, cross-entropy (nats), selection"``."""
        kind = metric(self.metric)
        unit = f" ({kind.unit})" if kind.unit else ""
        return f"{self.task}, {kind.title.lower()}{unit}, {self.split}"

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"task": self.task, "metric": self.metric, "split": self.split, "count": self.count}

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> Column:
        """The inverse of :meth:`to_plain`."""
        return Column(plain["task"], plain["metric"], plain["split"], int(plain.get("count", 0)))


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """A measured number.

    Attributes:
        column: What it is.
        value: The number, aggregated.
        stderr: Its standard error over samples (over groups, if the samples have groups); NaN when unknown.
        count: Samples behind it.
        samples: Per-sample values before aggregation, float32 of shape (count,); None if only an aggregate exists.
        groups: Group of each sample (document, prompt), int64 of shape (count,); None if samples are independent.
        trace: Numbers of each sample from which scores between points are interpolated, float32 of one axis; only on
            a task's first score, where it was asked for (see :class:`solera.tasks.forward.ScoresLogits`).
    """

    column: Column
    value: float
    stderr: float
    count: int
    samples: NDArray[np.float32] | None = None
    groups: NDArray[np.int64] | None = None
    trace: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference ``a - b`` on the same samples.

    Attributes:
        value: Difference of the aggregated values.
        stderr: Standard error of the paired difference; NaN if either side has no per-sample values.
        count: Samples in common.
    """

    value: float
    stderr: float
    count: int

    @property
    def within_noise(self) -> bool:
        """Whether the difference is less than two standard errors (or its error is unknown)."""
        return not (math.isfinite(self.stderr) and abs(self.value) > 2 * self.stderr)


def standard_error(samples: NDArray[Any], groups: NDArray[np.int64] | None = None) -> float:
    """Standard error of the mean of ``samples`` (shape (n,)), clustered by ``groups`` if given; NaN below two.

    Clustered form: residuals are summed within a group; ``sqrt(G/(G-1) * sum_g r_g^2) / n`` (Liang & Zeger 1986).
    """
    values = np.asarray(samples, dtype=np.float64)
    n = values.size
    if groups is None:
        return float(values.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    _, index = np.unique(groups, return_inverse=True)
    count = int(index.max()) + 1 if n else 0
    if count < 2:
        return math.nan
    sums = np.bincount(index, weights=values - values.mean(), minlength=count)
    return float(math.sqrt(count / (count - 1) * float(sums @ sums)) / n)


def aggregate(column: Column, samples: NDArray[Any], groups: NDArray[np.int64] | None = None) -> Score:
    """Per-sample values to a score. NaN and infinity pass through to the value; the error is then NaN.

    Args:
        column: What is measured.
        samples: Shape (n,), n >= 1; for ``"exp-mean"`` metrics these are nats.
        groups: Shape (n,) or None.

    Raises:
        InputError: There are no samples.
    """
    if samples.size == 0:
        raise InputError(f"{column.name} on the {column.split} split has no samples.", column=column.to_plain())
    values = np.asarray(samples, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # infinity less infinity is the NaN that is promised
        mean, error = float(values.mean()), standard_error(values, groups)
    if metric(column.metric).aggregate == "exp-mean":
        mean = math.inf if mean >= 700 else math.exp(mean)  # NaN passes through
        error = mean * error  # delta method
    return Score(column, mean, error, int(values.size), values.astype(np.float32), groups)


def difference(a: Score, b: Score) -> Difference:
    """``a - b``, paired by sample.

    Raises:
        InputError: The scores are not of the same column.
    """
    if (a.column.task, a.column.metric, a.column.split) != (b.column.task, b.column.metric, b.column.split):
        raise InputError(f"{a.column.title} and {b.column.title} are different things; they cannot be paired.")
    if a.samples is None or b.samples is None or a.samples.size != b.samples.size:
        return Difference(a.value - b.value, math.nan, min(a.count, b.count))
    left, right = a.samples.astype(np.float64), b.samples.astype(np.float64)
    with np.errstate(invalid="ignore"):
        if metric(a.column.metric).aggregate == "exp-mean":
            left, right = left * a.value, right * b.value
        return Difference(a.value - b.value, standard_error(left - right, a.groups), a.count)
