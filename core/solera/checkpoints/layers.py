"""The layers of a network, told from the names of its tensors: numbered lists such as ``model.layers.0.``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

#: What the names of tensors before the first layer tend to hold.
_EARLY = re.compile(r"embed|wte|wpe|patch|stem|conv_?1\b|conv_?in|input|tok_|pos_|pre_", re.IGNORECASE)

_NUMBER = re.compile(r"(?:^|\.)(\d+)(?=\.|$)")

#: What a list of layers is called in networks that have several of them (encoder and decoder, vision and text).
_STACKS = frozenset({"layers", "layer", "blocks", "block", "h"})


@dataclass(frozen=True, slots=True)
class LayerList:
    """A numbered list of layers.

    Attributes:
        prefix: What stands before the number: ``"model.layers."``.
        numbers: The numbers, rising.
    """

    prefix: str
    numbers: tuple[int, ...]

    def split(self, name: str) -> tuple[int, str] | None:
        """A tensor's layer and the rest of its name (``(3, ".mlp.up_proj.weight")``); None if it is in none."""
        if not name.startswith(self.prefix):
            return None
        digits, dot, rest = name[len(self.prefix) :].partition(".")
        if not digits.isdigit() or int(digits) not in self.numbers:
            return None
        return int(digits), dot + rest

    def joined(self, number: int, rest: str) -> str:
        """The name of a tensor of a layer; the inverse of :meth:`split`."""
        return f"{self.prefix}{number}{rest}"


def layer_lists(names: Iterable[str]) -> tuple[LayerList, ...]:
    """The lists of layers: the longest, which is *the* layers, then others that are called layers or blocks.

    A number inside a layer (an expert's) begins no list.
    """
    found: dict[str, set[int]] = defaultdict(set)
    for name in names:
        number = _NUMBER.search(name)
        if number:
            found[name[: number.start(1)]].add(int(number[1]))
    if not found:
        return ()
    longest = max(sorted(found), key=lambda prefix: (len(found[prefix]), _is_stack(prefix)))
    others = sorted(prefix for prefix in found if prefix != longest and _is_stack(prefix) and len(found[prefix]) > 1)
    return tuple(LayerList(prefix, tuple(sorted(found[prefix]))) for prefix in (longest, *others))


def is_early(name: str) -> bool:
    """Whether a tensor outside the layers comes before them (embeddings, stem), and not after (final norm, head)."""
    return _EARLY.search(name) is not None


def after_layers(names: Iterable[str]) -> list[str]:
    """The tensors that come after the layers, in order."""
    names = list(names)
    lists = layer_lists(names)
    return [name for name in names if not is_early(name) and not any(each.split(name) for each in lists)]


def _is_stack(prefix: str) -> bool:
    return prefix.rstrip(".").rpartition(".")[2] in _STACKS
