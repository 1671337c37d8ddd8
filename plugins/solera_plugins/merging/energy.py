"""How many of the largest entries make up a share of a vector's squared norm, over a stream and without sorting."""

from __future__ import annotations

import torch
from torch import Tensor

from solera.api import Passes

_DRAWERS = 2**16
#: Elements looked at in one go.
_CHUNK = 2**17


class EnergySelect:
    """The least count of largest magnitudes whose squares total a share of all squares, in two passes over float32.

    The first pass adds up squares by the upper 16 bits of the magnitudes; the second counts, within the one drawer that
    decides, by the lower 16 bits. There equal numbers have equal squares, so that the count is exact.

    Attributes:
        count: The count, after the second pass.

    Args:
        share: From 0 (none) to 1 (all).
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._counts = torch.zeros(_DRAWERS, dtype=torch.int64)
        self._squares = torch.zeros(_DRAWERS, dtype=torch.float64)
        self._upper: int | None = None
        self._missing = 0.0
        self.count = 0

    def add(self, piece: Tensor) -> None:
        """Look at the next numbers."""
        flat = piece.detach().reshape(-1)
        for start in range(0, flat.numel(), _CHUNK):
            part = flat[start : start + _CHUNK]
            patterns = part.view(torch.int32) & 0x7FFFFFFF
            if self._upper is None:
                drawers = patterns >> 16
                self._squares += torch.bincount(drawers, part.double().square(), _DRAWERS).cpu()
            else:
                drawers = patterns[(patterns >> 16) == self._upper] & (_DRAWERS - 1)
            self._counts += torch.bincount(drawers, minlength=_DRAWERS).cpu()

    def end_pass(self) -> None:
        """Say that the stream has been gone through."""
        if self._upper is None:
            self._missing = self._share * float(self._squares.flip(0).cumsum(0)[-1])
            self._upper = self._descend(self._squares)
            if self._share >= 1:
                self.count += int(self._counts[: self._upper + 1].sum())
        elif 0 < self._share < 1 and self._missing > 0:
            patterns = torch.arange(_DRAWERS, dtype=torch.int32) + (self._upper << 16)
            squares = patterns.view(torch.float32).double().square()
            lower = self._descend(torch.where(self._counts > 0, squares * self._counts, 0.0))
            self.count += min(int(-(-self._missing // float(squares[lower]))), int(self._counts[lower]))
        self._counts = torch.zeros_like(self._counts)

    def _descend(self, squares: Tensor) -> int:
        """The drawer that brings the total to what is missing; those above it are counted and taken off."""
        total = squares.flip(0).cumsum(0)
        place = min(
            int((total < self._missing).sum()), int((squares.flip(0) > 0).nonzero()[-1]) if total[-1] > 0 else 0
        )
        self.count += int(self._counts.flip(0)[:place].sum())
        self._missing -= float(total[place - 1]) if place else 0.0
        return _DRAWERS - 1 - place


def energy_counts(passes: Passes, shares: tuple[float, ...]) -> list[int]:
    """For each model how many of its largest entries reach its share of the squared norm."""
    selects = [EnergySelect(share) for share in shares]
    for _ in range(2):
        for _name, deltas in passes:
            for select, delta in zip(selects, deltas, strict=True):
                select.add(delta)
        for select in selects:
            select.end_pass()
    return [select.count for select in selects]
