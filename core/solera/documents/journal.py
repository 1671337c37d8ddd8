"""The autosave journal: what a crash must not lose, beside the user's file, which is never touched.

A journal is a snapshot written at most a second after an edit (whoever owns the document calls :meth:`Journal.record`
from a timer). It is removed when the document is saved or closed; one that is found at the next start belongs to a
process that died.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.documents.document import Document
from solera.documents.files import LAYOUT_VERSION, document_from_plain, document_to_plain, write_text
from solera.errors import Fault

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec

_SUFFIX = ".autosave"


@dataclass(frozen=True, slots=True)
class Recovery:
    """A journal that was left behind.

    Attributes:
        journal: Its file. path: The recipe file it belongs to; None if that was never saved.
        document: The document as it was. time: When, seconds since the epoch.
        changed_since: Whether the recipe file was changed after the journal was begun.
    """

    journal: Path
    path: Path | None
    document: Document
    time: float
    changed_since: bool


class Journal:
    """The journal of one open document.

    Args:
        folder: Where journals of files that were never saved go (the project's folder).
        path: The recipe file; None if it was never saved.
    """

    def __init__(self, folder: Path, path: Path | None = None) -> None:
        stem = f".{path.name}" if path is not None else f".untitled-{os.getpid()}-{time.monotonic_ns():x}"
        self.file = (path.parent if path is not None else folder) / f"{stem}{_SUFFIX}"
        self._path = path
        self._stamp = _stamp(path)
        self._last: Document | None = None

    def record(self, document: Document) -> None:
        """Write a snapshot, unless nothing changed since the last.

        Raises:
            OutputError: It cannot be written.
        """
        if document == self._last:
            return
        content = {
            "solera_autosave": LAYOUT_VERSION,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": _started(os.getpid()),
            "time": time.time(),
            "path": str(self._path) if self._path is not None else "",
            "stamp": self._stamp,
            "document": document_to_plain(document),
        }
        write_text(self.file, json.dumps(content))
        self._last = document

    def clear(self) -> None:
        """Remove it: the document was saved, or closed on purpose. One that another process wrote is left alone."""
        if self._last is not None:
            with contextlib.suppress(FileNotFoundError):
                self.file.unlink()
        self._last = None
        self._stamp = _stamp(self._path)


def left_behind(folders: tuple[Path, ...], methods: Mapping[str, MethodSpec]) -> tuple[Recovery, ...]:
    """Journals in these folders whose process is gone, newest first; unreadable ones are skipped, not removed."""
    found = []
    for folder in folders:
        for file in sorted(folder.glob(f".*{_SUFFIX}")):
            recovery = _read(file, methods)
            if recovery is not None:
                found.append(recovery)
    return tuple(sorted(found, key=lambda recovery: -recovery.time))


def _read(file: Path, methods: Mapping[str, MethodSpec]) -> Recovery | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["solera_autosave"] != LAYOUT_VERSION or _alive(content):
            return None
        faults: list[Fault] = []
        document = document_from_plain(content["document"], methods, faults)
        # A journal lies beside its recipe, wherever the folder was moved or copied to since.
        path = file.with_name(Path(content["path"]).name) if content["path"] else None
        return Recovery(file, path, document, float(content["time"]), _stamp(path) != content["stamp"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _alive(content: Mapping[str, Any]) -> bool:
    """Whether the process that wrote a journal still runs; a later one with the same number is another process.

    A journal of another machine counts as left behind: who looks for journals holds the project's lock.
    """
    pid = int(content["pid"])
    if content.get("host", socket.gethostname()) != socket.gethostname():
        return False
    with contextlib.suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    then, now = int(content.get("started", 0)), _started(pid)
    return not then or not now or then == now


def _started(pid: int) -> int:
    """When a process began, in clock ticks since the machine's own start; 0 where that cannot be told."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(facts.rpartition(")")[2].split()[19])  # field 22; the name before it may hold spaces
    except (OSError, ValueError, IndexError):
        return 0


def _stamp(path: Path | None) -> list[int]:
    """Size and modification time of a file; empty if there is none."""
    if path is None:
        return []
    try:
        facts = path.stat()
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns]
