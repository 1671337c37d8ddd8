"""Order statistics over a whole model, without sorting it."""

from __future__ import annotations

from torch import Tensor

from solera.api import selection


class Ranked:
    """The element at a place of the rising order of a stream of float32 numbers of any sign; two passes.

    How long the stream is need not be known before the first pass ends.
    """

    def __init__(self) -> None:
        self._above = selection.StreamingSelect(1)
        self._below = selection.StreamingSelect(1)

    def add(self, piece: Tensor) -> None:
        """Look at the next numbers."""
        numbers = piece.float()
        self._above.add(numbers.clamp_min(0.0))
        self._below.add((-numbers).clamp_min(0.0))

    def place(self, index: int, numel: int) -> None:
        """Say which one of how many is wanted (0 the smallest); before the first pass is ended."""
        self._above.k, self._below.k = numel - index, index + 1

    def end_pass(self) -> None:
        """Say that the stream has been gone through."""
        self._above.end_pass()
        self._below.end_pass()

    @property
    def value(self) -> float:
        """The number."""
        return self._above.threshold if self._above.threshold > 0 else 0.0 - self._below.threshold
