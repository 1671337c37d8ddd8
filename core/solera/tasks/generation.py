"""Generation: whether what a language model writes is the answer, word for word."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from solera.context import Context
from solera.errors import InputError
from solera.tasks.greedy import Stopping, greedy_texts
from solera.tasks.sampled import SampledTask, group_numbers
from solera.tasks.scores import Split

_METRICS = ("exact_match",)
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is left out of account when a text is held against an answer; the same is done to both.

    With everything on it is that of SQuAD (Rajpurkar et al. 2016): lower case, without ASCII punctuation, without the
    words a, an and the, and single spaces between words.

    Attributes:
        strip: White space at both ends.
        case: Upper and lower case.
        punctuation: ASCII punctuation, and how many spaces are between words.
        articles: The words a, an and the, and how many spaces are between words.
    """

    strip: bool = True
    case: bool = False
    punctuation: bool = False
    articles: bool = False

    def reduced(self, text: str) -> str:
        """The text without what is left out of account."""
        if self.case:
            text = text.lower()
        if self.punctuation:
            text = text.translate(_PUNCTUATION)
        if self.articles:
            text = re.sub(r"\b(a|an|the)\b", " ", text, flags=re.IGNORECASE)
        if self.punctuation or self.articles:
            text = " ".join(text.split())
        return text.strip() if self.strip else text

    def same(self, text: str, answers: Sequence[str]) -> bool:
        """Whether a text is one of the answers."""
        return self.reduced(text) in {self.reduced(answer) for answer in answers}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a text begins with, and what it should go on with.

    Attributes:
        tokens: One or more.
        answers: Texts that are right.
        document: What it belongs to, a document or prompt: errors are clustered by it. Each its own if None.
    """

    tokens: tuple[int, ...]
    answers: tuple[str, ...]
    document: Hashable | None = None


class GenerationTask(SampledTask):
    """Scores of a causal language model by what it writes, greedily.

    Args:
        name: Unique in a project.
        prompts: ``prompts(split)``; raises TaskError if the data are missing.
        decode: Tokens to text.
        stopping: When a text is complete; or what gives that when a split is first read.
        comparison: How texts are held against answers.
        version: Goes up whenever the same weights would score differently.
        units: See :class:`solera.tasks.task.Task`.
        chunk: Prompts per call of the network. Part of what the bytes of logits depend on.
        cached: Whether keys and values are kept from token to token, where the network can; see
            :func:`solera.tasks.greedy.greedy_texts`.

    Raises:
        InputError: It is to write nothing; told when a split is first read.
    """

    def __init__(
        self,
        name: str,
        prompts: Callable[[Split], Sequence[Prompt]],
        decode: Callable[[Sequence[int]], str],
        *,
        stopping: Stopping | Callable[[], Stopping],
        comparison: Comparison = Comparison(),
        version: int = 1,
        units: str = "",
        chunk: int = 16,
        cached: bool = True,
    ) -> None:

        def read(split: Split) -> _Prompts:
            ending = stopping() if callable(stopping) else stopping
            if ending.most < 1 or not all(ending.strings):
                raise InputError(
                    f"Task '{name}' writes one token or more ({ending.most}) and ends at texts that are not empty.",
                    task=name,
                )
            found = tuple(prompts(split))
            empty = next((i for i, each in enumerate(found) if not (each.tokens and each.answers)), None)
            if empty is not None:
                raise InputError(f"Task '{name}': prompt {empty} has no token or no answer.", task=name)
            return _Prompts(found, decode, ending, comparison, cached)

        super().__init__(name, read, metrics=_METRICS, known=_METRICS, version=version, units=units, chunk=chunk)


@dataclass(frozen=True, slots=True)
class _Prompts:
    """Prompts with what is done to them."""

    prompts: tuple[Prompt, ...]
    decode: Callable[[Sequence[int]], str]
    stopping: Stopping
    comparison: Comparison
    cached: bool
    device: str = "cpu"

    @property
    def count(self) -> int:
        return len(self.prompts)

    @property
    def groups(self) -> NDArray[np.int64] | None:
        if all(each.document is None for each in self.prompts):
            return None
        return group_numbers([i if each.document is None else (each.document,) for i, each in enumerate(self.prompts)])

    @property
    def strata(self) -> NDArray[np.int64]:
        groups = self.groups
        return np.zeros(self.count, dtype=np.int64) if groups is None else groups

    def part(self, rows: NDArray[np.int64]) -> _Prompts:
        return replace(self, prompts=tuple(self.prompts[row] for row in rows.tolist()))

    def to(self, device: str) -> _Prompts:
        return replace(self, device=device)

    def values(self, network: nn.Module, where: slice, task: str, context: Context) -> dict[str, Tensor]:
        some = self.prompts[where]
        texts = greedy_texts(
            network, [each.tokens for each in some], self.decode, self.stopping, task, context,
            device=self.device, cached=self.cached,
        )  # fmt: skip
        right = [
            float("nan") if text is None else float(self.comparison.same(text, each.answers))
            for text, each in zip(texts, some, strict=True)
        ]
        return {"exact_match": torch.tensor(right)}
