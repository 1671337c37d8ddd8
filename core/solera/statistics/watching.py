"""The ancestor of statistics that are gathered while a network looks at examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from solera.context import Context
from solera.errors import MismatchError
from solera.models.network import Network
from solera.tasks.examples import Examples
from solera.tasks.inference import logits_in_chunks


class LayerCollector:
    """The ancestor of statistics that are gathered while the network looks at the examples.

    Args:
        chunk: Examples taken at a time.
    """

    #: What the network must have, for a sentence.
    wants = "layer"

    def __init__(self, chunk: int) -> None:
        self.chunk = chunk
        self.facts: dict[str, str | int | float] = {}
        self._sums: dict[str, Tensor] = {}

    def watched(self, network: Network) -> Iterator[tuple[str, nn.Module]]:
        """The layers it looks at, each with its name."""
        raise NotImplementedError

    def see(self, name: str, layer: nn.Module, x: Tensor, y: Tensor | None) -> None:
        """Take what a layer got, and what it gave (None before it was called)."""
        raise NotImplementedError

    def result(self) -> dict[str, Tensor]:
        """See :class:`.collector.Collector`."""
        raise NotImplementedError

    def add(self, network: Network, examples: Examples, where: slice, context: Context) -> None:
        """See :class:`.collector.Collector`."""
        layers = list(self.watched(network))
        if not layers:
            raise MismatchError(f"The network {type(network.module).__name__} has no {self.wants}.")
        with torch.no_grad(), self._hooked(layers):
            for _ in logits_in_chunks(network, examples.inputs[where], self.chunk, "of the statistic", context):
                pass

    def state(self) -> dict[str, Tensor]:
        """See :class:`.collector.Collector`."""
        return dict(self._sums)

    def restore(self, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """See :class:`.collector.Collector`."""
        self._sums, self.facts = dict(state), dict(facts)

    def _more(self, name: str, amount: Tensor | float) -> None:
        known = self._sums.get(name)
        fresh = torch.as_tensor(amount, dtype=torch.float64)
        self._sums[name] = fresh if known is None else known.to(fresh.device) + fresh

    def _layers(self) -> Iterator[tuple[str, float]]:
        """Name and number of rows of each layer that was called."""
        for key, count in self._sums.items():
            if key.startswith("rows:"):
                yield key.removeprefix("rows:"), float(count)

    @contextmanager
    def _hooked(self, layers: list[tuple[str, nn.Module]]) -> Iterator[None]:
        handles = [layer.register_forward_hook(partial(self._called, name)) for name, layer in layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _called(self, name: str, layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        self.see(name, layer, given[0].detach(), output.detach())
