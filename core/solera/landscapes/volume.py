"""The hypervolume of a search as it grows, against a reference fixed once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solera.context import Context
from solera.events import Indicator
from solera.landscapes.explorer import History, Space
from solera.landscapes.pareto import hypervolume, nondominated
from solera.landscapes.summary import comparable

#: How far beyond the worst of the initial points the reference lies, as a share of their range.
REFERENCE_MARGIN = 0.1


class GrowingVolume:
    """Says the hypervolume after each point, once its reference is known.

    Args:
        space: What is explored; with fewer than two objectives nothing is said.
        initial: Points the reference is fixed from; 0 says nothing.
        history: What is there already. Its reference and last volume are said once more, since whoever stopped the
            run may have done so between a point and its volume.
        run: Id of the run the indicators belong to.
        context: Where they go.

    Attributes:
        value: The hypervolume; None before the reference is known.
    """

    def __init__(self, space: Space, initial: int, history: History, run: str, context: Context) -> None:
        self._space = space
        self._initial = initial if len(space.objectives) > 1 else 0
        self._run = run
        self._context = context
        self._reference: NDArray[np.float64] | None = None
        self._front = np.empty((0, len(space.objectives)))
        self.value: float | None = None
        if self._initial and len(history) >= self._initial:
            self._fix(history)
            self._tell_volume(len(history))

    def grow(self, history: History) -> None:
        """Take the newest point of a history into account."""
        if not self._initial or len(history) < self._initial:
            return
        if self._reference is None:
            self._fix(history)
        else:
            newest = comparable(self._space, history.since(len(history) - 1))
            self._front = np.vstack([self._front, newest])
            self._front = self._front[nondominated(self._front)]
        self._tell_volume(len(history))

    def _fix(self, history: History) -> None:
        points = comparable(self._space, history)
        self._reference = reference_of(self._space.minimised(history.values[: self._initial]))
        self._front = points[nondominated(points)]
        signs = self._space.minimised(np.ones((1, len(self._space.columns))))[0]
        for column, sign, bound in zip(self._space.objectives, signs, self._reference, strict=True):
            self._tell(f"reference:{self._space.columns[column].name}", self._initial, float(sign * bound))

    def _tell_volume(self, index: int) -> None:
        if self._reference is not None and not np.isnan(self._reference).any():
            self.value = hypervolume(self._front, self._reference)
            self._tell("hypervolume", index, self.value)

    def _tell(self, name: str, index: int, value: float) -> None:
        self._context.emit(Indicator(job=self._context.job, run=self._run, name=name, index=index, value=value))


def reference_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The reference of a hypervolume: in each objective the worst of these points plus a tenth of their range.

    Where all are equal, a tenth of the value itself (of 1, if it is 0). Points that are not finite are left out.

    Args:
        points: Shape (n, m), minimised.

    Returns:
        Shape (m,); NaN if no point is finite.
    """
    finite = points[np.isfinite(points).all(axis=1)]
    if len(finite) == 0:
        return np.full(points.shape[1], np.nan)
    worst, spread = finite.max(axis=0), np.ptp(finite, axis=0)
    instead = np.where(worst == 0, 1.0, np.abs(worst))
    return np.asarray(worst + REFERENCE_MARGIN * np.where(spread > 0, spread, instead), dtype=np.float64)
