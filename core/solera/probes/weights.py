"""The weights of several models side by side, piece by piece: memory does not grow with the tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from solera.checkpoints.checkpoint import Checkpoint
from solera.execution.reading import Reader
from solera.tensors.reductions import BLOCK

#: Elements of a piece: whole blocks, so that sums are the same however a tensor is cut.
PIECE = 8 * BLOCK


class Weights:
    """Reads the same tensor of several checkpoints, float32, refusing NaN and infinity.

    Args:
        checkpoints: In order.
    """

    def __init__(self, checkpoints: Sequence[Checkpoint]) -> None:
        self._checkpoints = tuple(checkpoints)
        self._reader = Reader({str(i): each for i, each in enumerate(self._checkpoints)})

    def pieces(self, name: str) -> Iterator[tuple[Tensor, ...]]:
        """Consecutive flat pieces of a tensor: one float32 tensor per checkpoint, on the CPU, valid until the next.

        Raises:
            NumericError: A weight is NaN or infinite; tensor and checkpoint are named.
            MismatchError: A checkpoint lacks the tensor.
        """
        numel = self._checkpoints[0][name].numel
        for start in range(0, numel, PIECE):
            stop = min(start + PIECE, numel)
            yield tuple(self._reader(str(i), name, start, stop) for i in range(len(self._checkpoints)))

    def whole(self, index: int, name: str) -> Tensor:
        """A tensor of one checkpoint in its shape, float32; valid until the next read. Errors as :meth:`pieces`."""
        ref = self._checkpoints[index][name]
        return self._reader(str(index), name, 0, ref.numel).view(ref.shape)
