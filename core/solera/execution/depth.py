"""How deep in a network a tensor lies, told from names: where a curve over layers is read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

#: What the names of tensors before the first layer tend to hold.
_EARLY = re.compile(r"embed|wte|wpe|patch|stem|conv_?1\b|conv_?in|input|tok_|pos_|pre_", re.IGNORECASE)

_LAYER = re.compile(r"(?:^|\.)(\d+)(?=\.|$)")


def depths(names: Iterable[str]) -> dict[str, float]:
    """The depth of every tensor: 0 at the first layer, 1 at the last.

    The layers are the longest numbered list in the names (``model.layers.0.`` ... ``model.layers.31.``). A tensor
    outside it is 0 when its name is one that comes before the layers (embeddings, stem) and 1 otherwise (final norm,
    head).
    """
    names = list(names)
    stacks: dict[str, set[int]] = defaultdict(set)
    for name in names:
        found = _LAYER.search(name)
        if found:
            stacks[name[: found.start(1)]].add(int(found[1]))
    if not stacks:
        return {name: 0.0 if _EARLY.search(name) else 1.0 for name in names}
    stack = max(sorted(stacks), key=lambda prefix: len(stacks[prefix]))
    order = {layer: i for i, layer in enumerate(sorted(stacks[stack]))}
    last = max(len(order) - 1, 1)
    found_depths = {}
    for name in names:
        match = _LAYER.match(name, len(stack) - 1 if stack.endswith(".") else len(stack))
        if name.startswith(stack) and match:
            found_depths[name] = order[int(match[1])] / last
        else:
            found_depths[name] = 0.0 if _EARLY.search(name) else 1.0
    return found_depths
