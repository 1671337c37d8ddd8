"""The points of a run as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PHASES = ("search", "report")


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Consecutive points of a run, in order of their index. The arrays are read-only.

    Attributes:
        start: Index of the first.
        coords: float64, shape (n, d).
        values: float64, shape (n, m); NaN where not computed.
        stderrs: float64, shape (n, m); NaN where unknown.
        counts: int64, shape (n, m): samples behind each value.
        phase: str, shape (n,): ``"search"`` or ``"report"``.
        cells: int64, shape (n, k) with k the grid's rank (0 without a grid); -1 where a point is in no cell.
        labels: str, shape (n,): names of named models, else empty.
        seconds: float64, shape (n,): wall time of each.
        times: float64, shape (n,): seconds since the epoch.
    """

    start: int
    coords: NDArray[np.float64]
    values: NDArray[np.float64]
    stderrs: NDArray[np.float64]
    counts: NDArray[np.int64]
    phase: NDArray[np.str_]
    cells: NDArray[np.int64]
    labels: NDArray[np.str_]
    seconds: NDArray[np.float64]
    times: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.coords.shape[0])

    @property
    def index(self) -> NDArray[np.int64]:
        """int64, shape (n,): their numbers in the run."""
        return np.arange(self.start, self.start + len(self), dtype=np.int64)

    def rows(self, which: NDArray[np.bool_] | slice) -> Points:
        """Some of them (shape (n,) mask, or a slice); ``start`` and ``index`` then mean nothing for a mask."""
        start = self.start + (which.indices(len(self))[0] if isinstance(which, slice) else 0)
        return Points(
            start, self.coords[which], self.values[which], self.stderrs[which], self.counts[which], self.phase[which],
            self.cells[which], self.labels[which], self.seconds[which], self.times[which],
        )  # fmt: skip
