"""Scores between the nodes of a grid, and what they are wrong by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from solera.landscapes.splines import at_places, local_weights, on_grid, spline_weights, touched
from solera.landscapes.traces import Traces
from solera.tasks.scores import Column, metric


def error_kind(column: Column) -> str:
    """How a column's error is counted: ``"absolute"`` for fractions (0 to 1), else ``"relative"``."""
    kind = metric(column.metric)
    return "absolute" if (kind.low, kind.high) == (0, 1) else "relative"


def errors_of(columns: Sequence[Column], found: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Errors of approximate scores, shape (k, columns): NaN where there is none, infinite where none should be."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.abs(found - true)
        relative = np.array([error_kind(column) == "relative" for column in columns])
        errors = np.where(relative, gap / np.abs(true), gap)
    return np.where(np.isfinite(found) & ~np.isfinite(true), np.inf, errors)


class Interpolation:
    """Scores between the nodes of a grid, from their traces.

    Splines run through the whole grid. Where a node has no number, polynomials through the nearest nodes take their
    place, and wherever such a node would have a say there is no value.

    Args:
        nodes: Places of the nodes along each axis, ascending, as shares of the way (0 to 1).
        traces: Shape (n_1, ..., n_d, width).
        how: Scores from traces.
    """

    def __init__(self, nodes: Sequence[NDArray[np.float64]], traces: NDArray[np.float32], how: Traces) -> None:
        self._nodes = tuple(nodes)
        self._traces = np.array(traces, dtype=np.float32)
        self._how = how
        self.holes: NDArray[np.bool_] = np.asarray(~np.isfinite(self._traces).all(axis=-1))
        if self.holes.any():
            self._traces[self.holes] = 0.0  # never read with a weight in what is shown

    def on_grid(self, places: Sequence[NDArray[np.float64]], degree: int = 3) -> NDArray[np.float64]:
        """Scores at all crossings of places along the axes: shape (columns, m_1, ..., m_d)."""
        weights = self._weights(places, degree)
        rows = [self._how.values(block.reshape(-1, block.shape[-1])) for block in on_grid(weights, self._traces)]
        found = np.concatenate(rows).T.reshape(-1, *(len(axis) for axis in places))
        if self.holes.any():
            found[:, touched(weights, self.holes)] = np.nan
        return found

    def at(self, places: NDArray[np.float64], degree: int = 3) -> NDArray[np.float64]:
        """Scores at single places, shape (k, d): shape (k, columns)."""
        weights = self._weights(list(places.T), degree)
        found = self._how.values(at_places(weights, self._traces))
        if self.holes.any():
            unknown = [bool(touched([w[k : k + 1] for w in weights], self.holes).any()) for k in range(len(places))]
            found[np.array(unknown, dtype=bool)] = np.nan
        return found

    def _weights(self, places: Sequence[NDArray[np.float64]], degree: int) -> list[NDArray[np.float64]]:
        make = local_weights if self.holes.any() else spline_weights
        return [make(nodes, at, degree) for nodes, at in zip(self._nodes, places, strict=True)]
