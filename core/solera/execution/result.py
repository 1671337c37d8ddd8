"""The files of a result before it is made: where every tensor lies, and what their headers say."""

from __future__ import annotations

from collections.abc import Mapping

from solera.execution.card import recipe_metadata
from solera.execution.plan import Plan
from solera.execution.targets import restored_name
from solera.execution.writer import SHARD_BYTES, Shard, lay_out
from solera.tensors.specs import TensorSpec


def result_shards(plan: Plan, fingerprints: Mapping[str, str], shard_bytes: int = SHARD_BYTES) -> list[Shard]:
    """The files of a plan's result.

    Args:
        plan: The merge.
        fingerprints: Content hash of every input by node id; others of equal length give equal offsets.
        shard_bytes: Most bytes of tensors in one file.

    Raises:
        InputError: A dtype has no name in the format, or ``shard_bytes`` is not positive.
    """
    specs = [TensorSpec(target.stored_name, target.shape, target.dtype) for target in plan.targets]
    return lay_out(specs, {"format": "pt", **_aliases(plan), **recipe_metadata(plan, fingerprints)}, shard_bytes)


def _aliases(plan: Plan) -> dict[str, str]:
    """Other names of tensors that are written once, as the files' headers note them: alias -> stored name."""
    stored = {target.name: target.stored_name for target in plan.targets}
    names = set(stored.values())
    noted = {alias: name for alias, name in plan.reference.metadata.items() if name in names and alias not in names}
    reference = plan.reference
    tied = {restored_name(reference, reference[alias]): stored[name] for alias, name in plan.ties.items()}
    return {**noted, **tied}
