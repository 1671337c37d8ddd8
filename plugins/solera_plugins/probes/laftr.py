"""Chains of linear layers and ReLUs with their gates in hand: what changes while the gates stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from solera.api import Network


@dataclass(frozen=True, slots=True)
class Gated:
    """A multilayer perceptron with ReLUs.

    Attributes:
        weights: Of each layer, (out, in).
        biases: Of each layer, (out,); None where there is none.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor | None, ...]

    def _layer(self, index: int, x: Tensor) -> Tensor:
        found, bias = x @ self.weights[index].T, self.biases[index]
        return found if bias is None else found + bias

    def shares(self, inputs: Tensor) -> list[Tensor]:
        """How often each hidden unit is open on inputs (n, d): one vector per hidden layer."""
        found, x = [], inputs
        for index in range(len(self.weights) - 1):
            before = self._layer(index, x)
            found.append((before >= 0).double().mean(0))
            x = before.clamp_min(0)
        return found

    def moved(self, other: Gated, inputs: Tensor, gates: Sequence[Tensor] | None = None) -> Tensor:
        """How the outputs change from this network to another with the same gates, shape (n, out).

        Args:
            other: With other weights.
            inputs: Shape (n, d).
            gates: Whether each unit of each hidden layer is open, (n, units); this network's own on the inputs if None.
        """
        x, change = inputs, inputs * 0
        for index in range(len(self.weights)):
            before = self._layer(index, x)
            moved = other._layer(index, x + change) - before
            if index == len(self.weights) - 1:
                return moved
            gate = (gates[index] if gates is not None else before >= 0).to(before.dtype)
            x, change = gate * before, gate * moved
        raise AssertionError("a network has a layer")


def gated_network(network: Network, flat: Tensor) -> Gated | None:
    """A network as a chain of linear layers and ReLUs; None if it is another.

    Args:
        network: Its module.
        flat: Its weights.
    """
    leaves = [(name, each) for name, each in network.module.named_modules() if next(each.children(), None) is None]
    kept = [(name, each) for name, each in leaves if not isinstance(each, (nn.Flatten, nn.Identity, nn.Dropout))]
    fits = all(isinstance(each, nn.ReLU if k % 2 else nn.Linear) for k, (_, each) in enumerate(kept))
    if not kept or len(kept) % 2 == 0 or not fits or not isinstance(network.module, nn.Sequential):
        return None
    views = dict(network.layout.views(flat))
    names = [name for name, each in kept if isinstance(each, nn.Linear)]
    return Gated(tuple(views[f"{name}.weight"] for name in names), tuple(views.get(f"{name}.bias") for name in names))
