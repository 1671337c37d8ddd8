"""Any function of a network and samples as a task: per-sample scores, or one number for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from solera.context import Context
from solera.errors import InputError, SoleraError, TaskError
from solera.seeds import Seed
from solera.tasks.collections import count_of, moved, taken
from solera.tasks.sampled import SampledEvaluator, group_numbers
from solera.tasks.scores import METRICS, SPLITS, Better, Column, Score, Split, metric
from solera.tasks.splits import split_rows
from solera.tasks.subset import stratified
from solera.tasks.task import Evaluator, Yields

#: ``function(network, samples)``: see :class:`CallableTask` for what it may give.
Scorer = Callable[[Any, Any], Any]

#: What a person's function may fail with; anything else is a fault of ours and passes.
_FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class CallableTask:
    """Scores by a function of a network and samples.

    The function is called with the network, in evaluation mode and without gradients, and samples: tensors and arrays
    of numbers come as tensors on its device, everything else as it was given. With
    ``yields="samples"`` it gives one number per sample: a tensor, array or list of shape (n,), or, for several metrics,
    a mapping of such by metric. With ``yields="aggregate"`` it is called once, with all samples, and gives one number,
    or a pair of a number and its standard error, or a mapping of such. Equal weights must give equal numbers. Where
    several devices score at once it is called from several threads.

    Args:
        name: Unique in a project.
        function: ``function(network, samples)``.
        samples: A function of the split; or a mapping by split; or a collection, of which a fixed permutation gives 60,
            15 and 25 % to train, selection and report. A collection is a tensor or array (along its first axis), a
            list, or a tuple or mapping of such of equal length. An aggregate may be of anything.
        metric: One or several keys of :data:`solera.tasks.scores.METRICS`; ``"score"`` is any number of which more is
            better, ``"penalty"`` one of which less is.
        yields: ``"samples"`` or ``"aggregate"``.
        groups: ``groups(samples)`` gives the document or prompt of each sample (anything hashable), by which errors are
            clustered.
        version: Goes up whenever the same weights would score differently.
        units: See :class:`solera.tasks.task.Task`.
        chunk: Samples per call of the function; 0 is all at once.

    Raises:
        InputError: An argument is none of these.
    """

    def __init__(
        self,
        name: str,
        function: Scorer,
        samples: Any,
        *,
        metric: str | Sequence[str] = "score",
        yields: Yields = "samples",
        groups: Callable[[Any], Sequence[object]] | None = None,
        version: int = 1,
        units: str = "",
        chunk: int = 0,
    ) -> None:
        metrics = (metric,) if isinstance(metric, str) else tuple(metric)
        unknown = [item for item in metrics if item not in METRICS]
        if unknown or not metrics:
            got = ", ".join(unknown) or "none"
            raise InputError(f"A metric is one of {', '.join(METRICS)}; not {got}.", task=name)
        if yields not in ("samples", "aggregate"):
            raise InputError(f"A function yields 'samples' or an 'aggregate', not '{yields}'.", task=name)
        if chunk < 0:
            raise InputError(f"A chunk holds at least one sample, or 0 for all; not {chunk}.", task=name)
        self.name = name
        self.version = version
        self.metrics = metrics
        self.units = units
        self.yields: Yields = yields
        self._function, self._samples, self._groups, self._chunk = function, samples, groups, chunk
        self._splits: dict[Split, _Calls] = {}

    @property
    def direction(self) -> Better:
        """Which way the first metric is good."""
        return metric(self.metrics[0]).better

    def columns(self, split: Split) -> tuple[Column, ...]:
        """One column per metric, with the samples of the split."""
        count = self._read(split).count
        return tuple(Column(self.name, item, split, count) for item in self.metrics)

    def prepare(self, split: Split, *, device: str, limit: int | None = None, seed: int = 0) -> Evaluator:
        """The samples of a split on a device; a preview of an aggregate over something without length is the whole."""
        calls = self._read(split)
        if calls.collection:
            rows = stratified(calls.strata, limit, seed)
            calls = calls.part(rows) if rows.size < calls.count else calls
        calls, columns = calls.to(device), self.columns(split)
        if self.yields == "aggregate":
            return AggregateEvaluator(columns, calls)
        return SampledEvaluator(columns, calls, self._chunk or calls.count)

    def _read(self, split: Split) -> _Calls:
        if split not in self._splits:
            samples, collection = self._samples_of(split), True
            try:
                count = count_of(samples, self.name)
            except TaskError:
                if self.yields != "aggregate":
                    raise
                count, collection = 1, False
            if not count:
                raise TaskError(f"Task '{self.name}' has no data on the {split} split.", task=self.name, split=split)
            groups = None if self._groups is None else group_numbers(list(self._groups(samples)))
            if groups is not None and groups.size != count:
                raise TaskError(f"Task '{self.name}': {groups.size} groups do not fit {count} samples.", task=self.name)
            self._splits[split] = _Calls(self._function, self.metrics, samples, count, groups, collection)
        return self._splits[split]

    def _samples_of(self, split: Split) -> Any:
        given = self._samples
        if callable(given):
            return given(split)
        if isinstance(given, Mapping) and given and set(given) <= set(SPLITS):
            if split not in given:
                known = ", ".join(given)
                raise TaskError(f"Task '{self.name}' has samples for {known}, not for {split}.", task=self.name)
            return given[split]
        try:
            count = count_of(given, self.name)
        except TaskError:
            if self.yields == "aggregate":
                return given
            raise
        return taken(given, split_rows(count, split, Seed(0).child("callable", "splits")))


@dataclass(frozen=True, slots=True)
class _Calls:
    """A function and the samples it is called with; a :class:`solera.tasks.sampled.Batch`."""

    function: Scorer
    metrics: tuple[str, ...]
    samples: Any
    count: int
    groups: NDArray[np.int64] | None
    collection: bool

    @property
    def strata(self) -> NDArray[np.int64]:
        return np.zeros(self.count, dtype=np.int64) if self.groups is None else self.groups

    def part(self, rows: NDArray[np.int64]) -> _Calls:
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, samples=taken(self.samples, rows), count=rows.size, groups=groups)

    def to(self, device: str) -> _Calls:
        return replace(self, samples=moved(self.samples, device))

    def values(self, network: nn.Module, where: slice, task: str, context: Context) -> dict[str, Tensor]:
        whole = where.stop - where.start == self.count
        samples = self.samples if whole else taken(self.samples, np.arange(where.start, where.stop))
        found = self.called(network, samples, task)
        return {name: _per_sample(value, where.stop - where.start, task) for name, value in found.items()}

    def called(self, network: nn.Module, samples: Any, task: str) -> dict[str, Any]:
        """What the function gives, by metric."""
        try:
            answer = self.function(network, samples)
        except SoleraError:
            raise
        except _FAILURES as error:
            called = getattr(self.function, "__name__", "the function")
            reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            raise TaskError(f"Task '{task}': {called} failed on this network: {reason}.", task=task) from error
        if isinstance(answer, Mapping):
            lost = [name for name in self.metrics if name not in answer]
            if lost:
                raise TaskError(f"Task '{task}': the function gave no {', '.join(lost)}.", task=task)
            return {name: answer[name] for name in self.metrics}
        if len(self.metrics) > 1:
            wanted = ", ".join(self.metrics)
            raise TaskError(f"Task '{task}': with several metrics the function gives a mapping of {wanted}.", task=task)
        return {self.metrics[0]: answer}


class AggregateEvaluator:
    """One number for all samples of a split; it cannot be divided.

    Args:
        columns: What to report, in order.
        calls: The function and its samples.
    """

    def __init__(self, columns: tuple[Column, ...], calls: _Calls) -> None:
        self.columns = columns
        self.count = calls.count
        self._calls = calls

    def __call__(self, network: nn.Module, context: Context) -> tuple[Score, ...]:
        """Score a network; see :class:`solera.tasks.task.Evaluator`."""
        context.check()
        name = self.columns[0].task
        with torch.inference_mode():
            found = self._calls.called(network, self._calls.samples, name)
        pairs = [(column, *_number(found[column.metric], name)) for column in self.columns]
        return tuple(Score(column, value, stderr, self.count) for column, value, stderr in pairs)


def _per_sample(value: Any, count: int, task: str) -> Tensor:
    try:
        found = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TaskError(
            f"Task '{task}': the function gave a {type(value).__name__}, not numbers.", task=task
        ) from error
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.shape != (count,):
        said = (
            "a single number; say yields='aggregate' if that is all there is"
            if found.ndim == 0
            else f"shape {tuple(found.shape)}"
        )
        raise TaskError(
            f"Task '{task}': the function was given {count} samples and must give as many numbers; it gave {said}.",
            task=task,
        )
    return found.float()


def _number(value: Any, task: str) -> tuple[float, float]:
    """A number and its standard error."""
    pair = value if isinstance(value, tuple) else (value, math.nan)
    try:
        number, error = (float(each) for each in pair)
    except (TypeError, ValueError, RuntimeError) as error_:
        raise TaskError(
            f"Task '{task}': the function must give one number, or a pair of a number and its standard error; it gave "
            f"{type(value).__name__}. Say yields='samples' if it gives one per sample.",
            task=task,
        ) from error_
    return number, error
