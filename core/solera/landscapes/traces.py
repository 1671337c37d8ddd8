"""What is interpolated between scored points: numbers per sample where tasks give them, else the scores themselves.

A mean loss has kinks and spans orders of magnitude where the log-odds of its samples are smooth: interpolating those
and taking the mean afterwards is several times as exact as interpolating the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from solera.tasks.forward import ScoresLogits
from solera.tasks.scores import Column, Score, metric

if TYPE_CHECKING:
    from solera.landscapes.landscape import Measure


#: Most numbers of one point: half a mebibyte. Where tasks would give more, scores themselves are interpolated.
MOST = 2**17


class Traces(Protocol):
    """How scores follow from interpolated numbers.

    Attributes:
        width: Numbers of one point.
        columns: What :meth:`values` gives.
        sampled: Which columns follow from numbers per sample, not from the score itself.
    """

    @property
    def width(self) -> int:
        """Numbers of one point."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """What :meth:`values` gives."""
        ...

    @property
    def sampled(self) -> tuple[bool, ...]:
        """Which columns follow from numbers per sample."""
        ...

    def values(self, traces: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores from traces, shape (k, width) to (k, columns); NaN where a trace is not a number."""
        ...


class ValueTraces:
    """The scores themselves: a loss by its logarithm, anything else as it is.

    Args:
        columns: What is measured.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.width = len(self.columns)
        self.sampled = (False,) * self.width
        kinds = [metric(column.metric) for column in self.columns]
        self._logged = np.array(
            [kind.better == "lower" and kind.low is not None and kind.high is None for kind in kinds]
        )

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Traces of scores, shape (k, columns); NaN where a loss is not above 0 or not finite."""
        table = np.asarray(values, dtype=np.float64).reshape(-1, self.width)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(self._logged, np.log(table), table)
        return np.where(np.isfinite(found), found, np.nan).astype(np.float32)

    def values(self, traces: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores from traces."""
        table = traces.astype(np.float64)
        with np.errstate(over="ignore"):
            return np.where(self._logged, np.exp(table), table)


class TaskTraces:
    """The traces of a landscape's tasks, side by side; of a task that gives none, its scores.

    Args:
        measures: The landscape's.
    """

    def __init__(self, measures: Sequence[Measure]) -> None:
        numbers = sum(m.evaluator.trace_width for m in measures if isinstance(m.evaluator, ScoresLogits))
        #: Whether tasks would give numbers per sample, but too many of them to keep.
        self.too_wide = numbers > MOST
        self._parts: list[tuple[ScoresLogits | ValueTraces, int]] = []
        columns: list[Column] = []
        sampled: list[bool] = []
        for measure in measures:
            here, evaluator = measure.evaluator.columns, measure.evaluator
            part = evaluator if isinstance(evaluator, ScoresLogits) and not self.too_wide else ValueTraces(here)
            self._parts.append((part, len(here)))
            columns += here
            sampled += [not isinstance(part, ValueTraces)] * len(here)
        self.columns, self.sampled = tuple(columns), tuple(sampled)
        self.width = sum(_width(part) for part, _ in self._parts)

    def of(self, scores: Sequence[Score]) -> NDArray[np.float32]:
        """The traces of one point, shape (width,); NaN where its scores carry none."""
        pieces, start = [], 0
        for part, count in self._parts:
            here = scores[start : start + count]
            start += count
            if isinstance(part, ValueTraces):
                pieces.append(part.of(np.array([[score.value for score in here]]))[0])
            elif here[0].trace is not None:
                pieces.append(here[0].trace)
            else:
                pieces.append(np.full(part.trace_width, np.nan, dtype=np.float32))
        return np.concatenate(pieces)

    def carried(self, scores: Sequence[Score]) -> bool:
        """Whether one point's scores carry their traces; those of weights that could not be stored have none."""
        start = 0
        for part, count in self._parts:
            first = scores[start]
            start += count
            if not isinstance(part, ValueTraces) and first.trace is None and first.count:
                return False
        return True

    def values(self, traces: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores from traces."""
        found, start = [], 0
        for part, _ in self._parts:
            stop = start + _width(part)
            found.append(part.values(traces[:, start:stop]))
            start = stop
        return np.concatenate(found, axis=1)


def _width(part: ScoresLogits | ValueTraces) -> int:
    return part.width if isinstance(part, ValueTraces) else part.trace_width
