"""The tensors of a result: which are computed, which copied, which are other names of one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import MismatchError
from solera.execution.depth import depths
from solera.tensors.specs import ITEM_SIZES


@dataclass(frozen=True, slots=True)
class Target:
    """One tensor of the result.

    Attributes:
        name: As the recipe sees it.
        stored_name: As it is written: the reference's own name.
        shape: Its shape.
        dtype: The dtype it is written in.
        source_dtype: The reference's dtype.
        computed: Whether it is computed; else copied from the reference (integers: positions, counters).
        depth: 0 at the first layer, 1 at the last.
    """

    name: str
    stored_name: str
    shape: tuple[int, ...]
    dtype: str
    source_dtype: str
    computed: bool
    depth: float = 0.0

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes written."""
        return self.numel * ITEM_SIZES[self.dtype]


def find_targets(
    reference: Checkpoint, others: Mapping[str, Checkpoint], dtype: str = ""
) -> tuple[tuple[Target, ...], dict[str, str]]:
    """What the result consists of.

    Args:
        reference: The checkpoint that lends names, order, dtypes and integer tensors.
        others: Every checkpoint of the recipe by node id.
        dtype: Storage dtype of what is computed; empty keeps the reference's per tensor.

    Returns:
        The tensors in the reference's order, and the tied names (alias -> the name it is stored under). A name is
        tied only when every checkpoint that has both ties them too.
    """
    ties = {
        alias: name
        for alias, name in reference.ties.items()
        if all(_tied(other, alias, name) for other in others.values())
    }
    depth = depths(reference)
    targets = []
    for name, ref in reference.items():
        if name in ties:
            continue
        computed = ref.kind != "counter"
        targets.append(
            Target(
                name, restored_name(reference, ref), ref.shape, dtype if computed and dtype else ref.dtype, ref.dtype,
                computed, depth[name],
            )
        )  # fmt: skip
    return tuple(targets), ties


def find_ref(checkpoint: Checkpoint, name: str) -> TensorRef:
    """The tensor of this name.

    Raises:
        MismatchError: The checkpoint has none.
    """
    if name in checkpoint:
        return checkpoint[name]
    raise MismatchError(
        f"The checkpoint {checkpoint.name} has no tensor '{name}', which the result needs.",
        checkpoint=checkpoint.name,
        tensor=name,
    )


def _tied(other: Checkpoint, alias: str, name: str) -> bool:
    if alias not in other or name not in other:
        return True
    return other.ties.get(alias, alias) == other.ties.get(name, name)


def restored_name(reference: Checkpoint, ref: TensorRef) -> str:
    """The name in the reference's file; a container it lay in (``state_dict/``) is no part of it."""
    container = reference.strip.rpartition("/")[0]
    return ref.stored_name.removeprefix(f"{container}/") if container else ref.stored_name
