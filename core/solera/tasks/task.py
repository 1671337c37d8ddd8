"""What a task is: a network goes in, scores with their errors come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from solera.tasks.scores import Better, Column, Score, Split

if TYPE_CHECKING:
    from torch import nn

    from solera.context import Context

#: What a task can hand out beside the aggregate: raw network outputs, one value per sample, or nothing.
Yields = Literal["logits", "samples", "aggregate"]


@runtime_checkable
class Evaluator(Protocol):
    """A task made ready on one split and one device: called once per point of a landscape.

    Everything that does not depend on the weights (reading, tokenising, copying to the device) happened before. The
    same weights give the same bytes on every call, with the same number of threads on the same machine; chunks are
    cut the same way each time. An evaluator is never changed by a call and may be used by one thread at a time.

    Attributes:
        columns: What :meth:`__call__` returns, in order; ``count`` is the size of the whole split.
        count: Samples actually scored (fewer than the split's in a preview).
    """

    @property
    def columns(self) -> tuple[Column, ...]:
        """What a call returns, in order."""
        ...

    @property
    def count(self) -> int:
        """Samples actually scored."""
        ...

    def __call__(self, network: nn.Module, context: Context) -> tuple[Score, ...]:
        """Score a network, in evaluation mode and on the evaluator's device; its weights are only read.

        Calls ``context.check()`` between chunks. NaN logits give NaN scores and a warning, never a failure.

        Raises:
            TaskError: The network's output does not fit the task.
            Cancelled: The context says stop.
        """
        ...


@runtime_checkable
class Divisible(Protocol):
    """An evaluator that can score part of its samples; those without are scored whole by searches that begin with few.

    Its scores have per-sample values.

    Attributes:
        groups: Group of each sample, int64 of shape (count,); None if samples are independent.
    """

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """Group of each sample."""
        ...

    def part(self, rows: NDArray[np.int64]) -> Evaluator:
        """An evaluator of these samples alone, with the same columns.

        Args:
            rows: Which, in this order; shape (k,), k >= 1, places in 0 .. count - 1.
        """
        ...


@runtime_checkable
class Task(Protocol):
    """A way to score networks on data.

    A task holds no tensors until :meth:`prepare`; making one is cheap and reads no file.

    Attributes:
        name: Unique in a project: ``"rotated"``.
        version: Goes up whenever the scores of the same weights change; part of every memo key.
        metrics: Keys of :data:`solera.tasks.scores.METRICS`; the first is the one searches use unless told.
        yields: What is known beyond the aggregate.
        direction: Which way the first metric is good.
        units: Names the population samples are drawn from. Two tasks with equal, non-empty ``units`` score the same
            samples in the same order (a picture and its mirror image), so errors of a mean over tasks are paired;
            empty means the task's samples are its own.
    """

    @property
    def name(self) -> str:
        """Unique in a project."""
        ...

    @property
    def version(self) -> int:
        """Goes up whenever the scores of the same weights change."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of the metric registry."""
        ...

    @property
    def yields(self) -> Yields:
        """What is known beyond the aggregate."""
        ...

    @property
    def direction(self) -> Better:
        """Which way the first metric is good."""
        ...

    @property
    def units(self) -> str:
        """The population samples are drawn from; empty for its own."""
        ...

    def columns(self, split: Split) -> tuple[Column, ...]:
        """One column per metric on this split, with the number of samples.

        Raises:
            TaskError: The data are missing.
        """
        ...

    def prepare(self, split: Split, *, device: str, limit: int | None = None, seed: int = 0) -> Evaluator:
        """Read the data of a split and keep them on a device.

        Args:
            split: ``"train"``, ``"selection"`` or ``"report"``.
            device: torch device string.
            limit: Score only this many samples (a preview): a fixed stratified subset that depends on ``seed`` alone.
            seed: Which subset.

        Raises:
            TaskError: The data are missing or empty.
        """
        ...


#: What a plugin contributes as kind ``"task"``: ``factory(name, *, parameters) -> Task``.
TaskFactory = Callable[..., Task]
