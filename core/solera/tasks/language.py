"""Language modelling: loss and perplexity per token on fixed windows of documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from solera.context import Context
from solera.errors import InputError, TaskError
from solera.tasks.examples import Examples
from solera.tasks.forward import Forward, in_chunks, log_odds, mean_loss
from solera.tasks.inference import check_vocabulary, network_forward, sample_buffer, warn_not_finite
from solera.tasks.scores import Better, Column, Score, Split, aggregate, metric
from solera.tasks.subset import stratified
from solera.tasks.task import Yields

#: ``documents(split)``: token ids, one sequence of integers per document.
LanguageData = Callable[[Split], Sequence[Sequence[int]]]

_METRICS = ("loss", "perplexity")


class LanguageTask:
    """Scores of a causal language model.

    Each document is cut into windows of ``window + 1`` tokens that overlap by one, so that every window predicts the
    same number of tokens and no token twice; what is left at a document's end, being shorter, is not scored. One
    sample is one window (its mean loss in nats per token); standard errors are clustered by document.

    Args:
        name: Unique in a project.
        documents: ``documents(split)`` gives token ids per document; raises TaskError if the data are missing.
        window: Tokens predicted per window.
        metrics: Of ``"loss"`` (nats per token) and ``"perplexity"``; the first is what searches use.
        windows: At most this many windows per split, stratified by document, so that a large corpus stays
            affordable; None takes all. A fixed choice that belongs to the task, unlike a preview's ``limit``.
        version: Goes up whenever the same weights would score differently.
        units: See :class:`solera.tasks.task.Task`.
        chunk: Windows per call of the network. Part of what the bytes of a score depend on.
    """

    yields: Yields = "samples"

    def __init__(
        self,
        name: str,
        documents: LanguageData,
        *,
        window: int = 128,
        metrics: Sequence[str] = _METRICS,
        windows: int | None = None,
        version: int = 1,
        units: str = "",
        chunk: int = 16,
    ) -> None:
        unknown = [item for item in metrics if item not in _METRICS]
        if unknown or not metrics:
            got = ", ".join(unknown) or "nothing"
            raise InputError(f"Language tasks measure {' and '.join(_METRICS)}, not {got}.", metrics=list(metrics))
        if window < 1 or chunk < 1:
            raise InputError(f"A window and a chunk hold at least one, not {window} and {chunk}.")
        self.name = name
        self.version = version
        self.metrics = tuple(metrics)
        self.units = units
        self._documents, self._window, self._windows, self._chunk = documents, window, windows, chunk
        self._splits: dict[Split, tuple[Tensor, Tensor]] = {}

    @property
    def direction(self) -> Better:
        """Which way the first metric is good."""
        return metric(self.metrics[0]).better

    def columns(self, split: Split) -> tuple[Column, ...]:
        """One column per metric, with the windows of the split."""
        count = self._read(split)[0].shape[0]
        return tuple(Column(self.name, item, split, count) for item in self.metrics)

    def prepare(self, split: Split, *, device: str, limit: int | None = None, seed: int = 0) -> LanguageEvaluator:
        """The windows of a split on a device; a preview is stratified by document."""
        tokens, groups = self._read(split)
        rows = torch.from_numpy(stratified(groups.numpy(), limit, seed))
        return LanguageEvaluator(self.columns(split), tokens[rows].to(device), groups[rows].numpy(), self._chunk)

    def _read(self, split: Split) -> tuple[Tensor, Tensor]:
        if split not in self._splits:
            tokens, groups = _cut(self.name, split, self._documents(split), self._window)
            rows = torch.from_numpy(stratified(groups.numpy(), self._windows, 0))
            self._splits[split] = tokens[rows], groups[rows]
        return self._splits[split]


def _cut(name: str, split: Split, documents: Sequence[Sequence[int]], window: int) -> tuple[Tensor, Tensor]:
    """Windows of all documents: tokens int64 (n, window + 1), document numbers int64 (n,)."""
    pieces, groups = [], []
    for number, document in enumerate(documents):
        ids = torch.as_tensor(document, dtype=torch.int64)
        if ids.numel() > window:
            cut = ids.unfold(0, window + 1, window)
            pieces.append(cut)
            groups.append(torch.full((cut.shape[0],), number, dtype=torch.int64))
    if not pieces:
        raise TaskError(
            f"Task '{name}' has no document longer than its window of {window} tokens on the {split} split "
            f"({len(documents)} documents).",
            task=name,
            split=split,
        )
    return torch.cat(pieces).contiguous(), torch.cat(groups)


class LanguageEvaluator:
    """A language task on one split and device.

    Args:
        columns: What to report, in order.
        tokens: Shape (n, window + 1) int64, on the device.
        groups: Shape (n,) int64, the document of each window.
        chunk: Windows per call of the network.
    """

    def __init__(self, columns: tuple[Column, ...], tokens: Tensor, groups: np.ndarray, chunk: int) -> None:
        self.columns = columns
        self.count = int(tokens.shape[0])
        self._inputs, self._targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
        self._chunk = chunk
        self.groups = groups.astype(np.int64)
        self._highest = int(tokens.max())
        self._warned = False

    def part(self, rows: np.ndarray) -> LanguageEvaluator:
        """Some of the windows; see :class:`solera.tasks.task.Divisible`."""
        where = torch.from_numpy(rows).to(self._inputs.device)
        tokens = torch.cat([self._inputs[where], self._targets[where, -1:]], dim=1)
        return LanguageEvaluator(self.columns, tokens, self.groups[rows], self._chunk)

    def examples(self) -> Examples:
        """The windows and the tokens that follow."""
        return Examples(self._inputs, self._targets, self._chunk)

    @property
    def trace_width(self) -> int:
        """Log-odds of every token (see :func:`solera.tasks.forward.log_odds`)."""
        return self._targets.numel()

    def __call__(self, network: nn.Module, context: Context) -> tuple[Score, ...]:
        """Score a network; see :class:`solera.tasks.task.Evaluator`."""
        name = self.columns[0].task
        check_vocabulary(network, self._highest, name)
        return self.score(network_forward(network, self._inputs, self._chunk, name), self._chunk, context)

    def score(self, forward: Forward, chunk: int, context: Context, *, traced: bool = False) -> tuple[Score, ...]:
        """Score logits; see :class:`solera.tasks.forward.ScoresLogits`."""
        name = self.columns[0].task
        losses = sample_buffer(1, self.count, str(self._targets.device))[0]
        odds = torch.empty(self._targets.shape if traced else (0,), device=self._targets.device)
        with torch.inference_mode():
            for where, logits in in_chunks(forward, self.count, chunk, context):
                targets = self._targets[where]
                self._check(logits, targets, name)
                rows = logits.float().flatten(0, 1)
                flat = F.cross_entropy(rows, targets.flatten(), reduction="none")
                losses[where] = flat.view_as(targets).mean(dim=1)
                if traced:
                    odds[where] = log_odds(rows.clone(), targets.flatten())[0].view_as(targets)
        samples = losses.cpu().numpy()
        if not self._warned and np.isnan(samples).any():
            self._warned = True
            warn_not_finite(int(np.isnan(samples).sum()), self.count, name, context)
        first, *rest = (aggregate(column, samples, self.groups) for column in self.columns)
        return (replace(first, trace=odds.cpu().numpy().reshape(-1)) if traced else first, *rest)

    def values(self, traces: NDArray[np.float32]) -> NDArray[np.float64]:
        """What scores follow from traces; see :class:`solera.tasks.forward.ScoresLogits`."""
        losses = mean_loss(traces)  # windows are equally long
        with np.errstate(over="ignore"):
            found = {"loss": losses, "perplexity": np.exp(losses)}
        return np.stack([found[column.metric] for column in self.columns], axis=1)

    def _check(self, logits: Tensor, targets: Tensor, name: str) -> None:
        if logits.ndim != 3 or logits.shape[:2] != targets.shape or logits.shape[2] <= self._highest:
            raise TaskError(
                f"Task '{name}' needs logits of shape {(*targets.shape, f'more than {self._highest}')}; the network "
                f"gave {tuple(logits.shape)}. Choose a causal language model with this tokenizer.",
                task=name,
            )
