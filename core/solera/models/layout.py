"""Where each tensor of a network lies in one flat vector of numbers."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from solera.errors import InputError


@dataclass(frozen=True)
class FlatLayout:
    """An order of tensors in one flat float32 vector, row-major, without gaps.

    Parameters come first, in ``named_parameters()`` order, then floating buffers (normalisation statistics) in
    ``named_buffers()`` order. Tied tensors have one place. Integer buffers and buffers that a network does not save
    have none.

    Attributes:
        names: One name per tensor, as in the checkpoint.
        shapes: Their shapes.
        offsets: Where each begins, in elements.
        numel: Elements in all.
        aliases: Further names of tied tensors -> the name in ``names``.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    offsets: tuple[int, ...]
    numel: int
    aliases: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(module: nn.Module, known: Container[str] = ()) -> FlatLayout:
        """The layout of a module.

        Args:
            module: Any module; its tensors are not touched.
            known: Names a checkpoint has. Of the names of a tied tensor the first that is known is taken, else the
                first.
        """
        names, shapes, offsets, aliases, numel = [], [], [], [], 0
        for group, tensor in _floating(module):
            name = next((item for item in group if item in known), group[0])
            names.append(name)
            shapes.append(tuple(tensor.shape))
            offsets.append(numel)
            aliases += [(item, name) for item in group if item != name]
            numel += tensor.numel()
        return FlatLayout(tuple(names), tuple(shapes), tuple(offsets), numel, tuple(aliases))

    @cached_property
    def index(self) -> dict[str, int]:
        """Name or alias -> position in ``names``."""
        found = {name: i for i, name in enumerate(self.names)}
        return found | {alias: found[name] for alias, name in self.aliases}

    def where(self, name: str) -> slice:
        """The elements of a tensor, by name or alias.

        Raises:
            KeyError: No tensor is called so.
        """
        i = self.index[name]
        return slice(self.offsets[i], self.offsets[i] + math.prod(self.shapes[i]))

    def view(self, flat: Tensor, name: str) -> Tensor:
        """A tensor as a view into ``flat`` (shape (numel,)), by name or alias.

        Raises:
            KeyError: No tensor is called so.
        """
        return flat[self.where(name)].view(self.shapes[self.index[name]])

    def views(self, flat: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Every ``(name, view)``, tied tensors once."""
        for name in self.names:
            yield name, self.view(flat, name)


def _floating(module: nn.Module) -> list[tuple[list[str], Tensor]]:
    """Every floating tensor that a module saves, with all its names; parameters first."""
    saved = module.state_dict(keep_vars=True)
    groups: dict[int, tuple[list[str], Tensor]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if not parameter.is_floating_point():
            raise InputError(
                f"The network's parameter '{name}' is {parameter.dtype}; only floating-point parameters have a place "
                "in weight space. Dequantise the checkpoint first.",
                parameter=name,
            )
        groups.setdefault(id(parameter), ([], parameter))[0].append(name)
    for name, buffer in module.named_buffers(remove_duplicate=False):
        if name in saved and buffer.is_floating_point():
            groups.setdefault(id(buffer), ([], buffer))[0].append(name)
    return list(groups.values())
