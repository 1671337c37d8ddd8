"""Random masks of a tensor that is gone through twice: drawn once, remembered as bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from solera.api import Piece, Tape, TapeValue, bricks

#: Elements whose masks are remembered; those of larger tensors are drawn again.
_REMEMBERED = 2**26


def remembered(sizes: Mapping[str, int], models: int) -> int:
    """Most bytes the masks of tensors with so many elements take, one tensor at a time."""
    return models * max(((numel + 7) // 8 for numel in sizes.values() if numel <= _REMEMBERED), default=0)


class Masks:
    """Which entries of each task vector of a tensor are kept by chance: drawn once, remembered as a bit each.

    Thread rule: any thread, once the tensor was gone through.

    Args:
        draw: Gives the mask of a model at a piece: bool, the piece's shape.
        models: How many.
        numel: Elements of the tensor; 0 remembers nothing.
    """

    def __init__(self, draw: Callable[[int, Tensor, Piece], Tensor], models: int, numel: int) -> None:
        self._draw = draw
        self._numel = numel
        size = (numel + 7) // 8 if numel <= _REMEMBERED else 0
        self._bits = [np.zeros(size, dtype=np.uint8) for _ in range(models)]
        self._drawn = [0 if size else -1 for _ in range(models)]

    def keep(self, model: int, delta: Tensor, piece: Piece) -> Tensor:
        """What is kept of a piece of a task vector: a new tensor, 0 where it is dropped."""
        return bricks.masked(delta, self._mask(model, delta, piece).to(delta.device))

    def tape(self, tape: Tape, model: int, value: TapeValue) -> TapeValue | None:
        """:meth:`keep` on a tape, when the mask of the whole tensor is remembered."""
        whole = self._numel and self._drawn[model] == self._numel
        return tape.keep_bits(value, self._bits[model]) if whole else None

    def _mask(self, model: int, delta: Tensor, piece: Piece) -> Tensor:
        first, last = piece.start // 8, (piece.start + delta.numel() + 7) // 8
        if self._numel and self._drawn[model] == self._numel and piece.start % 8 == 0:
            bits = np.unpackbits(self._bits[model][first:last], count=delta.numel(), bitorder="little")
            return torch.from_numpy(bits).view(torch.bool).view(delta.shape)
        mask = self._draw(model, delta, piece)
        if self._drawn[model] == piece.start and piece.start % 8 == 0:
            self._bits[model][first:last] = np.packbits(mask.reshape(-1).cpu().numpy(), bitorder="little")
            self._drawn[model] += delta.numel()
        return mask
