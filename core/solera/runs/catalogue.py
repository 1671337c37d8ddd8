"""A list of many runs that needs not open them: a SQLite table beside the files, which can always be rebuilt.

The files are the truth. What a person adds to a run, tags and a note, is kept in a small JSON file beside it, so that
nothing is lost with the table.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import LockedError, NotFoundError, OutputError, RunError
from solera.files import replace_text
from solera.locks import holder
from solera.runs.header import SUFFIX, run_path

if TYPE_CHECKING:
    from solera.runs.reader import RunReader

_LOG = logging.getLogger(__name__)
_TABLE, _TRASH, _REMARKS = ".catalogue.sqlite", ".trash", ".remarks.json"
_VERSION = 1
_PATIENCE = 5.0  # seconds to wait for another program's write
_COLUMNS = "id, kind, title, state, created, count, planned, summary, tags, note, path"
_CREATE = f"""
CREATE TABLE runs (
    file TEXT PRIMARY KEY, stamp TEXT NOT NULL, remarks TEXT NOT NULL,
    {_COLUMNS.replace("id,", "id TEXT,", 1)}
)
"""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A line in the list of runs.

    Attributes:
        id, kind, title, created, planned: As in its header.
        state: ``"running"``, ``"done"``, ``"failed"``, ``"cancelled"``, ``"interrupted"``; ``"damaged"`` when the file
            cannot be read (``summary`` says why).
        count: Points in it.
        summary: The line it ended with.
        tags: A person's, sorted.
        note: A person's.
        path: The file.
    """

    id: str
    kind: str
    title: str
    state: str
    created: float
    count: int
    planned: int | None
    summary: str
    tags: tuple[str, ...]
    note: str
    path: Path


class Catalogue:
    """The runs in a folder. Thread rule: any thread, but not the window's: :meth:`refresh` opens new files.

    Args:
        folder: With the run files; it need not exist yet.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None

    def refresh(self) -> int:
        """Look for new, changed and vanished files; only new and changed ones are opened. How many lines changed.

        Raises:
            RunError: Another program is writing the table, and does not end.
        """
        found = self._files()
        with self._rows() as database:
            known = {file: (stamp, remarks, state) for file, stamp, remarks, state in database.execute(
                "SELECT file, stamp, remarks, state FROM runs"
            )}  # fmt: skip
        gone = known.keys() - found.keys()
        changed = [
            file
            for file, (stamp, remarks) in found.items()
            if file not in known or known[file][:2] != (stamp, remarks) or self._died(file, known[file][2])
        ]
        # Looked into before the table is written: others may not wait while thousands of files are opened.
        rows = [(file, *found[file], *self._describe(file)) for file in changed]
        if gone or rows:
            with self._rows() as database:
                database.executemany("DELETE FROM runs WHERE file = ?", [(file,) for file in gone])
                for row in rows:
                    database.execute(f"INSERT OR REPLACE INTO runs VALUES ({', '.join('?' * len(row))})", row)
        return len(gone) + len(changed)

    def list(self) -> list[RunInfo]:
        """All runs as of the last refresh, newest first; opens no run file: 10,000 take a tenth of a second."""
        with self._rows() as database:
            return [
                _info(row) for row in database.execute(f"SELECT {_COLUMNS} FROM runs ORDER BY created DESC, id DESC")
            ]

    def get(self, run: str) -> RunInfo:
        """One run, looked up afresh.

        Raises:
            NotFoundError: There is none of this id.
        """
        for attempt in range(2):
            with self._rows() as database:
                row = database.execute(f"SELECT {_COLUMNS} FROM runs WHERE id = ?", (run,)).fetchone()
            if row is not None and Path(row[-1]).exists():
                return _info(row)
            if attempt == 0:
                self.refresh()
        raise NotFoundError(f"There is no run '{run}' in {self.folder}.", run=run)

    def open(self, run: str) -> RunReader:
        """Read a run.

        Raises:
            NotFoundError: There is none of this id.
            RunError: It cannot be read.
        """
        from solera.runs.reader import RunReader

        return RunReader(self.get(run).path)

    def set_tags(self, run: str, tags: Iterable[str]) -> None:
        """Give a run other tags.

        Raises:
            NotFoundError: There is none of this id.
            OutputError: The folder cannot be written.
        """
        self._remark(run, tags=sorted({tag.strip() for tag in tags if tag.strip()}))

    def set_note(self, run: str, note: str) -> None:
        """Give a run another note.

        Raises:
            NotFoundError: There is none of this id.
            OutputError: The folder cannot be written.
        """
        self._remark(run, note=note)

    def trash(self, run: str) -> Path:
        """Move a run out of the list, into the folder's trash; where it is now.

        Raises:
            NotFoundError: There is none of this id.
            LockedError: It is being written.
            OutputError: The folder cannot be written.
        """
        path = self.get(run).path
        if (owner := holder(path.with_name(f"{path.name}.lock"))) is not None:
            raise LockedError(f"The run '{run}' is being written by {owner}; cancel its job first.", run=run)
        bin_ = self.folder / _TRASH
        return self._move(path, bin_)

    def trashed(self) -> tuple[str, ...]:
        """Stems of the run files in the trash."""
        return tuple(sorted(path.stem for path in (self.folder / _TRASH).glob(f"*{SUFFIX}")))

    def restore(self, run: str) -> Path:
        """Bring a run back from the trash; where it is now.

        Raises:
            NotFoundError: The trash has none of this id.
            OutputError: There is a run of that name again, or the folder cannot be written.
        """
        path = run_path(self.folder / _TRASH, run)
        if not path.exists():
            raise NotFoundError(f"There is no run '{run}' in the trash of {self.folder}.", run=run)
        return self._move(path, self.folder)

    def empty_trash(self) -> int:
        """Delete what is in the trash for good; how many runs."""
        runs = self.trashed()
        for run in runs:
            path = run_path(self.folder / _TRASH, run)
            path.unlink(missing_ok=True)
            _remarks_of(path).unlink(missing_ok=True)
        return len(runs)

    def close(self) -> None:
        """Let the table go; the next use opens it again."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    # -- inside ----------------------------------------------------------------------------------------------------

    def _files(self) -> dict[str, tuple[str, str]]:
        """Stamps of every run file and of its remarks."""
        runs: dict[str, str] = {}
        remarks: dict[str, str] = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    name = entry.name
                    if name.startswith(".") or not name.endswith((SUFFIX, _REMARKS)):
                        continue
                    try:
                        stat = entry.stat()
                    except OSError:
                        continue  # gone meanwhile
                    stamp = f"{stat.st_mtime_ns}:{stat.st_size}:{stat.st_ino}"
                    (runs if name.endswith(SUFFIX) else remarks)[name] = stamp
        except FileNotFoundError:
            return {}
        return {name: (stamp, remarks.get(_remarks_of(Path(name)).name, "")) for name, stamp in runs.items()}

    def _died(self, file: str, state: str) -> bool:
        """Whether a run that was growing is so no more, though its file has not changed."""
        return state == "running" and holder(self.folder / f"{file}.lock") is None

    def _describe(self, file: str) -> Sequence[Any]:
        from solera.runs.peek import peek

        path = self.folder / file
        tags, note = _read_remarks(path)
        try:
            seen = peek(path)
        except (RunError, NotFoundError) as error:
            created = path.stat().st_mtime if path.exists() else 0.0
            return (path.stem, "", path.name, "damaged", created, 0, None, error.message, tags, note, str(path))
        header = seen.header
        return (
            header.id, header.kind, header.title, seen.state, header.created, seen.count, header.planned, seen.summary,
            tags, note, str(path),
        )  # fmt: skip

    def _remark(self, run: str, **changes: Any) -> None:
        path = self.get(run).path
        file = _remarks_of(path)
        tags, note = _read_remarks(path)
        plain = {"tags": json.loads(tags), "note": note} | changes
        try:
            if plain["tags"] or plain["note"]:
                replace_text(file, json.dumps({"version": 1, **plain}, ensure_ascii=False))
            else:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"The remarks on run '{run}' cannot be written to {file}: {error.strerror}.") from error
        self.refresh()

    def _move(self, path: Path, folder: Path) -> Path:
        target = folder / path.name
        try:
            folder.mkdir(exist_ok=True)
            if target.exists() and folder == self.folder:
                raise OutputError(f"There is a run {target} again; it is left alone.", path=str(target))
            path.replace(target)
            if _remarks_of(path).exists():
                _remarks_of(path).replace(_remarks_of(target))
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"{path} cannot be moved to {folder}: {error.strerror}.", path=str(path)) from error
        self.refresh()
        return target

    @contextmanager
    def _rows(self) -> Iterator[sqlite3.Connection]:
        """The table in a transaction; made anew if missing, old or damaged; in memory if it cannot be written."""
        with self._lock:
            if self._database is None:
                self._database = self._connect()
            try:
                with self._database:
                    yield self._database
            except sqlite3.DatabaseError as error:
                self.close()  # the next use starts from the files
                raise RunError(
                    f"The list of runs in {self.folder} cannot be used now: {error}. Another program may be writing "
                    "it; try again.",
                    path=str(self.folder / _TABLE),
                ) from error

    def _connect(self) -> sqlite3.Connection:
        file = self.folder / _TABLE
        for again in (False, True):
            try:
                return _prepared(sqlite3.connect(file, timeout=_PATIENCE, check_same_thread=False))
            except sqlite3.DatabaseError as error:
                if again or not file.exists():
                    break
                _LOG.warning("The catalogue %s is made anew: %s", file, error)
                try:
                    file.unlink()
                except OSError:
                    break
        return _prepared(sqlite3.connect(":memory:", check_same_thread=False))


def _prepared(database: sqlite3.Connection) -> sqlite3.Connection:
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != _VERSION:
            with database:
                database.execute("DROP TABLE IF EXISTS runs")
                database.execute(_CREATE)
                database.execute(f"PRAGMA user_version = {_VERSION}")
        with database:
            database.execute("DELETE FROM runs WHERE 0")  # whether it can be written
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _remarks_of(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix(SUFFIX)}{_REMARKS}")


def _read_remarks(path: Path) -> tuple[str, str]:
    """Tags as a JSON list, and the note."""
    file = _remarks_of(path)
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
        return json.dumps([str(tag) for tag in plain.get("tags", [])], ensure_ascii=False), str(plain.get("note", ""))
    except FileNotFoundError:
        return "[]", ""
    except (OSError, ValueError, AttributeError) as error:
        _LOG.warning("The remarks %s cannot be read: %s", file, error)
        return "[]", ""


def _info(row: Sequence[Any]) -> RunInfo:
    id_, kind, title, state, created, count, planned, summary, tags, note, path = row
    labels = tuple(json.loads(tags)) if tags != "[]" else ()
    return RunInfo(id_, kind, title, state, created, count, planned, summary, labels, note, Path(path))
