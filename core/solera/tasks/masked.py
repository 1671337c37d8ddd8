"""Pseudo log-likelihood: how well a masked language model knows each token from all others of its text."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from solera.context import Context
from solera.errors import InputError, TaskError
from solera.tasks.inference import check_vocabulary, network_forward
from solera.tasks.sampled import SampledTask, group_numbers
from solera.tasks.scores import Split
from solera.tasks.subset import stratified

_METRICS = ("loss", "perplexity", "accuracy")


@dataclass(frozen=True, slots=True)
class MaskedText:
    """A text as a masked language model reads it.

    Attributes:
        tokens: With what the tokenizer puts around a text, such as [CLS] and [SEP].
        asked: Places of the tokens that are masked and predicted, one at a time; what was put around is not.
        document: What it belongs to: errors are clustered by it. Each its own if None.
    """

    tokens: tuple[int, ...]
    asked: tuple[int, ...]
    document: Hashable | None = None


class MaskedLanguageTask(SampledTask):
    """Scores of a masked language model by pseudo log-likelihood (Salazar et al. 2020, arXiv:1910.14659).

    Every token of a text is masked in turn and predicted from all others: ``log P(w_t | the text without w_t)``, one
    pass of the network each. One sample is one token, its negative log-probability in nats; ``loss`` is their mean and
    ``perplexity`` its exponential, the paper's pseudo-perplexity ``exp(-sum PLL / N)`` over the N tokens of all texts.
    ``accuracy`` is the share of tokens that the network finds likeliest. Errors are clustered by document.

    Args:
        name: Unique in a project.
        texts: ``texts(split)``; raises TaskError if the data are missing.
        mask: The token that stands for what is hidden; or what gives it when a split is first read.
        tokens: At most so many tokens are masked per split, spread evenly over the documents; None masks all. A fixed
            choice that belongs to the task, unlike a preview's ``limit``.
        metrics: Of ``"loss"``, ``"perplexity"`` and ``"accuracy"``; the first is what searches use.
        version: Goes up whenever the same weights would score differently.
        units: See :class:`solera.tasks.task.Task`.
        chunk: Masked copies of a text per call of the network. Part of what the bytes of a score depend on.

    Raises:
        InputError: A text has nothing that is asked, or a place outside it; told when a split is first read.
    """

    def __init__(
        self,
        name: str,
        texts: Callable[[Split], Sequence[MaskedText]],
        *,
        mask: int | Callable[[], int],
        tokens: int | None = None,
        metrics: Sequence[str] = _METRICS[:2],
        version: int = 1,
        units: str = "",
        chunk: int = 32,
    ) -> None:
        def read(split: Split) -> _Masked:
            batch = _Masked.of(name, texts(split), mask() if callable(mask) else mask)
            rows = stratified(batch.strata, tokens, 0)
            return batch.part(rows) if rows.size < batch.count else batch

        super().__init__(name, read, metrics=metrics, known=_METRICS, version=version, units=units, chunk=chunk)


@dataclass(frozen=True, slots=True)
class _Masked:
    """Texts (t, longest) int64 padded by 0 and their lengths (t,); of each sample its text, place and document (n,)."""

    texts: Tensor
    lengths: Tensor
    text: Tensor
    place: Tensor
    documents: NDArray[np.int64]
    mask: int

    @staticmethod
    def of(name: str, texts: Sequence[MaskedText], mask: int) -> _Masked:
        for i, each in enumerate(texts):
            if not each.asked or not 0 <= min(each.asked) <= max(each.asked) < len(each.tokens):
                raise InputError(
                    f"Task '{name}': text {i} has {len(each.tokens)} tokens, and {len(each.asked)} places to mask "
                    "that must lie in it, one or more.",
                    task=name,
                )
        tokens = torch.zeros(len(texts), max((len(each.tokens) for each in texts), default=0), dtype=torch.int64)
        for row, each in zip(tokens, texts, strict=True):
            row[: len(each.tokens)] = torch.tensor(each.tokens)
        owners = group_numbers([(i,) if each.document is None else each.document for i, each in enumerate(texts)])
        sizes = [len(each.asked) for each in texts]
        return _Masked(
            tokens,
            torch.tensor([len(each.tokens) for each in texts], dtype=torch.int64),
            torch.from_numpy(np.repeat(np.arange(len(texts)), sizes)),
            torch.tensor([place for each in texts for place in each.asked], dtype=torch.int64),
            np.repeat(owners, sizes),
            mask,
        )

    @property
    def count(self) -> int:
        return int(self.place.shape[0])

    @property
    def groups(self) -> NDArray[np.int64] | None:
        return self.documents

    @property
    def strata(self) -> NDArray[np.int64]:
        return self.documents

    def part(self, rows: NDArray[np.int64]) -> _Masked:
        where = torch.from_numpy(rows).to(self.place.device)
        return replace(self, text=self.text[where], place=self.place[where], documents=self.documents[rows])

    def to(self, device: str) -> _Masked:
        return replace(
            self,
            texts=self.texts.to(device),
            lengths=self.lengths.to(device),
            text=self.text.to(device),
            place=self.place.to(device),
        )

    def values(self, network: nn.Module, where: slice, task: str, context: Context) -> dict[str, Tensor]:
        text, place = self.text[where], self.place[where]
        lengths = self.lengths[text]
        width, rows = int(lengths.max()), torch.arange(len(text), device=text.device)
        tokens = self.texts[text, :width]
        own = tokens[rows, place]
        check_vocabulary(network, max(int(tokens.max()), self.mask), task)
        hidden = tokens.clone()
        hidden[rows, place] = self.mask
        there = (torch.arange(width, device=text.device) < lengths[:, None]).long()
        logits = network_forward(network, hidden, len(text), task, there)(slice(0, len(text)))
        highest = int(own.max())
        if logits.ndim != 3 or logits.shape[:2] != hidden.shape or logits.shape[2] <= highest:
            raise TaskError(
                f"Task '{task}' needs logits of shape {(*hidden.shape, f'more than {highest}')}; the network gave "
                f"{tuple(logits.shape)}. Choose a masked language model with this tokenizer.",
                task=task,
            )
        found = logits[rows, place].float()
        losses = F.cross_entropy(found, own, reduction="none")
        right = (found.argmax(dim=1) == own).float().masked_fill(losses.isnan(), torch.nan)
        return {"loss": losses, "perplexity": losses, "accuracy": right}
