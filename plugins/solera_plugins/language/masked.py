"""The task kind ``masked_language``: texts of a file, each token predicted from all others."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from solera.api import MaskedLanguageTask, MaskedText, Param, Split, TaskError
from solera_plugins.language.encoding import Encoding
from solera_plugins.language.files import read_texts

#: What tokenizers call the token that hides another, where a task does not say it.
_MASKS = ("[MASK]", "<mask>")


def masked_language(
    name: str,
    *,
    data: Annotated[Path, Param(help="A folder of .txt files, or a .jsonl file whose lines have a 'text'.")],
    tokenizer: Annotated[Path, Param(help="The tokenizer.json that belongs to the checkpoints.")],
    mask: Annotated[str, Param(help="The token that hides another; empty is [MASK] or <mask>.")] = "",
    longest: Annotated[
        int, Param(3, unit="tokens", help="Longer texts are cut into pieces, with what is put around a text.")
    ] = 128,
    tokens: Annotated[int, Param(0, help="Mask at most so many tokens per split, from all documents; 0 is all.")] = 0,
    chunk: Annotated[int, Param(1, help="Masked copies of a text per call of the network.")] = 32,
) -> MaskedLanguageTask:
    """Score texts by pseudo log-likelihood, one mask per token; errors are clustered by document.

    Every token is a pass of its own (Salazar et al. 2020). What the tokenizer puts around a text, such as [CLS] and
    [SEP], is seen but not scored. Which document is in which split is told as for ``language``.
    """

    @cache
    def encoding() -> Encoding:
        return Encoding(name, Path(tokenizer))

    def read(split: Split) -> Sequence[MaskedText]:
        found: list[MaskedText] = []
        for number, (text, document) in enumerate(read_texts(name, Path(data), split)):
            before, own, behind = encoding().around(text)
            room = longest - len(before) - len(behind)
            if room < 1:
                raise TaskError(
                    f"Task '{name}' cuts texts to {longest} tokens, and the tokenizer puts {len(before) + len(behind)} "
                    "around one; raise 'longest'.",
                    task=name,
                )
            found += _pieces(before, own, behind, room, (number,) if document is None else document)
        return found

    def hiding() -> int:
        if mask:
            return encoding().token(mask)
        for text in _MASKS:
            try:
                return encoding().token(text)
            except TaskError:
                continue
        raise TaskError(
            f"Task '{name}': the tokenizer {tokenizer} has neither {' nor '.join(_MASKS)}. Name the token that hides "
            "another in 'mask', or choose the task 'language' for a causal model.",
            task=name,
        )

    return MaskedLanguageTask(name, read, mask=hiding, tokens=tokens or None, chunk=chunk)


def _pieces(
    before: list[int], own: list[int], behind: list[int], room: int, document: Hashable
) -> Iterator[MaskedText]:
    for start in range(0, len(own), room):
        piece = own[start : start + room]
        asked = range(len(before), len(before) + len(piece))
        yield MaskedText((*before, *piece, *behind), tuple(asked), document)
