"""Tasks of lm-evaluation-harness on a network in memory."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from solera.api import METRICS, Column, Context, Score, Seed, SoleraError, Split, TaskError, aggregate
from solera_plugins.language.encoding import Encoding
from solera_plugins.language.harness_model import Asked

if TYPE_CHECKING:
    from torch import nn

#: Metrics that the harness takes as means of one number per document.
_PER_DOCUMENT = frozenset({"acc", "acc_norm", "acc_bytes", "exact_match", "em"})
#: The seed with which the harness itself chooses examples for prompts.
_FEWSHOT_SEED = 1234
#: What its tasks may fail with; data sets that cannot be fetched are OSError or ValueError.
_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip

#: ``rows(count, split)``: which of so many documents of one task are in a split.
Rows = Callable[[int, Split], Sequence[int]]
#: The tokenizer, the token that begins a text, and those that end one.
Tokens = Callable[[], tuple[Encoding, int | None, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the harness.

    Attributes:
        task: A task or group. fewshot: Examples in the prompt; -1 is the task's own number.
        folder: With tasks of one's own; empty for none.
        metrics: The harness's name of a metric -> ours, in order.
    """

    task: str
    fewshot: int
    folder: str
    metrics: Mapping[str, str]


class HarnessTask:
    """A task or group of the harness; its parts and splits are those of its documents.

    Args:
        name: Unique in a project.
        wanted: What is asked.
        rows: Shares the documents of each task out to splits.
        tokens: Opens the tokenizer.
        longest: Most tokens of a text; 0 goes by the network's config.
        chunk: Texts per call of the network.
        version: Goes up when its documents change.
    """

    units = ""

    def __init__(
        self, name: str, wanted: Wanted, rows: Rows, tokens: Tokens, *, longest: int, chunk: int, version: int
    ) -> None:
        self.name = name
        self.version = version
        self.metrics = tuple(wanted.metrics.values())
        self.direction: Literal["lower", "higher"] = METRICS[self.metrics[0]].better
        told = set(wanted.metrics) <= _PER_DOCUMENT
        self.yields: Literal["samples", "aggregate"] = "samples" if told else "aggregate"
        self._wanted, self._rows, self._tokens = wanted, rows, tokens
        self._longest, self._chunk = longest, chunk
        self._picks: dict[Split, dict[str, list[int]]] = {}

    def columns(self, split: Split) -> tuple[Column, ...]:
        """One column per metric, with the documents of the split."""
        count = sum(map(len, self._picked(split).values()))
        return tuple(Column(self.name, metric, split, count) for metric in self.metrics)

    def prepare(self, split: Split, *, device: str, limit: int | None = None, seed: int = 0) -> HarnessEvaluator:
        """The prompts of a split; a preview takes its share of every task of a group."""
        picks = self._picked(split)
        total = sum(map(len, picks.values()))
        if limit is not None and limit < total:
            picks = _preview(picks, limit, seed)
        columns = self.columns(split)
        kind = DivisibleHarnessEvaluator if self.yields == "samples" else HarnessEvaluator
        return kind(columns, self._wanted, picks, self._tokens(), device, self._longest, self._chunk)

    def _picked(self, split: Split) -> dict[str, list[int]]:
        if not self._picks:
            counts = {leaf: len(task.eval_docs) for leaf, task in loaded(self.name, self._wanted).items()}
            splits: tuple[Split, ...] = ("train", "selection", "report")
            self._picks = {
                each: {leaf: rows for leaf, count in counts.items() if (rows := list(self._rows(count, each)))}
                for each in splits
            }
        if not self._picks[split]:
            raise TaskError(f"Task '{self.name}' has no data on the {split} split.", task=self.name, split=split)
        return self._picks[split]


class HarnessEvaluator:
    """Documents of the harness with their prompts, scored as the harness does.

    Args:
        columns: What to report, in the order of the metrics asked for.
        wanted: What is asked.
        picks: Documents of each task, by their numbers there, ascending: the harness takes them in that order.
        tokens: The tokenizer, the token that begins a text, and those that end one.
        device: The network's.
        longest: Most tokens of a text; 0 goes by the network's config.
        chunk: Texts per call of the network.
    """

    def __init__(
        self,
        columns: tuple[Column, ...],
        wanted: Wanted,
        picks: Mapping[str, Sequence[int]],
        tokens: tuple[Encoding, int | None, tuple[int, ...]],
        device: str,
        longest: int,
        chunk: int,
    ) -> None:
        self.columns = columns
        self.count = sum(map(len, picks.values()))
        self._wanted, self._picks, self._tokens = wanted, picks, tokens
        self._device, self._longest, self._chunk = device, longest, chunk
        tasks = loaded(columns[0].task, wanted)
        self._tasks = {leaf: tasks[leaf] for leaf in picks}
        with _said(columns[0].task, wanted.task):
            for leaf, task in self._tasks.items():
                task.build_all_requests(samples=list(picks[leaf]), rank=0, world_size=1)

    def __call__(self, network: nn.Module, context: Context) -> tuple[Score, ...]:
        """Score a network; see :class:`solera.api.Evaluator`."""
        import torch

        encoding, first, end = self._tokens
        asked = Asked(
            network, encoding, self.columns[0].task, context, device=self._device, first=first, end=end,
            longest=self._longest, chunk=self._chunk,
        )  # fmt: skip
        with _said(self.columns[0].task, self._wanted.task):
            with torch.inference_mode():
                self._answer(asked)
            values = {leaf: self._documents(leaf, asked.lost) for leaf in self._tasks}
        pairs = zip(self.columns, self._wanted.metrics, strict=True)
        return tuple(self._score(column, theirs, values) for column, theirs in pairs)

    def _answer(self, asked: Asked) -> None:
        """Put the network's answer to every request into it."""
        requests: dict[str, list[Any]] = defaultdict(list)
        for task in self._tasks.values():
            for instance in task.instances:
                instance.resps, instance.filtered_resps = [], {}
                requests[instance.request_type] += [instance] * (instance.repeats or 1)
        for kind, some in requests.items():
            answer = getattr(asked, kind, None)
            if answer is None:
                raise TaskError(
                    f"Task '{self.columns[0].task}' asks the network for {kind}, which is no likelihood and no text.",
                    task=self.columns[0].task,
                )
            for instance, response in zip(some, answer(some), strict=True):
                instance.resps.append(response)
        for task in self._tasks.values():
            task.apply_filters()

    def _documents(self, leaf: str, lost: set[int]) -> list[dict[str, Any]]:
        """What the harness makes of each document's answers, in the order of the picks; all NaN where one is lost."""
        task = self._tasks[leaf]
        by_document: dict[int, list[Any]] = defaultdict(list)
        for instance in task.instances:
            by_document[instance.doc_id].append(instance)
        found = []
        for place in range(len(self._picks[leaf])):
            own = sorted(by_document[place], key=lambda each: each.idx)
            if any(id(instance) in lost for instance in own):
                found.append(dict.fromkeys(self._wanted.metrics, math.nan))
                continue
            metrics: dict[str, Any] = {}
            for name in own[0].filtered_resps:  # of several filters the first that has a metric counts
                said = task.process_results(own[0].doc, [each.filtered_resps[name] for each in own])
                metrics = {**said, **metrics}
            found.append(metrics)
        return found

    def _score(self, column: Column, theirs: str, values: Mapping[str, list[dict[str, Any]]]) -> Score:
        lacking = [leaf for leaf, rows in values.items() if any(theirs not in row for row in rows)]
        if lacking:
            known = ", ".join(sorted(set(values[lacking[0]][0]) - {theirs})) or "nothing"
            raise TaskError(
                f"Task '{column.task}': '{lacking[0]}' of the harness does not measure {theirs}; it measures {known}.",
                task=column.task,
            )
        each = {leaf: [row[theirs] for row in rows] for leaf, rows in values.items()}
        flat = [value for rows in each.values() for value in rows]
        single = [not isinstance(value, (tuple, list, dict, str)) for value in flat]
        samples = np.array(flat, dtype=np.float64) if all(single) else None
        if samples is not None and np.isnan(samples).any():
            return aggregate(column, samples)
        parts = {leaf: float(self._tasks[leaf].aggregation()[theirs](rows)) for leaf, rows in each.items()}
        if samples is not None and all(math.isclose(parts[leaf], np.mean(each[leaf]), abs_tol=1e-9) for leaf in each):
            return aggregate(column, samples)
        if len(parts) > 1:
            raise TaskError(
                f"Task '{column.task}': {theirs} is no mean over documents, so a group of tasks has none; name one "
                "task.",
                task=column.task,
            )
        return Score(column, next(iter(parts.values())), math.nan, self.count)


class DivisibleHarnessEvaluator(HarnessEvaluator):
    """One whose metrics are means over documents, so that a part of them can be scored."""

    groups: NDArray[np.int64] | None = None

    def part(self, rows: NDArray[np.int64]) -> _Reordered:
        """Some of the documents."""
        flat = [(leaf, row) for leaf, own in self._picks.items() for row in own]
        chosen = [flat[row] for row in rows.tolist()]
        picks = {leaf: sorted(row for other, row in chosen if other == leaf) for leaf in self._picks}
        kept = {leaf: own for leaf, own in picks.items() if own}
        made = [(leaf, row) for leaf, own in kept.items() for row in own]
        place = {item: i for i, item in enumerate(made)}
        inner = HarnessEvaluator(
            self.columns, self._wanted, kept, self._tokens, self._device, self._longest, self._chunk
        )
        return _Reordered(inner, np.array([place[item] for item in chosen], dtype=np.int64))


class _Reordered:
    """An evaluator whose samples come in another order: a group's tasks take turns where it was divided."""

    def __init__(self, inner: HarnessEvaluator, order: NDArray[np.int64]) -> None:
        self.columns, self.count = inner.columns, inner.count
        self._inner, self._order = inner, order

    def __call__(self, network: nn.Module, context: Context) -> tuple[Score, ...]:
        """Score a network; see :class:`solera.api.Evaluator`."""
        scores = self._inner(network, context)
        return tuple(
            score if score.samples is None else aggregate(score.column, score.samples[self._order]) for score in scores
        )


def loaded(name: str, wanted: Wanted) -> dict[str, Any]:
    """The tasks of the harness behind a name, by their own names, with prompts as asked for.

    Raises:
        TaskError: lm-evaluation-harness is not installed, knows no such task, or cannot get its data.
    """
    with _said(name, wanted.task):
        found = _found(name, wanted)
        for task in found.values():
            own = task.get_config("num_fewshot")
            if wanted.fewshot >= 0 and own != 0:  # a task that says 0 means it
                task.set_config(key="num_fewshot", value=wanted.fewshot)
            elif own is None:
                task.set_config(key="num_fewshot", value=0)
            task.set_fewshot_seed(seed=_FEWSHOT_SEED)
    return found


def _found(name: str, wanted: Wanted) -> dict[str, Any]:
    """New task objects of the harness, those of one's own folder first."""
    try:
        import lm_eval.tasks  # noqa: F401
    except ImportError as error:
        raise TaskError(
            f"Task '{name}' needs lm-evaluation-harness: pip install 'solera[lm-eval]'.", task=name
        ) from error
    if wanted.folder and not Path(wanted.folder).is_dir():
        raise TaskError(f"Task '{name}': there is no folder {wanted.folder}.", task=name)
    if wanted.folder and wanted.task in _manager(wanted.folder, False).all_tasks:
        return dict(_manager(wanted.folder, False).load([wanted.task])["tasks"])
    manager = _manager(wanted.folder, True)
    if wanted.task not in manager.all_tasks:
        near = [known for known in manager.all_tasks if wanted.task.lower() in known.lower()]
        said = f"it has {', '.join(near[:8])}" if near else "nor one whose name has that in it"
        raise TaskError(f"Task '{name}': the harness has no task '{wanted.task}'; {said}.", task=name)
    return dict(manager.load([wanted.task])["tasks"])


@cache
def _manager(folder: str, defaults: bool) -> Any:
    """What knows the harness's tasks: it reads ten thousand files, so once."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=folder or None, include_defaults=defaults)


def _preview(picks: Mapping[str, list[int]], limit: int, seed: int) -> dict[str, list[int]]:
    """So many documents, of every task its share."""
    flat = [(leaf, row) for leaf, own in picks.items() for row in own]
    order = Seed(seed).child("preview").numpy().permutation(len(flat))[:limit]
    kept = {flat[i] for i in order.tolist()}
    found = {leaf: [row for row in own if (leaf, row) in kept] for leaf, own in picks.items()}
    return {leaf: own for leaf, own in found.items() if own}


@contextmanager
def _said(name: str, task: str) -> Iterator[None]:
    """What the harness fails with, as a sentence."""
    try:
        yield
    except SoleraError:
        raise
    except _FAILURES as error:
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise TaskError(f"Task '{name}': '{task}' of lm-evaluation-harness failed: {reason}.", task=name) from error
