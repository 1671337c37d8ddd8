"""``solera evaluate`` and ``solera explore``: scores, and landscapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from solera.cli.requirements import UNMET, parse_requirements
from solera.cli.screen import JsonEvents, say, show, show_line, show_table, with_error
from solera.errors import InputError

ProjectFolder = Annotated[Path | None, typer.Option("--project", help="The project; the one around here unless given.")]
Tasks = Annotated[
    list[str] | None,
    typer.Option("--task", "-t", help="A task; may be repeated; without it all of the project that fit."),
]
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
        tasks = task or tasks_for(bench, model)
        columns = _columns(bench, tasks)
        for requirement in requirements:
            requirement.check(columns)
        result = submit_and_run(
            bench,
            lambda: bench.submit_evaluate(
                model_named(bench, model), tasks, split=_split(split), device=device, factory=factory
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
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPERIMENT|MODEL ...]",
            help="An experiment file, or one of the project's by name; with a family's flag, its models.",
            show_default=False,
        ),
    ] = None,
    line: Annotated[tuple[str, str] | None, typer.Option(help="The line through two models: A B.")] = None,
    plane: Annotated[tuple[str, str, str] | None, typer.Option(help="The plane through three models: A B C.")] = None,
    recipe: Annotated[str, typer.Option(help="The free variables of a recipe.")] = "",
    polyline: Annotated[bool, typer.Option("--polyline", help="Straight lines from each MODEL to the next.")] = False,
    simplex: Annotated[bool, typer.Option("--simplex", help="Blends of the MODELs; of three, a triangle.")] = False,
    subset: Annotated[bool, typer.Option("--subset", help="Which of the MODELs are in a soup.")] = False,
    random_directions: Annotated[
        bool, typer.Option("--random-directions", help="Random directions around the MODEL, filter by filter.")
    ] = False,
    trajectory: Annotated[
        bool, typer.Option("--trajectory", help="The plane in which a run's checkpoints, the MODELs, spread most.")
    ] = False,
    curve: Annotated[
        bool, typer.Option("--curve", help="The curve from the first MODEL to the last, those between its bends.")
    ] = False,
    shares: Annotated[bool, typer.Option("--shares", help="Averages of the MODELs whose shares are free.")] = False,
    blocks: Annotated[bool, typer.Option("--blocks", help="Two MODELs with a ratio for each block of layers.")] = False,
    genome: Annotated[
        bool, typer.Option("--genome", help="Merges of the MODELs, the base first, with values for each layer.")
    ] = False,
    stack: Annotated[bool, typer.Option("--stack", help="Chosen layers of the MODELs, one after another.")] = False,
    subspace: Annotated[bool, typer.Option("--subspace", help="A random subspace through the MODEL.")] = False,
    family: Annotated[
        list[str] | None,
        typer.Option("--family", help="A parameter of the family, NAME=VALUE; see solera families. May be repeated."),
    ] = None,
    task: Tasks = None,
    explorer: Annotated[str, typer.Option(help="Which explorer; see solera explorers.")] = "",
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="Its parameter: NAME=VALUE.")] = None,
    split: Annotated[str, typer.Option(help="What is chosen on.")] = "selection",
    report: Annotated[str, typer.Option(help="What chosen points are scored on; 'none' leaves that out.")] = "report",
    budget: Annotated[int | None, typer.Option(min=0, help="Most points; 0 leaves it to the explorer.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Samples per task, a preview; 0 is all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Root of the randomness.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change an entry of the experiment: explorer.params.points=40; may be repeated."),
    ] = None,
    time_limit: Annotated[
        str, typer.Option(help="Stop after 90s, 5m or 1h, so that it can be gone on with; empty is never.")
    ] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the stopped run; refuse to begin one.")] = False,
    batchnorm: Annotated[
        str, typer.Option(help="Running statistics: frozen, or recalibrated at every point on training examples.")
    ] = "frozen",
    factory: Factory = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Record anew even if an equal run is there.")] = False,
    project: ProjectFolder = None,
    device: Device = "",
    quiet: Quiet = False,
    json: JsonEvents = False,
) -> None:
    """Explore a landscape: a family of models, tasks, an explorer."""
    from solera.cli.work import submit_and_run, workbench
    from solera.workbench.experiment import load_experiment
    from solera.workbench.overrides import overridden, read_seconds

    flags = {
        "polyline": polyline, "simplex": simplex, "subset": subset, "random_directions": random_directions,
        "trajectory": trajectory, "curve": curve, "subspace": subspace, "shares": shares, "blocks": blocks,
        "genome": genome, "stack": stack,
    }  # fmt: skip
    seconds = read_seconds(time_limit) if time_limit else 0.0
    given = {"budget": budget, "limit": limit, "seed": seed}
    changes = [*(change or ()), *(f"{key}={value}" for key, value in given.items() if value is not None)]
    chosen = _chosen({"line": line, "plane": plane, "recipe": recipe}, flags, names or [])
    with workbench(project, device=device) as bench:
        plain: Any
        if chosen is None:
            (experiment,) = names or [""]
            known = bench.experiments()
            plain = load_experiment(known.get(experiment, Path(experiment))).to_plain()
        else:
            form, models = chosen
            told = [model_named(bench, model) for model in models]
            plain = {
                "solera": 1, "kind": "explore",
                "family": {form: told[0] if form == "recipe" else told, **_params(family, "--family")},
                "tasks": task or tasks_for(bench, models[0]),
                "split": _split(split), "report": "" if report == "none" else _split(report),
                "explorer": {"name": explorer or "grid", "params": _params(param)},
                "batchnorm": batchnorm, "device": device, "factory": factory,
            }  # fmt: skip
        plain = overridden(plain, changes)
        result = submit_and_run(
            bench,
            lambda: bench.submit(plain, fresh=fresh, time_limit=seconds, resume=resume),
            quiet=quiet,
            json=json,
        )
    if json:
        show_line("result", result)
        return
    if "text" in result:
        show(result["text"])
    show(
        f"{result['summary']}\nrun {result['run']}{' (recorded before)' if result['reused'] else ''}: {result['path']}"
    )


def _chosen(
    valued: Mapping[str, str | tuple[str, ...] | None], flags: Mapping[str, bool], names: Sequence[str]
) -> tuple[str, list[str]] | None:
    """The form of the family and the models it goes through; None for an experiment.

    Raises:
        InputError: None or several are named.
    """
    said = {form: [value] if isinstance(value, str) else list(value) for form, value in valued.items() if value}
    for form, models in said.items():
        option = next((model for model in models if model.startswith("--")), "")
        if option:
            counted = f"{len(models)} models" if len(models) > 1 else "a recipe"
            raise InputError(f"--{form} takes {counted}; '{option}' stands where one is wanted.", option=form)
    said |= {form: list(names) for form, on in flags.items() if on}
    if not said and len(names) == 1:
        return None
    if len(said) != 1 or (names and not any(flags.values())):
        options = [f"--{form.replace('_', '-')}" for form in flags]
        raise InputError(
            f"Name one of: an experiment, --line A B, --plane A B C, --recipe FILE, or models with one of "
            f"{', '.join(options)}."
        )
    return next(iter(said.items()))


def tasks_for(bench: Any, model: str) -> list[str]:
    """The tasks of a project that a model can be scored on; those left out are said on stderr, with the reasons.

    All of them where none fits: scoring then says why.
    """
    from solera.errors import SoleraError
    from solera.workbench.fitting import unfit

    tasks = list(bench.tasks())
    try:
        reasons = unfit(bench, bench.recipe(model_named(bench, model)), tasks) if len(tasks) > 1 else {}
    except SoleraError:
        return tasks
    if len(reasons) == len(tasks):
        return tasks
    for name, reason in reasons.items():
        say(f"Task '{name}' is left out: {reason}")
    return [name for name in tasks if name not in reasons]


def _columns(bench: Any, tasks: list[str]) -> list[str]:
    """The scores that tasks give: ``"task.metric"``."""
    found = [bench.task(name) for name in tasks]
    return [f"{task.name}.{metric}" for task in found for metric in task.metrics]


def model_named(bench: Any, model: str) -> Any:
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


def _params(items: list[str] | None, option: str = "--param") -> dict[str, Any]:
    """``NAME=VALUE`` options; values as JSON where they are, else text."""
    import json

    found: dict[str, Any] = {}
    for item in items or []:
        name, equals, text = item.partition("=")
        if not equals:
            raise InputError(f"{option} takes NAME=VALUE, not '{item}'.", option=item)
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _percent(column: str) -> bool:
    from solera.tasks.scores import METRICS

    kind = METRICS.get(column.rpartition(".")[2])
    return kind is not None and kind.display == "percent"
