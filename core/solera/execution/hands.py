"""What makes the pieces of a merge: the CPU, where the numbers are, or a device to which they are copied and back.

The executor goes through the pieces of a tensor in one way for both: some are staged ahead, one is computed, and what
was computed before is finished and written meanwhile. On the CPU nothing is ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor

from solera.errors import SoleraError
from solera.execution.devices import Mark
from solera.execution.plan import Plan
from solera.execution.program import Place
from solera.execution.reading import Allow, Reader, store
from solera.execution.staged_reader import Request, StagedReader
from solera.execution.targets import Target
from solera.kernels.codes import KINDS
from solera.kernels.tape import playable
from solera.tensors.dtypes import torch_dtype

#: A piece of a tensor: first element, after the last one, its shape (None: flat).
Part = tuple[int, int, tuple[int, ...] | None]

#: Takes the first byte in the tensor, and bytes.
Put = Callable[[int, memoryview], None]


class Made(Protocol):
    """A piece that was computed, or soon will be."""

    def finish(self, put: Put) -> None:
        """Wait for it, check it and hand its bytes on.

        Raises:
            NumericError: A weight is NaN or infinite, or a result does not fit its dtype.
        """
        ...


class Hand(Protocol):
    """One device's side of a merge. Thread rule: any thread.

    Attributes:
        load: Gives checkpoints' numbers there.
        ahead: Pieces that are staged before the one that is computed, and finished after the next one.
    """

    load: Reader
    ahead: int

    def at_work(self) -> AbstractContextManager[object]:
        """Around all that a thread computes here."""
        ...

    def stage(self, place: Place, target: Target, part: Part) -> None:
        """Begin to read what a piece will need."""
        ...

    def make(self, place: Place, target: Target, part: Part) -> Made:
        """Compute a piece. Raises as :meth:`Made.finish`."""
        ...

    def settle(self) -> None:
        """Wait for what the calling thread computed here, and check what it read."""
        ...


def go_through(hand: Hand, place: Place, target: Target, parts: Iterable[Part], put: Put) -> None:
    """Make the pieces of a tensor.

    Args:
        hand: What makes them.
        place: The recipe at this tensor.
        target: The tensor.
        parts: Its pieces, in order; asking for one may raise, to stop.
        put: Takes the bytes.

    Raises:
        NumericError: A weight is NaN or infinite, or a result does not fit its dtype.
    """
    made: deque[Made] = deque()
    with torch.no_grad():
        for part in _staged(hand, place, target, parts):
            made.append(hand.make(place, target, part))
            if len(made) > hand.ahead:
                made.popleft().finish(put)
        while made:
            made.popleft().finish(put)


def _staged(hand: Hand, place: Place, target: Target, parts: Iterable[Part]) -> Iterator[Part]:
    """The pieces, each after later ones were staged."""
    waiting: deque[Part] = deque()
    for part in parts:
        hand.stage(place, target, part)
        waiting.append(part)
        if len(waiting) > hand.ahead:
            yield waiting.popleft()
    yield from waiting


class DirectHand:
    """The CPU: numbers are computed where they are read, and written from where they are computed.

    Args:
        load: Gives checkpoints' numbers.
        allow: Takes errors about NaN and infinity instead of their being raised.
    """

    ahead = 0

    def __init__(self, load: Reader, allow: Allow | None = None) -> None:
        self.load = load
        self._allow = allow

    def at_work(self) -> AbstractContextManager[object]:
        """Nothing to set up."""
        return nullcontext()

    def stage(self, place: Place, target: Target, part: Part) -> None:
        """Nothing: a piece is read when it is computed, while it is in the cache."""

    def make(self, place: Place, target: Target, part: Part) -> Made:
        """Compute a piece at once."""
        played = self._play(place, target, part)
        if played is not None:
            return played
        stored = store(place.evaluate(self.load, *part), target.dtype, target.name, self._allow)
        return _Here(part[0] * stored.element_size(), stored)

    def _play(self, place: Place, target: Target, part: Part) -> Made | None:
        """Compute a piece with a loop; None where there is none for it, or something in it is not finite."""
        kind, count = KINDS.get(target.dtype), part[1] - part[0]
        tape = place.tape if kind is not None and count and playable() else None
        rows = self.load.rows(tape.inputs, target.name, part[0], part[1]) if tape else None
        if kind is None or tape is None or rows is None:
            return None
        stored, data = self.load.result(target.dtype, count)
        if not tape.play(rows, part[0], count, kind, stored.data_ptr()):
            place.forget_tape()
            return None
        return _Played(part[0] * stored.element_size(), data)

    def settle(self) -> None:
        """Nothing: all was checked when it was read."""


class _Here:
    """A piece in main memory."""

    def __init__(self, start: int, stored: Tensor) -> None:
        self._start = start
        self._stored = stored

    def finish(self, put: Put) -> None:
        """Hand it on."""
        put(self._start, self._stored.reshape(-1).contiguous().view(torch.uint8).numpy().data)


class _Played:
    """A piece as it is to be written."""

    def __init__(self, start: int, data: memoryview) -> None:
        self._start = start
        self._data = data

    def finish(self, put: Put) -> None:
        """Hand it on."""
        put(self._start, self._data)


class StagedHand:
    """A device: see :class:`StagedReader` for the way there.

    Args:
        load: Gives checkpoints' numbers there.
        allow: Takes errors about NaN and infinity instead of their being raised.
    """

    ahead = 1

    def __init__(self, load: StagedReader, allow: Allow | None = None) -> None:
        self.load: Reader = load
        self._load = load
        self._allow = allow

    def at_work(self) -> AbstractContextManager[object]:
        """The order of work of the calling thread's lane."""
        return self._load.staging.lane.active()

    def stage(self, place: Place, target: Target, part: Part) -> None:
        """Begin the copies of a piece's inputs."""
        for id_ in place.loads:
            self._load.stage(Request(id_, target.name, part[0], part[1]))

    def make(self, place: Place, target: Target, part: Part) -> Made:
        """Ask for a piece to be computed."""
        try:
            result = place.evaluate(self._load, *part)
        except SoleraError:
            self._load.settle()  # what was read may be what is wrong
            raise
        return _There(self._load, target, part[0], result, self._allow)

    def settle(self) -> None:
        """Wait, and check what was read."""
        self._load.settle()
        self._load.staging.lane.mark().wait()


class _There:
    """A piece on a device, rounded to its storage dtype there."""

    def __init__(self, load: StagedReader, target: Target, start: int, result: Tensor, allow: Allow | None) -> None:
        self._load, self._target, self._allow = load, target, allow
        self._result = result.reshape(-1)
        dtype = torch_dtype(target.dtype)
        # Smaller dtypes saturate: what does not fit them is seen before the cast alone.
        self._sure = dtype.itemsize > 1 and dtype.is_floating_point
        self._stored = self._result.to(dtype) if self._sure else self._exact()
        self._start = start * dtype.itemsize
        self._requests, sums = load.take_sums()
        own = _sum(self._stored) if self._sure else self._result.new_zeros(())
        self._sums = torch.stack([*sums, own])
        self._done: Mark = load.staging.lane.mark()

    def finish(self, put: Put) -> None:
        """Bring it back and hand it on."""
        sums = self._back(self._sums)
        self._load.look_at(self._requests, sums[:-1])
        if self._sure and not bool(torch.isfinite(sums[-1])):
            self._stored = self._exact()
            self._done = self._load.staging.lane.mark()
        for first, host in self._load.staging.download(_bytes(self._stored), self._done):
            put(self._start + first, host.numpy().data)

    def _exact(self) -> Tensor:
        return store(self._result, self._target.dtype, self._target.name, self._allow)

    def _back(self, sums: Tensor) -> Tensor:
        parts = [host.clone() for _, host in self._load.staging.download(_bytes(sums), self._done)]
        return torch.cat(parts).view(torch.float32)


def _sum(stored: Tensor) -> Tensor:
    """The sum of all elements, float32 of shape (): if it is finite, so are they."""
    wide = torch.float32 if stored.dtype == torch.float16 else None
    return stored.sum(dtype=wide).to(torch.float32)


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.reshape(-1).contiguous().view(torch.uint8)


def open_hands(plan: Plan, allow: Allow | None = None) -> tuple[Hand, ...]:
    """One for every device of a plan, else the CPU.

    Args:
        plan: The merge.
        allow: Takes errors about NaN and infinity instead of their being raised.
    """
    if not plan.devices:
        return (DirectHand(Reader(plan.leaves, allow=allow), allow),)
    loads = [StagedReader(plan.leaves, device, allow=allow, window=plan.window) for device in plan.devices]
    return tuple(StagedHand(load, allow) for load in loads)
