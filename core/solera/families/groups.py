"""The tensors of a network in groups that each have a value of their own."""

from __future__ import annotations

from collections.abc import Sequence

from solera.checkpoints.layers import is_early, layer_lists
from solera.errors import InputError

#: Groups of tensors: what a group is called, and the globs of its tensors.
Groups = tuple[tuple[str, tuple[str, ...]], ...]


def layer_blocks(names: Sequence[str], count: int) -> Groups:
    """The layers in blocks of equal size, the rest with the last block.

    What comes before the layers goes with the first block, what comes after with the last.

    Args:
        names: Of the network's tensors.
        count: How many blocks; 0 is one for each layer.

    Raises:
        InputError: There are no numbered layers, or fewer than blocks.
    """
    lists = layer_lists(names)
    if not lists:
        raise InputError("The models have no numbered layers (such as 'model.layers.0.'), so none has its own value.")
    numbers, prefix = lists[0].numbers, lists[0].prefix
    count = count or len(numbers)
    if count > len(numbers):
        raise InputError(f"{len(numbers)} layers cannot be cut into {count} blocks.")
    size = len(numbers) // count
    found = []
    for k in range(count):
        own = numbers[k * size : (k + 1) * size] if k < count - 1 else numbers[k * size :]
        globs = [f"{prefix}{number}.*" for number in own]
        outside = [name for name in names if lists[0].split(name) is None]
        if k == 0:
            globs = [*(name for name in outside if is_early(name)), *globs]
        if k == count - 1:
            globs += [name for name in outside if not is_early(name)]
        title = f"layer {own[0]}" if len(own) == 1 else f"layers {own[0]} to {own[-1]}"
        found.append((title, tuple(globs)))
    return tuple(found)
