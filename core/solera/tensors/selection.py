"""Exact selection without sorting: the k-th largest number, and the mask of the k largest.

Non-negative float32 numbers have the order of their bit patterns. A histogram of the upper 16 bits says in which of
65,536 drawers the k-th largest lies; a second histogram, of the lower 16 bits of what is in that drawer, says which
number it is. Two passes, 512 KiB, exact, whatever the length, order or chunking.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from solera.errors import InputError, NumericError

#: Elements looked at in one go; does not change results.
_CHUNK = 2**17
_DRAWERS = 2**16
_INFINITY = 0x7F800000


class StreamingSelect:
    """The k-th largest of a stream of non-negative float32 numbers, found in two passes over it.

    ::

        select = StreamingSelect(k)
        while select.needs_pass:
            for piece in stream():
                select.add(piece)
            select.end_pass()
        select.threshold

    Attributes:
        threshold: The k-th largest; NaN until found. Infinite if ``k`` is 0.
        above: How many numbers are larger than it.
        ties: How many are equal to it; ``k - above`` of them (those first in the stream) belong to the k largest.

    Args:
        k: Which one, from 1; 0 selects nothing.

    Raises:
        InputError: ``k`` is negative.
    """

    def __init__(self, k: int) -> None:
        if k < 0:
            raise InputError(f"The k-th largest is wanted with k from 0 on, not {k}.")
        self.k = k
        self.threshold = float("inf") if k == 0 else float("nan")
        self.above = 0
        self.ties = 0
        self._upper: int | None = None
        self._counts: Tensor | None = None

    @property
    def needs_pass(self) -> bool:
        """Whether the stream must be gone through (once more)."""
        return self.threshold != self.threshold

    def add(self, piece: Tensor) -> None:
        """Look at the next numbers: float32, any shape, non-negative (signs are ignored), any device."""
        patterns = piece.detach().reshape(-1).view(torch.int32)
        for start in range(0, patterns.numel(), _CHUNK):
            chunk = patterns[start : start + _CHUNK] & 0x7FFFFFFF
            if self._upper is None:
                drawers = chunk >> 16
            else:
                drawers = chunk[(chunk >> 16) == self._upper] & (_DRAWERS - 1)
            counts = torch.bincount(drawers, minlength=_DRAWERS)
            self._counts = counts if self._counts is None else self._counts.add_(counts)

    def end_pass(self) -> None:
        """Say that the stream has been gone through.

        Raises:
            InputError: It holds fewer than ``k`` numbers.
            NumericError: It holds NaN.
        """
        counts = [0] * _DRAWERS if self._counts is None else self._counts.tolist()
        self._counts = None
        if self._upper is None:
            if sum(counts) < self.k:
                raise InputError(f"The {self.k}-th largest of {sum(counts)} numbers is wanted.", k=self.k)
            if any(counts[(_INFINITY >> 16) + 1 :]):
                raise NumericError("The largest of numbers cannot be found: NaN is among them.")
            self._upper = self._descend(counts)
            return
        lower = self._descend(counts)
        self.ties = counts[lower]
        pattern = torch.tensor(self._upper << 16 | lower, dtype=torch.int32)
        self.threshold = float(pattern.view(torch.float32))
        if self.threshold != self.threshold:
            raise NumericError("The largest of numbers cannot be found: NaN is among them.")

    def _descend(self, counts: list[int]) -> int:
        """The drawer with the k-th largest; what lies in drawers above it is counted."""
        for drawer in range(_DRAWERS - 1, -1, -1):
            if self.above + counts[drawer] >= self.k:
                return drawer
            self.above += counts[drawer]
        raise InputError("The stream was shorter the second time.")


def select_kth(stream: Iterable[Tensor], k: int) -> StreamingSelect:
    """Find the k-th largest of a stream that can be gone through twice (a list, or an object that starts anew).

    Raises:
        InputError: ``k`` is negative or larger than the stream.
        NumericError: NaN is in it.
    """
    select = StreamingSelect(k)
    while select.needs_pass:
        for piece in stream:
            select.add(piece)
        select.end_pass()
    return select


def kth_largest(x: Tensor, k: int) -> float:
    """The k-th largest element, counted from 1.

    Args:
        x: Real, any shape and sign. float32 and smaller floats that are nowhere negative take the fast way.
        k: From 1 to the number of elements.

    Raises:
        InputError: There is no such element.
        NumericError: NaN is in it.
    """
    if not 1 <= k <= x.numel():
        raise InputError(f"The {k}-th largest of {x.numel()} elements is wanted.", k=k)
    if x.dtype in {torch.float32, torch.float16, torch.bfloat16} and not bool((x < 0).any()):
        return select_kth([x.float()], k).threshold
    if bool(torch.isnan(x).any()):
        raise NumericError("The largest of numbers cannot be found: NaN is among them.")
    flat = x.detach().reshape(-1)
    return float(flat.kthvalue(flat.numel() - k + 1).values)


def top_k_mask(x: Tensor, k: int) -> Tensor:
    """Which elements are the k largest; of equal ones, those with the lowest flat index.

    Args:
        x: Non-negative (magnitudes), float32 or smaller, any shape.
        k: How many; at most 0 gives none, at least all gives all.

    Returns:
        bool, of the shape of ``x``, with exactly ``k`` true (within 0 and the number of elements).

    Raises:
        NumericError: NaN is in ``x``.
    """
    if k <= 0 or k >= x.numel():
        return torch.full_like(x, k > 0, dtype=torch.bool)
    select = select_kth([x.float()], k)
    flat = x.detach().reshape(-1)
    mask = flat > select.threshold
    wanted = k - select.above
    for start in range(0, flat.numel(), _CHUNK):
        if wanted == 0:
            break
        places = torch.nonzero(flat[start : start + _CHUNK] == select.threshold)[:wanted, 0]
        mask[start + places] = True
        wanted -= places.numel()
    return mask.view(x.shape)
