"""Statistics of what comes out of layers: moments of channels, BatchNorm's running statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from solera.models.network import Network
from solera.statistics.inputs import InputCollector
from solera.statistics.watching import LayerCollector

#: Layers whose outputs have channels, and which axis those are; the batch is the first.
_CHANNELS: tuple[tuple[type[nn.Module], int], ...] = (
    (nn.Linear, -1),
    (nn.modules.conv._ConvNd, 1),
    (nn.modules.batchnorm._BatchNorm, 1),
)


class MomentCollector(LayerCollector):
    """Mean and variance of every output channel of Linear, convolution and BatchNorm layers.

    Called ``<layer>.mean`` and ``<layer>.variance``, over all samples, places and tokens; the variance divides by their
    number.
    """

    wants = "layer with channels"

    def watched(self, network: Network) -> Iterator[tuple[str, nn.Module]]:
        """See :class:`LayerCollector`."""
        for name, layer in network.module.named_modules():
            if any(isinstance(layer, kind) for kind, _ in _CHANNELS):
                yield name, layer

    def see(self, name: str, layer: nn.Module, x: Tensor, y: Tensor | None) -> None:
        """See :class:`LayerCollector`."""
        assert y is not None
        axis = next(axis for kind, axis in _CHANNELS if isinstance(layer, kind))
        self._moments(name, rows_of(y, axis))

    def _moments(self, name: str, rows: Tensor) -> None:
        self._more(f"rows:{name}", float(len(rows)))
        self._more(f"sum:{name}", rows.sum(0))
        self._more(f"squares:{name}", rows.square().sum(0))

    def result(self) -> dict[str, Tensor]:
        """See :class:`.collector.Collector`."""
        found: dict[str, Tensor] = {}
        for name, rows in self._layers():
            mean, variance = self.moments(name, rows)
            found |= {f"{name}.mean": mean.float().cpu(), f"{name}.variance": variance.float().cpu()}
        return found

    def moments(self, name: str, rows: float) -> tuple[Tensor, Tensor]:
        """Mean and variance of a layer's channels, float64."""
        mean = self._sums[f"sum:{name}"] / rows
        return mean, (self._sums[f"squares:{name}"] / rows - mean.square()).clamp_min(0.0)


class BatchNormCollector(MomentCollector):
    """The running statistics of every BatchNorm, made anew: what its input has over all examples.

    While they are gathered each BatchNorm normalises by its batch, as in training, so that what reaches the deeper ones
    does not hang on the old statistics. Means and variances are those of all examples pooled (between batches too), the
    variance with n - 1, as torch keeps it.

    Args:
        batch: Examples normalised together.
    """

    wants = "BatchNorm with running statistics"

    def watched(self, network: Network) -> Iterator[tuple[str, nn.Module]]:
        """See :class:`LayerCollector`."""
        for name, layer in network.module.named_modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.track_running_stats:
                yield name, layer

    def see(self, name: str, layer: nn.Module, x: Tensor, y: Tensor | None) -> None:
        """See :class:`LayerCollector`."""
        self._moments(name, rows_of(x, 1))

    def result(self) -> dict[str, Tensor]:
        """See :class:`.collector.Collector`."""
        found: dict[str, Tensor] = {}
        for name, rows in self._layers():
            mean, variance = self.moments(name, rows)
            variance = variance * (rows / max(rows - 1, 1.0))
            stem = f"{name}." if name else ""
            found |= {f"{stem}running_mean": mean.float().cpu(), f"{stem}running_var": variance.float().cpu()}
        return found

    @contextmanager
    def _hooked(self, layers: list[tuple[str, nn.Module]]) -> Iterator[None]:
        norms = [layer for _, layer in layers if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
        kept = [layer.momentum for layer in norms]
        try:
            for layer in norms:
                layer.momentum = 0.0  # batches normalise, the network's buffers stay
                layer.train()
            with super()._hooked(layers):
                yield
        finally:
            for layer, momentum in zip(norms, kept, strict=True):
                layer.momentum = momentum
                layer.eval()


def rows_of(x: Tensor, axis: int) -> Tensor:
    """A tensor as rows of channels, float64: every axis but that of the channels becomes one."""
    return x.movedim(axis, -1).reshape(-1, x.shape[axis]).double()


#: How the kinds that look at layers are made: ``(chunk, parameters) -> collector``.
LAYER_KINDS: dict[str, Callable[[int, Mapping[str, Any]], LayerCollector]] = {
    "gram": lambda chunk, _: InputCollector("gram", chunk),
    "mean": lambda chunk, _: InputCollector("mean", chunk),
    "moments": lambda chunk, _: MomentCollector(chunk),
    "batchnorm": lambda _, params: BatchNormCollector(int(params.get("batch", 128))),
}
