"""The task kind ``generation``: prompts from a JSON-lines file, answers compared word for word."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from solera.api import Comparison, GenerationTask, Param, Prompt, Split, Stopping
from solera_plugins.language.encoding import Encoding
from solera_plugins.language.lines import Line, read_lines, shared_out


def generation(
    name: str,
    *,
    data: Annotated[Path, Param(help="A .jsonl file whose lines have a 'prompt' or 'question' and an 'answer'.")],
    tokenizer: Annotated[Path, Param(help="The tokenizer.json that belongs to the checkpoints.")],
    template: Annotated[
        str, Param(help="What is gone on with, such as 'Q: {question} A:'; empty is the line's own text.")
    ] = "",
    most: Annotated[int, Param(1, unit="tokens", help="New tokens at most.")] = 32,
    stop: Annotated[str, Param(help=r"Texts end before these, with | between; \n is a new line.")] = r"\n",
    end: Annotated[str, Param(help="Texts end before these tokens, such as </s>, with spaces between.")] = "",
    strip: Annotated[bool, Param(help="Leave white space at both ends out of account.")] = True,
    case: Annotated[bool, Param(help="Leave upper and lower case out of account.")] = False,
    punctuation: Annotated[bool, Param(help="Leave punctuation out of account.")] = False,
    articles: Annotated[bool, Param(help="Leave a, an and the out of account.")] = False,
    longest: Annotated[int, Param(0, unit="tokens", help="Prompts are cut to their last so many; 0 is never.")] = 0,
    chunk: Annotated[int, Param(1, help="Prompts per call of the network.")] = 16,
    cached: Annotated[
        bool, Param(help="Keep keys and values from token to token, where the network can; else read all again.")
    ] = True,
) -> GenerationTask:
    r"""Write on from a prompt, always the likeliest token; right is what equals an answer.

    A line is ``{"prompt": "...", "answer": "..."}``; ``answers`` is a list of which any is right. A ``split`` says
    which split it is in, a ``document`` what it belongs to, by which errors are clustered; without splits a fixed
    permutation of the documents gives 60, 15 and 25 %. With ``case``, ``punctuation`` and ``articles`` texts are
    compared as for SQuAD. Every new token is a pass over that token alone where the network keeps keys and values, else
    over the whole text.
    """

    @cache
    def encoding() -> Encoding:
        return Encoding(name, Path(tokenizer))

    def read(split: Split) -> Sequence[Prompt]:
        lines = shared_out(read_lines(name, Path(data)), split)
        return [_prompt(line, encoding(), template, longest) for line in lines]

    def stopping() -> Stopping:
        strings = tuple(text.replace(r"\n", "\n").replace(r"\t", "\t") for text in stop.split("|") if text)
        return Stopping(most, strings, frozenset(encoding().token(text) for text in end.split()))

    def decode(tokens: Sequence[int]) -> str:
        return encoding().text(tokens)

    comparison = Comparison(strip, case, punctuation, articles)
    return GenerationTask(name, read, decode, stopping=stopping, comparison=comparison, chunk=chunk, cached=cached)


def _prompt(line: Line, encoding: Encoding, template: str, longest: int) -> Prompt:
    tokens = encoding.tokens(line.filled(template) if template else line.text("prompt", "context", "question"))
    answers: Any = line.plain.get("answers", line.plain.get("answer"))
    found = [answers] if isinstance(answers, str) else answers
    if not isinstance(found, list) or not found or not all(isinstance(text, str) for text in found):
        raise line.fault("needs an 'answer', a text, or 'answers', a list of texts")
    if not tokens:
        raise line.fault("has a prompt without a token")
    return Prompt(tokens[-longest:] if longest else tokens, tuple(found), line.document)
