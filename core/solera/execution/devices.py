"""Where pieces are computed: what a device can hold, and its copies that run beside the work.

A device is dealt with through lanes, one for each thread: copies to it and from it are asked for and run in their own
order while the thread goes on, and marks say when they are over. The CPU stands in for a device with copies that are
over at once; so everything but CUDA's own calls runs without a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor

from solera.errors import InputError

#: The share of a device's free memory that a merge may take: the allocator needs room between tensors.
SHARE = 0.8


class Mark(Protocol):
    """A point in the order of a device's work."""

    def wait(self) -> None:
        """Return when all that was asked for before it is done."""
        ...


class Lane(Protocol):
    """One thread's way to a device and back. Three orders of work: computing, copies there, copies back.

    Thread rule: one thread.
    """

    def pinned(self, nbytes: int) -> Tensor:
        """Host memory, uint8, from and to which copies can run beside other work."""
        ...

    def active(self) -> AbstractContextManager[None]:
        """What torch computes on the device inside belongs to this lane, in order."""
        ...

    def up(self, host: Tensor, device: Tensor, after: Mark | None) -> Mark:
        """Copy to the device, once ``after`` is past; ``host`` must stay as it is until the mark is."""
        ...

    def down(self, device: Tensor, host: Tensor, after: Mark | None) -> Mark:
        """Copy from the device, once ``after`` is past; neither may be overwritten until the mark is."""
        ...

    def mark(self) -> Mark:
        """All that was computed so far."""
        ...

    def behind(self, mark: Mark) -> None:
        """Compute what follows only once ``mark`` is past; does not wait here."""
        ...


class Device(Protocol):
    """A place where tensors are held and computed with.

    Attributes:
        name: For a person: ``"cuda:0"``.
        place: Where torch makes tensors for it.
        model: What it is, for a person; two of one model give the same bytes.
    """

    name: str
    place: torch.device
    model: str

    def free(self) -> int:
        """Bytes that may be taken there now."""
        ...

    def lane(self) -> Lane:
        """A way there for the calling thread."""
        ...


class HostMark:
    """The past."""

    def wait(self) -> None:
        """Nothing to wait for."""


class HostLane:
    """Copies within main memory, over at once."""

    def pinned(self, nbytes: int) -> Tensor:
        """Any memory."""
        return torch.empty(nbytes, dtype=torch.uint8)

    def active(self) -> AbstractContextManager[None]:
        """Nothing: there is one order of work."""
        return nullcontext()

    def up(self, host: Tensor, device: Tensor, after: Mark | None) -> Mark:
        """A copy."""
        device.copy_(host)
        return HostMark()

    def down(self, device: Tensor, host: Tensor, after: Mark | None) -> Mark:
        """A copy."""
        host.copy_(device)
        return HostMark()

    def mark(self) -> Mark:
        """Now."""
        return HostMark()

    def behind(self, mark: Mark) -> None:
        """Nothing: it is past."""


class HostDevice:
    """The CPU in the place of a device: pieces are copied to it and back as they are with a GPU.

    Args:
        room: Bytes it shall seem to have.
    """

    def __init__(self, room: int = 2**30) -> None:
        self.name = "cpu"
        self.place = torch.device("cpu")
        self.model = "cpu"
        self._room = room

    def free(self) -> int:
        """What was said."""
        return self._room

    def lane(self) -> Lane:
        """Copies within main memory."""
        return HostLane()


class CudaMark:
    """A CUDA event."""

    def __init__(self, event: torch.cuda.Event) -> None:
        self.event = event

    def wait(self) -> None:
        """Wait for the event."""
        self.event.synchronize()


class CudaLane:
    """Three streams of one GPU: the calling thread's, or its own inside :meth:`active`, and one for copies each way."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._computing = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._up = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._down = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def pinned(self, nbytes: int) -> Tensor:
        """Page-locked memory."""
        return torch.empty(nbytes, dtype=torch.uint8, pin_memory=True)

    def active(self) -> AbstractContextManager[None]:
        """A stream of this lane's own."""
        return torch.cuda.stream(self._computing)

    def up(self, host: Tensor, device: Tensor, after: Mark | None) -> Mark:
        """On the stream of copies there."""
        return self._copy(self._up, host, device, after)

    def down(self, device: Tensor, host: Tensor, after: Mark | None) -> Mark:
        """On the stream of copies back."""
        return self._copy(self._down, device, host, after)

    def mark(self) -> Mark:
        """An event of the stream that computes."""
        return CudaMark(torch.cuda.current_stream(self._device).record_event())

    def behind(self, mark: Mark) -> None:
        """The stream that computes waits."""
        if isinstance(mark, CudaMark):
            torch.cuda.current_stream(self._device).wait_event(mark.event)

    def _copy(self, stream: torch.cuda.Stream, source: Tensor, target: Tensor, after: Mark | None) -> Mark:
        if isinstance(after, CudaMark):
            stream.wait_event(after.event)
        with torch.cuda.stream(stream):
            target.copy_(source, non_blocking=True)
        return CudaMark(stream.record_event())


class CudaDevice:
    """A GPU.

    Args:
        name: ``"cuda:0"``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.place = torch.device(name)
        self.model = torch.cuda.get_device_name(self.place)

    def free(self) -> int:
        """A share of what is free there, with what torch holds there unused."""
        free, _ = torch.cuda.mem_get_info(self.place)
        unused = torch.cuda.memory_reserved(self.place) - torch.cuda.memory_allocated(self.place)
        return int((free + unused) * SHARE)

    def lane(self) -> Lane:
        """Streams for the calling thread."""
        return CudaLane(self.place)


def open_devices(names: Sequence[str]) -> tuple[Device, ...]:
    """The devices of these names; none for the CPU, which computes where its numbers are.

    Args:
        names: torch's, without repetition: ``("cuda:0", "cuda:1")`` or ``("cpu",)``.

    Raises:
        InputError: They are not all of one kind, torch has none of that kind, or the GPUs are of several models.
    """
    kinds = {torch.device(name).type for name in names}
    if kinds <= {"cpu"}:
        return ()
    if kinds != {"cuda"}:
        raise InputError(f"A merge runs on the CPU or on GPUs (cuda:0, cuda:1), not on {', '.join(names)}.")
    count = torch.cuda.device_count()
    missing = [name for name in names if (torch.device(name).index or 0) >= count]
    if missing:
        raise InputError(f"There is no device '{missing[0]}'; torch finds {count or 'no'} GPUs.", device=missing[0])
    devices = tuple(CudaDevice(name) for name in names)
    if len({device.model for device in devices}) > 1:
        which = ", ".join(f"{device.name} ({device.model})" for device in devices)
        raise InputError(
            f"{which} are of different models, whose sums and products differ in the last digits: a merge that they "
            "shared would not give the same bytes twice. Name GPUs of one model."
        )
    return devices
