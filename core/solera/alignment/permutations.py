"""Permutations of the units of each group, and tensors whose axes follow them.

``permutations[group][i]`` is the unit of the model that goes to place ``i`` (gather, not scatter).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from solera.alignment.symmetry import Axes, Axis, Group, Part, Symmetry, parts
from solera.seeds import Seed

#: int64 arrays of shape (size,) by group.
Permutations = Mapping[str, NDArray[np.int64]]


def identity(symmetry: Symmetry) -> dict[str, NDArray[np.int64]]:
    """Every unit where it is."""
    return {name: np.arange(group.size) for name, group in symmetry.groups.items()}


def drawn(symmetry: Symmetry, seed: Seed) -> dict[str, NDArray[np.int64]]:
    """Permutations at random, each of those that a group allows equally likely.

    Args:
        symmetry: Whose groups.
        seed: One child a group.
    """
    found = {}
    for leader, family in symmetry.families().items():
        cells = seed.child(leader).numpy().permutation(symmetry.groups[leader].cells)
        for name in family:
            group, draws = symmetry.groups[name], seed.child(name, "units").numpy()
            rows = [cell * group.inner + draws.permutation(group.inner) for cell in cells]
            found[name] = np.concatenate(rows).astype(np.int64) if rows else np.arange(0)
    return found


def places(axis: Axis, group: Group, permutation: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which entry of an axis goes to each of its places, int64 of the axis's length."""
    sizes = axis.sizes(group)
    numbers = np.arange(int(np.prod(sizes))).reshape(sizes)
    order = [axis.factors.index(name) for name in ("cell", "unit") if name in axis.factors]
    order += [i for i in range(len(sizes)) if i not in order]
    front = numbers.transpose(order)
    inside = front.shape
    moved = permutation[:: group.inner] // group.inner if axis.by_cell else permutation
    rows = front.reshape(len(moved), -1)[moved]
    return rows.reshape(inside).transpose(np.argsort(order)).reshape(-1)


def indices(axes: Axes, symmetry: Symmetry, permutations: Permutations) -> list[NDArray[np.int64] | None]:
    """:func:`places` of each axis of a tensor; None for those that stay as they are."""
    found: list[NDArray[np.int64] | None] = []
    for place in axes:
        pieces, start = [np.arange(0)], 0
        for axis in parts(place):
            length = symmetry.length(axis)
            moved = axis.group in permutations
            group = symmetry.groups[axis.group]
            piece = places(axis, group, permutations[axis.group]) if moved else np.arange(length)
            pieces.append(start + piece)
            start += length
        index = np.concatenate(pieces)
        found.append(None if np.array_equal(index, np.arange(len(index))) else index)
    return found


def permuted(
    tensor: Tensor, axes: Axes, symmetry: Symmetry, permutations: Permutations, leave: int | None = None
) -> Tensor:
    """A tensor with the entries of its axes in their new places.

    Args:
        tensor: Any shape and dtype; not changed.
        axes: One for each of its axes.
        symmetry: Whose groups they are of.
        permutations: By group; groups that are absent stay.
        leave: An axis that stays as it is.

    Returns:
        A new tensor, or the same where nothing moves.
    """
    for i, index in enumerate(indices(axes, symmetry, permutations)):
        if index is not None and i != leave:
            tensor = tensor.index_select(i, torch.from_numpy(index).to(tensor.device))
    return tensor


def part_of(tensor: Tensor, part: Part, group: Group) -> Tensor:
    """:func:`rows_of` that part of a tensor along which units of a group lie."""
    if not part.whole:
        tensor = tensor.narrow(part.number, part.start, int(np.prod(part.axis.sizes(group))))
    return rows_of(tensor, part.number, part.axis, group)


def rows_of(tensor: Tensor, i: int, axis: Axis, group: Group) -> Tensor:
    """A tensor as one row for each unit of an axis (or for each cell, where only cells move), shape (units, rest)."""
    sizes = axis.sizes(group)
    split = tensor.movedim(i, 0).reshape(*sizes, -1)
    order = [axis.factors.index(name) for name in ("cell", "unit") if name in axis.factors]
    count = group.cells if axis.by_cell else group.size
    return split.movedim(order, list(range(len(order)))).reshape(count, -1)


def save_permutations(path: Path, permutations: Permutations, metadata: Mapping[str, str]) -> None:
    """Write permutations as a safetensors file, by a rename."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    save_file({name: np.ascontiguousarray(each) for name, each in permutations.items()}, temporary, dict(metadata))
    temporary.replace(path)


def load_permutations(path: Path, symmetry: Symmetry) -> dict[str, NDArray[np.int64]] | None:
    """What :func:`save_permutations` wrote; None if it is not there or not of this symmetry."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found: dict[str, Any] = load_file(path)
    except (OSError, SafetensorError):
        return None
    fits = set(found) == set(symmetry.groups) and all(
        np.array_equal(np.sort(found[name]), np.arange(group.size)) for name, group in symmetry.groups.items()
    )
    return found if fits else None
