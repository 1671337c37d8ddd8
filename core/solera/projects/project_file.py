"""``solera.toml``, the one file a project folder is known by."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solera.errors import Fault, FaultsError, NotFoundError, OutputError
from solera.files import replace_text

FILE = "solera.toml"

#: Version of the form; older ones are migrated by numbered steps, forward only.
PROJECT_VERSION = 1

_NAME = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*")


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """A task of a project.

    Attributes:
        name: What the project calls it: ``"rotated"``.
        task: Registered name of the task kind: ``"digits"``.
        params: Its parameters, plain.
    """

    name: str
    task: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """A checkpoint a project knows.

    Attributes:
        name: What the project calls it.
        path: As written: relative to the project's folder if inside it, else absolute.
        note: Free text.
        tags: A person's words for it.
    """

    name: str
    path: str
    note: str = ""
    tags: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """As in the file."""
        plain: dict[str, Any] = {"path": self.path}
        if self.note:
            plain["note"] = self.note
        if self.tags:
            plain["tags"] = list(self.tags)
        return plain


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What ``solera.toml`` says.

    Attributes:
        name: The project's name.
        note: Free text.
        library: Checkpoints by name, in order.
        tasks: Tasks by name, in order.
    """

    name: str
    note: str = ""
    library: Mapping[str, LibraryEntry] = field(default_factory=dict)
    tasks: Mapping[str, TaskEntry] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """As in the file."""
        plain: dict[str, Any] = {"solera": PROJECT_VERSION, "name": self.name}
        if self.note:
            plain["note"] = self.note
        if self.library:
            plain["library"] = {item.name: item.to_plain() for item in self.library.values()}
        if self.tasks:
            plain["tasks"] = {item.name: {"task": item.task, **item.params} for item in self.tasks.values()}
        return plain


def read_project_file(folder: Path) -> ProjectFile:
    """What a project's file says.

    Raises:
        NotFoundError: The folder has none.
        FaultsError: It is faulty; all faults are named.
    """
    file = folder / FILE
    try:
        plain = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(
            f"{folder} is no Solera project: it has no {FILE}. Make one with: solera new {folder}.", path=str(folder)
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FaultsError(f"project {file}", [Fault("project.read", "", f"It cannot be read: {error}.")]) from error
    faults: list[Fault] = []
    parsed = _parse(plain, folder, faults)
    if faults:
        raise FaultsError(f"project {file}", faults)
    return parsed


def write_project_file(folder: Path, content: ProjectFile) -> None:
    """Write a project's file.

    Raises:
        OutputError: It cannot be written.
    """
    import tomli_w

    file = folder / FILE
    try:
        replace_text(file, tomli_w.dumps(content.to_plain()))
    except OSError as error:
        raise OutputError(
            f"The project {folder} cannot be written ({error.strerror}); nothing was changed.", path=str(file)
        ) from error


def is_name(text: str) -> bool:
    """Whether this can be the name of a task or a library entry: ``"math"``, ``"llama-3.1"``, ``"outputs/blend"``."""
    return _NAME.fullmatch(text) is not None


def _parse(plain: Mapping[str, Any], folder: Path, faults: list[Fault]) -> ProjectFile:
    version = plain.get("solera", PROJECT_VERSION)
    if not isinstance(version, int) or version > PROJECT_VERSION:
        message = f"It has version {version!r}; this Solera reads up to {PROJECT_VERSION}. Update Solera to open it."
        faults.append(Fault("project.version", "solera", message))
        return ProjectFile(folder.name)
    known = ("solera", "name", "note", "library", "tasks")
    faults.extend(
        Fault("project.unknown-key", key, f"'{key}' is not known here; known: {', '.join(known)}.")
        for key in plain
        if key not in known
    )
    library = {
        name: LibraryEntry(
            name,
            _text(table, "path", place, faults),
            _text(table, "note", place, faults, ""),
            _texts(table, "tags", place, faults),
        )
        for name, place, table in _tables(plain, "library", faults)
    }
    tasks = {
        name: TaskEntry(name, _text(table, "task", place, faults), {key: table[key] for key in table if key != "task"})
        for name, place, table in _tables(plain, "tasks", faults)
    }
    return ProjectFile(
        _text(plain, "name", "", faults, folder.name), _text(plain, "note", "", faults, ""), library, tasks
    )


def _tables(plain: Mapping[str, Any], key: str, faults: list[Fault]) -> list[tuple[str, str, Mapping[str, Any]]]:
    tables = plain.get(key, {})
    if not isinstance(tables, Mapping):
        faults.append(Fault("project.type", key, f"'{key}' is a table of tables."))
        return []
    good = []
    for name, table in tables.items():
        place = f"{key}.{name}"
        if not isinstance(table, Mapping):
            faults.append(Fault("project.type", place, "This must be a table."))
        elif not is_name(name):
            faults.append(Fault("project.name", place, f"A name is like 'llama-3.1', not {name!r}."))
        else:
            good.append((name, place, table))
    return good


def _text(plain: Mapping[str, Any], key: str, place: str, faults: list[Fault], default: str | None = None) -> str:
    value = plain.get(key, default)
    if isinstance(value, str):
        return value
    where = f"{place}.{key}" if place else key
    got = "it is missing" if value is None else f"got {value!r}"
    faults.append(Fault("project.type", where, f"'{key}' must be text; {got}."))
    return ""


def _texts(plain: Mapping[str, Any], key: str, place: str, faults: list[Fault]) -> tuple[str, ...]:
    value = plain.get(key, [])
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    faults.append(Fault("project.type", f"{place}.{key}", f"'{key}' must be a list of text; got {value!r}."))
    return ()
