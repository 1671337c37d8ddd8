"""Multiple choice: the answer a language model finds likeliest."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from solera.context import Context
from solera.errors import InputError
from solera.tasks.likelihood import Continuations, log_likelihoods
from solera.tasks.sampled import SampledTask, group_numbers
from solera.tasks.scores import Split

#: What the log-likelihood of a choice is divided by: nothing, its tokens, or the bytes of its text.
Normalise = Literal["sum", "tokens", "bytes"]

_METRICS = ("accuracy", "cross_entropy")


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its choices, as tokens.

    Attributes:
        context: What comes before the choice, one token or more.
        choices: Two or more, one token or more each.
        answer: Which of them is right.
        sizes: Bytes of the text of each choice; needed to normalise by bytes.
        document: What it belongs to, a document or prompt: errors are clustered by it. Each its own if None.
    """

    context: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]
    answer: int
    sizes: tuple[int, ...] = ()
    document: Hashable | None = None


class MultipleChoiceTask(SampledTask):
    """Scores of a causal language model that answers by likelihood.

    Of each choice the log-likelihood after the context is taken, as a sum over its tokens or divided by its length; the
    answer is the choice where that is largest, the first of equal ones. ``accuracy`` is the share of right answers;
    ``cross_entropy`` is that of a softmax over the choices' numbers, which moves smoothly with the weights.

    Args:
        name: Unique in a project.
        questions: ``questions(split)``; raises TaskError if the data are missing.
        normalise: ``"sum"``, ``"tokens"`` or ``"bytes"``.
        metrics: Of ``"accuracy"`` and ``"cross_entropy"`` (nats); the first is what searches use.
        version: Goes up whenever the same weights would score differently.
        units: See :class:`solera.tasks.task.Task`.
        chunk: Choices per call of the network. Part of what the bytes of a score depend on.

    Raises:
        InputError: There is no such normalisation or metric.
    """

    def __init__(
        self,
        name: str,
        questions: Callable[[Split], Sequence[Question]],
        *,
        normalise: Normalise = "sum",
        metrics: Sequence[str] = _METRICS,
        version: int = 1,
        units: str = "",
        chunk: int = 16,
    ) -> None:
        if normalise not in get_args(Normalise):
            known = ", ".join(get_args(Normalise))
            raise InputError(f"Task '{name}': likelihoods are normalised by one of {known}, not '{normalise}'.")

        def read(split: Split) -> _Questions:
            return _Questions.of(questions(split), normalise, chunk)

        super().__init__(name, read, metrics=metrics, known=_METRICS, version=version, units=units, chunk=chunk)


@dataclass(frozen=True, slots=True)
class _Questions:
    """Choices of all questions below each other; question i has those from ``first[i]`` to ``first[i + 1]``."""

    choices: Continuations | None
    first: NDArray[np.int64]
    lengths: NDArray[np.float64]
    answers: NDArray[np.int64]
    documents: NDArray[np.int64] | None
    chunk: int

    @staticmethod
    def of(questions: Sequence[Question], normalise: Normalise, chunk: int) -> _Questions:
        first = np.cumsum([0, *(len(each.choices) for each in questions)]).astype(np.int64)
        _check(questions, normalise)
        pairs = [(each.context, choice) for each in questions for choice in each.choices]
        lengths = np.array([size for each in questions for size in _sizes(each, normalise)], dtype=np.float64)
        answers = np.array([each.answer for each in questions], dtype=np.int64)
        named = [i if each.document is None else (each.document,) for i, each in enumerate(questions)]
        documents = group_numbers(named) if any(each.document is not None for each in questions) else None
        return _Questions(Continuations.of(pairs) if pairs else None, first, lengths, answers, documents, chunk)

    @property
    def count(self) -> int:
        return self.answers.size

    @property
    def groups(self) -> NDArray[np.int64] | None:
        return self.documents

    @property
    def strata(self) -> NDArray[np.int64]:
        return np.zeros(self.count, dtype=np.int64) if self.documents is None else self.documents

    def part(self, rows: NDArray[np.int64]) -> _Questions:
        assert self.choices is not None
        sizes = np.diff(self.first)[rows]
        kept = np.concatenate([np.arange(self.first[row], self.first[row + 1]) for row in rows.tolist()])
        return replace(
            self,
            choices=self.choices.rows(torch.from_numpy(kept).to(self.choices.tokens.device)),
            first=np.cumsum([0, *sizes]).astype(np.int64),
            lengths=self.lengths[kept],
            answers=self.answers[rows],
            documents=None if self.documents is None else self.documents[rows],
        )

    def to(self, device: str) -> _Questions:
        assert self.choices is not None
        return replace(self, choices=self.choices.to(device))

    def values(self, network: nn.Module, where: slice, task: str, context: Context) -> dict[str, Tensor]:
        assert self.choices is not None
        begin, end = int(self.first[where.start]), int(self.first[where.stop])
        sums = np.empty(end - begin)
        for start in range(begin, end, self.chunk):
            context.check()
            stop = min(start + self.chunk, end)
            found, _ = log_likelihoods(network, self.choices.rows(slice(start, stop)), self.chunk, task)
            sums[start - begin : stop - begin] = found.cpu().numpy()
        scores = sums / self.lengths[begin:end]
        right, losses = np.empty(where.stop - where.start), np.empty(where.stop - where.start)
        for i, question in enumerate(range(where.start, where.stop)):
            own = scores[self.first[question] - begin : self.first[question + 1] - begin]
            answer = int(self.answers[question])
            lost = bool(np.isnan(own).any())
            right[i] = np.nan if lost else float(own.argmax() == answer)
            losses[i] = np.nan if lost else np.logaddexp.reduce(own) - own[answer]
        return {"accuracy": torch.from_numpy(right), "cross_entropy": torch.from_numpy(losses)}


def _sizes(question: Question, normalise: Normalise) -> Sequence[int]:
    """What the log-likelihood of each choice is divided by."""
    if normalise == "bytes":
        return question.sizes
    return [1 if normalise == "sum" else len(choice) for choice in question.choices]


def _check(questions: Sequence[Question], normalise: Normalise) -> None:
    for i, each in enumerate(questions):
        if len(each.choices) < 2 or not 0 <= each.answer < len(each.choices):
            raise InputError(
                f"Question {i} has {len(each.choices)} choices and the answer {each.answer}; it needs two choices or "
                "more, and the answer counts them from 0."
            )
        if not each.context or not all(each.choices):
            raise InputError(f"Question {i} has an empty context or choice; each has one token or more.")
        if normalise == "bytes" and (len(each.sizes) != len(each.choices) or min(each.sizes) < 1):
            raise InputError(f"Question {i} does not say how many bytes each choice has.")
