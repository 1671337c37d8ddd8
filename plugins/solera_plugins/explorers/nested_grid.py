"""A whole picture from few points: splines between the nodes of a grid, with their error measured."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from solera.api import (
    Ask,
    Coord,
    Extent,
    History,
    InputError,
    Interpolation,
    Param,
    Picture,
    Seed,
    Space,
    ValueTraces,
    error_kind,
    errors_of,
    on_cells,
)

Shares = tuple[float, ...]

#: Nodes per axis where no error is asked for, and where refinement toward one begins.
_NODES, _FIRST = 21, 7
#: More nodes than this are a mistake.
_MOST_NODES = 100_000


@dataclass(eq=False)
class _Stage:
    """A grid of nodes with what was asked for up to it.

    Attributes:
        side: Nodes along each axis.
        asks: Every point asked for so far, as shares of the way along each coordinate, in order.
        held_out: Which of them no interpolation sees.
        doubted: Whether the points where cubic and quintic splines differ are among them.
        picture: What came of it, once all of them are scored.
    """

    side: int
    asks: list[Shares]
    held_out: list[Shares]
    doubted: bool = False
    picture: Picture | None = None


class NestedGrid:
    """Score the nodes of a coarse grid and interpolate the cells between, until the measured error is small enough.

    Between nodes the log-odds of every sample are interpolated by cubic splines, and scores computed from those; a task
    that gives only an aggregate has its log loss (or its score) interpolated instead, less exactly. The error is
    measured at points that the splines do not see: some drawn at random, and as many where cubic and quintic splines
    differ most. The largest error over the whole picture is likely to stay below 2.5 times the largest of those.

    With a bound the grid is refined, 7, 13, 25, 49 nodes along each axis, until 2.5 times the largest error is below
    it. A node without a number leaves the cells around it unknown.

    Args:
        points: Nodes along each axis to begin with, an odd number so that one lies at the centre; 0 is 21, or 7 where
            there is a bound.
        bound: The largest relative error of a loss that is wanted; 0 refines nothing.
        share_bound: The same for fractions such as accuracy, in absolute terms; 0 leaves them out.
        most: Nodes along each axis beyond which nothing is refined.
        cells: Cells of the picture along each axis.
        checks: Held-out points of each of the two kinds.

    Raises:
        InputError: The number of nodes is even.
    """

    name = "nested_grid"

    def __init__(
        self,
        *,
        points: Annotated[int, Param(0, 1001, title="Nodes per axis", help="Nodes to begin with, odd; 0 is 21.")] = 0,
        bound: Annotated[float, Param(0, 1, help="Largest relative error of a loss; 0 refines nothing.")] = 0.0,
        share_bound: Annotated[float, Param(0, 1, help="Largest error of a fraction; 0 leaves them out.")] = 0.0,
        most: Annotated[int, Param(3, 1001, title="Most nodes per axis", help="Where refinement ends.")] = 49,
        cells: Annotated[int, Param(3, 1001, title="Cells per axis", help="Cells of the picture.")] = 51,
        checks: Annotated[int, Param(1, 1000, help="Held-out points of each of the two kinds.")] = 16,
    ) -> None:
        refines = bound > 0 or share_bound > 0
        self._first = points or (_FIRST if refines else _NODES)
        if self._first % 2 == 0 or self._first < 3:
            raise InputError(
                f"The lowest point of a plane is nearly always its centre, so a node must lie there: the nodes along "
                f"each axis are an odd number, 3 or more, not {self._first}.",
                points=self._first,
            )
        self._bounds = {"relative": bound, "absolute": share_bound}
        self._most = max(most, self._first) if refines else self._first
        self._cells = cells
        self._checks = checks
        self._stages: list[_Stage] = []
        self._key: tuple[Space, Seed] | None = None
        self._seen: History | None = None

    def plan(self, space: Space) -> Extent:
        """At most the nodes of the finest grid, and the held-out points of every grid before it.

        Raises:
            InputError: There are more than three coordinates, or too many nodes, or some of them are no models of the
                family.
        """
        if space.region is not None:
            raise InputError(
                f"A nested grid fills the whole box, and in this family ({space.region.kind}) not every point of it is "
                "a model. Take 'grid', which leaves the others out."
            )
        d = len(space.coords)
        sides = list(self._sides())
        if d > 3 or sides[-1] ** d > _MOST_NODES:
            raise InputError(
                f"A picture has one to three coordinates and at most {_MOST_NODES:,} nodes; this one has {d} "
                f"coordinates with up to {sides[-1]} nodes each."
            )
        total = sides[-1] ** d + self._checks * (1 + len(sides))
        rounds = (sides[0] ** d + self._checks, 1)
        return Extent(total, rounds=rounds, picture=(self._cells,) * d)

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The nodes of a grid, then its held-out points, then the nodes that a finer one adds."""
        asks = self._stage(space, history, seed).asks
        return [Ask(_coords(space.coords, shares)) for shares in asks[len(history) : len(history) + n]]

    def picture(self, space: Space, history: History, seed: Seed) -> Picture | None:
        """The picture of the finest grid that is scored with its held-out points."""
        self._stage(space, history, seed)
        drawn = [stage.picture for stage in self._stages if stage.picture is not None]
        return drawn[-1] if drawn else None

    def _sides(self) -> Sequence[int]:
        sides = [self._first]
        while 2 * sides[-1] - 1 <= self._most:
            sides.append(2 * sides[-1] - 1)
        return sides

    def _stage(self, space: Space, history: History, seed: Seed) -> _Stage:
        """Where an exploration with this history is; worked out anew unless it goes on from what was seen."""
        if self._key != (space, seed) or not _begins_with(history, self._seen):
            self._key, self._seen = (space, seed), None
            rows = _random_shares(len(space.coords), self._checks, seed)
            self._stages = [_Stage(self._first, [*_nodes(self._first, len(space.coords)), *rows], rows)]
        while len(history) >= len(self._stages[-1].asks) and self._stages[-1].picture is None:
            used = history.until(len(self._stages[-1].asks))
            self._move_on(space, history)
            self._seen = replace(used, coords=used.coords.copy(), values=used.values.copy())
        return self._stages[-1]

    def _move_on(self, space: Space, history: History) -> None:
        """Ask for more of the newest stage; or draw it, and refine it unless it is good enough."""
        stage = self._stages[-1]
        surface = _Surface(space, history, stage)
        if not stage.doubted:
            stage.doubted = True
            found = surface.doubtful(self._cells, self._checks)
            stage.held_out += found
            stage.asks += found
            if found:
                return
        stage.picture = surface.drawn(self._cells)
        finer = 2 * stage.side - 1
        if finer > self._most or self._good(space, stage.picture):
            return
        known = set(stage.asks)
        nodes = _nodes(finer, len(space.coords))
        more = [shares for shares in nodes if shares not in known]
        kept = [shares for shares in stage.held_out if shares not in set(nodes)]
        self._stages.append(_Stage(finer, [*stage.asks, *more], kept))

    def _good(self, space: Space, picture: Picture) -> bool:
        bounds = np.array([self._bounds[error_kind(column)] for column in space.columns])
        judged = bounds > 0
        return bool((picture.likely[judged] <= bounds[judged]).all())


class _Surface:
    """The scored nodes of a stage, interpolated."""

    def __init__(self, space: Space, history: History, stage: _Stage) -> None:
        self._space, self._stage = space, stage
        count = len(stage.asks)
        self._coords, self._values = history.coords[:count], history.values[:count]
        row = {shares: k for k, shares in enumerate(stage.asks)}
        d = len(space.coords)
        nodes = [row[shares] for shares in _nodes(stage.side, d)]
        if space.traces is not None and history.traces is not None:
            how, traces = space.traces, history.traces[nodes]  # a copy: nodes are a list
        else:
            values = ValueTraces(space.columns)
            how, traces = values, values.of(self._values[nodes])
        self._sampled = how.sampled
        traces[~np.asarray(np.isfinite(self._values[nodes]).all(axis=1))] = np.nan
        grid = traces.reshape(*(stage.side,) * d, -1)
        self._between = Interpolation((_shares(stage.side),) * d, grid, how)
        self._rows = row

    def doubtful(self, cells: int, count: int) -> list[Shares]:
        """Cells where cubic and quintic splines differ most in an objective, none of them scored."""
        d = len(self._space.coords)
        places = _shares(cells)[1::2] if cells > 15 else _shares(cells)
        cubic, quintic = (self._between.on_grid((places,) * d, degree) for degree in (3, 5))
        gaps = errors_of(self._space.columns, quintic.reshape(len(cubic), -1).T, cubic.reshape(len(cubic), -1).T)
        columns = list(self._space.objectives) or [0]
        gap = np.nan_to_num(gaps, nan=-1.0, posinf=-1.0)[:, columns].max(axis=1)
        found: list[Shares] = []
        for place in np.argsort(-gap, kind="stable"):
            shares = tuple(float(places[i]) for i in np.unravel_index(int(place), (len(places),) * d))
            if len(found) == count or gap[place] < 0:
                break
            if shares not in self._rows:
                found.append(shares)
        return found

    def drawn(self, cells: int) -> Picture:
        """The picture, with its errors at the held-out points."""
        space, stage = self._space, self._stage
        d = len(space.coords)
        values = self._between.on_grid((_shares(cells),) * d)
        axes = tuple(np.array([coord.at(share) for share in _shares(cells).tolist()]) for coord in space.coords)
        held = np.array(stage.held_out, dtype=np.float64).reshape(-1, d)
        rows = [self._rows[shares] for shares in stage.held_out]
        errors = errors_of(space.columns, self._between.at(held), self._values[rows])
        for shares, row in zip(stage.held_out, rows, strict=True):
            if not np.isfinite(self._values[row]).all():
                hole = np.zeros((cells,) * d, dtype=bool)
                hole[np.ix_(*(_near(cells, share, stage.side) for share in shares))] = True
                values[:, hole] = np.nan
        evaluated, which = on_cells(axes, self._coords)
        values[:, evaluated] = self._values[which].T
        return Picture(
            len(self._coords), (stage.side,) * d, axes, values, evaluated, self._coords[rows], errors, self._sampled
        )


def _begins_with(history: History, seen: History | None) -> bool:
    """Whether a history is one that was seen, or goes on from it."""
    if seen is None:
        return True
    n = len(seen)
    if len(history) < n or (history.traces is None) != (seen.traces is None):
        return False
    return (
        np.array_equal(history.coords[:n], seen.coords)
        and np.array_equal(history.values[:n], seen.values, equal_nan=True)
        and _same_traces(history.until(n).traces, seen.traces)
    )


def _same_traces(now: NDArray[np.float32] | None, seen: NDArray[np.float32] | None) -> bool:
    """Whether traces are equal; quick where they lie in the same memory, for there may be gigabytes of them."""
    if now is None or seen is None:
        return now is seen
    if now.__array_interface__ == seen.__array_interface__:
        return True
    return np.array_equal(now, seen, equal_nan=True)


def _nodes(side: int, d: int) -> list[Shares]:
    return list(itertools.product(_shares(side).tolist(), repeat=d))


def _shares(count: int) -> NDArray[np.float64]:
    """Even places from 0 to 1; those of a coarser grid have exactly the same numbers in a finer one."""
    return np.arange(count, dtype=np.float64) / (count - 1)


def _random_shares(d: int, count: int, seed: Seed) -> list[Shares]:
    drawn = seed.child("nested_grid", "held out").numpy().random((count, d))
    return [tuple(map(float, row)) for row in drawn]


def _near(cells: int, share: float, side: int) -> NDArray[np.intp]:
    """Cells along an axis within a node's distance of a place."""
    return np.flatnonzero(np.abs(_shares(cells) - share) * (side - 1) <= 1)


def _coords(coords: Sequence[Coord], shares: Shares) -> tuple[float, ...]:
    return tuple(coord.at(share) for coord, share in zip(coords, shares, strict=True))
