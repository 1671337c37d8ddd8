"""Standard errors of paired differences between the points of a run, kept up as it grows. For the reading thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from solera.runs.header import RunHeader
from solera.runs.points import PHASES, Points
from solera.tasks.scores import METRICS

#: Column -> float32 of shape (n, n): standard error of the difference of two points; NaN where they are no pair.
Paired = Mapping[int, NDArray[np.float32]]

#: Beyond either, a run's differences are left unpaired: memory and time grow with the square of its points.
MOST_POINTS = 2000
MOST_BYTES = 128 * 2**20


class SampleReader(Protocol):
    """What samples are read from."""

    def samples(self, column: int | str, rows: Sequence[int] | NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Per-sample values, shape (len(rows), samples)."""
        ...


class Pairs:
    """The paired errors of one run.

    Two points are a pair if they were scored on the same samples: in the same phase, with as many. Columns whose stored
    errors are not those of independent samples (a language task's are clustered by document, and runs do not say which)
    are left out, as paired errors from their samples would be too small.

    Args:
        header: The run's.
    """

    def __init__(self, header: RunHeader) -> None:
        wanted = header.stores_samples and not header.shape
        kinds = [METRICS.get(str(plain.get("metric", ""))) for plain in header.columns]
        self._scaled = [kind is not None and kind.aggregate == "exp-mean" for kind in kinds]
        self._columns = {place: _Column() for place in range(len(kinds))} if wanted else {}
        self._count = 0

    def grow(self, reader: SampleReader, points: Points) -> Paired:
        """Take in the points that are new; all errors so far."""
        start, self._count = self._count, len(points)
        if len(points) > MOST_POINTS:
            self._columns.clear()
        for place, column in tuple(self._columns.items()):
            for phase in PHASES:
                rows = start + np.nonzero(points.phase[start:] == phase)[0]
                if not rows.size:
                    continue
                samples = reader.samples(place, rows).astype(np.float64)
                if self._scaled[place]:  # delta method: the aggregate is the exponential of the samples' mean
                    samples *= points.values[rows, place][:, None]
                if not column.take(phase, rows, samples, points.stderrs[rows, place]):
                    self._columns.pop(place, None)
                    break
        if sum(column.nbytes for column in self._columns.values()) > MOST_BYTES:
            self._columns.clear()
        return {place: column.errors(len(points)) for place, column in self._columns.items() if column.known}


class _Column:
    """One score of all points."""

    def __init__(self) -> None:
        self._errors = np.full((0, 0), np.nan, dtype=np.float32)
        self._samples: dict[tuple[str, int], tuple[NDArray[np.int64], NDArray[np.float64]]] = {}

    @property
    def known(self) -> bool:
        """Whether any point came with samples."""
        return bool(self._samples)

    @property
    def nbytes(self) -> int:
        return self._errors.nbytes + sum(samples.nbytes for _, samples in self._samples.values())

    def take(
        self, phase: str, rows: NDArray[np.int64], samples: NDArray[np.float64], stderrs: NDArray[np.float64]
    ) -> bool:
        """Pair new rows with those before; False if their stored errors are not those of independent samples."""
        whole = np.isfinite(samples).all(axis=1)
        rows, samples, stderrs = rows[whole], samples[whole], stderrs[whole]
        n = samples.shape[1]
        if n < 2 or not rows.size:
            return True
        samples = samples - samples.mean(axis=1, keepdims=True)
        own = np.sqrt((samples**2).sum(axis=1) / (n - 1) / n)
        if not np.allclose(own, stderrs, rtol=0.02, atol=1e-9, equal_nan=False):
            return False
        known_rows, known = self._samples.get((phase, n), (rows[:0], samples[:0]))
        every_row, every = np.concatenate((known_rows, rows)), np.concatenate((known, samples))
        self._samples[phase, n] = every_row, every
        squares = (every**2).sum(axis=1)
        gap = squares[-rows.size :, None] + squares[None, :] - 2 * samples @ every.T
        errors = np.sqrt(np.maximum(gap, 0.0) / (n - 1) / n)
        self._room(int(every_row.max()) + 1)
        self._errors[np.ix_(rows, every_row)] = errors
        self._errors[np.ix_(every_row, rows)] = errors.T
        return True

    def errors(self, count: int) -> NDArray[np.float32]:
        """The errors of the first ``count`` points; later growth does not touch what was handed out."""
        self._room(count)
        found = self._errors[:count, :count].view()
        found.flags.writeable = False
        return found

    def _room(self, count: int) -> None:
        have = len(self._errors)
        if count > have:
            grown = np.full((max(count, 2 * have, 64),) * 2, np.nan, dtype=np.float32)
            grown[:have, :have] = self._errors
            self._errors = grown
