"""``solera compare``: merging methods side by side on the same models and tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solera.cli.explorations import model_named, tasks_for
from solera.cli.screen import Json, show, show_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare", rich_help_panel="Scores and landscapes")(compare)


def compare(
    models: Annotated[list[str], typer.Argument(help="What is merged: checkpoints, or entries of the library.")],
    base: Annotated[str, typer.Option("--base", help="What they were fine-tuned from.")] = "",
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task", "-t", help="A task of the project; may be repeated; without it all that fit the models."
        ),
    ] = None,
    method: Annotated[list[str] | None, typer.Option("--method", "-m", help="Only this one; may be repeated.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Values tried for how far a method goes; 1 is the default.")] = 5,
    metric: Annotated[str, typer.Option(help="What is tuned for; the tasks' first unless given.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Samples per task; 0 is all.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Record anew even if an equal run is there.")] = False,
    project: Annotated[Path | None, typer.Option("--project", help="The project; the one around here.")] = None,
    device: Annotated[str, typer.Option(help="torch device, such as cuda:0.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: Json = False,
) -> None:
    """Compare all methods that can merge the models, with standard errors; tuned on one split, reported on another."""
    from solera.cli.work import submit_and_run, workbench
    from solera.workbench.contest import contest

    with workbench(project, device=device) as bench:
        shelf = bench.registry.methods
        named = {name: model_named(bench, model) for name, model in zip(_names(models), models, strict=True)}
        experiment = contest(
            named, model_named(bench, base) if base else None, task or tasks_for(bench, models[0]),
            [shelf.describe(name) for name in shelf], names=method or (), steps=steps,
        )  # fmt: skip
        experiment |= {"metric": metric, "limit": limit, "device": device}
        result = submit_and_run(bench, lambda: bench.submit(experiment, fresh=fresh), quiet=quiet)
    if json:
        show_json(result)
        return
    show(result["text"])
    show(
        f"{result['summary']}\nrun {result['run']}{' (recorded before)' if result['reused'] else ''}: {result['path']}"
    )


def _names(models: list[str]) -> list[str]:
    """What the table calls the models: their last part, or all that was said where that is not enough.

    Raises:
        InputError: A model is named twice.
    """
    from solera.errors import InputError

    if len(set(models)) < len(models):
        raise InputError("A model is named twice.", models=models)
    short = [Path(model.removeprefix("library:")).name for model in models]
    return short if len(set(short)) == len(short) and "base" not in short else models
