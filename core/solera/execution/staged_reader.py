"""Checkpoints' numbers on a device: read into pinned windows, copied there in their stored dtype, widened there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from solera.checkpoints.checkpoint import Checkpoint
from solera.execution.devices import Device, Mark, open_devices
from solera.execution.reading import Allow, Reader
from solera.execution.staging import SLOTS, WINDOW, Staging
from solera.execution.targets import find_ref
from solera.tensors.dtypes import torch_dtype
from solera.tensors.specs import ITEM_SIZES

#: So many pieces are looked at for NaN together, where nobody asks earlier: a look waits for the device.
_TOGETHER = 256


class Request(NamedTuple):
    """Elements of a tensor of one checkpoint."""

    id: str
    name: str
    start: int
    stop: int


@dataclass(slots=True)
class _Slot:
    """Device memory for a piece in its stored dtype.

    Attributes:
        memory: uint8.
        used: When its content has been taken, so that it may be overwritten.
        filled: When what was asked for is there.
        holds: What that is; None once it was taken.
    """

    memory: Tensor
    used: Mark
    filled: Mark | None = None
    holds: Request | None = None


@dataclass
class _Hand:
    """What one thread has: its windows, device memory by checkpoint, and sums that have not been looked at."""

    staging: Staging
    slots: dict[str, list[_Slot]] = field(default_factory=dict)
    turn: dict[str, int] = field(default_factory=dict)
    sums: list[tuple[Request, Tensor]] = field(default_factory=list)


class StagedReader(Reader):
    """Gives pieces of tensors as flat float32 on a device; each time in new memory there.

    A piece may be asked for ahead (:meth:`stage`), one for each checkpoint: its copy is under way while the piece
    before it is computed. Whether numbers are finite is found out on the device and looked at later: by
    :meth:`settle`, or by whoever takes the sums.

    Thread rule: any thread; each thread has windows, device memory and streams of its own.

    Args:
        checkpoints: By node id.
        device: Where the numbers are wanted.
        allow: Takes an error about NaN or infinity instead of its being raised.
        window: Bytes of a pinned window.
    """

    def __init__(
        self, checkpoints: Mapping[str, Checkpoint], device: Device, *, allow: Allow | None = None, window: int = WINDOW
    ) -> None:
        super().__init__(checkpoints, allow=allow)
        self.device = device
        self._window = window
        self._hands = threading.local()
        self._exact = Reader(checkpoints, allow=allow)

    @property
    def staging(self) -> Staging:
        """The calling thread's windows."""
        return self._hand.staging

    def stage(self, request: Request) -> None:
        """Read a piece that will be asked for, and begin its copy. Raises as a call does."""
        self._fill(request)

    def __call__(self, id_: str, name: str, start: int, stop: int) -> Tensor:
        """Elements ``start`` to ``stop`` of a tensor; raises as :meth:`Reader.__call__`, of NaN perhaps later."""
        request, hand = Request(id_, name, start, stop), self._hand
        slot = next((one for one in hand.slots.get(id_, ()) if one.holds == request), None) or self._fill(request)
        assert slot.filled is not None
        lane = hand.staging.lane
        lane.behind(slot.filled)
        dtype = torch_dtype(self._dtype(request))
        wide = slot.memory[: (stop - start) * dtype.itemsize].view(dtype).to(torch.float32, copy=True)
        slot.used, slot.holds = lane.mark(), None
        if stop > start:
            hand.sums.append((request, wide.sum()))
        if len(hand.sums) >= _TOGETHER:
            self.settle()
        return wide

    def settle(self) -> None:
        """Wait for what the calling thread read, and look whether it is finite.

        Raises:
            NumericError: An element is NaN or infinite; tensor and checkpoint are named.
        """
        requests, sums = self.take_sums()
        if requests:
            self.look_at(requests, torch.stack(sums).cpu())

    def take_sums(self) -> tuple[list[Request], list[Tensor]]:
        """What the calling thread read since the last time, and the sum of each piece, shape (), on the device."""
        hand = self._hand
        taken, hand.sums = hand.sums, []
        return [request for request, _ in taken], [total for _, total in taken]

    def look_at(self, requests: list[Request], sums: Tensor) -> None:
        """Look at sums: where one is not finite the numbers are read once more, by the CPU, and checked one by one.

        Args:
            requests: What was read.
            sums: As many, on the host.

        Raises:
            NumericError: An element is NaN or infinite.
        """
        for i in torch.nonzero(~torch.isfinite(sums)).flatten().tolist():
            self._exact(*requests[i])

    def forget(self) -> None:
        """Let go of the calling thread's device memory."""
        self._hand.slots.clear()
        self._exact.forget()

    def apart(self) -> StagedReader:
        """One more reader of the same checkpoints, with windows and memory of its own."""
        return StagedReader(self._checkpoints, self.device, allow=self._allow, window=self._window)

    @property
    def _hand(self) -> _Hand:
        hand: _Hand | None = getattr(self._hands, "hand", None)
        if hand is None:
            hand = self._hands.hand = _Hand(Staging(self.device.lane(), self._window))
        return hand

    def _dtype(self, request: Request) -> str:
        """What a piece is copied in: float64 is narrowed, and checked, on the way."""
        dtype = find_ref(self._checkpoints[request.id], request.name).dtype
        return "float32" if dtype == "float64" else dtype

    def _fill(self, request: Request) -> _Slot:
        staging, size = self._hand.staging, ITEM_SIZES[self._dtype(request)]
        slot = self._slot(request.id, (request.stop - request.start) * size)
        target = slot.memory[: (request.stop - request.start) * size]
        slot.filled = staging.upload(self._source(request), target, size, slot.used)
        slot.holds = request
        return slot

    def _source(self, request: Request) -> Callable[[Tensor, int, int], None]:
        id_, name, first, _ = request
        ref = find_ref(self._checkpoints[id_], name)

        def read(host: Tensor, start: int, stop: int) -> None:
            ref.read_into(host, first + start, first + stop)

        def narrowed(host: Tensor, start: int, stop: int) -> None:
            host.view(torch.float32).copy_(self._exact(id_, name, first + start, first + stop))

        return narrowed if ref.dtype == "float64" else read

    def _slot(self, id_: str, nbytes: int) -> _Slot:
        """Memory that holds nothing that is still to be taken; the one that was used longest ago."""
        hand = self._hand
        slots = hand.slots.setdefault(id_, [])
        turn = hand.turn[id_] = (hand.turn.get(id_, -1) + 1) % SLOTS
        if turn < len(slots) and slots[turn].holds is not None:
            turn = hand.turn[id_] = (turn + 1) % SLOTS
        if turn < len(slots) and slots[turn].memory.numel() >= nbytes:
            return slots[turn]
        memory = torch.empty(max(nbytes, 16), dtype=torch.uint8, device=self.device.place)
        slot = _Slot(memory, hand.staging.lane.mark())
        if turn < len(slots):
            slots[turn] = slot
        else:
            slots.append(slot)
        return slot


def reader_on(name: str, checkpoints: Mapping[str, Checkpoint]) -> Reader:
    """A reader that gives numbers on the torch device of this name.

    Raises:
        InputError: There is no such device.
    """
    devices = open_devices((name,))
    return StagedReader(checkpoints, devices[0]) if devices else Reader(checkpoints)
