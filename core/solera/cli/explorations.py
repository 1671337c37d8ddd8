"""``solera evaluate`` and ``solera explore``: scores, and landscapes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from solera.cli.requirements import UNMET, parse_requirements
from solera.cli.screen import JsonEvents, say, show, show_line, show_table, with_error
from solera.errors import InputError

ProjectFolder = Annotated[Path | None, typer.Option("--project", help="The project; the one around here unless given.")]
Tasks = Annotated[list[str] | None, typer.Option("--task", "-t", help="A task of the project; may be repeated.")]
Device = Annotated[str, typer.Option(help="torch device, such as cuda:0.")]
Factory = Annotated[
    str, typer.Option(help="What makes the network where no config says it: 'package.module:function'.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("evaluate", rich_help_panel="Scores and landscapes")(evaluate)
    app.command("explore", rich_help_panel="Scores and landscapes")(explore)


def evaluate(
    model: Annotated[str, typer.Argument(help="A checkpoint, an entry of the library, or a recipe.")],
    task: Tasks = None,
    split: Annotated[str, typer.Option(help="On which data: train, selection or report.")] = "report",
    factory: Factory = "",
    project: ProjectFolder = None,
    device: Device = "",
    require: Annotated[
        list[str] | None,
        typer.Option("--require", help="Fail with exit code 4 unless it holds: 'code.loss<=1.80'; may be repeated."),
    ] = None,
    quiet: Quiet = False,
    json: JsonEvents = False,
) -> None:
    """Score a model on tasks, with standard errors."""
    from solera.cli.work import submit_and_run, workbench

    requirements = parse_requirements(require or ())
    with workbench(project, device=device) as bench:
        columns = _columns(bench, task)
        for requirement in requirements:
            requirement.check(columns)
        result = submit_and_run(
            bench,
            lambda: bench.submit_evaluate(
                _model(bench, model), task or (), split=_split(split), device=device, factory=factory
            ),
            quiet=quiet,
            json=json,
        )
    scores = result["comparison"]["rows"][0]["scores"]
    values = {name: float(score["value"]) for name, score in scores.items()}
    verdicts = [requirement.judge(values) for requirement in requirements]
    if json:
        show_line("result", {"run": result["run"], "split": split, "scores": scores, "requirements": verdicts})
    else:
        show_table(
            ("score", f"on the {split} split", "samples"),
            ((name, with_error(s["value"], s["stderr"], _percent(name)), s["count"]) for name, s in scores.items()),
        )
    unmet = [verdict for verdict in verdicts if not verdict["met"]]
    for verdict in unmet:
        say(f"solera: {verdict['require']} is not met: {verdict['column']} is {verdict['value']:.6g}.")
    if unmet:
        raise typer.Exit(UNMET)


def explore(
    experiment: Annotated[str, typer.Argument(help="An experiment file, or one of the project's by name.")] = "",
    line: Annotated[tuple[str, str] | None, typer.Option(help="The line through two models: A B.")] = None,
    plane: Annotated[tuple[str, str, str] | None, typer.Option(help="The plane through three models: A B C.")] = None,
    recipe: Annotated[str, typer.Option(help="The free variables of a recipe.")] = "",
    task: Tasks = None,
    explorer: Annotated[str, typer.Option(help="Which explorer; see solera explorers.")] = "",
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="Its parameter: NAME=VALUE.")] = None,
    split: Annotated[str, typer.Option(help="What is chosen on.")] = "selection",
    report: Annotated[str, typer.Option(help="What chosen points are scored on; 'none' leaves that out.")] = "report",
    budget: Annotated[int, typer.Option(min=0, help="Most points; 0 leaves it to the explorer.")] = 0,
    limit: Annotated[int, typer.Option(min=0, help="Samples per task; 0 is all.")] = 0,
    seed: Annotated[int, typer.Option(help="Root of the randomness.")] = 0,
    factory: Factory = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Record anew even if an equal run is there.")] = False,
    project: ProjectFolder = None,
    device: Device = "",
    quiet: Quiet = False,
    json: JsonEvents = False,
) -> None:
    """Explore a landscape: a family of models, tasks, an explorer."""
    from solera.cli.work import submit_and_run, workbench

    families: list[dict[str, Any]] = []
    families += [{"line": list(line)}] if line else []
    families += [{"plane": list(plane)}] if plane else []
    families += [{"recipe": recipe}] if recipe else []
    if len(families) + bool(experiment) != 1:
        raise InputError("Name one of: an experiment, --line A B, --plane A B C, --recipe FILE.")
    with workbench(project, device=device) as bench:
        plain: Any
        if experiment:
            known = bench.experiments()
            plain = known.get(experiment, Path(experiment))
        else:
            family = {
                key: [_model(bench, item) for item in value] if isinstance(value, list) else _model(bench, value)
                for key, value in families[0].items()
            }
            plain = {
                "solera": 1, "kind": "explore", "family": family, "tasks": list(task or bench.tasks()),
                "split": _split(split), "report": "" if report == "none" else _split(report),
                "explorer": {"name": explorer or "grid", "params": _params(param)},
                "budget": budget, "limit": limit, "seed": seed, "device": device, "factory": factory,
            }  # fmt: skip
        result = submit_and_run(bench, lambda: bench.submit(plain, fresh=fresh), quiet=quiet, json=json)
    if json:
        show_line("result", result)
        return
    if "text" in result:
        show(result["text"])
    show(
        f"{result['summary']}\nrun {result['run']}{' (recorded before)' if result['reused'] else ''}: {result['path']}"
    )


def _columns(bench: Any, tasks: list[str] | None) -> list[str]:
    """The scores that tasks give: ``"task.metric"``."""
    found = [bench.task(name) for name in tasks or bench.tasks()]
    return [f"{task.name}.{metric}" for task in found for metric in task.metrics]


def _model(bench: Any, model: str) -> Any:
    """What a person names on the command line: an entry of the library before a path; paths from where they stand."""
    if bench.project is not None and not Path(model).exists() and not model.startswith("library:"):
        bench.project.library.get(model)
        return f"library:{model}"
    return model if model.startswith(("library:", "memory:")) else str(Path(model).absolute())


def _split(text: str) -> str:
    from solera.tasks.scores import SPLITS

    if text not in SPLITS:
        raise InputError(f"A split is one of {', '.join(SPLITS)}, not '{text}'.", split=text)
    return text


def _params(items: list[str] | None) -> dict[str, Any]:
    """``NAME=VALUE`` options; values as JSON where they are, else text."""
    import json

    found: dict[str, Any] = {}
    for item in items or []:
        name, equals, text = item.partition("=")
        if not equals:
            raise InputError(f"--param takes NAME=VALUE, not '{item}'.", option=item)
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _percent(column: str) -> bool:
    from solera.tasks.scores import METRICS

    kind = METRICS.get(column.rpartition(".")[2])
    return kind is not None and kind.display == "percent"
