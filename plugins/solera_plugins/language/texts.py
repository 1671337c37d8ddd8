"""The task kind ``text_classification``: labelled texts from a JSON-lines file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from solera.api import Context, Param, SampledTask, Split, TaskError, group_numbers, network_errors
from solera_plugins.language.encoding import Encoding
from solera_plugins.language.lines import Line, read_lines, shared_out

_METRICS = ("cross_entropy", "accuracy")


def text_classification(
    name: str,
    *,
    data: Annotated[Path, Param(help="A .jsonl file whose lines have a 'text' and a 'label'.")],
    tokenizer: Annotated[Path, Param(help="The tokenizer.json that belongs to the checkpoints.")],
    longest: Annotated[int, Param(1, unit="tokens", help="Texts are cut to their first so many.")] = 512,
    chunk: Annotated[int, Param(1, help="Texts per call of the network.")] = 32,
) -> SampledTask:
    """Classify the texts of a file; errors are clustered by document.

    A line is ``{"text": "...", "label": 0}``: labels are whole numbers from 0, as the network's logits count them.
    Texts are padded behind, and the network is told which tokens are there (``attention_mask``). A ``split`` says which
    split a line is in, a ``document`` what it belongs to; without splits a fixed permutation of the documents gives 60,
    15 and 25 %.
    """

    def read(split: Split) -> _Texts:
        lines = shared_out(read_lines(name, Path(data)), split)
        encoding = Encoding(name, Path(tokenizer))
        documents = None
        if any(line.document is not None for line in lines):
            documents = group_numbers(
                [(i,) if line.document is None else line.document for i, line in enumerate(lines)]
            )
        return _Texts.of([_tokens(line, encoding, longest) for line in lines], list(map(_label, lines)), documents)

    return SampledTask(name, read, metrics=_METRICS, known=_METRICS, chunk=chunk)


@dataclass(frozen=True, slots=True)
class _Texts:
    """Token ids (n, longest) int64 padded by 0, how many of each are there (n,), labels (n,), documents."""

    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    groups: NDArray[np.int64] | None

    @staticmethod
    def of(texts: Sequence[Sequence[int]], labels: Sequence[int], groups: NDArray[np.int64] | None) -> _Texts:
        tokens = torch.zeros(len(texts), max(map(len, texts), default=0), dtype=torch.int64)
        for row, text in zip(tokens, texts, strict=True):
            row[: len(text)] = torch.tensor(text)
        return _Texts(tokens, torch.tensor([len(text) for text in texts]), torch.tensor(labels), groups)

    @property
    def count(self) -> int:
        return int(self.labels.shape[0])

    @property
    def strata(self) -> NDArray[np.int64]:
        return self.labels.cpu().numpy()

    def part(self, rows: NDArray[np.int64]) -> _Texts:
        where = torch.from_numpy(rows).to(self.labels.device)
        groups = None if self.groups is None else self.groups[rows]
        return _Texts(self.tokens[where], self.lengths[where], self.labels[where], groups)

    def to(self, device: str) -> _Texts:
        return replace(
            self, tokens=self.tokens.to(device), lengths=self.lengths.to(device), labels=self.labels.to(device)
        )

    def values(self, network: nn.Module, where: slice, task: str, context: Context) -> dict[str, Tensor]:
        lengths, labels = self.lengths[where], self.labels[where]
        width = int(lengths.max())
        mask = (torch.arange(width, device=lengths.device) < lengths[:, None]).long()
        described = f"tokens and attention_mask, {width} long"
        advice = "Choose a network that classifies texts, with this tokenizer."
        with network_errors(task, f"{len(labels)} texts", labels.device, described, advice):
            output = network(self.tokens[where, :width], attention_mask=mask)
        logits = getattr(output, "logits", output)
        highest = int(self.labels.max())
        if (
            not isinstance(logits, Tensor)
            or logits.ndim != 2
            or len(logits) != len(labels)
            or logits.shape[1] <= highest
        ):
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise TaskError(
                f"Task '{task}' has labels up to {highest} and needs a row of more logits per text; the network "
                f"gave {got}.",
                task=task,
            )
        losses = F.cross_entropy(logits.float(), labels, reduction="none")
        right = (logits.argmax(dim=1) == labels).float().masked_fill(losses.isnan(), torch.nan)
        return {"cross_entropy": losses, "accuracy": right}


def _tokens(line: Line, encoding: Encoding, longest: int) -> list[int]:
    found = encoding.document(line.text("text"))[:longest]
    if not found:
        raise line.fault("has a text without a token")
    return found


def _label(line: Line) -> int:
    label = line.plain.get("label")
    if not isinstance(label, int) or isinstance(label, bool) or label < 0:
        raise line.fault(f"has the label {label!r}; labels are whole numbers from 0")
    return label
