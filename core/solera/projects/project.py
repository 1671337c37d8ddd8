"""A project folder: who may write it, where things are in it."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from solera.checkpoints.formats.format import Format
from solera.errors import InputError, LockedError, NotFoundError, OutputError
from solera.locks import FileLock
from solera.projects.library import Library
from solera.projects.project_file import (
    FILE,
    ProjectFile,
    TaskEntry,
    is_name,
    read_project_file,
    write_project_file,
)

_FOLDERS = ("recipes", "experiments", "runs", "artifacts", "outputs")


class Project:
    """An open project; make one with :meth:`create` or :meth:`open`.

    Three ways to hold it: a window holds its lock from open to close; a headless job shares it (``lock=False``) and
    takes the lock only while it edits ``solera.toml``; a second window reads (``read_only=True``).

    Attributes:
        folder: Absolute.
        read_only: Whether edits are refused.
        file: What ``solera.toml`` says; see :meth:`refresh`.
        library: Its checkpoints.
    """

    def __init__(self, folder: Path, *, read_only: bool, lock: bool, formats: Mapping[str, Format] | None) -> None:
        self.folder = folder
        self.read_only = read_only
        self._guard = threading.RLock()
        self._lock = FileLock(folder / ".lock", "project")
        if lock and not read_only:
            self._lock.acquire()
        try:
            self.file = read_project_file(folder)
        except BaseException:
            self._lock.release()
            raise
        self.library = Library(self, formats)

    @staticmethod
    def create(folder: str | Path, name: str = "", *, lock: bool = True) -> Project:
        """Make an empty project and open it.

        Args:
            folder: A new or an empty folder, or one without ``solera.toml``.
            name: The folder's name if empty.
            lock: See :meth:`open`.

        Raises:
            OutputError: There is a project already, or the folder cannot be written.
        """
        where = Path(folder).expanduser().absolute()
        if (where / FILE).exists():
            raise OutputError(f"{where} is a project already; open it instead.", path=str(where))
        try:
            for part in _FOLDERS:
                (where / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"A project cannot be made at {where}: {error.strerror}. Choose a folder that can be written.",
                path=str(where),
            ) from error
        write_project_file(where, ProjectFile(name or where.name))
        return Project.open(where, lock=lock)

    @staticmethod
    def open(
        folder: str | Path,
        read_only: bool = False,
        *,
        lock: bool = True,
        formats: Mapping[str, Format] | None = None,
    ) -> Project:
        """Open a project.

        Args:
            folder: With a ``solera.toml``.
            read_only: Never write, never lock.
            lock: Whether to hold the project's lock until :meth:`close`.
            formats: The formats its library opens checkpoints with; the built-in ones if None.

        Raises:
            NotFoundError: It is no project.
            FaultsError: Its file is faulty.
            LockedError: Another process holds it; open it ``read_only`` instead.
            OutputError: It cannot be written; open it ``read_only`` instead.
        """
        where = Path(folder).expanduser().absolute()
        if not (where / FILE).is_file():
            read_project_file(where)  # the sentence
        return Project(where, read_only=read_only, lock=lock, formats=formats)

    @staticmethod
    def find(start: str | Path) -> Path | None:
        """The project folder that ``start`` is or lies in; None if it lies in none."""
        where = Path(start).expanduser().absolute()
        return next((folder for folder in (where, *where.parents) if (folder / FILE).is_file()), None)

    @property
    def name(self) -> str:
        """Its name."""
        return self.file.name

    @property
    def tasks(self) -> Mapping[str, TaskEntry]:
        """Its tasks by name."""
        return self.file.tasks

    @property
    def recipes_folder(self) -> Path:
        """Where its recipes are."""
        return self.folder / "recipes"

    @property
    def experiments_folder(self) -> Path:
        """Where its experiments are."""
        return self.folder / "experiments"

    @property
    def runs_folder(self) -> Path:
        """Where its runs are."""
        return self.folder / "runs"

    @property
    def outputs(self) -> Path:
        """Where merged checkpoints go."""
        return self.folder / "outputs"

    @property
    def artifacts(self) -> Path:
        """What was made beside checkpoints: pictures, tables, lineage, cached fingerprints."""
        return self.folder / "artifacts"

    @property
    def fingerprints(self) -> Path:
        """Where fingerprints are cached."""
        return self.artifacts / "fingerprints"

    @property
    def jobs_folder(self) -> Path:
        """Where unfinished jobs are recorded."""
        return self.folder / "artifacts" / "jobs"

    @property
    def log_file(self) -> Path:
        """Its log."""
        return self.folder / "solera.log"

    def recipes(self) -> tuple[Path, ...]:
        """Its recipe files, by name."""
        return _yaml_files(self.recipes_folder)

    def experiments(self) -> tuple[Path, ...]:
        """Its experiment files, by name."""
        return _yaml_files(self.experiments_folder)

    def set_task(self, name: str, task: str, params: Mapping[str, Any] | None = None) -> TaskEntry:
        """Add a task or change it.

        Raises:
            InputError: The name is none.
            OutputError: The project cannot be written.
        """
        if not is_name(name):
            raise InputError(f"A task's name is like 'rotated', not {name!r}.", name=name)
        entry = TaskEntry(name, task, dict(params or {}))
        with self.editing() as content:
            self.write(dataclasses.replace(content, tasks={**content.tasks, name: entry}))
        return entry

    def remove_task(self, name: str) -> None:
        """Forget a task.

        Raises:
            NotFoundError: There is none of this name.
        """
        with self.editing() as content:
            if name not in content.tasks:
                raise NotFoundError(f"The project '{self.name}' has no task '{name}'.", name=name)
            self.write(
                dataclasses.replace(content, tasks={key: item for key, item in content.tasks.items() if key != name})
            )

    def resolve(self, path: str) -> Path:
        """A path as written in the project's file, absolute."""
        return Path(os.path.normpath(self.folder / Path(path).expanduser()))

    def relative(self, path: Path) -> str:
        """How the project's file writes a path: relative if it is inside, else absolute."""
        absolute = Path(os.path.normpath(path.absolute()))
        return absolute.relative_to(self.folder).as_posix() if absolute.is_relative_to(self.folder) else str(absolute)

    def refresh(self) -> None:
        """Read ``solera.toml`` again: another process may have changed it."""
        with self._guard:
            self.file = read_project_file(self.folder)

    @contextmanager
    def editing(self) -> Iterator[ProjectFile]:
        """What the file says now, held still while it is changed; see :meth:`write`.

        Raises:
            LockedError: It was opened read-only, or another process holds it.
        """
        if self.read_only:
            raise LockedError(
                f"The project '{self.name}' is open read-only; close the other window first.", path=str(self.folder)
            )
        with self._guard:
            if self._lock.held:
                self.refresh()
                yield self.file
            else:
                with self._lock:
                    self.refresh()
                    yield self.file

    def write(self, content: ProjectFile) -> None:
        """Write ``solera.toml``; only inside :meth:`editing`."""
        write_project_file(self.folder, content)
        self.file = content

    def close(self) -> None:
        """Give the lock back."""
        self._lock.release()

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _yaml_files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob("*.yaml"))) if folder.is_dir() else ()
