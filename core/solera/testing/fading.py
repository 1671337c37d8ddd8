"""Models as a stream whose pieces are gone at its next step, as those of the executor are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from solera.execution.cuts import PIECE, Cut, pieces


class FadingPasses:
    """Whole models as ``prepare`` sees them (:class:`solera.methods.spec.StatisticPasses`), in order of name.

    Every input has one buffer, which is overwritten with NaN after each step: whoever keeps a piece keeps NaN.

    Args:
        models: Name -> tensor, for each input.
        size: Elements of a piece.
        measured: Name -> statistic, for each input that has some; whole.
        cut: ``"block"`` for runs of whole slices instead of flat pieces.
    """

    def __init__(
        self, models: Sequence[Mapping[str, Tensor]], size: int = PIECE,
        measured: Sequence[Mapping[str, Tensor]] = (), cut: Cut = "element",
    ) -> None:  # fmt: skip
        self._models = models
        self._size = size
        self._measured = measured
        self._cut = cut
        self.numel = sum(tensor.numel() for tensor in models[0].values())

    def __iter__(self) -> Iterator[tuple[str, Sequence[Tensor]]]:
        buffers: list[Tensor | None] = [None] * len(self._models)
        for name in sorted(self._models[0]):
            wholes = [model[name].reshape(-1) for model in self._models]
            for start, stop, shape in pieces(tuple(self._models[0][name].shape), self._cut, self._size):
                shown = _shown([whole[start:stop] for whole in wholes], buffers)
                yield name, [tensor if shape is None else tensor.view(shape) for tensor in shown if tensor is not None]
                _fade(buffers)

    def sample(self) -> Sequence[Sequence[Tensor]]:
        """Nothing."""
        return []

    def statistics(self) -> Iterator[tuple[str, Sequence[Tensor | None]]]:
        """The statistics, each whole."""
        buffers: list[Tensor | None] = [None] * len(self._measured)
        for name in sorted(self._models[0]):
            yield name, _shown([measured.get(name) for measured in self._measured], buffers)
            _fade(buffers)


def _shown(tensors: Sequence[Tensor | None], buffers: list[Tensor | None]) -> list[Tensor | None]:
    """The tensors in the buffers; a buffer that is too short is made anew."""
    shown: list[Tensor | None] = []
    for i, tensor in enumerate(tensors):
        buffer = buffers[i]
        if tensor is None:
            shown.append(None)
            continue
        if buffer is None or buffer.numel() < tensor.numel():
            buffer = buffers[i] = torch.empty(tensor.numel(), dtype=tensor.dtype)
        shown.append(buffer[: tensor.numel()].view(tensor.shape).copy_(tensor))
    return shown


def _fade(buffers: Sequence[Tensor | None]) -> None:
    for buffer in buffers:
        if buffer is not None:
            buffer.fill_(float("nan"))
