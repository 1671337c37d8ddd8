"""What an explorer is: it is shown what was scored so far and says where to look next."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.families.coords import Coord
from solera.families.region import Region
from solera.landscapes.traces import Traces
from solera.runs.picture import Picture
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
        counts: Samples scored for each column at most: the split's, or fewer in a preview. Empty if not known.
        kind: The kind of family: ``"line"``, ``"subset"``; empty if nobody says.
        no_slopes: Why no gradient can be had here; empty if one can.
        traces: How scores follow from the traces of a history; None if its points have none.
        region: Which points within the ranges are points of the family; None is all of them. What kind of number each
            coordinate is, the coordinate itself says.
    """

    coords: tuple[Coord, ...]
    columns: tuple[Column, ...]
    labels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    objectives: tuple[int, ...] = ()
    paired: bool = True
    counts: tuple[int, ...] = ()
    kind: str = ""
    no_slopes: str = "nobody computes gradients here"
    traces: Traces | None = None
    region: Region | None = None

    def nearest(self, coords: Sequence[float]) -> tuple[float, ...]:
        """The point of the family nearest to any point within the ranges; that point itself if every one belongs to it.

        An explorer asks for points of the family only, so what it draws elsewhere it asks for here.

        Raises:
            InputError: No point of the family lies within the ranges.
        """
        if self.region is None:
            return tuple(map(float, coords))
        return self.region.nearest(coords, [(coord.low, coord.high) for coord in self.coords])

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
        rounds: Points of the first round, the second and so on, the last number repeating. All points of a round are
            asked for before any of them is scored, so they can be scored at once; the history that is asked with ends
            where a round does. A round shorter than this is the last one.
        partial: Whether points may be asked for on part of the samples (:attr:`Ask.samples`); the per-sample values are
            then kept in the run, so that what was scored once is not scored again.
        slopes: Whether it asks for gradients.
        picture: Cells along each coordinate of the interpolated pictures it draws (see :class:`DrawsPictures`); empty
            if it draws none. The points of its history then have traces.
    """

    total: int | None = None
    shape: tuple[int, ...] = ()
    initial: int = 0
    least: int = 0
    rounds: tuple[int, ...] = (1,)
    partial: bool = False
    slopes: bool = False
    picture: tuple[int, ...] = ()

    def round_at(self, scored: int) -> tuple[int, int]:
        """The round that the next point belongs to: how many points come before it, and how many it has."""
        start = 0
        for size in self.rounds[:-1]:
            if scored < start + size:
                return start, size
            start += size
        size = self.rounds[-1]
        return start + (scored - start) // size * size, size


@dataclass(frozen=True, slots=True)
class Slope:
    """A gradient to be taken at a point: of the mean cross-entropy of the objectives' tasks on the search split.

    Attributes:
        samples: Examples of each task in the batch; 0 is all.
        draw: Which batch: they are cut one after another from epochs that are shuffled by the exploration's seed.
        scale: What the logits are multiplied by; its own gradient comes last.
        objectives: Of which of the objectives, by place in ``Space.objectives``; empty is all.
    """

    samples: int = 0
    draw: int = 0
    scale: float = 1.0
    objectives: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """A point to score.

    Attributes:
        coords: Where.
        cell: Its place in the grid, one index per coordinate; empty if there is no grid.
        samples: On how many samples of each task; 0 is all there are. A larger number contains a smaller one's samples.
            A task that cannot be scored in part is scored whole.
        slope: The gradient that is wanted with the score; None for none.
    """

    coords: tuple[float, ...]
    cell: tuple[int, ...] = ()
    samples: int = 0
    slope: Slope | None = None


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The points of phase "search" so far, in the order they were scored.

    Attributes:
        coords: Shape (n, number of coordinates), float64.
        values: Shape (n, number of columns), float64; NaN where a score could not be computed.
        reported: Coordinates already scored again on the report split.
        paired: Compares two of the points sample by sample; None where nobody can.
        counts: Shape (n, number of columns), int64: samples behind each value; None if all points were scored on all.
        slopes: Shape (n, number of coordinates + 1), float64: the gradients that were asked for, that of the logits'
            scale last; NaN where none was. None if the explorer asks for none.
        traces: What :attr:`Space.traces` reads, shape (n, width), float32; None if none were kept.
    """

    coords: NDArray[np.float64]
    values: NDArray[np.float64]
    reported: tuple[tuple[float, ...], ...] = ()
    paired: Paired | None = None
    counts: NDArray[np.int64] | None = None
    slopes: NDArray[np.float64] | None = None
    traces: NDArray[np.float32] | None = None

    def until(self, n: int) -> History:
        """The first ``n`` points."""
        counts = None if self.counts is None else self.counts[:n]
        slopes = None if self.slopes is None else self.slopes[:n]
        traces = None if self.traces is None else self.traces[:n]
        coords, values = self.coords[:n], self.values[:n]
        return replace(self, coords=coords, values=values, counts=counts, slopes=slopes, traces=traces)

    def since(self, n: int) -> History:
        """All but the first ``n`` points; they cannot be compared pairwise any more."""
        counts = None if self.counts is None else self.counts[n:]
        slopes = None if self.slopes is None else self.slopes[n:]
        traces = None if self.traces is None else self.traces[n:]
        coords, values = self.coords[n:], self.values[n:]
        return replace(self, coords=coords, values=values, counts=counts, slopes=slopes, paired=None, traces=traces)

    def whole(self, space: Space) -> NDArray[np.bool_]:
        """Which points have a value for every objective that rests on as many samples as any has, shape (n,).

        Only those can be compared with one another: others were dropped from a search before they were scored in full.
        """
        if self.counts is None or not len(self) or not space.objectives:
            return np.ones(len(self), dtype=np.bool_)
        counts = self.counts[:, list(space.objectives)]
        most = [space.counts[i] for i in space.objectives] if space.counts else counts.max(axis=0)
        missing = np.isnan(self.values[:, list(space.objectives)])
        return np.asarray(((counts >= most) | missing).all(axis=1), dtype=np.bool_)

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
            history: Every point asked for so far, with its scores, up to the beginning of a round.
            n: At least 1; what the round has, or what is left of the budget.
            seed: The exploration's own; the same on every call.

        Returns:
            The points; empty when there is nothing left to ask.
        """
        ...


@runtime_checkable
class DrawsPictures(Protocol):
    """An explorer that interpolates between the points it asked for."""

    def picture(self, space: Space, history: History, seed: Seed) -> Picture | None:
        """The finest picture that this history allows, with its held-out errors; None before the first.

        Cheap where the history allows no other picture than on the last call.
        """
        ...
