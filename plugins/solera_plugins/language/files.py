"""The task kind ``language``: documents from a folder of text files or a JSON-lines file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from solera.api import LanguageTask, Param, Seed, Split, TaskError, split_rows
from solera_plugins.language.encoding import Encoding
from solera_plugins.language.lines import NAMES, read_lines, read_text, shared_out


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
        texts = read_texts(name, Path(data), split)
        encoding = Encoding(name, Path(tokenizer))
        return [encoding.document(text) for text, _ in texts]

    return LanguageTask(name, read, window=window, windows=windows)


def read_texts(name: str, path: Path, split: Split) -> list[tuple[str, str | int | None]]:
    """The texts of a split with the document each belongs to, where a file says it.

    Args:
        name: The task's, for sentences.
        path: A folder of .txt files, with or without a subfolder for each split, or a .jsonl file.
        split: Which.

    Raises:
        TaskError: There is nothing, it cannot be read, or a line has no text.
    """
    if path.is_dir():
        if any((path / part).is_dir() for part in NAMES):
            return [(read_text(name, file), None) for file in sorted((path / split).rglob("*.txt"))]
        texts = [read_text(name, file) for file in sorted(path.rglob("*.txt"))]
        return [(texts[row], None) for row in split_rows(len(texts), split, Seed(0).child("language", "splits"))]
    if not path.is_file():
        raise TaskError(f"Task '{name}': there is no file or folder {path}. Put the texts there.", task=name)
    lines = read_lines(name, path)
    for line in lines:
        line.text("text")
    return [(line.text("text"), line.document) for line in shared_out(lines, split)]
