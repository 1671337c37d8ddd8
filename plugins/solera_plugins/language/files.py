"""The task kind ``language``: documents from a folder of text files or a JSON-lines file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from solera.api import LanguageTask, Param, Seed, Split, TaskError, split_rows

_NAMES: tuple[Split, ...] = ("train", "selection", "report")


def language(
    name: str,
    *,
    data: Annotated[Path, Param(help="A folder of .txt files, or a .jsonl file whose lines have a 'text'.")],
    tokenizer: Annotated[Path, Param(help="The tokenizer.json that belongs to the checkpoints.")],
    window: Annotated[int, Param(1, unit="tokens", help="Tokens predicted per window.")] = 128,
    windows: Annotated[int, Param(1, help="At most this many windows per split.")] = 256,
) -> LanguageTask:
    """Predict the texts of a folder or file; errors are clustered by document.

    A folder with the subfolders train, selection and report says which document is in which split, and so does a
    ``split`` beside each ``text`` of a .jsonl file. Otherwise a fixed permutation of the documents gives 60, 15, 25 %.
    """

    def read(split: Split) -> Sequence[Sequence[int]]:
        texts = _texts(name, Path(data), split)
        encode = _encoder(name, Path(tokenizer))
        return [encode(text) for text in texts]

    return LanguageTask(name, read, window=window, windows=windows)


def _texts(name: str, path: Path, split: Split) -> list[str]:
    if path.is_dir():
        if any((path / part).is_dir() for part in _NAMES):
            return [_text(name, file) for file in sorted((path / split).rglob("*.txt"))]
        return _share([_text(name, file) for file in sorted(path.rglob("*.txt"))], split)
    if not path.is_file():
        raise TaskError(f"Task '{name}': there is no file or folder {path}. Put the texts there.", task=name)
    lines = [_line(name, path, number, line) for number, line in enumerate(_text(name, path).splitlines(), 1) if line]
    if any("split" in line for line in lines):
        return [line["text"] for line in lines if line.get("split") == split]
    return _share([line["text"] for line in lines], split)


def _text(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"Task '{name}': {path} cannot be read as UTF-8 text: {error}.", task=name) from error


def _line(name: str, path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        plain = json.loads(line)
    except json.JSONDecodeError as error:
        raise TaskError(f"Task '{name}': line {number} of {path} is no JSON: {error}.", task=name) from error
    if not isinstance(plain, dict) or not isinstance(plain.get("text"), str):
        raise TaskError(f"Task '{name}': line {number} of {path} has no 'text'.", task=name)
    return plain


def _share(texts: list[str], split: Split) -> list[str]:
    return [texts[row] for row in split_rows(len(texts), split, Seed(0).child("language", "splits"))]


def _encoder(name: str, path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise TaskError(f"Task '{name}' needs the package tokenizers: pip install 'solera[hf]'.", task=name) from error
    if not path.is_file():
        raise TaskError(f"Task '{name}': there is no tokenizer at {path}.", task=name)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for a malformed file
        raise TaskError(f"Task '{name}': {path} is no tokenizer: {error}.", task=name) from error
    return lambda text: tokenizer.encode(text).ids
