"""What every task promises before it has seen a network."""

from __future__ import annotations

from typing import Any

from solera.errors import TaskError
from solera.params import specs_from_signature
from solera.tasks.scores import METRICS, SPLITS
from solera.tasks.task import Evaluator, Task


def task_complaints(factory: Any) -> list[str]:
    """What is wrong with a task's factory; empty if it keeps its promises.

    A factory whose parameters are all optional is called; one with required parameters (paths) is left to its author's
    tests. Data that are missing on this machine are not held against it.
    """
    if any(spec.required for spec in specs_from_signature(factory)):
        return []
    task: Any = factory("tried")
    if not isinstance(task, Task):
        return ["It makes something that lacks parts of a task (name, version, metrics, yields, columns, prepare)."]
    complaints = []
    if task.name != "tried":
        complaints.append(f"It was to be named 'tried' and is named '{task.name}'.")
    if task.version < 1:
        complaints.append(f"Its version is {task.version}; versions begin at 1.")
    unknown = [name for name in task.metrics if name not in METRICS]
    if unknown or not task.metrics:
        complaints.append(f"Its metrics are not registered: {', '.join(unknown) or 'it has none'}.")
    elif task.direction != METRICS[task.metrics[0]].better:
        complaints.append(f"It says {task.direction} is better; its first metric says otherwise.")
    return complaints or _data_complaints(task)


def _data_complaints(task: Task) -> list[str]:
    complaints = []
    for split in SPLITS:
        try:
            columns = task.columns(split)
            evaluator: Any = task.prepare(split, device="cpu", limit=8)
        except TaskError:
            continue  # the data are not here
        if tuple(column.metric for column in columns) != task.metrics:
            complaints.append(f"On {split} its columns are {[c.metric for c in columns]}, its metrics {task.metrics}.")
        if any((column.task, column.split) != (task.name, split) for column in columns):
            complaints.append(f"Its columns on {split} name another task or split.")
        if not isinstance(evaluator, Evaluator):
            complaints.append(f"What it prepares on {split} is no evaluator.")
            continue
        if evaluator.count > 8:
            complaints.append(f"Limited to 8 samples of {split} it takes {evaluator.count}.")
        elif tuple(evaluator.columns) != columns:
            complaints.append(f"Its evaluator on {split} has other columns than the task.")
    return complaints
