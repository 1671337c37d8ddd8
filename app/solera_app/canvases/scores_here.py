"""What was measured at the handle, and its mean over tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from solera.tasks.scores import METRICS, Score


@dataclass(frozen=True, slots=True)
class ScoreHere:
    """A score at the handle's place.

    Attributes:
        title: The task.
        value: The number (a fraction for accuracy).
        stderr: Its standard error; NaN when unknown.
        count: On how many samples.
        total: How many the task has on this split.
        preview: Whether fewer than all were scored.
        metric: In words: ``"Accuracy"``.
        split: Which data.
        unit: ``"nats"`` ...; empty for a fraction.
        percent: Written as percent.
        better: Which way is good.
        low, high: The metric's range; None is open.
        expert: What the task's own expert scores; None when unknown.
        expert_name: Who that is.
    """

    title: str
    value: float
    stderr: float = math.nan
    count: int = 0
    total: int = 0
    preview: bool = False
    metric: str = "Score"
    split: str = "selection"
    unit: str = ""
    percent: bool = False
    better: Literal["higher", "lower"] = "higher"
    low: float | None = None
    high: float | None = None
    expert: float | None = None
    expert_name: str = ""

    @property
    def axis_title(self) -> str:
        """``"Mean accuracy (%), higher is better"``."""
        unit = "%" if self.percent else self.unit
        return f"{self.title}{f' ({unit})' if unit else ''}, {self.better} is better"


def score_here(score: Score, *, preview: bool = False, expert: tuple[float | None, str] = (None, "")) -> ScoreHere:
    """A task's score as canvases show it.

    Args:
        score: What was measured.
        preview: Whether it may rest on fewer samples than the task has.
        expert: What it is measured against, and whose that is.
    """
    metric = METRICS[score.column.metric]
    return ScoreHere(
        score.column.task, score.value, score.stderr, score.count, max(score.column.count, score.count),
        preview and score.count < score.column.count, metric.title, score.column.split, metric.unit,
        metric.display == "percent", metric.better, metric.low, metric.high, *expert,
    )  # fmt: skip


def headline(scores: Sequence[Score]) -> list[Score]:
    """One score a task: its accuracy (a fraction a person reads at once) if there is one, else its first."""
    chosen: dict[str, Score] = {}
    for score in scores:
        task = score.column.task
        if task not in chosen or (
            METRICS[score.column.metric].display == "percent"
            and METRICS[chosen[task].column.metric].display != "percent"
        ):
            chosen[task] = score
    return list(chosen.values())


def mean_of(scores: Sequence[ScoreHere]) -> ScoreHere | None:
    """The mean over tasks of one metric; None for none or for different metrics.

    Its standard error takes the tasks' samples as independent; where they share samples the caller knows a better one.
    """
    if not scores or len({(score.metric, score.unit) for score in scores}) != 1:
        return None
    k = len(scores)
    first = scores[0]
    title = f"Mean {first.metric.lower()}" if k > 1 else first.metric
    return replace(
        first,
        title=title,
        value=sum(score.value for score in scores) / k,
        stderr=math.sqrt(sum(score.stderr**2 for score in scores)) / k,
        count=min(score.count for score in scores),
        total=min(score.total for score in scores),
        preview=any(score.preview for score in scores),
        expert=None,
        expert_name="",
    )
