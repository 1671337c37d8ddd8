"""Examples: plugins that fill a project with checkpoints, recipes, experiments and tasks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from solera.errors import OutputError

if TYPE_CHECKING:
    from torch import Tensor

    from solera.context import Context

#: Says how a checkpoint was made. Written last: where it is, the checkpoint is whole.
STAMP = "training.json"


class Example(Protocol):
    """What a plugin contributes as kind ``"example"``: a class of this form.

    Its keyword-only ``__init__`` arguments are its parameters; all have defaults.

    Attributes:
        name: Registered name.
        title: What a person reads.
        summary: One sentence.
    """

    name: str
    title: str
    summary: str

    def make(self, folder: Path, context: Context) -> dict[str, Any]:
        """Write the example; what is there and whole is left as it is.

        Args:
            folder: The project's folder; ``checkpoints/``, ``recipes/`` and ``experiments/`` are made in it.
            context: Asked to stop, told how far training is.

        Returns:
            ``{"tasks": {name: {"task": kind, **params}}, "checkpoints": [...], "recipes": [...], "experiments":
            [...]}``: tasks for ``solera.toml``, the rest paths relative to ``folder``.

        Raises:
            OutputError: A file cannot be written, or something that is not the example's is in the way.
            TaskError: Data the example needs are missing.
        """
        ...


class ExampleFolder:
    """A project's folder while an example is written into it.

    A checkpoint carries a stamp, plain data that say how it was made (seed, version, recipe). One with the wanted stamp
    is kept; one with another stamp is replaced; a folder without a stamp is not ours and stays in the way.

    Args:
        folder: The project's folder; made if missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def checkpoint(self, name: str) -> Path:
        """Where a checkpoint is or will be."""
        return self.folder / "checkpoints" / name

    def has(self, name: str, stamp: Mapping[str, Any]) -> bool:
        """Whether a checkpoint with this stamp is there, whole.

        Raises:
            OutputError: Something is there that no example made.
        """
        place = self.checkpoint(name)
        if not place.exists():
            return False
        found = read_stamp(place)
        if found is None:
            raise OutputError(
                f"{place} is in the way: it is no finished checkpoint of an example (it has no readable {STAMP}). "
                "Move it away and try again.",
                path=str(place),
            )
        return found == dict(stamp)

    def read(self, name: str) -> dict[str, Tensor]:
        """The tensors of a checkpoint that is there, by name, tied ones under each name.

        Raises:
            CheckpointError: It cannot be read.
        """
        from solera.checkpoints.opening import open_checkpoint

        with open_checkpoint(self.checkpoint(name)) as checkpoint:
            return {key: reference.read() for key, reference in checkpoint.items()}

    def write(
        self,
        name: str,
        tensors: Mapping[str, Tensor],
        *,
        config: Mapping[str, Any],
        stamp: Mapping[str, Any],
        texts: Mapping[str, str] | None = None,
    ) -> Path:
        """Write a checkpoint; it appears whole or not at all.

        Args:
            name: Folder name.
            tensors: By name.
            config: Its config.json.
            stamp: How it was made, JSON-ready.
            texts: Further files, name to content: ``{"tokenizer.json": ...}``.

        Raises:
            OutputError: It cannot be written.
        """
        from solera.execution.writer import write_checkpoint

        partial = self._partial(name)
        write_checkpoint(tensors, partial, config=dict(config), metadata={"format": "pt"})
        stamped = {**(texts or {}), STAMP: json.dumps(stamp, indent=2) + "\n"}
        with _said(partial):
            for file, text in stamped.items():
                (partial / file).write_text(text, encoding="utf-8")
        return self._appear(name, partial)

    def take(self, name: str, source: Path, stamp: Mapping[str, Any]) -> bool:
        """Copy a ready checkpoint that came with the example, if its stamp is the wanted one.

        Raises:
            OutputError: It cannot be written.
        """
        if read_stamp(source) != dict(stamp):
            return False
        partial = self._partial(name)
        with _said(partial):
            shutil.copytree(source, partial)
        self._appear(name, partial)
        return True

    def copy(self, source: Path, part: str) -> list[str]:
        """Copy an example's text files into a part of the project; those that exist are left as they are.

        Args:
            source: A folder of files.
            part: ``"recipes"`` or ``"experiments"``.

        Returns:
            Paths relative to the project's folder, by name.

        Raises:
            OutputError: One cannot be written.
        """
        target = self.folder / part
        names = sorted(path.name for path in source.iterdir() if path.is_file())
        with _said(target):
            target.mkdir(parents=True, exist_ok=True)
            for name in names:
                if not (target / name).exists():
                    shutil.copyfile(source / name, target / name)
        return [f"{part}/{name}" for name in names]

    def _partial(self, name: str) -> Path:
        """A clean sibling to write into."""
        partial = self.checkpoint(name).with_name(f".{name}.partial")
        with _said(partial):
            shutil.rmtree(partial, ignore_errors=True)
            partial.parent.mkdir(parents=True, exist_ok=True)
        return partial

    def _appear(self, name: str, partial: Path) -> Path:
        place = self.checkpoint(name)
        with _said(place):
            shutil.rmtree(place, ignore_errors=True)
            partial.rename(place)
        return place


def read_stamp(place: Path) -> dict[str, Any] | None:
    """The stamp of a checkpoint folder; None if it has none that can be read."""
    try:
        stamp = json.loads((place / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turns a failing file operation into a sentence."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.", path=str(path)) from error
