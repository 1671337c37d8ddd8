"""Copies between files and a device through two small windows of pinned memory each way.

While one window is read from disk the other one's copy to the device is under way, and the same on the way back: so
host memory does not grow with what the device holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from solera.execution.devices import Lane, Mark

#: Most bytes of a window, and fewest that are worth a copy.
WINDOW, LEAST_WINDOW = 8 << 20, 1 << 20

#: Windows each way: one is filled or emptied while the other is copied.
SLOTS = 2


@dataclass(slots=True)
class _Window:
    """Pinned memory, and when its last copy is over."""

    memory: Tensor
    copied: Mark | None = None

    def free(self, nbytes: int) -> Tensor:
        """Its first bytes, once nothing is copied from or to them any more."""
        if self.copied is not None:
            self.copied.wait()
            self.copied = None
        return self.memory[:nbytes]


class Staging:
    """One thread's windows.

    Thread rule: one thread.

    Args:
        lane: The way to the device.
        window: Bytes of a window; a multiple of 16.
    """

    def __init__(self, lane: Lane, window: int = WINDOW) -> None:
        self.lane = lane
        self._size = window
        self._up = _Ring(lane, window)
        self._down = _Ring(lane, window)

    def upload(self, read: Callable[[Tensor, int, int], None], target: Tensor, itemsize: int, after: Mark) -> Mark:
        """Fill memory of the device.

        Args:
            read: ``read(bytes, start, stop)`` puts elements ``start`` to ``stop`` into uint8 host memory.
            target: uint8, flat, on the device.
            itemsize: Bytes of an element.
            after: When ``target`` may be overwritten.

        Returns:
            When it is filled.
        """
        count, step = target.numel() // itemsize, self._size // itemsize
        for start in range(0, count, step):
            stop = min(start + step, count)
            window = self._up.next()
            host = window.free((stop - start) * itemsize)
            read(host, start, stop)
            after = window.copied = self.lane.up(host, target[start * itemsize : stop * itemsize], after)
        return after

    def download(self, source: Tensor, after: Mark) -> Iterator[tuple[int, Tensor]]:
        """Bring memory of the device back.

        Args:
            source: uint8, flat, on the device; not overwritten until all is yielded.
            after: When it holds what is wanted.

        Yields:
            First byte, and the bytes in host memory, valid until the next ones are asked for.
        """
        coming: list[tuple[int, Tensor, Mark]] = []
        for start in range(0, source.numel(), self._size):
            part = source[start : start + self._size]
            window = self._down.next()
            host = window.free(part.numel())
            mark = window.copied = self.lane.down(part, host, after)
            coming.append((start, host, mark))
            if len(coming) == SLOTS:
                yield _arrived(coming.pop(0))
        while coming:
            yield _arrived(coming.pop(0))


def _arrived(part: tuple[int, Tensor, Mark]) -> tuple[int, Tensor]:
    start, host, mark = part
    mark.wait()
    return start, host


class _Ring:
    """The windows of one way, used in turn; made when they are first needed."""

    def __init__(self, lane: Lane, window: int) -> None:
        self._lane = lane
        self._size = window
        self._windows: list[_Window] = []
        self._turn = 0

    def next(self) -> _Window:
        """The window whose turn it is."""
        if len(self._windows) < SLOTS:
            self._windows.append(_Window(self._lane.pinned(self._size)))
            return self._windows[-1]
        window = self._windows[self._turn]
        self._turn = (self._turn + 1) % SLOTS
        return window
