"""The job kind ``demo``: an example's checkpoints, recipes, tasks and experiments, made in the project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import InputError
from solera.workbench.bench import Bench
from solera.workbench.setting import plain_params

if TYPE_CHECKING:
    from solera.jobs.context import JobContext


def demo_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Make an example; what is there and whole is left as it is.

    Args:
        bench: What jobs share; its project takes the example.
        args: ``{"example": name, "params": {...}}``.
        context: The job's.

    Returns:
        ``{"example", "checkpoints", "recipes", "experiments", "tasks"}``: names; paths relative to the project.
    """
    project = bench.project
    if project is None:
        raise InputError("An example is made in a project; open or create one first.")
    name = str(args["example"])
    shelf = bench.registry.examples
    params = plain_params(dict(args.get("params", {})), shelf.describe(name).params, f"example {name}")
    made = shelf[name](**params).make(project.folder, context)
    for task, entry in made["tasks"].items():
        rest = {key: value for key, value in entry.items() if key != "task"}
        known = project.tasks.get(task)
        if known is None or (known.task, dict(known.params)) != (entry["task"], rest):
            project.set_task(task, str(entry["task"]), rest)
    for path in made["checkpoints"]:
        project.library.add(project.folder / Path(path))
    return {"example": name, **made, "tasks": list(made["tasks"])}
