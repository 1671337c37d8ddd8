"""How deep in a network a tensor lies, told from names: where a curve over layers is read."""

from __future__ import annotations

from collections.abc import Iterable

from solera.checkpoints.layers import is_early, layer_lists


def depths(names: Iterable[str]) -> dict[str, float]:
    """The depth of every tensor: 0 at the first layer, 1 at the last.

    The layers are the longest numbered list in the names (``model.layers.0.`` ... ``model.layers.31.``); further lists
    of layers or blocks (another tower's, a decoder's) are measured each on its own. A tensor outside them is 0 when its
    name is one that comes before the layers (embeddings, stem) and 1 otherwise (final norm, head).
    """
    names = list(names)
    lists = [(each, {number: i for i, number in enumerate(each.numbers)}) for each in layer_lists(names)]
    found = {}
    for name in names:
        found[name] = 0.0 if is_early(name) else 1.0
        for each, order in lists:
            part = each.split(name)
            if part is not None:
                found[name] = order[part[0]] / max(len(order) - 1, 1)
                break
    return found
