"""What a file format is, and how the files of one checkpoint become a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.parts import Parts
from solera.checkpoints.source import SourceFile
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import CheckpointError


class Format(Protocol):
    """A file format for checkpoints.

    ``open`` reads headers only and executes nothing from a file.

    Attributes:
        name: Registered name, a lower-case identifier.
        title: What a person reads.
        suffixes: Endings of its files, with the dot.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]

    def matches(self, path: Path) -> bool:
        """Whether this existing file or folder looks like one of this format. Cheap; never raises for bad content."""
        ...

    def open(self, path: Path) -> Checkpoint:
        """Open a file or folder.

        Raises:
            CheckpointError: It is not what it looks like; the sentence says why.
            UnsafeError: It tries something a checkpoint must not.
        """
        ...


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """One file whose header was read.

    Attributes:
        file: The file.
        tensors: Its tensors by name, in file order.
        digest: Hash of the header.
        metadata: Text beside the tensors.
        notes: Sentences about what was left out.
    """

    file: SourceFile
    tensors: Mapping[str, TensorRef]
    digest: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def assemble(parts: Parts, opened: Sequence[OpenedFile], format: str) -> Checkpoint:
    """One checkpoint from its opened files.

    Raises:
        CheckpointError: A name is in two files, or a file lacks a tensor that the index says it holds.
    """
    if parts.weight_map is None:
        tensors, notes = _joined(parts, opened)
    else:
        tensors, notes = _indexed(parts, opened, parts.weight_map)
    metadata: dict[str, str] = {}
    for part in reversed(opened):
        metadata.update(part.metadata)
    return Checkpoint(
        parts.name,
        tensors,
        format=format,
        digest=hashlib.sha256("\0".join(part.digest for part in opened).encode()).hexdigest(),
        path=parts.path,
        files=[part.file for part in opened],
        folder=parts.folder,
        metadata=metadata,
        notes=[*(note for part in opened for note in part.notes), *notes],
    )


def _joined(parts: Parts, opened: Sequence[OpenedFile]) -> tuple[dict[str, TensorRef], list[str]]:
    tensors: dict[str, TensorRef] = {}
    owner: dict[str, SourceFile] = {}
    for part in opened:
        for name, ref in part.tensors.items():
            if name in tensors:
                raise CheckpointError(
                    f"{parts.path} holds more than one checkpoint: '{name}' is in {owner[name].path.name} and in "
                    f"{part.file.path.name}. Open the file you mean.",
                    path=str(parts.path), tensor=name,
                )  # fmt: skip
            tensors[name], owner[name] = ref, part.file
    return tensors, []


def _indexed(
    parts: Parts, opened: Sequence[OpenedFile], weight_map: Mapping[str, str]
) -> tuple[dict[str, TensorRef], list[str]]:
    by_file = {part.file.path.name: part for part in opened}
    lacking = [name for name, file in weight_map.items() if name not in by_file[file].tensors]
    if lacking:
        first = lacking[0]
        raise CheckpointError(
            f"{parts.path}: the index says that '{first}' is in {weight_map[first]}, but it is not"
            + (f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else "")
            + ". Download the checkpoint again.",
            path=str(parts.path), missing=lacking[:20],
        )  # fmt: skip
    tensors = {name: by_file[file].tensors[name] for name, file in weight_map.items()}
    extra = sum(1 for file, part in by_file.items() for name in part.tensors if weight_map.get(name) != file)
    notes = [f"{extra} tensors in the shards are not named in the index and were left out."] if extra else []
    return tensors, notes
