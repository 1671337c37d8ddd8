"""The task kind ``multiple_choice``: questions from a JSON-lines file, answered by likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from solera.api import MultipleChoiceTask, Param, Question, Split
from solera_plugins.language.encoding import Encoding
from solera_plugins.language.lines import Line, read_lines, shared_out


def multiple_choice(
    name: str,
    *,
    data: Annotated[
        Path, Param(help="A .jsonl file whose lines have a 'context' or 'question', 'choices' and an 'answer'.")
    ],
    tokenizer: Annotated[Path, Param(help="The tokenizer.json that belongs to the checkpoints.")],
    normalise: Annotated[
        Literal["sum", "tokens", "bytes"], Param(help="What a log-likelihood is divided by; sum is nothing.")
    ] = "sum",
    template: Annotated[
        str, Param(help="What comes before a choice, such as 'Q: {question} A:'; empty is the line's own text.")
    ] = "",
    delimiter: Annotated[str, Param(help="What stands between that and the choice.")] = " ",
    longest: Annotated[int, Param(0, unit="tokens", help="Contexts are cut to their last so many; 0 is never.")] = 0,
    chunk: Annotated[int, Param(1, help="Choices per call of the network.")] = 16,
) -> MultipleChoiceTask:
    r"""Answer questions by the likelihood of each choice; errors are clustered by document.

    A line is ``{"question": "...", "choices": ["...", "..."], "answer": 0}``: the answer by its place from 0 or by its
    text. A ``split`` says which split it is in, a ``document`` what it belongs to (a passage, a prompt); without splits
    a fixed permutation of the documents gives 60, 15 and 25 %. Texts are taken as they are: spell special tokens such
    as ``<s>`` in the template.
    """

    def read(split: Split) -> Sequence[Question]:
        lines = read_lines(name, Path(data))
        encoding = Encoding(name, Path(tokenizer))
        return [_question(line, encoding, template, delimiter, longest) for line in shared_out(lines, split)]

    return MultipleChoiceTask(name, read, normalise=normalise, chunk=chunk)


def _question(line: Line, encoding: Encoding, template: str, delimiter: str, longest: int) -> Question:
    before = line.filled(template) if template else line.text("context", "question")
    texts = line.plain.get("choices")
    if not isinstance(texts, list) or len(texts) < 2 or not all(isinstance(text, str) and text for text in texts):
        raise line.fault("needs 'choices', a list of two texts or more, none of them empty")
    pairs = [encoding.continuation(before, delimiter + text) for text in texts]
    # A choice may change how the end of the context is cut into tokens; all are held against the same beginning.
    shared = min(len(context) for context, _ in pairs)
    context, choices = pairs[0][0][:shared], [(*context[shared:], *choice) for context, choice in pairs]
    if not context or not all(choices):
        raise line.fault("has a context or choice without a token; what comes before a choice has one or more")
    sizes = tuple(len(text.encode()) for text in texts)
    answer = _answer(line, texts)
    return Question(context[-longest:] if longest else context, tuple(choices), answer, sizes, line.document)


def _answer(line: Line, texts: list[str]) -> int:
    answer = line.plain.get("answer")
    if isinstance(answer, str) and texts.count(answer) == 1:
        return texts.index(answer)
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(texts):
        return answer
    raise line.fault(f"has the answer {answer!r}; it is one of its choices, or a number from 0 to {len(texts) - 1}")
