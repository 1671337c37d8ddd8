"""Files with a JSON object on every line, shared out to splits."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solera.api import Seed, Split, TaskError, split_rows

NAMES: tuple[Split, ...] = ("train", "selection", "report")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file.

    Attributes:
        task: For sentences. path: The file. number: Of the line, from 1.
        plain: What it holds.
    """

    task: str
    path: Path
    number: int
    plain: dict[str, Any]

    def fault(self, said: str) -> TaskError:
        """What is wrong with it, with its place."""
        return TaskError(f"Task '{self.task}': line {self.number} of {self.path} {said}.", task=self.task)

    def text(self, *keys: str) -> str:
        """The text under the first of some keys that is there.

        Raises:
            TaskError: There is none.
        """
        found = next((self.plain[key] for key in keys if key in self.plain), None)
        if not isinstance(found, str):
            raise self.fault(f"has no {' or '.join(repr(key) for key in keys)}")
        return found

    def filled(self, template: str) -> str:
        """A template with every ``{key}`` replaced by what the line has under it.

        Raises:
            TaskError: It has nothing under one of them.
        """

        def value(hit: re.Match[str]) -> str:
            if hit[1] not in self.plain:
                raise self.fault(f"has no '{hit[1]}', which the template names")
            return str(self.plain[hit[1]])

        return re.sub(r"\{(\w+)\}", value, template)

    @property
    def document(self) -> str | int | None:
        """What it belongs to, if it says so."""
        found = self.plain.get("document")
        if found is not None and not isinstance(found, (str, int)):
            raise self.fault("has a 'document' that is neither a text nor a number")
        return found


def read_text(task: str, path: Path) -> str:
    """A file of UTF-8 text.

    Raises:
        TaskError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"Task '{task}': {path} cannot be read as UTF-8 text: {error}.", task=task) from error


def read_lines(task: str, path: Path) -> list[Line]:
    """Every line of a JSON-lines file; empty ones are skipped.

    Raises:
        TaskError: There is no such file, or a line holds no JSON object; the line is named.
    """
    if not path.is_file():
        raise TaskError(f"Task '{task}': there is no file {path}. Put the data there.", task=task)
    found = []
    for number, text in enumerate(read_text(task, path).split("\n"), 1):
        if text.strip():
            try:
                plain = json.loads(text)
            except json.JSONDecodeError as error:
                raise TaskError(f"Task '{task}': line {number} of {path} is no JSON: {error}.", task=task) from error
            if not isinstance(plain, dict):
                raise TaskError(f"Task '{task}': line {number} of {path} is no JSON object.", task=task)
            found.append(Line(task, path, number, plain))
    return found


def shared_out(lines: Sequence[Line], split: Split) -> list[Line]:
    """The lines of a split: those that say so in ``split``, if any says it; else a fixed permutation of documents.

    Raises:
        TaskError: A line names another split.
    """
    for line in lines:
        if "split" in line.plain and line.plain["split"] not in NAMES:
            raise line.fault(f"is in the split '{line.plain['split']}'; splits are {', '.join(NAMES)}")
    if any("split" in line.plain for line in lines):
        return [line for line in lines if line.plain.get("split") == split]
    places: dict[object, int] = {}
    named = [(line.number,) if line.document is None else line.document for line in lines]
    owners = [places.setdefault(each, len(places)) for each in named]
    chosen = set(split_rows(len(places), split, Seed(0).child("language", "splits")).tolist())
    return [line for line, owner in zip(lines, owners, strict=True) if owner in chosen]
