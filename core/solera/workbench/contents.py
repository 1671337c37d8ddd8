"""What the files that a parameter names hold, so that what was made of other data is not taken for the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.params import ParamSpec

if TYPE_CHECKING:
    from solera.projects.project import Project

#: Larger files are told apart by size and time of change, not read.
READ_BYTES = 64 * 2**20


def contents(given: Mapping[str, Any], specs: Sequence[ParamSpec], project: Project | None) -> dict[str, str]:
    """A digest of what each path among the parameters leads to, by the parameter's name.

    Args:
        given: Parameters as plain data.
        specs: What they are.
        project: What paths are relative to; None is the working folder.
    """
    paths = {spec.name: given.get(spec.name) for spec in specs if spec.kind == "path"}
    return {
        name: digest(project.resolve(str(path)) if project else Path(path))
        for name, path in paths.items()
        if isinstance(path, (str, Path)) and str(path)
    }


def digest(path: Path) -> str:
    """SHA-256 of a file, or of all files below a folder with their names; empty where there is nothing to read."""
    try:
        if not path.is_dir():
            return _of_file(path)
        files = sorted(each for each in path.rglob("*") if each.is_file())
        said = [f"{each.relative_to(path)}\0{_of_file(each)}\n" for each in files]
    except OSError:
        return ""  # the task itself says what is missing
    return hashlib.sha256("".join(said).encode()).hexdigest()


def _of_file(path: Path) -> str:
    status = os.stat(path)
    return _read(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=1024)
def _read(path: Path, size: int, mtime_ns: int, inode: int) -> str:
    """The digest of a file while it is what it was."""
    if size > READ_BYTES:
        return f"{size} bytes of {mtime_ns}"
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
