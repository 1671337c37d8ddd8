"""Statistics of what enters layers that multiply by a matrix: Gram matrices and means."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from solera.models.network import Network
from solera.statistics.watching import LayerCollector

#: Bytes of rows that are multiplied in one go.
_ROW_BYTES = 64 << 20


class InputCollector(LayerCollector):
    """Over all rows x that a weight is multiplied with: the mean of ``x x'``, or of ``x``.

    A Linear's rows are samples, or tokens of samples. A convolution's are the patches under its kernel (Gram matrices
    alone): its weight (outputs, channels, ...) is read as (outputs, inputs). transformers' Conv1D has its weight stored
    (inputs, outputs). Layers with one common weight pool their rows; a weight that is also used otherwise (an embedding
    tied to the head) is left out, for its rows are then not all inputs.

    Everything is called as the layer's weight. Shapes: of a Gram matrix (inputs, inputs), in groups (groups, inputs,
    inputs), of a Conv1D (inputs, inputs, 1); of a mean (inputs,), of a Conv1D (inputs, 1).

    Args:
        what: ``"gram"`` or ``"mean"``.
        chunk: Examples taken at a time.
    """

    wants = "Linear or convolution with a weight of its own"

    def __init__(self, what: Literal["gram", "mean"], chunk: int) -> None:
        super().__init__(chunk)
        self._what = what

    def watched(self, network: Network) -> Iterator[tuple[str, nn.Module]]:
        """See :class:`.watching.LayerCollector`."""
        names = dict(network.layout.aliases)
        uses: dict[str, int] = {}
        for alias in names:
            uses[names[alias]] = uses.get(names[alias], 1) + 1
        found: dict[str, list[nn.Module]] = {}
        for name, layer in network.module.named_modules(remove_duplicate=False):
            weight = f"{name}.weight".removeprefix(".")
            if weight in network.layout.index and self._fits(layer):
                found.setdefault(names.get(weight, weight), []).append(layer)
        for weight, layers in found.items():
            if len(layers) == uses.get(weight, 1):
                yield from ((weight, layer) for layer in {id(layer): layer for layer in layers}.values())

    def see(self, name: str, layer: nn.Module, x: Tensor, y: Tensor | None) -> None:
        """See :class:`.watching.LayerCollector`."""
        for rows in _rows(layer, x):
            self._more(f"rows:{name}", float(rows.shape[1]))
            amount = rows.transpose(1, 2) @ rows if self._what == "gram" else rows.sum(1)
            self._more(f"sum:{name}", amount.unsqueeze(-1) if turned(layer) else amount)

    def result(self) -> dict[str, Tensor]:
        """See :class:`.collector.Collector`."""
        means = {name: (self._sums[f"sum:{name}"] / rows).float().cpu() for name, rows in self._layers()}
        return {name: mean.squeeze(0) if mean.shape[0] == 1 else mean for name, mean in means.items()}

    def _fits(self, layer: nn.Module) -> bool:
        if isinstance(layer, nn.Linear) or turned(layer):
            return True
        conv, transposed = nn.modules.conv._ConvNd, nn.modules.conv._ConvTransposeNd
        return self._what == "gram" and isinstance(layer, conv) and not isinstance(layer, transposed)


def turned(layer: nn.Module) -> bool:
    """Whether a layer is transformers' Conv1D: a Linear whose weight is stored (inputs, outputs)."""
    kind = type(layer)
    return kind.__name__ == "Conv1D" and kind.__module__.startswith("transformers.")


def _rows(layer: nn.Module, x: Tensor) -> Iterator[Tensor]:
    """What a layer's weight is multiplied with, a part of the examples at a time: float64 (groups, rows, inputs)."""
    if not isinstance(layer, nn.modules.conv._ConvNd):
        yield x.reshape(1, -1, x.shape[-1]).double()
        return
    one = patches(layer, x[:1])
    step = max(1, _ROW_BYTES // max(8 * one.numel(), 1))
    for start in range(0, len(x), step):
        yield patches(layer, x[start : start + step])


def patches(layer: nn.modules.conv._ConvNd, x: Tensor) -> Tensor:
    """The patches under a convolution's kernel, as its weight is flattened.

    Args:
        layer: Not a transposed one.
        x: (samples, channels, ...).

    Returns:
        float64 (groups, samples * places, channels / groups * kernel).
    """
    axes = len(layer.kernel_size)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    x = F.pad(x.double(), layer._reversed_padding_repeated_twice, mode=mode)
    for axis, (size, stride, apart) in enumerate(zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)):
        x = x.unfold(axis + 2, apart * (size - 1) + 1, stride)[..., ::apart]
    rows = x.movedim(1, 1 + axes)  # samples, places ..., channels, kernel ...
    return rows.reshape(math.prod(rows.shape[: 1 + axes]), layer.groups, -1).movedim(1, 0).contiguous()
