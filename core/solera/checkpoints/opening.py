"""Open a path as a checkpoint, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.formats.builtin import BUILTIN_FORMATS
from solera.checkpoints.formats.format import Format
from solera.checkpoints.views import apply_view
from solera.errors import CheckpointError, NotFoundError, suggestion


def open_checkpoint(path: str | Path, *, formats: Mapping[str, Format] | None = None, strip: str = "") -> Checkpoint:
    """Open weights: names, shapes and dtypes at once, numbers when asked.

    Args:
        path: A weights file, an ``*.index.json``, or a folder with either.
        formats: The formats to try, in order; the built-in ones if None.
        strip: The view: a container (``"state_dict/"``) and a prefix (``"module."``) to remove from names; see
            :mod:`solera.checkpoints.views`. Empty: the container that
            holds the model, if the file is a nested one, else nothing. ``"/"``: everything, as it is in the file.

    Raises:
        NotFoundError: Nothing is at the path.
        CheckpointError: It is no checkpoint, or a damaged one; the sentence says why.
        UnsafeError: It tries something a checkpoint must not.
        InputError: No name begins with ``strip``.
    """
    formats = BUILTIN_FORMATS if formats is None else formats
    path = Path(path).expanduser()
    if not path.exists():
        raise NotFoundError(f"There is no file or folder {path}. {_advice(path)}", path=str(path))
    if not path.is_dir() and not path.is_file():
        raise CheckpointError(f"{path} is not a regular file.", path=str(path))
    for format in formats.values():
        if format.matches(path):
            checkpoint = format.open(path)
            return apply_view(checkpoint, strip or checkpoint.container)
    known = ", ".join(f"{format.title} (*{', *'.join(format.suffixes)})" for format in formats.values())
    kind = "holds no checkpoint" if path.is_dir() else "is not a checkpoint"
    raise CheckpointError(f"{path} {kind} of a known format: {known}.", path=str(path))


def _advice(path: Path) -> str:
    """What was probably meant: something beside it that is spelled alike."""
    beside = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    return suggestion(path.name, beside).strip() or "Check the path."
