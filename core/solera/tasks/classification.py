"""Classification: cross-entropy and accuracy of logits against integer labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from solera.context import Context
from solera.errors import InputError, TaskError
from solera.tasks.examples import Examples
from solera.tasks.forward import Forward, cross_entropies, in_blocks, in_chunks, log_odds, mean_loss
from solera.tasks.inference import network_forward, sample_buffer, warn_not_finite
from solera.tasks.scores import Better, Column, Score, Split, aggregate, metric
from solera.tasks.subset import stratified
from solera.tasks.task import Yields

#: ``data(split) -> (x, y)``: arrays or tensors, x of shape (n, ...), y integers of shape (n,).
ClassificationData = Callable[[Split], tuple[Any, Any]]

_METRICS = ("cross_entropy", "accuracy")


class ClassificationTask:
    """Scores of a network that gives one row of logits per sample.

    Args:
        name: Unique in a project.
        data: ``data(split) -> (x, y)``: x of shape (n, ...) float32 (as the network takes it), y of shape (n,)
            integers from 0. It is asked when a split is first needed, and raises TaskError if the data are missing.
        metrics: Of ``"cross_entropy"`` (nats) and ``"accuracy"`` (fraction); the first is what searches use.
        version: Goes up whenever the same weights would score differently.
        units: See :class:`solera.tasks.task.Task`.
        chunk: Samples per call of the network. Part of what the bytes of a score depend on.
    """

    yields: Yields = "logits"

    def __init__(
        self,
        name: str,
        data: ClassificationData,
        *,
        metrics: Sequence[str] = _METRICS,
        version: int = 1,
        units: str = "",
        chunk: int = 256,
    ) -> None:
        unknown = [item for item in metrics if item not in _METRICS]
        if unknown or not metrics:
            raise InputError(
                f"Classification measures {' and '.join(_METRICS)}, not {', '.join(unknown) or 'nothing'}."
            )
        if chunk < 1:
            raise InputError(f"A chunk holds at least one sample, not {chunk}.")
        self.name = name
        self.version = version
        self.metrics = tuple(metrics)
        self.units = units
        self._data = data
        self._chunk = chunk
        self._splits: dict[Split, tuple[Tensor, Tensor]] = {}

    @property
    def direction(self) -> Better:
        """Which way the first metric is good."""
        return metric(self.metrics[0]).better

    def columns(self, split: Split) -> tuple[Column, ...]:
        """One column per metric, with the samples of the split."""
        count = self._read(split)[1].shape[0]
        return tuple(Column(self.name, item, split, count) for item in self.metrics)

    def prepare(self, split: Split, *, device: str, limit: int | None = None, seed: int = 0) -> ClassificationEvaluator:
        """The data of a split on a device; a preview is stratified by label."""
        x, y = self._read(split)
        rows = torch.from_numpy(stratified(y.numpy(), limit, seed))
        if rows.shape[0] < y.shape[0]:
            x, y = x[rows], y[rows]
        return ClassificationEvaluator(self.columns(split), x.to(device), y.to(device), self._chunk)

    def _read(self, split: Split) -> tuple[Tensor, Tensor]:
        if split not in self._splits:
            self._splits[split] = _checked(self.name, split, *self._data(split))
        return self._splits[split]


def _checked(name: str, split: Split, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    inputs, labels = torch.as_tensor(x).contiguous(), torch.as_tensor(y)
    if labels.ndim != 1 or inputs.shape[0] != labels.shape[0]:
        raise TaskError(
            f"Task '{name}', {split} split: {inputs.shape[0]} samples do not fit labels of shape "
            f"{tuple(labels.shape)}.",
            task=name,
            split=split,
        )
    if labels.shape[0] == 0:
        raise TaskError(f"Task '{name}' has no data on the {split} split.", task=name, split=split)
    if labels.is_floating_point() or int(labels.min()) < 0:
        raise TaskError(f"Task '{name}': labels must be integers from 0, got {labels.dtype}.", task=name, split=split)
    if inputs.is_floating_point():
        inputs = inputs.float()
    return inputs, labels.long().contiguous()


class ClassificationEvaluator:
    """A classification task on one split and device.

    Args:
        columns: What to report, in order.
        x: Shape (n, ...), on the device.
        y: Shape (n,) int64, on the device.
        chunk: Samples per call of the network.
    """

    def __init__(self, columns: tuple[Column, ...], x: Tensor, y: Tensor, chunk: int) -> None:
        self.columns = columns
        self.count = int(y.shape[0])
        self._x, self._y, self._chunk = x, y, chunk
        self._highest = int(y.max())
        self._warned = False

    groups: NDArray[np.int64] | None = None

    def part(self, rows: NDArray[np.int64]) -> ClassificationEvaluator:
        """Some of the samples; see :class:`solera.tasks.task.Divisible`."""
        where = torch.from_numpy(rows).to(self._y.device)
        return ClassificationEvaluator(self.columns, self._x[where], self._y[where], self._chunk)

    def examples(self) -> Examples:
        """The samples and their labels."""
        return Examples(self._x, self._y, self._chunk)

    @property
    def trace_width(self) -> int:
        """Log-odds and lead of every sample (see :func:`solera.tasks.forward.log_odds`)."""
        return 2 * self.count

    def __call__(self, network: nn.Module, context: Context) -> tuple[Score, ...]:
        """Score a network; see :class:`solera.tasks.task.Evaluator`."""
        return self.score(network_forward(network, self._x, self._chunk, self.columns[0].task), self._chunk, context)

    def score(self, forward: Forward, chunk: int, context: Context, *, traced: bool = False) -> tuple[Score, ...]:
        """Score logits; see :class:`solera.tasks.forward.ScoresLogits`."""
        name = self.columns[0].task
        values = sample_buffer(4 if traced else 2, self.count, str(self._y.device))
        with torch.inference_mode():
            for where, logits in in_blocks(self._checked(in_chunks(forward, self.count, chunk, context))):
                labels, logits = self._y[where], logits.float()
                values[0, where] = cross_entropies(logits, labels)
                values[1, where] = (logits.argmax(dim=1) == labels).float()
                if traced:
                    values[2, where], values[3, where] = log_odds(logits.clone(), labels)
            bad = values[0].isnan()
            values[1].masked_fill_(bad, torch.nan)  # argmax of NaN is an index like any other
        samples = values.cpu().numpy()
        if not self._warned and np.isnan(samples[0]).any():
            self._warned = True
            warn_not_finite(int(np.isnan(samples[0]).sum()), self.count, name, context)
        by_metric: dict[str, NDArray[np.float32]] = dict(zip(_METRICS, samples[:2], strict=True))
        first, *rest = (aggregate(column, by_metric[column.metric]) for column in self.columns)
        return (replace(first, trace=samples[2:].reshape(-1)) if traced else first, *rest)

    def values(self, traces: NDArray[np.float32]) -> NDArray[np.float64]:
        """What scores follow from traces; see :class:`solera.tasks.forward.ScoresLogits`."""
        odds, lead = traces[:, : self.count], traces[:, self.count :]
        found = {"cross_entropy": mean_loss(odds)}
        right = (lead > 0).mean(axis=1, dtype=np.float64)
        found["accuracy"] = np.where(np.isnan(lead).any(axis=1), np.nan, right)
        return np.stack([found[column.metric] for column in self.columns], axis=1)

    def _checked(self, pieces: Iterator[tuple[slice, Tensor]]) -> Iterator[tuple[slice, Tensor]]:
        for where, logits in pieces:
            self._check(logits, where, self.columns[0].task)
            yield where, logits

    def _check(self, logits: Tensor, where: slice, name: str) -> None:
        if logits.ndim != 2 or logits.shape[0] != where.stop - where.start:
            raise TaskError(
                f"Task '{name}' needs one row of logits per sample; the network gave shape {tuple(logits.shape)} "
                f"for {where.stop - where.start} samples.",
                task=name,
            )
        if logits.shape[1] <= self._highest:
            raise TaskError(
                f"Task '{name}' has labels up to {self._highest}; the network gives only {logits.shape[1]} logits. "
                "Choose a task with the network's own classes.",
                task=name,
            )
