"""A table of numbers with a header."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solera.api import InputError, TaskError


@dataclass(frozen=True, slots=True)
class Table:
    """Inputs and targets of every sample.

    Attributes:
        x: float32, shape (n, ...). y: float64, shape (n, outputs) or (n,).
        split: str, shape (n,); None if the file says none.
        group: Anything that can be sorted, shape (n,); None if the file says none.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    split: NDArray[np.str_] | None
    group: NDArray[Any] | None


def read_table(name: str, path: Path, target: str) -> Table:
    """A ``.csv`` file.

    Args:
        name: The task's, for sentences.
        path: UTF-8, with a header.
        target: Columns to predict, with commas between.

    Raises:
        TaskError: There is no such file, or a line does not fit; the line is named.
        InputError: The target is no column.
    """
    header, lines = _lines(name, path)
    targets = [item.strip() for item in target.split(",") if item.strip()]
    lost = [item for item in targets if item not in header]
    if lost or not targets:
        what = f"has no column {', '.join(lost)}" if lost else "needs to be told its target"
        raise InputError(f"Task '{name}': {path} {what}; its columns: {', '.join(header)}.", task=name)
    inputs = [item for item in header if item not in (*targets, "split", "group")]
    if not inputs:
        raise InputError(f"Task '{name}': {path} has no columns but the target to predict it from.", task=name)
    numbers = {item: _numbers(name, path, header.index(item), item, lines) for item in (*inputs, *targets)}
    words = {
        item: np.array([cells[header.index(item)].strip() for _, cells in lines])
        for item in ("split", "group")
        if item in header
    }
    x = np.stack([numbers[item] for item in inputs], axis=1).astype(np.float32)
    return Table(x, np.stack([numbers[item] for item in targets], axis=1), words.get("split"), words.get("group"))


def _lines(name: str, path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and every line with its number."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [item.strip() for item in next(reader, [])]
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except FileNotFoundError as error:
        raise TaskError(f"Task '{name}': there is no file {path}. Put the data there.", task=name) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TaskError(f"Task '{name}': {path} cannot be read as a table: {error}.", task=name) from error
    if not header or not lines:
        raise TaskError(f"Task '{name}': {path} has no {'lines' if header else 'header'}.", task=name)
    if len(set(header)) < len(header):
        twice = ", ".join(sorted({item for item in header if header.count(item) > 1}))
        raise TaskError(f"Task '{name}': {path} has two columns {twice}.", task=name)
    for number, cells in lines:
        if len(cells) != len(header):
            raise TaskError(
                f"Task '{name}': line {number} of {path} has {len(cells)} cells; the header has {len(header)}.",
                task=name,
            )
    return header, lines


def _numbers(name: str, path: Path, place: int, column: str, lines: list[tuple[int, list[str]]]) -> NDArray[np.float64]:
    found = np.empty(len(lines))
    for row, (number, cells) in enumerate(lines):
        try:
            found[row] = float(cells[place])
        except ValueError as error:
            raise TaskError(
                f"Task '{name}': line {number} of {path} has '{cells[place]}' in the column {column}, which is no "
                "number.",
                task=name,
            ) from error
    return found
