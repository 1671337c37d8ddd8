"""What a notebook shows of a model and of a job at work."""

from __future__ import annotations

import sys
from html import escape
from typing import TYPE_CHECKING, Any

from solera.recipes.nodes import CheckpointNode, MethodNode
from solera.recipes.yaml import dump_recipe
from solera.runs.notebook import facts_table

if TYPE_CHECKING:
    from solera.jobs.job import Job
    from solera.jobs.queue import JobQueue
    from solera.recipes.nodes import Recipe
    from solera.workbench.workbench import Workbench

#: Seconds between two looks at a job.
_LOOK = 0.3


def model_html(recipe: Recipe, name: str, bench: Workbench) -> str:
    """A model's facts and its recipe; of weights only headers are read."""
    inputs = [node for node in recipe.nodes if isinstance(node, CheckpointNode)]
    methods = dict.fromkeys(node.method for node in recipe.nodes if isinstance(node, MethodNode))
    rows = [
        ("made from", ", ".join(node.id for node in inputs)),
        ("methods", ", ".join(methods)),
        ("free variables", ", ".join(f"{var.name} {_bounds(var.low, var.high)}".strip() for var in recipe.variables)),
        ("dtype", recipe.dtype),
    ]
    if len(recipe.nodes) == 1 and inputs:
        checkpoint = bench.checkpoints(recipe)[inputs[0].id]
        rows += [
            ("weights", f"{checkpoint.numel:,} in {len(checkpoint):,} tensors, {checkpoint.nbytes / 1e6:,.1f} MB"),
            ("dtypes", ", ".join(checkpoint.dtypes)),
            ("source", inputs[0].source),
        ]
    faults = bench.check(recipe)
    rows.append(("faults", "; ".join(fault.message for fault in faults)))
    text = escape(dump_recipe(recipe))
    return f"{facts_table(name, rows)}<details><summary>Recipe</summary><pre>{text}</pre></details>"


def _bounds(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"from {low:g} to {high:g}"


class JobCell:
    """A job's progress in the output of a cell.

    Args:
        job: The job.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def __repr__(self) -> str:
        job, progress = self._job, self._job.progress
        said = [job.spec.title, job.state]
        if progress is not None and not job.final:
            total = "" if progress.total is None else f" of {progress.total:,.0f}"
            said.append(f"{progress.done:,.0f}{total} {progress.unit}".strip())
            said += [part for part in (progress.text, _left(progress.left)) if part]
        if job.result and job.result.get("summary"):
            said.append(str(job.result["summary"]))
        return " · ".join(said)

    def _repr_html_(self) -> str:
        progress = self._job.progress
        bar = ""
        if progress is not None and progress.total and not self._job.final:
            bar = f'<progress value="{progress.done:g}" max="{progress.total:g}" style="width:24em"></progress><br/>'
        return f"<div>{bar}{escape(repr(self))}</div>"


def wait_in_cell(jobs: JobQueue, job: Job) -> None:
    """Wait for a job; in a notebook its progress is shown in the cell and stays up to date, elsewhere nothing is."""
    display = _display()
    if display is None:
        jobs.wait(job.id)
        return
    cell = JobCell(job)
    handle = display(cell, display_id=True)
    while not job.final:
        jobs.wait(job.id, _LOOK)
        handle.update(cell)
    jobs.wait(job.id)


def _display() -> Any:
    """IPython's ``display``, where this is a notebook's kernel; else None. IPython is never imported for it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or getattr(shell, "kernel", None) is None:
        return None
    from importlib import import_module

    return import_module("IPython.display").display


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"about {minutes} min {rest} s left" if minutes else f"about {rest} s left"
