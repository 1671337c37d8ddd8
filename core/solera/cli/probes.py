"""``solera probe``: other measurements of checkpoints than scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from solera.cli.explorations import Device, Factory, ProjectFolder, Quiet, _params, _split, model_named
from solera.cli.screen import JsonEvents, show, show_line, show_table, with_error

if TYPE_CHECKING:
    from solera.recipes.nodes import Recipe
    from solera.runs.results import Result
    from solera.workbench import Workbench

#: Rows of a result that are printed; all of them are in the run.
_ROWS = 40


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("probe", rich_help_panel="Scores and landscapes")(probe)


def probe(
    name: Annotated[str, typer.Argument(help="What is measured; see solera probes.")],
    models: Annotated[list[str], typer.Argument(help="Checkpoints, entries of the library, or recipes.")],
    base: Annotated[str, typer.Option(help="The model the others were made from, for a probe that takes one.")] = "",
    task: Annotated[str, typer.Option("--task", "-t", help="The task whose examples are used.")] = "",
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="Its parameter: NAME=VALUE.")] = None,
    split: Annotated[str, typer.Option(help="Which of the task's data: train, selection or report.")] = "train",
    limit: Annotated[int, typer.Option(min=0, help="How many samples; 0 is all.")] = 0,
    seed: Annotated[int, typer.Option(help="Root of what is drawn, and of a part of the samples.")] = 0,
    factory: Factory = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Record anew even if an equal run is there.")] = False,
    project: ProjectFolder = None,
    device: Device = "",
    quiet: Quiet = False,
    json: JsonEvents = False,
) -> None:
    """Measure sharpness, curvature, similarity or another property of models, and record it as a run."""
    from solera.cli.work import submit_and_run, workbench
    from solera.runs.reader import RunReader
    from solera.workbench.probing import named, probe_plain

    with workbench(project, device=device) as bench:
        plain = probe_plain(
            name, named(models, [_recipe(bench, model) for model in models]),
            base=named([base], [_recipe(bench, base)])[0] if base else None, task=task, params=_params(param),
            split=_split(split), limit=limit, seed=seed, device=device, factory=factory,
        )  # fmt: skip
        result = submit_and_run(bench, lambda: bench.submit(plain, fresh=fresh), quiet=quiet, json=json)
        reader = RunReader(result["path"])
        found = reader.result()
        indicators = {key: float(reader.indicator(key)[1][-1]) for key in reader.indicators}
    if json:
        said = {"probe": name, "result": found.kind, "rows": found.records(), "findings": indicators}
        show_line("result", {**result, **said})
        return
    _show(found)
    for key, value in indicators.items():
        show(f"{key}  {value:.6g}")
    again = " (recorded before)" if result["reused"] else ""
    show(f"run {result['run']}{again}: {result['path']}")


def _recipe(bench: Workbench, model: str) -> Recipe:
    return bench.recipe(model_named(bench, model))


def _show(found: Result) -> None:
    """Rows as a table; columns in which nothing was measured are left out."""
    import numpy as np

    there = [j for j in range(len(found.measures)) if not np.isnan(found.values[:, j]).all()]
    heads = [axis.title for axis in found.axes] + [_head(found, j) for j in there]
    rows: list[list[Any]] = []
    for i in range(min(len(found), _ROWS)):
        row: list[Any] = [found.label(k, found.at[i, k]) for k in range(len(found.axes))]
        rows.append([*row, *(_number(found.values[i, j], found.errors[i, j]) for j in there)])
    show_table(heads, rows)
    if len(found) > _ROWS:
        show(f"... and {len(found) - _ROWS} rows more: solera runs export")


def _head(found: Result, measure: int) -> str:
    told = found.measures[measure]
    return f"{told.title} ({told.unit})" if told.unit else told.title


def _number(value: float, stderr: float) -> str:
    import math

    return "" if math.isnan(value) else with_error(value, stderr) if math.isfinite(stderr) else f"{value:.6g}"
