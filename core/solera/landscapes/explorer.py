"""What an explorer is: it is shown what was scored so far and says where to look next."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.families.coords import Coord
from solera.seeds import Seed
from solera.tasks.scores import Column, Difference, metric

#: ``paired(row, other, columns)``: by how much the mean of some columns of one point exceeds another's, with its error.
Paired = Callable[[int, int, tuple[int, ...]], Difference]


@dataclass(frozen=True, slots=True)
class Space:
    """What an explorer explores.

    Attributes:
        coords: The coordinates with their ranges.
        columns: What is measured at each point.
        labels: Named models at coordinates, in order; they need not lie within the ranges.
        objectives: Which columns to make good, as indices into ``columns``.
        paired: Whether the objectives have values per sample, so that differences between points have an error of
            their own; False where a task gives only an aggregate.
    """

    coords: tuple[Coord, ...]
    columns: tuple[Column, ...]
    labels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    objectives: tuple[int, ...] = ()
    paired: bool = True

    def minimised(self, values: ArrayLike) -> NDArray[np.float64]:
        """The objectives, turned so that smaller is better.

        Args:
            values: Shape (n, len(columns)).

        Returns:
            Shape (n, len(objectives)).
        """
        signs = [1.0 if metric(self.columns[i].metric).better == "lower" else -1.0 for i in self.objectives]
        table = np.asarray(values, dtype=np.float64).reshape(-1, len(self.columns))
        return np.asarray(table[:, list(self.objectives)] * np.array(signs), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Extent:
    """How far an exploration goes.

    Attributes:
        total: Points in all; None when only the scores will tell.
        shape: Points along each coordinate, if they fill a grid; else empty.
        initial: How many points come first whatever their scores are, as a yardstick for those after them; the
            reference of the hypervolume is fixed from them. 0 for an exploration that measures no hypervolume.
        least: Fewest points it can work with; a smaller budget is refused. 0 if any will do.
    """

    total: int | None = None
    shape: tuple[int, ...] = ()
    initial: int = 0
    least: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """A point to score.

    Attributes:
        coords: Where.
        cell: Its place in the grid, one index per coordinate; empty if there is no grid.
    """

    coords: tuple[float, ...]
    cell: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The points of phase "search" so far, in the order they were scored.

    Attributes:
        coords: Shape (n, number of coordinates), float64.
        values: Shape (n, number of columns), float64; NaN where a score could not be computed.
        reported: Coordinates already scored again on the report split.
        paired: Compares two of the points sample by sample; None where nobody can.
    """

    coords: NDArray[np.float64]
    values: NDArray[np.float64]
    reported: tuple[tuple[float, ...], ...] = ()
    paired: Paired | None = None

    @staticmethod
    def empty(space: Space) -> History:
        """No points yet."""
        return History(np.empty((0, len(space.coords))), np.empty((0, len(space.columns))))

    def __len__(self) -> int:
        return len(self.coords)

    def difference(self, row: int, other: int, columns: Sequence[int]) -> Difference:
        """The mean of some columns at one point less that at another, paired by sample.

        The error is NaN where a task gives only an aggregate.
        """
        if self.paired is not None:
            return self.paired(row, other, tuple(columns))
        gap = self.values[row, list(columns)].mean() - self.values[other, list(columns)].mean()
        return Difference(float(gap), math.nan, 0)


@dataclass(frozen=True, slots=True)
class Remark:
    """What an explorer says after a point.

    Attributes:
        numbers: Kept with the run as indicators, by name: ``{"soup:size": 3}``.
        text: A sentence for the log; empty for none.
    """

    numbers: Mapping[str, float] = field(default_factory=dict)
    text: str = ""


@runtime_checkable
class Remarks(Protocol):
    """An explorer that says what a point meant to it. Depends on the history alone, like asking."""

    def remark(self, space: Space, history: History) -> Remark:
        """What the newest point of a history meant."""
        ...


@runtime_checkable
class Chooses(Protocol):
    """An explorer with points of its own to score again on the report split, beside the best ones and the front."""

    def chosen(self, space: Space, history: History) -> Sequence[tuple[float, ...]]:
        """Those points, in the order they shall be told; each is one of the history."""
        ...


@runtime_checkable
class Explorer(Protocol):
    """Chooses coordinates. Its parameters are the keyword-only arguments of its ``__init__``.

    Stateless: what it asks depends only on the seed, ``n`` and the history, so a run resumes from its own file. It may
    cache what it could compute again. One explorer is used by one thread at a time.

    Attributes:
        name: Registered name: ``"grid"``.
    """

    @property
    def name(self) -> str:
        """Registered name."""
        ...

    def plan(self, space: Space) -> Extent:
        """How far it will go. Cheap.

        Raises:
            InputError: This space cannot be explored so (too few objectives, a grid of another dimension).
        """
        ...

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """Up to ``n`` points to score next, all known before any of them is scored.

        Args:
            space: What is explored; the same on every call of one exploration.
            history: Every point asked for so far, with its scores.
            n: At least 1.
            seed: The exploration's own; the same on every call.

        Returns:
            The points; empty when there is nothing left to ask.
        """
        ...
