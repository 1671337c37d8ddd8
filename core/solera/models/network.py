"""A torch module whose weights live in one flat vector, so that a point of a landscape is one write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from solera.errors import InputError, MismatchError
from solera.models.layout import FlatLayout

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint

#: Integer buffers that evaluation does not read; old checkpoints lack them.
_OPTIONAL = ("num_batches_tracked",)


class Network(nn.Module):
    """A module in evaluation mode whose floating parameters and buffers are views into :attr:`flat`.

    The module given is taken over: its tensors are moved into the flat vector and become float32, and gradients are
    switched off. Ties stay ties. One network is used by one thread at a time.

    Args:
        module: Any module without quantised or complex parameters.
        device: Where the flat vector lives.
        layout: The order; ``FlatLayout.of(module)`` if None.

    Attributes:
        module: The module itself.
        layout: Which part of ``flat`` is which tensor.
        flat: Shape (layout.numel,), float32. Writing here changes the network.
        frozen: Names of the parameters that the module given does not train; none if it trains none at all.
    """

    def __init__(self, module: nn.Module, device: str = "cpu", layout: FlatLayout | None = None) -> None:
        super().__init__()
        self.layout = layout or FlatLayout.of(module)
        trained = {name: each.requires_grad for name, each in module.named_parameters(remove_duplicate=False)}
        # A module without any gradients is one made for inference, not one that froze all it has.
        self.frozen = frozenset(name for name, gradient in trained.items() if not gradient and any(trained.values()))
        module = module.float().to(device).eval().requires_grad_(False)
        flat = torch.empty(self.layout.numel, dtype=torch.float32, device=device)
        for names in (module.named_parameters(), module.named_buffers()):
            for name, tensor in names:
                if name in self.layout.index:
                    view = self.layout.view(flat, name)
                    view.copy_(tensor)
                    tensor.data = view
        self.flat = flat
        self.module = module
        self.eval()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes."""
        return self.module(*args, **kwargs)

    @property
    def device(self) -> str:
        """The torch device string of the flat vector."""
        return str(self.flat.device)

    def load(self, checkpoint: Checkpoint) -> None:
        """Take every tensor of a checkpoint, integer buffers too.

        Raises:
            MismatchError: Tensors are missing, unexpected or of another shape; all of them are named.
        """
        check_fit(self, checkpoint)
        with torch.no_grad():
            for name, view in self.layout.views(self.flat):
                view.copy_(_read(checkpoint, _source(self, checkpoint, name)))
        self.load_counters(checkpoint)

    def load_counters(self, checkpoint: Checkpoint) -> None:
        """Take only the buffers that are not floating (positions, masks): they are copied, never averaged."""
        with torch.no_grad():
            for name, buffer in _counters(self.module).items():
                if name in checkpoint:
                    buffer.copy_(_read(checkpoint, name))


def _counters(module: nn.Module) -> dict[str, Tensor]:
    """The buffers a module saves that are not floating."""
    saved = module.state_dict(keep_vars=True)
    return {name: b for name, b in module.named_buffers() if name in saved and not b.is_floating_point()}


def _names_of(network: Network, name: str) -> list[str]:
    return [name, *(alias for alias, target in network.layout.aliases if target == name)]


def _source(network: Network, checkpoint: Checkpoint, name: str) -> str:
    """Under which of its names a checkpoint has a tensor; the name itself if under none."""
    return next((item for item in _names_of(network, name) if item in checkpoint), name)


def _read(checkpoint: Checkpoint, name: str) -> Tensor:
    return checkpoint[name].read()


def check_fit(network: Network, checkpoint: Checkpoint) -> None:
    """Whether a checkpoint has exactly the tensors of a network.

    Tied tensors may appear under any of their names. Buffers the network keeps but does not save may appear and are
    left out.

    Raises:
        MismatchError: Names or shapes differ; the sentence gives counts and examples, the fields the full lists.
    """
    module, layout = network.module, network.layout
    counters = _counters(module)
    wanted = dict(zip(layout.names, layout.shapes, strict=True))
    wanted |= {name: tuple(buffer.shape) for name, buffer in counters.items() if not name.endswith(_OPTIONAL)}
    found = {name: _source(network, checkpoint, name) for name in wanted}
    unsaved = {name for name, _ in module.named_buffers()} | {name for name in counters if name.endswith(_OPTIONAL)}
    known = set(wanted) | {alias for alias, _ in layout.aliases} | unsaved
    missing = [name for name, source in found.items() if source not in checkpoint]
    unexpected = [name for name in checkpoint if name not in known and name not in checkpoint.ties]
    shapes = [
        f"{name} is {_shape(checkpoint[source].shape)}, the network wants {_shape(wanted[name])}"
        for name, source in found.items()
        if source in checkpoint and tuple(checkpoint[source].shape) != wanted[name]
    ]
    untied = _untied(network, checkpoint, found)
    parts = [
        _listed("missing", missing),
        _listed("unexpected", unexpected),
        _listed("of another shape", shapes),
        _listed("tied in the network but different in the file", untied),
    ]
    if any(parts):
        prefix = _common_prefix(missing, unexpected)
        remedy = (
            f"Its names begin with '{prefix}': declare that with strip: \"{checkpoint.strip}{prefix}\" in the "
            "recipe, or strip in open()."
            if prefix
            else "Choose the architecture or factory these weights come from."
        )
        raise MismatchError(
            f"The checkpoint '{checkpoint.name}' does not fit the network {type(module).__name__}: "
            f"{'; '.join(part for part in parts if part)}. {remedy}",
            checkpoint=checkpoint.name,
            missing=missing,
            unexpected=unexpected,
            shapes=shapes,
            untied=untied,
        )


def _common_prefix(missing: list[str], unexpected: list[str]) -> str:
    """What a wrapper put before every name (``module.``), if that alone parts the names; else empty."""
    first = next((name for name in unexpected if missing and name.endswith(f".{missing[0]}")), "")
    prefix = first.removesuffix(missing[0]) if first else ""
    found = {name.removeprefix(prefix) for name in unexpected if name.startswith(prefix)}
    return prefix if len(found) == len(unexpected) and set(missing) <= found else ""


def _untied(network: Network, checkpoint: Checkpoint, found: dict[str, str]) -> list[str]:
    """Tied tensors that the checkpoint stores several times, with different values."""
    different = []
    for alias, name in network.layout.aliases:
        source = found[name]
        if alias == source or alias not in checkpoint or source not in checkpoint or alias in checkpoint.ties:
            continue
        same = checkpoint[alias].shape == checkpoint[source].shape
        if not same or not torch.equal(_read(checkpoint, alias), _read(checkpoint, source)):
            different.append(alias)
    return different


def _shape(shape: Sequence[int]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _listed(what: str, items: Iterable[str]) -> str:
    """``"2 missing (a, b)"``; at most three examples; empty if there are none."""
    found = list(items)
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    return f"{len(found)} {what} ({', '.join(found[:3])}{more})" if found else ""


def flat_of(module: nn.Module, layout: FlatLayout) -> Tensor:
    """The weights of a module as a new flat float32 vector, shape (layout.numel,).

    Raises:
        InputError: The module lacks a tensor of the layout.
    """
    state = module.state_dict()
    flat = torch.empty(layout.numel, dtype=torch.float32)
    for name, view in layout.views(flat):
        if name not in state:
            raise InputError(f"The module has no tensor '{name}'.", tensor=name)
        view.copy_(state[name])
    return flat
