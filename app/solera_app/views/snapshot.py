"""What a view is given: a run as arrays, as far as it has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from solera.events import FINAL_STATES, PointScored
from solera.runs.header import RunHeader
from solera.runs.picture import Picture
from solera.runs.points import Points
from solera_app.views.pairs import Paired

Indicators = Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]]


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A run at a moment. Everything in it is read-only and shared between threads.

    Attributes:
        header: What the run said of itself before its first point.
        points: All its points so far.
        state: ``"running"``, or how it ended.
        summary: The line it ended with.
        indicators: Name -> (after how many points, value), each of shape (n,).
        paired: Column -> float32 of shape (k, k), k at most n: standard error of the difference of two points, by
            sample; NaN where they are no pair. Only of runs that keep samples and fill no grid.
        picture: The newest picture that the run interpolated, if it draws some.
    """

    header: RunHeader
    points: Points
    state: str = "running"
    summary: str = ""
    indicators: Indicators = field(default_factory=dict)
    paired: Paired = field(default_factory=dict)
    picture: Picture | None = None

    @property
    def live(self) -> bool:
        """Whether it may still grow."""
        return self.state not in FINAL_STATES

    @property
    def search(self) -> NDArray[np.bool_]:
        """Which points belong to the search, shape (n,)."""
        return np.asarray(self.points.phase == "search")

    @property
    def report(self) -> NDArray[np.bool_]:
        """Which points were scored again on the report split, shape (n,)."""
        return np.asarray(self.points.phase == "report")

    def gap_errors(self, column: int, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
        """Standard error of the differences in a score between points: paired where it can be, else as if independent.

        Args:
            column: Position of the score.
            rows: Positions of points, shape (a,).
            others: Positions of points, shape (b,).

        Returns:
            Shape (a, b). An unknown error of a point counts as 0.
        """
        own, theirs = (np.nan_to_num(self.points.stderrs[at, column], nan=0.0) for at in (rows, others))
        errors: NDArray[np.float64] = np.sqrt(own[:, None] ** 2 + theirs[None, :] ** 2)  # a quarter of what hypot takes
        paired = self.paired.get(column)
        if paired is not None:
            a, b = rows < len(paired), others < len(paired)
            inside = paired[np.ix_(rows[a], others[b])]
            errors[np.ix_(a, b)] = np.where(np.isnan(inside), errors[np.ix_(a, b)], inside)
        return errors

    def names(self, rows: NDArray[np.bool_]) -> dict[int, str]:
        """The named models among some points, each once, where it was scored first.

        A search may come by a model again, and the report split scores it again: a picture says its name once.

        Args:
            rows: Which points, shape (n,).

        Returns:
            Index of a point -> name.
        """
        first: dict[str, int] = {}
        for row in np.flatnonzero(self.points.labels != "").tolist():
            first.setdefault(str(self.points.labels[row]), row)
        return {int(self.points.index[row]): name for name, row in first.items() if rows[row]}

    def with_points(self, more: Points) -> Snapshot:
        """With points added that follow on; those it has already are skipped, a gap adds nothing."""
        have = self.points.start + len(self.points)
        if more.start > have or more.start + len(more) <= have:
            return self
        fresh = more.rows(slice(have - more.start, None))
        return replace(self, points=joined(self.points, fresh))


def joined(first: Points, then: Points) -> Points:
    """Two consecutive pieces of a run as one."""
    pairs = [
        (getattr(first, name), getattr(then, name))
        for name in ("coords", "values", "stderrs", "counts", "phase", "cells", "labels", "seconds", "times")
    ]
    return Points(first.start, *(np.concatenate(pair) for pair in pairs))


def points_of(events: Sequence[PointScored], header: RunHeader) -> Points:
    """Consecutive point events as arrays, for a window that hears of points before their file is read.

    Args:
        events: At least one, of one run, in order.
        header: The run's header.
    """
    d, m, k = len(header.coords), len(header.columns), len(header.shape)

    def table(rows: Iterable[Sequence[float]], width: int, dtype: type) -> NDArray[np.generic]:
        return np.array([tuple(row) or (-1,) * width for row in rows], dtype=dtype).reshape(len(events), width)

    return Points(
        events[0].index,
        table((e.coords for e in events), d, np.float64),  # type: ignore[arg-type]
        table((e.values for e in events), m, np.float64),  # type: ignore[arg-type]
        table((e.stderrs for e in events), m, np.float64),  # type: ignore[arg-type]
        table((e.counts for e in events), m, np.int64),  # type: ignore[arg-type]
        np.array([e.phase for e in events]),
        table((e.cell for e in events), k, np.int64),  # type: ignore[arg-type]
        np.array([e.label for e in events]),
        np.array([e.seconds for e in events]),
        np.array([e.time for e in events]),
    )
