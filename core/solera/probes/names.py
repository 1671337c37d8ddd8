"""Which tensors of a model a probe takes."""

from __future__ import annotations

from fnmatch import fnmatchcase

from solera.checkpoints.checkpoint import Checkpoint


def weights_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Names of the floating tensors of a checkpoint that are trained weights, tied ones once."""
    return tuple(name for name, ref in checkpoint.items() if ref.kind == "weight" and name not in checkpoint.ties)


def chosen(name: str, patterns: str) -> bool:
    """Whether a tensor is among those that patterns choose.

    Args:
        name: Of the tensor.
        patterns: Globs with commas between them; all if empty. ``"-embed*"`` leaves out what it matches.
    """
    parts = [part.strip() for part in patterns.split(",") if part.strip()]
    wanted = [part for part in parts if not part.startswith("-")]
    if any(fnmatchcase(name, part[1:]) for part in parts if part.startswith("-")):
        return False
    return not wanted or any(fnmatchcase(name, part) for part in wanted)
