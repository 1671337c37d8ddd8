"""A tokenizer's file, and texts in pieces that fit together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from solera.api import TaskError


class Encoding:
    """The tokenizer of a ``tokenizer.json``; no special tokens are added unless a text spells them.

    Args:
        task: For sentences.
        path: The file.

    Raises:
        TaskError: The package tokenizers is not installed, or the file is no tokenizer.
    """

    def __init__(self, task: str, path: Path) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise TaskError(
                f"Task '{task}' needs the package tokenizers: pip install 'solera[hf]'.", task=task
            ) from error
        if not path.is_file():
            raise TaskError(f"Task '{task}': there is no tokenizer at {path}.", task=task)
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for a malformed file
            raise TaskError(f"Task '{task}': {path} is no tokenizer: {error}.", task=task) from error
        self._task = task

    def document(self, text: str) -> list[int]:
        """The tokens of a whole document, with what the tokenizer itself puts around one."""
        return list(self._tokenizer.encode(text).ids)

    def around(self, text: str) -> tuple[list[int], list[int], list[int]]:
        """The tokens of a text, in three parts: what the tokenizer puts before it, its own, what it puts behind it."""
        found = self._tokenizer.encode(text)
        ids, added = list(found.ids), list(found.special_tokens_mask)
        first = next((i for i, special in enumerate(added) if not special), len(ids))
        last = next((i for i in range(len(ids), first, -1) if not added[i - 1]), first)
        return ids[:first], ids[first:last], ids[last:]

    def tokens(self, text: str) -> tuple[int, ...]:
        """The tokens of a text."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def continuation(self, before: str, after: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The tokens of two texts as they are in both together.

        White space at the end of the first belongs to the second, for tokens of words begin with it. A token that spans
        both is given to the second.
        """
        kept = before.rstrip()
        after = before[len(kept) :] + after
        whole, context = self.tokens(kept + after), self.tokens(kept)
        shared = next((i for i, (a, b) in enumerate(zip(whole, context, strict=False)) if a != b), len(context))
        return whole[:shared], whole[shared:]

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens as text."""
        return str(self._tokenizer.decode(list(tokens)))

    def token(self, text: str) -> int:
        """The number of one token by its text.

        Raises:
            TaskError: There is none.
        """
        found = self._tokenizer.token_to_id(text)
        if found is None:
            raise TaskError(f"Task '{self._task}': the tokenizer has no token '{text}'.", task=self._task)
        return int(found)
