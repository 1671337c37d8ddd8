"""Tokenizers as far as embeddings care: which token has which row. Read from tokenizer.json; no code is run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solera.checkpoints.checkpoint import Checkpoint
from solera.errors import CheckpointError

FILE = "tokenizer.json"

#: A tokenizer larger than this is none.
MAX_BYTES = 200_000_000

#: Files of the slow forms of a tokenizer, which would say something else once tokens were added.
_SLOW = ("tokenizer.model", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json", "spiece.model")


@dataclass(frozen=True)
class Tokens:
    """A vocabulary.

    Attributes:
        ids: Token -> row.
        plain: What tokenizer.json says.
        owner: The checkpoint it lies beside.
    """

    ids: Mapping[str, int]
    plain: Mapping[str, Any]
    owner: Checkpoint

    @property
    def added(self) -> Sequence[Mapping[str, Any]]:
        """The tokens that were added to the model's own, with their flags."""
        entries: Sequence[Mapping[str, Any]] = self.plain.get("added_tokens") or ()
        return entries


def read_tokens(checkpoint: Checkpoint) -> Tokens:
    """The vocabulary of a checkpoint.

    Raises:
        CheckpointError: It has no tokenizer.json, or one that cannot be read.
    """
    try:
        text = checkpoint.generated.get(FILE) or _text(checkpoint)
        plain = json.loads(text) if isinstance(text, str) else {}
        model = plain["model"]
        vocabulary = model["vocab"]
        pairs = vocabulary.items() if isinstance(vocabulary, dict) else ((e[0], i) for i, e in enumerate(vocabulary))
        ids = {str(token): int(number) for token, number in pairs}
        ids |= {str(entry["content"]): int(entry["id"]) for entry in plain.get("added_tokens") or ()}
    except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
        raise CheckpointError(f"The {FILE} of {checkpoint.name} cannot be read: {error!r}.") from None
    return Tokens(ids, plain, checkpoint)


def _text(checkpoint: Checkpoint) -> str:
    file = checkpoint.folder / FILE if checkpoint.folder else None
    if file is None or not file.is_file():
        raise CheckpointError(
            f"{checkpoint.name} has no {FILE}, by which rows of embeddings are matched. Save its tokenizer in "
            "that form: AutoTokenizer.from_pretrained(MODEL).save_pretrained(MODEL).",
            checkpoint=checkpoint.name,
        )
    if file.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{file} is larger than any tokenizer is ({MAX_BYTES:,} bytes).", path=str(file))
    return file.read_text("utf-8")


def united(first: Tokens, others: Iterable[Tokens], texts: Iterable[str] = ()) -> Tokens:
    """The first vocabulary with what the others have beside, in order of models and rows, then with these texts."""
    ids = dict(first.ids)
    new: list[dict[str, Any]] = []
    end = max(ids.values(), default=-1) + 1

    def add(token: str, flags: Mapping[str, Any]) -> None:
        if token not in ids:
            ids[token] = end + len(new)
            new.append({**_PLAIN, **flags, "id": ids[token], "content": token})

    for other in others:
        flags = {str(entry["content"]): entry for entry in other.added}
        for token, _ in sorted(other.ids.items(), key=lambda item: item[1]):
            add(token, flags.get(token, {}))
    for token in texts:
        add(token, {})
    if not new:
        return Tokens(ids, first.plain, first.owner)
    return Tokens(ids, {**first.plain, "added_tokens": [*first.added, *new]}, first.owner)


_PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}


def tokenizer_files(tokens: Tokens, found: Tokens) -> dict[str, str | Path | None]:
    """What stands beside the weights for a vocabulary: text to write, a file to copy, or None for one to leave out.

    Args:
        tokens: The vocabulary of the result.
        found: The one it was made of, as its files say.
    """
    from solera.checkpoints.checkpoint import CARRIED

    owner = found.owner
    files: dict[str, str | Path | None] = {file.name: file for file in owner.extra_files()}
    files |= owner.generated
    kept = {name: file for name, file in files.items() if name not in {"config.json", "generation_config.json"}}
    if tokens.plain is found.plain:
        return {**_nothing(CARRIED), **kept}
    kept |= dict.fromkeys(_SLOW, None)
    kept[FILE] = json.dumps(tokens.plain, ensure_ascii=False) + "\n"
    return {**_nothing(CARRIED), **kept}


def _nothing(patterns: Iterable[str]) -> dict[str, str | Path | None]:
    """The tokenizer files a reference may have and another has not: none of them is carried over."""
    tokenizers = ("vocab", "merges", "added", "special", "tokenizer", "spiece", "chat")
    return {name: None for name in patterns if "*" not in name and name.startswith(tokenizers)}
