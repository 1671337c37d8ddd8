"""One network over several devices: a row of layers shared out, the rest on the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from solera.errors import CapacityError, MismatchError
from solera.models.layout import FlatLayout
from solera.models.network import Network

#: What stands between the devices that hold one network together: ``"cuda:0+cuda:1"``.
TOGETHER = "+"


def together(device: str) -> tuple[str, ...]:
    """The devices that a device option names for one network: ``"cuda:0+cuda:1"``; one for any other."""
    return tuple(name.strip() for name in device.split(TOGETHER))


class SpreadNetwork(Network):
    """A network whose layers lie on several devices, one run of them on each.

    Points are written into :attr:`flat` in main memory, as for any network; what was written goes to the devices before
    the network is next called. Inputs go to the first device, which holds all but the layers and gives the output;
    hidden states go from device to device with the layers.

    Args:
        module: Has a row of layers (a ``ModuleList`` or ``Sequential``) for every device to get one or more of.
        devices: torch devices, two or more, in the order of the layers. The same one may be named again.
        layout: See :class:`solera.models.network.Network`.

    Attributes:
        places: Name of each layer -> its device.

    Raises:
        MismatchError: There is no such row, it is too short, or two of its layers on different devices share a weight.
        CapacityError: A device has not the memory for its part.
    """

    def __init__(self, module: nn.Module, devices: Sequence[str], layout: FlatLayout | None = None) -> None:
        super().__init__(module, "cpu", layout)
        self._devices = tuple(devices)
        self._written = -1
        self._copies: list[tuple[Tensor, Tensor]] = []
        name, layers = _row(self.module, len(self._devices))
        sizes = [_nbytes(layer) for layer in layers]
        shares = share_out(sizes, _nbytes(self.module) - sum(sizes), len(self._devices))
        self.places = {f"{name}.{i}".lstrip("."): self._devices[share] for i, share in enumerate(shares)}
        self._place()
        self._connect(dict(zip(map(id, layers), self.places.values(), strict=True)), layers[-1])

    @property
    def device(self) -> str:
        """The first device, where inputs go."""
        return self._devices[0]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes, with the weights last written."""
        if self.flat._version != self._written:
            for copy, view in self._copies:
                copy.copy_(view)
            self._written = self.flat._version
        return self.module(*args, **kwargs)

    def _place(self) -> None:
        """Give every tensor a copy on its device, and remember what it is a copy of."""
        taken: dict[int, str] = {}
        groups = (
            (each, name) for named in (self.module.named_parameters, self.module.named_buffers)
            for name, each in named(remove_duplicate=False)
        )  # fmt: skip
        for tensor, name in groups:
            device = next((at for layer, at in self.places.items() if name.startswith(f"{layer}.")), self.device)
            if taken.setdefault(id(tensor), device) != device:
                raise MismatchError(
                    f"The weight '{name}' of {type(self.module).__name__} is shared by layers on {taken[id(tensor)]} "
                    f"and {device}, so its layers cannot be shared out. Score it on one device.",
                    tensor=name,
                )
        for named in (self.module.named_parameters(), self.module.named_buffers()):
            for name, tensor in named:
                try:
                    copy = torch.empty_like(tensor.data, device=taken[id(tensor)])
                except torch.OutOfMemoryError as error:
                    raise CapacityError(
                        f"{taken[id(tensor)]} has not the memory for its part of {type(self.module).__name__}. Name "
                        "more devices, or end what else runs there.",
                        device=taken[id(tensor)],
                    ) from error
                copy.copy_(tensor.data)
                if name in self.layout.index:
                    self._copies.append((copy, self.layout.view(self.flat, name)))
                tensor.data = copy

    def _connect(self, devices: Mapping[int, str], last: nn.Module) -> None:
        """Have inputs moved to where a module's weights are, and what the last layer gives back to the first device."""
        rows = [module for module in self.module.modules() if id(module) in devices]
        inside = {id(module) for layer in rows for module in layer.modules()}
        for module in self.module.modules():
            if id(module) in devices:
                module.register_forward_pre_hook(_mover(devices[id(module)]), with_kwargs=True)
            elif id(module) not in inside:
                module.register_forward_pre_hook(_mover(self.device), with_kwargs=True)
        first = self.device
        last.register_forward_hook(lambda module, args, output: moved(output, first))


def share_out(sizes: Sequence[int], rest: int, count: int) -> list[int]:
    """Which device each layer goes to: runs in order, each device with one layer or more and about an equal load.

    Args:
        sizes: Bytes of each layer, as many layers as devices or more.
        rest: Bytes that the first device holds beside its layers.
        count: How many devices.

    Returns:
        0 to count - 1 for each layer, never falling.
    """
    found: list[int] = []
    left, device, held = rest + sum(sizes), 0, rest
    for i, size in enumerate(sizes):
        open_ = count - device - 1
        empty = not found or found[-1] != device
        wanted = left / (open_ + 1)
        full = held + size / 2 > wanted and not empty
        if open_ and (full or (len(sizes) - i == open_ and not empty)):
            left -= held
            device, held = device + 1, 0
        found.append(device)
        held += size
    return found


def moved(value: Any, device: str) -> Any:
    """A value with every tensor in it on a device; tuples, lists and mappings are gone through, the rest stays."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(moved(each, device) for each in value)
    if isinstance(value, list):
        return [moved(each, device) for each in value]
    if type(value) is dict:
        return {key: moved(each, device) for key, each in value.items()}
    return value


def _mover(device: str) -> Any:
    def move(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        return moved(args, device), moved(kwargs, device)

    return move


def _row(module: nn.Module, count: int) -> tuple[str, list[nn.Module]]:
    """The row of layers that holds most, with its name."""
    rows = [
        (_nbytes(each), name, list(each))
        for name, each in module.named_modules()
        if isinstance(each, (nn.ModuleList, nn.Sequential)) and len(each) >= count
    ]
    if not rows:
        raise MismatchError(
            f"{type(module).__name__} has no row of {count} layers or more that {count} devices could share. Score it "
            "on one device.",
            layers=count,
        )
    _, name, layers = max(rows, key=lambda row: row[0])
    return name, layers


def _nbytes(module: nn.Module) -> int:
    return sum(each.nbytes for each in (*module.parameters(), *module.buffers()))
