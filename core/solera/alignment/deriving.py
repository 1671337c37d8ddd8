"""The symmetry of a checkpoint: as its architecture declares it, or read off its network's graph."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from solera.alignment.symmetry import Symmetry
from solera.alignment.tracing import trace_symmetry
from solera.alignment.verifying import example_batch
from solera.errors import MismatchError, PluginError
from solera.models.architecture import Architecture, Factory, build_module
from solera.models.layout import FlatLayout
from solera.models.network import Network
from solera.seeds import Seed

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint


def symmetry_of(
    checkpoint: Checkpoint,
    architectures: Mapping[str, Architecture],
    factory: str | Factory = "",
    batch: Tensor | None = None,
) -> Symmetry:
    """The permutations that leave what a checkpoint's network computes unchanged.

    An architecture that has a method ``symmetry(config)`` declares them, as plain data (see
    :meth:`Symmetry.from_plain`; None if it knows none for this config). Otherwise the network is built and traced.
    No weights are read.

    Args:
        checkpoint: Its config says which network it is; without one, a chain of linear layers is told from names.
        architectures: What is registered, by name.
        factory: What makes the module, where no config says it.
        batch: Inputs of the network; guessed if None.

    Raises:
        MismatchError: There is no network for it, it cannot be traced, or the declaration does not fit.
    """
    plain = None if factory else _declared(checkpoint.config, architectures)
    if plain is not None:
        found = Symmetry.from_plain(plain)
    else:
        module = build(checkpoint, architectures, factory).eval()
        found = trace_symmetry(module, batch if batch is not None else example_batch(module, Seed(0)))
    found = _tied(found, checkpoint).fit({name: ref.shape for name, ref in checkpoint.items()}, checkpoint.name)
    if not found.groups:
        raise MismatchError(
            f"No units of {checkpoint.name} are known to be free to change places: its network is not understood.",
            checkpoint=checkpoint.name,
        )
    return found


def network_of(
    checkpoint: Checkpoint, architectures: Mapping[str, Architecture], factory: str | Factory = "", device: str = "cpu"
) -> Network:
    """A network with a checkpoint's weights, built as :func:`symmetry_of` builds it. Raises as that does."""
    module = build(checkpoint, architectures, factory)
    network = Network(module, device, FlatLayout.of(module, known=checkpoint))
    network.load(checkpoint)
    return network


def build(checkpoint: Checkpoint, architectures: Mapping[str, Architecture], factory: str | Factory = "") -> nn.Module:
    """The module of a checkpoint, its weights still to be loaded.

    Raises:
        MismatchError: Nothing says which network it is, and its tensors are no chain of linear layers.
    """
    try:
        return build_module(checkpoint.config, architectures, factory, name=checkpoint.name)
    except MismatchError:
        chain = None if checkpoint.config or factory else _chain(checkpoint)
        if chain is None:
            raise
        return chain


def _declared(config: dict[str, Any], architectures: Mapping[str, Architecture]) -> Mapping[str, Any] | None:
    for key in architectures:
        try:
            architecture = architectures[key]
        except PluginError:  # one broken plugin must not hide the others
            continue
        if architecture.matches(config):
            declare = getattr(architecture, "symmetry", None)
            found: Mapping[str, Any] | None = declare(config) if declare is not None else None
            return found
    return None


def _tied(symmetry: Symmetry, checkpoint: Checkpoint) -> Symmetry:
    """Tied tensors move alike, under whichever of their names they were declared."""
    axes = dict(symmetry.axes)
    for alias, name in checkpoint.ties.items():
        known = axes.get(name) or axes.get(alias)
        if known is not None and axes.setdefault(alias, known) != axes.setdefault(name, known):
            raise MismatchError(
                f"'{alias}' and '{name}' of {checkpoint.name} are one tensor, but their permutations differ.",
                tensors=[alias, name],
            )
    return Symmetry(symmetry.groups, axes)


class _Chain(nn.Module):
    """Linear layers with ReLU between them, under whatever names."""

    def __init__(self, layers: Mapping[str, nn.Linear]) -> None:
        super().__init__()
        for name, layer in layers.items():
            *path, last = name.split(".")
            at: nn.Module = self
            for part in path:
                if part not in dict(at.named_children()):
                    at.add_module(part, nn.Module())
                at = at.get_submodule(part)
            at.add_module(last, layer)
        self._layers = tuple(layers.values())

    def forward(self, x: Tensor) -> Tensor:
        """Samples of (n, ...) numbers, as many as there are inputs, to (n, outputs)."""
        x = x.flatten(1)
        for i, layer in enumerate(self._layers):
            x = layer(x).relu() if i + 1 < len(self._layers) else layer(x)
        return x


def _chain(checkpoint: Checkpoint) -> nn.Module | None:
    """A multilayer perceptron, if the tensors are those of linear layers each of which fits the one before."""
    names = sorted((name[:-7] for name in checkpoint if name.endswith(".weight")), key=_natural)
    layers: dict[str, nn.Linear] = {}
    width = 0
    for name in names:
        shape = checkpoint[f"{name}.weight"].shape
        bias = checkpoint.get(f"{name}.bias")
        if len(shape) != 2 or shape[1] != (width or shape[1]) or (bias is not None and bias.shape != shape[:1]):
            return None
        width = shape[0]
        layers[name] = nn.Linear(shape[1], shape[0], bias=bias is not None, device="meta").to_empty(device="cpu")
    own = {f"{name}.{leaf}" for name in names for leaf in ("weight", "bias")}
    return _Chain(layers) if len(layers) > 1 and set(checkpoint) <= own else None


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
