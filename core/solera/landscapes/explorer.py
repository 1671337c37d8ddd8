"""What an explorer is: it is shown what was scored so far and says where to look next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solera.families.coords import Coord
from solera.seeds import Seed
from solera.tasks.scores import Column, metric


@dataclass(frozen=True, slots=True)
class Space:
    """What an explorer explores.

    Attributes:
        coords: The coordinates with their ranges.
        columns: What is measured at each point.
        labels: Named models at coordinates, in order; they need not lie within the ranges.
        objectives: Which columns to make good, as indices into ``columns``.
    """

    coords: tuple[Coord, ...]
    columns: tuple[Column, ...]
    labels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    objectives: tuple[int, ...] = ()

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
    """

    total: int | None = None
    shape: tuple[int, ...] = ()
    initial: int = 0


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
    """

    coords: NDArray[np.float64]
    values: NDArray[np.float64]
    reported: tuple[tuple[float, ...], ...] = ()

    @staticmethod
    def empty(space: Space) -> History:
        """No points yet."""
        return History(np.empty((0, len(space.coords))), np.empty((0, len(space.columns))))

    def __len__(self) -> int:
        return len(self.coords)


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
