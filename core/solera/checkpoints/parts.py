"""Which files a path means: one file, a folder with one, numbered shards, or shards named by an index."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solera.errors import CheckpointError, NotFoundError, UnsafeError

#: An index larger than this is none.
MAX_INDEX = 100_000_000

_NUMBERED = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.[a-z]+")
_INDEX = ".index.json"


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of one checkpoint.

    Attributes:
        name: What to call it.
        path: What was asked for.
        files: The files, in order.
        folder: Where config and tokenizer lie, if that is clear.
        weight_map: Tensor name -> file name, as an index says; None without an index.
    """

    name: str
    path: Path
    files: tuple[Path, ...]
    folder: Path | None = None
    weight_map: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Naming:
    """How a format names its files.

    Attributes:
        suffixes: Endings, with the dot.
        standard: Names that, in a folder, are the model: ``"model.safetensors"``.
        ignored: Names (before the suffix) of files that hold something else: ``"optimizer"``.
    """

    suffixes: tuple[str, ...]
    standard: tuple[str, ...]
    ignored: tuple[str, ...] = ()

    def is_index(self, file: Path) -> bool:
        """Whether a file is, by its name, an index of shards."""
        return file.name.endswith(tuple(suffix + _INDEX for suffix in self.suffixes))

    def is_weights(self, file: Path) -> bool:
        """Whether a file is, by its name, one with weights."""
        return file.suffix.lower() in self.suffixes and not file.name.startswith((".", *self.ignored))

    def in_folder(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """The weight files and the indices in a folder, by name; empty if it cannot be listed."""
        try:
            entries = sorted(entry for entry in folder.iterdir() if entry.is_file() or entry.is_symlink())
        except OSError:
            return [], []
        return [e for e in entries if self.is_weights(e)], [e for e in entries if self.is_index(e)]


def find_parts(path: Path, naming: Naming) -> Parts:
    """The files that a path means.

    Args:
        path: An existing file or folder.
        naming: How the format names its files.

    Raises:
        CheckpointError: No file, several that do not belong together, a missing shard, or a malformed index.
        UnsafeError: The index names a file outside its folder.
    """
    if path.is_file():
        if naming.is_index(path):
            return _by_index(path, path)
        is_standard = path.name in naming.standard
        return Parts(path.name, path, (path,), path.parent if is_standard else None)
    files, indices = naming.in_folder(path)
    for name in naming.standard:
        if path / name in files:
            return Parts(_folder_name(path), path, (path / name,), path)
        if path / (name + _INDEX) in indices:
            return _by_index(path / (name + _INDEX), path)
    if len(indices) == 1:
        return _by_index(indices[0], path)
    if len(indices) > 1:
        names = ", ".join(index.name for index in indices)
        raise CheckpointError(f"{path} holds several checkpoints ({names}). Open the one you mean.", path=str(path))
    if not files:
        wanted = " or ".join(f"*{suffix}" for suffix in naming.suffixes)
        raise CheckpointError(f"{path} holds no weights ({wanted}).", path=str(path))
    _check_numbers(path, files)
    return Parts(_folder_name(path), path, tuple(files), path)


def _folder_name(folder: Path) -> str:
    return folder.name or folder.resolve().name


def _check_numbers(path: Path, files: Sequence[Path]) -> None:
    """Refuse a set of numbered shards with a gap in it."""
    found = [match for file in files if (match := _NUMBERED.fullmatch(file.name))]
    for stem, count in sorted({(match["stem"], int(match["count"])) for match in found}):
        here = {int(m["number"]) for m in found if (m["stem"], int(m["count"])) == (stem, count)}
        missing = [number for number in range(1, min(count, 99_999) + 1) if number not in here]
        if missing:
            raise _missing_shards(path, [f"{stem}-{number:05d}-of-{count:05d}" for number in missing], count)


def _missing_shards(path: Path, missing: Sequence[str], count: int) -> CheckpointError:
    shown = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
    return CheckpointError(
        f"{path}: {len(missing)} of {count} shards {'is' if len(missing) == 1 else 'are'} missing ({shown}). Finish "
        "the download, or copy the missing files beside the others.",
        path=str(path), missing=list(missing[:100]),
    )  # fmt: skip


def _by_index(index: Path, path: Path) -> Parts:
    folder = index.parent
    weight_map = read_weight_map(index)
    names = sorted(set(weight_map.values()))
    inside = folder.resolve()
    allowed = allowed_roots(inside)
    files, missing = [], []
    for name in names:
        file = folder / name
        if not file.exists():
            missing.append(name)
        elif not is_within(file.resolve(), allowed):
            raise UnsafeError(
                f"{index}: the shard {name} is a link to {file.resolve()}, outside the checkpoint's folder. Copy the "
                "file itself there, or open it by its own path.",
                path=str(index), shard=name,
            )  # fmt: skip
        else:
            files.append(file)
    if missing:
        raise _missing_shards(path, missing, len(names))
    return Parts(_folder_name(folder), path, tuple(files), folder, weight_map)


def allowed_roots(folder: Path) -> tuple[Path, ...]:
    """Where the files of a checkpoint in this (resolved) folder may really lie.

    The folder itself; and for a snapshot in a Hugging Face cache (``models--x/snapshots/revision/...``), whose files
    are links, that model's ``blobs``.
    """
    for parent in folder.parents:
        if parent.name == "snapshots":
            return (folder, parent.parent / "blobs")
    return (folder,)


def is_within(file: Path, roots: Iterable[Path]) -> bool:
    """Whether a (resolved) file lies somewhere below one of the folders."""
    return any(root in file.parents for root in roots)


def read_weight_map(index: Path) -> dict[str, str]:
    """Tensor name -> file name, from an ``*.index.json``; every file name checked to be a plain name.

    Raises:
        NotFoundError: There is no such file.
        CheckpointError: It is not an index.
        UnsafeError: It names a file by a path.
    """
    try:
        if index.stat().st_size > MAX_INDEX:
            raise UnsafeError(f"{index} is larger than any index is ({MAX_INDEX:,} bytes).", path=str(index))
        plain = json.loads(index.read_text("utf-8"), object_pairs_hook=unique_object)
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {index}.", path=str(index)) from None
    except OSError as error:
        raise CheckpointError(f"{index} cannot be read: {error.strerror or error}.", path=str(index)) from None
    except UnsafeError:
        raise
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{index} is not an index of shards: {error}.", path=str(index)) from None
    weight_map = plain.get("weight_map") if isinstance(plain, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index} is not an index of shards: it has no 'weight_map'.", path=str(index))
    for name, file in weight_map.items():
        if not isinstance(file, str) or not file:
            raise CheckpointError(f"{index}: the file of '{name}' is not a file name.", path=str(index))
        if file in {".", ".."} or any(mark in file for mark in "/\\\0:"):
            raise UnsafeError(
                f"{index}: '{name}' is said to lie in '{file}'; an index may only name files in its own folder.",
                path=str(index), shard=file,
            )  # fmt: skip
    return weight_map


def unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys are all different (for ``object_pairs_hook``).

    Raises:
        ValueError: A key is there twice.
    """
    plain = dict(pairs)
    if len(plain) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"'{twice}' is there twice")
    return plain
