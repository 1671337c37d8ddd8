"""Tasks whose samples are scored a few at a time, each for itself: what reads them is all that differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from solera.context import Context
from solera.errors import InputError, TaskError
from solera.tasks.inference import warn_not_finite
from solera.tasks.scores import Better, Column, Score, Split, aggregate, metric
from solera.tasks.subset import stratified
from solera.tasks.task import Yields


class Batch(Protocol):
    """The samples of one split. Never changed; parts and copies on other devices are new ones."""

    @property
    def count(self) -> int:
        """How many samples."""
        ...

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """The document or prompt of each sample, shape (count,); None if samples are independent."""
        ...

    @property
    def strata(self) -> NDArray[np.int64]:
        """What a preview takes equal shares of, shape (count,): class, document, or all the same."""
        ...

    def part(self, rows: NDArray[np.int64]) -> Batch:
        """Some of the samples, in this order."""
        ...

    def to(self, device: str) -> Batch:
        """The same on a device."""
        ...

    def values(self, network: nn.Module, where: slice, task: str, context: Context) -> Mapping[str, Tensor]:
        """Values by metric of the samples in a slice, shape (k,) each; NaN where the network's output is.

        Raises:
            TaskError: The network does not fit the task.
            Cancelled: The context says stop.
        """
        ...


class SampledTask:
    """A task that scores the samples of a :class:`Batch`.

    Args:
        name: Unique in a project.
        read: Gives the samples of a split, when it is first needed; raises TaskError if data are missing.
        metrics: What it measures; the first is what searches use.
        known: What it could measure.
        version: Goes up whenever the same weights would score differently.
        units: See :class:`solera.tasks.task.Task`.
        chunk: Samples per call of the network. Part of what the bytes of a score depend on.
    """

    yields: Yields = "samples"

    def __init__(
        self,
        name: str,
        read: Callable[[Split], Batch],
        *,
        metrics: Sequence[str],
        known: Sequence[str],
        version: int = 1,
        units: str = "",
        chunk: int = 64,
    ) -> None:
        unknown = [item for item in metrics if item not in known]
        if unknown or not metrics or len(set(metrics)) < len(metrics):
            got = ", ".join(unknown or metrics) or "nothing"
            raise InputError(f"Task '{name}' can measure {', '.join(known)}, each once; not {got}.", task=name)
        if chunk < 1:
            raise InputError(f"A chunk holds at least one sample, not {chunk}.", task=name)
        self.name = name
        self.version = version
        self.metrics = tuple(metrics)
        self.units = units
        self._reads, self._chunk = read, chunk
        self._splits: dict[Split, Batch] = {}

    @property
    def direction(self) -> Better:
        """Which way the first metric is good."""
        return metric(self.metrics[0]).better

    def columns(self, split: Split) -> tuple[Column, ...]:
        """One column per metric, with the samples of the split."""
        count = self._read(split).count
        return tuple(Column(self.name, item, split, count) for item in self.metrics)

    def prepare(self, split: Split, *, device: str, limit: int | None = None, seed: int = 0) -> SampledEvaluator:
        """The samples of a split on a device; a preview takes its share of every stratum."""
        batch = self._read(split)
        rows = stratified(batch.strata, limit, seed)
        if rows.size < batch.count:
            batch = batch.part(rows)
        return SampledEvaluator(self.columns(split), batch.to(device), self._chunk)

    def _read(self, split: Split) -> Batch:
        if split not in self._splits:
            batch = self._reads(split)
            if not batch.count:
                raise TaskError(f"Task '{self.name}' has no data on the {split} split.", task=self.name, split=split)
            self._splits[split] = batch
        return self._splits[split]


class SampledEvaluator:
    """Samples on one device, scored chunk by chunk.

    Args:
        columns: What to report, in order.
        batch: The samples, on the device.
        chunk: Samples per call of the network.
    """

    def __init__(self, columns: tuple[Column, ...], batch: Batch, chunk: int) -> None:
        self.columns = columns
        self.count = batch.count
        self.groups = batch.groups
        self._batch, self._chunk = batch, chunk
        self._warned = False

    def part(self, rows: NDArray[np.int64]) -> SampledEvaluator:
        """Some of the samples; see :class:`solera.tasks.task.Divisible`."""
        return SampledEvaluator(self.columns, self._batch.part(rows), self._chunk)

    def __call__(self, network: nn.Module, context: Context) -> tuple[Score, ...]:
        """Score a network; see :class:`solera.tasks.task.Evaluator`."""
        name = self.columns[0].task
        found = np.empty((len(self.columns), self.count), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, self.count, self._chunk):
                context.check()
                where = slice(start, min(start + self._chunk, self.count))
                values = self._batch.values(network, where, name, context)
                for row, column in zip(found, self.columns, strict=True):
                    row[where] = values[column.metric].float().cpu().numpy()
        lost = int(np.isnan(found).any(axis=0).sum())
        if lost and not self._warned:
            self._warned = True
            warn_not_finite(lost, self.count, name, context)
        return tuple(aggregate(column, row, self.groups) for column, row in zip(self.columns, found, strict=True))


def group_numbers(ids: Sequence[object]) -> NDArray[np.int64]:
    """Names of documents or prompts as numbers, in order of first sight, shape (n,)."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(each, len(numbers)) for each in ids], dtype=np.int64)
