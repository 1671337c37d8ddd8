"""What a merge notes of its finished files, so that it can go on after ``kill -9``: a journal beside the result.

One JSON object a line. The first says what is being made: the plan's key, the inputs, the boot of the machine. Each
other one names a file of which every tensor is written, its inode and size (a folder that was exchanged since holds
files of the same names), and the digests of the inputs' tensors that were read for it. Nothing is synced: what the
operating system has taken survives the death of the process, not of the machine, and so a journal of an earlier boot
is not believed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

#: Version of the journal; another one is not gone on with.
FORMAT = 1

#: ``agree(inputs of the journal) -> whether they hold what the inputs hold now``.
Agree = Callable[[Mapping[str, Any]], bool]

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass
class Journal:
    """The finished files of one unfinished result.

    Thread rule: :meth:`add` from any thread; the rest from one.

    Attributes:
        key: What decides the bytes of the result, beside the contents of the inputs.
        inputs: ``{node: {"name", "identity", "fingerprint"}}``, JSON-ready.
        files: How many files the result will have.
        agree: Asked whether the inputs an earlier attempt noted hold the same as now.
        lenient: Whether NaN and infinity are let pass; files made so are not taken where they are not.
        finished: Name of each finished file -> ``{node: {tensor: digest}}`` of what was read for it.
    """

    key: str
    inputs: Mapping[str, Any]
    files: int
    agree: Agree
    lenient: bool = False
    finished: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    _path: Path | None = None
    _lock: Lock = field(default_factory=Lock)

    @property
    def decidable(self) -> bool:
        """Whether a later attempt can tell if inputs whose times changed hold what they held."""
        return all(item["fingerprint"] for item in self.inputs.values())

    def open(self, path: Path, folder: Path) -> bool:
        """Take up what an earlier attempt left, or begin anew with an empty folder.

        Args:
            path: The journal's file.
            folder: Where the result is being made.

        Returns:
            Whether finished files were found.

        Raises:
            OSError: The folder cannot be written.
        """
        self._path = path
        self.finished = self._believed(path, folder)
        if not self.finished:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self.clear(folder)
        said = {"solera-journal": FORMAT, "key": self.key, "boot": boot(), "lenient": self.lenient}
        head = {**said, "inputs": self.inputs}
        lines = [head, *(_entry(folder / name, read) for name, read in self.finished.items())]
        fresh = path.with_name(path.name + ".new")
        fresh.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        fresh.replace(path)
        return bool(self.finished)

    def add(self, file: Path, read: Mapping[str, Mapping[str, str]]) -> None:
        """Note that a file is finished.

        Args:
            file: The file.
            read: Digests of tensors read since the last was noted, ``{node: {tensor: digest}}``.

        Raises:
            OSError: The journal cannot be written.
        """
        assert self._path is not None
        plain = {node: dict(digests) for node, digests in read.items() if digests}
        with self._lock:
            with self._path.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(_entry(file, plain)) + "\n")
            self.finished[file.name] = plain

    def clear(self, folder: Path) -> None:
        """Remove everything from the unfinished result but its finished files."""
        for item in folder.iterdir():
            if item.name not in self.finished:
                shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()

    def digests(self, node: str) -> dict[str, str]:
        """Digests of an input's tensors that were read for finished files."""
        return {name: digest for read in self.finished.values() for name, digest in read.get(node, {}).items()}

    def _believed(self, path: Path, folder: Path) -> dict[str, dict[str, dict[str, str]]]:
        head, *entries = _read(path) or [{}]
        expected = (FORMAT, self.key, boot())
        if (head.get("solera-journal"), head.get("key"), head.get("boot")) != expected:
            return {}
        if head.get("lenient") and not self.lenient:
            return {}
        found = {str(entry["file"]): entry["read"] for entry in entries if _is_there(entry, folder)}
        return found if found and self.agree(head.get("inputs", {})) else {}


def boot() -> str:
    """Which boot of the machine this is; empty where the system does not say (not Linux), and then all are one."""
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""


def _entry(file: Path, read: Mapping[str, Any]) -> dict[str, Any]:
    status = os.stat(file)
    return {"file": file.name, "inode": status.st_ino, "nbytes": status.st_size, "read": read}


def _is_there(entry: Mapping[str, Any], folder: Path) -> bool:
    try:
        status = os.stat(folder / str(entry["file"]))
    except (OSError, KeyError):
        return False
    return (status.st_ino, status.st_size) == (entry.get("inode"), entry.get("nbytes"))


def _read(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole: the last one may have been cut by the kill."""
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        return []
    lines = []
    for line in text.split("\n")[:-1]:
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines
