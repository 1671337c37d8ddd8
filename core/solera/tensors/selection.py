"""Exact selection without sorting: the k-th largest number, and the mask of the k largest.

Non-negative float32 numbers have the order of their bit patterns. A histogram of patterns over a range, coarse where
the range is wide, says in which drawer the k-th largest lies; another pass over that drawer alone says which number it
is. Two passes from the whole range; one from a range that was guessed from a sample and turns out right. Exact,
whatever the length, order or chunking, in a few megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from solera.errors import InputError, NumericError

#: Elements looked at in one go; does not change results.
_CHUNK = 2**17
#: Most drawers of a histogram.
_DRAWERS = 2**19
#: Most numbers of one pass that are kept, with their places, instead of being counted in drawers.
_KEPT = 2**20
#: Bytes that one selection holds at most, and what counting takes for a moment.
HELD = 16 * 2**20
_INFINITY = 0x7F800000
_LARGEST = 0x7FFFFFFF

#: Bit patterns of numbers, or places in a chunk.
Patterns = np.ndarray[tuple[int], np.dtype[np.int32]]
Counts = np.ndarray[tuple[int], np.dtype[np.int64]]

#: How many standard errors a sample's guess is widened by on either side.
_ERRORS = 5.0


class StreamingSelect:
    """The k-th largest of a stream of non-negative float32 numbers.

    ::

        select = StreamingSelect(k)
        while select.needs_pass:
            for piece in stream():
                select.add(piece)
            select.end_pass()
        select.threshold

    Attributes:
        k: Which one; may be set until the first pass is ended.
        threshold: The k-th largest; NaN until found. Infinite if ``k`` is 0.
        above: How many numbers are larger than it.
        ties: How many are equal to it; ``k - above`` of them (those first in the stream) belong to the k largest
            (:meth:`tie_at` says where they are).

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
        self._tie_places: list[tuple[int, Patterns]] = []
        self._look_in(0, _LARGEST)

    @property
    def needs_pass(self) -> bool:
        """Whether the stream must be gone through (once more)."""
        return self.threshold != self.threshold

    def guess(self, sample: Sequence[Tensor], share: float) -> None:
        """Say where the number may lie, before the first pass; a wrong guess costs two passes more.

        Args:
            sample: Runs of numbers from places all over the stream, float32 (signs are ignored).
            share: The share of the stream that is to be selected, ``k`` of all, as far as it is known.
        """
        if not sample or not 0 < share < 1:
            return
        runs = [np.abs(run.detach().reshape(-1).cpu().numpy()) for run in sample]
        together = np.concatenate(runs)
        size = together.size
        place = size - 1 - min(int(size * share), size - 1)
        middle = np.partition(together, place)[place]
        # Runs differ by more than chance: rows and layers have sizes of their own.
        shares = np.array([np.count_nonzero(run > middle) / run.size for run in runs])
        error = max(float(shares.std()) / len(runs) ** 0.5, (share * (1 - share) / size) ** 0.5)
        first = int(size * (1 - share - _ERRORS * error)) - 1
        last = int(size * (1 - share + _ERRORS * error)) + 1
        places = [min(max(place, 0), size - 1) for place in (first, last)]
        low, high = np.partition(together, places)[places].view(np.int32).tolist()
        self._look_in(low if first > 0 else 0, high if last < size - 1 else _LARGEST)

    def _look_in(self, low: int, high: int) -> None:
        """Begin a pass that looks at patterns from ``low`` to ``high``."""
        self._low, self._high = low, high
        self._shift = max((high - low).bit_length() - _DRAWERS.bit_length() + 1, 0)
        self._over = self._seen = self._largest = 0
        self._counts: Counts | None = None
        self._waiting: list[_Kept] = []
        self._held = 0

    def add(self, piece: Tensor) -> None:
        """Look at the next numbers: float32, any shape, non-negative (signs are ignored), any device.

        Nothing, when the number is found.
        """
        if not self.needs_pass:
            return
        patterns = piece.detach().reshape(-1).view(torch.int32).cpu().numpy()
        for start in range(0, patterns.size, _CHUNK):
            chunk = np.bitwise_and(patterns[start : start + _CHUNK], _LARGEST)
            self._largest = max(self._largest, int(chunk.max()))
            self._keep(self._inside(chunk))
            self._seen += chunk.size

    @property
    def range(self) -> tuple[int, int]:
        """The least and the largest bit pattern that a pass looks at."""
        return self._low, self._high

    def sifted(self, count: int, over: int, largest: int, patterns: Patterns, places: Patterns) -> None:
        """Take the next numbers from whom looked at them: :meth:`add`, when :attr:`range` is known.

        Args:
            count: How many there are.
            over: How many are above the range.
            largest: The largest pattern of all.
            patterns: Those in the range, in order; copied.
            places: Where among the numbers they are; copied.
        """
        if not self.needs_pass:
            return
        self._over += over
        self._largest = max(self._largest, largest)
        everywhere = patterns.size == count
        self._keep(_Kept(self._seen, None if everywhere else places.copy(), patterns.copy()))
        self._seen += count

    def _inside(self, chunk: Patterns) -> _Kept:
        """Those of the next numbers that lie in the range."""
        if (self._low, self._high) == (0, _LARGEST):
            return _Kept(self._seen, None, chunk)
        over = chunk > self._high
        self._over += int(np.count_nonzero(over))
        # Where the masks differ, it reaches the lower end and is not over.
        places = np.flatnonzero(np.not_equal(chunk >= self._low, over, out=over)).astype(np.int32)
        return _Kept(self._seen, places, chunk[places])

    def _keep(self, kept: _Kept) -> None:
        """Hold some numbers, or count all that are held: many at a time, for the histogram is made anew each time."""
        self._waiting.append(kept)
        self._held += kept.patterns.size
        if self._held > (_KEPT if self._counts is None else _DRAWERS):
            self._count()

    def _count(self) -> None:
        """Put what is held into the drawers."""
        if self._counts is None:
            self._counts = np.zeros(((self._high - self._low) >> self._shift) + 1, dtype=np.int64)
        held = np.concatenate([kept.patterns for kept in self._waiting])
        found = np.bincount((held - np.int32(self._low)) >> self._shift)
        self._counts[: found.size] += found
        self._waiting, self._held = [], 0

    def end_pass(self) -> None:
        """Say that the stream has been gone through. Nothing, when the number is found.

        Raises:
            InputError: It holds fewer than ``k`` numbers.
            NumericError: It holds NaN.
        """
        if not self.needs_pass:
            return
        if self._seen < self.k:
            raise InputError(f"The {self.k}-th largest of {self._seen} numbers is wanted.", k=self.k)
        if self._largest > _INFINITY:
            raise NumericError("The largest of numbers cannot be found: NaN is among them.")
        if self._counts is not None and self._held:
            self._count()
        inside = self._held if self._counts is None else int(self._counts.sum())
        if self.k == 0:
            self.threshold = float("inf")
        elif self.k <= self._over:
            self._look_in(self._high + 1, _LARGEST)
        elif self.k > self._over + inside:
            self._look_in(0, self._low - 1)
        elif self._counts is None:
            self._open_kept(inside - (self.k - self._over))
        else:
            self._open_drawer(self._counts)

    def tie_at(self, count: int) -> int | None:
        """The place in the stream (from 0) of the ``count``-th number (from 1) that equals the threshold.

        None where the last pass held too many numbers to keep their places: the stream must be gone through for it.
        """
        for at, places in self._tie_places:
            if count <= places.size:
                return at + int(places[count - 1])
            count -= places.size
        return None

    def _open_kept(self, rank: int) -> None:
        """Find the number among those that were kept: the one of this rank, 0 the smallest."""
        values = np.concatenate([kept.patterns for kept in self._waiting])
        pattern = int(np.partition(values, rank)[rank])
        above = int(np.count_nonzero(values > pattern))
        ties = [(kept.start, kept.where(pattern)) for kept in self._waiting]
        self._found(pattern, self._over + above, sum(places.size for _, places in ties))
        self._tie_places = ties

    def _open_drawer(self, counts: Counts) -> None:
        """Find the number in its drawer, or look into that drawer in another pass."""
        reached = np.cumsum(counts[::-1])  # numbers in the drawers from the largest down
        place = int(np.searchsorted(reached, self.k - self._over))
        drawer = counts.size - 1 - place
        low = self._low + (drawer << self._shift)
        if self._shift:
            self._look_in(low, min(low + (1 << self._shift) - 1, self._high))
        else:
            self._found(low, self._over + int(reached[place] - counts[drawer]), int(counts[drawer]))

    def _found(self, pattern: int, above: int, ties: int) -> None:
        self.above, self.ties = above, ties
        self.threshold = float(np.int32(pattern).view(np.float32))
        self._counts, self._waiting = None, []


@dataclass(frozen=True, slots=True)
class _Kept:
    """Numbers of a chunk that lie in the range of a pass.

    Attributes:
        start: Place of the chunk in the stream.
        places: Theirs in the chunk; None if all of it is kept.
        patterns: The numbers.
    """

    start: int
    places: Patterns | None
    patterns: Patterns

    def where(self, pattern: int) -> Patterns:
        """Places in the chunk of those that equal a number."""
        found = np.flatnonzero(self.patterns == pattern).astype(np.int32)
        return found if self.places is None else self.places[found]


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
