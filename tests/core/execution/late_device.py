"""A device whose copies are made as late as they may be, and which sees when memory is used at the wrong time."""

from __future__ import annotations

import itertools
import threading
from contextlib import contextmanager

import torch
from torch import Tensor

from solera.execution.devices import Lane, Mark


def digest(memory: Tensor) -> bytes:
    return bytes(memory.reshape(-1).view(torch.uint8).numpy())


class LateMark:
    """Past when all copies up to a number were made."""

    def __init__(self, lane: LateLane | None, number: int) -> None:
        self.lane, self.number = lane, number

    def wait(self) -> None:
        if self.lane is not None:
            self.lane.make(self.number)


class LateLane:
    """Copies wait until somebody waits for them. What they copy must not have changed since they were asked for."""

    def __init__(self, device: LateDevice) -> None:
        self.device = device
        self.thread = threading.get_ident()
        self.waiting: list[tuple[int, Tensor, Tensor, bytes]] = []
        self.count = itertools.count(1)
        self.inside = 0

    def pinned(self, nbytes: int) -> Tensor:
        self.device.pinned += nbytes
        return torch.full((nbytes,), 0x7F, dtype=torch.uint8)

    @contextmanager
    def active(self):
        self.inside += 1
        yield
        self.inside -= 1

    def up(self, host: Tensor, device: Tensor, after: Mark | None) -> Mark:
        return self._later(host, device)

    def down(self, device: Tensor, host: Tensor, after: Mark | None) -> Mark:
        return self._later(device, host)

    def mark(self) -> Mark:
        return LateMark(None, 0)  # what is computed is computed at once

    def behind(self, mark: Mark) -> None:
        mark.wait()

    def _later(self, source: Tensor, target: Tensor) -> Mark:
        assert threading.get_ident() == self.thread
        assert source.numel() == target.numel()
        for _, other, other_target, _ in self.waiting:
            assert not overlap(target, other), "memory is overwritten before it was copied"
            assert not overlap(target, other_target), "memory is overwritten before it was used"
        number = next(self.count)
        self.waiting.append((number, source, target, digest(source)))
        self.device.most = max(self.device.most, len(self.waiting))
        return LateMark(self, number)

    def make(self, number: int) -> None:
        while self.waiting and self.waiting[0][0] <= number:
            _, source, target, before = self.waiting.pop(0)
            assert digest(source) == before, "memory changed while its copy was under way"
            target.copy_(source)
            self.device.copied += source.numel()


def overlap(a: Tensor, b: Tensor) -> bool:
    return a.data_ptr() < b.data_ptr() + b.nbytes and b.data_ptr() < a.data_ptr() + a.nbytes


class LateDevice:
    """See :class:`LateLane`."""

    def __init__(self, name: str = "cpu", room: int = 2**30) -> None:
        self.name, self.place, self.model, self.room = name, torch.device("cpu"), "late", room
        self.most = self.copied = self.pinned = 0

    def free(self) -> int:
        return self.room

    def lane(self) -> Lane:
        return LateLane(self)
