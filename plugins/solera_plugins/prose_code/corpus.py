"""Two kinds of text that every Python brings: the language reference (prose) and the standard library (code).

Nothing is downloaded. The texts differ between Python versions, so scores do too; on one installation everything here
is a pure function of the files.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from solera.api import Seed, Split, TaskError

Kind = Literal["prose", "code"]

#: Packages of the standard library whose sources are read beside the top-level modules.
_PACKAGES = (
    "asyncio", "collections", "concurrent/futures", "email", "html", "http", "importlib", "json", "logging",
    "multiprocessing", "unittest", "urllib", "wsgiref", "xml/dom", "xml/etree", "xml/sax", "xmlrpc",
)  # fmt: skip

#: A code document is cut here, so that no single module dominates.
_CODE_CHARACTERS = 12_000
#: Shorter documents are left out: they would give no window.
_FEWEST_CHARACTERS = 600

#: What share of the characters each split gets.
_SHARES: dict[Split, float] = {"train": 0.66, "selection": 0.12, "report": 0.22}


def documents(kind: Kind, split: Split) -> tuple[str, ...]:
    """The texts of a split, in a fixed order. Splits share no document.

    Raises:
        TaskError: This Python comes without them.
    """
    return _splits(kind)[split]


@lru_cache(maxsize=2)
def _splits(kind: Kind) -> dict[Split, tuple[str, ...]]:
    texts = [text for text in (_prose() if kind == "prose" else _code()) if len(text) >= _FEWEST_CHARACTERS]
    if len(texts) < 20:
        raise TaskError(
            f"This Python has only {len(texts)} documents of {kind}; the example needs its documentation topics "
            "(pydoc_data) and the sources of its standard library. Use a complete Python installation.",
            kind=kind,
        )
    return _share_out(texts)


def _share_out(texts: Sequence[str]) -> dict[Split, tuple[str, ...]]:
    """Documents in random order, each to the split that is furthest behind its share of characters."""
    order = Seed(0).child("prose_code", "splits").numpy().permutation(len(texts))
    found: dict[Split, list[str]] = {split: [] for split in _SHARES}
    filled: dict[Split, int] = dict.fromkeys(_SHARES, 0)
    for index in order:
        split = min(_SHARES, key=lambda item: filled[item] / _SHARES[item])
        found[split].append(texts[index])
        filled[split] += len(texts[index])
    return {split: tuple(items) for split, items in found.items()}


def _prose() -> list[str]:
    """The topics of the language reference; a paragraph that several topics quote stays in the first only."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise TaskError("This Python comes without pydoc_data, the prose of this example.") from error
    seen: set[str] = set()
    texts = []
    for _, text in sorted(topics.items()):
        fresh = []
        for paragraph in text.split("\n\n"):
            key = " ".join(paragraph.split())
            if key and key not in seen:
                seen.add(key)
                fresh.append(paragraph)
        texts.append("\n\n".join(fresh))
    return texts


def _code() -> list[str]:
    """The beginnings of the standard library's modules, by path."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    paths = [*folder.glob("*.py"), *(path for package in _PACKAGES for path in (folder / package).glob("*.py"))]
    relative = sorted(path.relative_to(folder).as_posix() for path in paths)
    return [(folder / path).read_text(encoding="utf-8", errors="replace")[:_CODE_CHARACTERS] for path in relative]
