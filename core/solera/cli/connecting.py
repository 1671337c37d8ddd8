"""``solera connect``: a curve of low loss between two models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solera.cli.screen import JsonEvents, in_time, show, show_line


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("connect", rich_help_panel="Scores and landscapes")(connect)


def connect(
    a: Annotated[str, typer.Argument(help="The model at one end: a checkpoint, an entry of the library, a recipe.")],
    b: Annotated[str, typer.Argument(help="The model at the other end.")],
    out: Annotated[Path, typer.Argument(help="The folder of the bend; with several bends, OUT-1, OUT-2 ...")],
    task: Annotated[str, typer.Option("--task", "-t", help="On whose training data the loss is made small.")],
    kind: Annotated[str, typer.Option(help="The curve: bezier or polyline.")] = "bezier",
    bends: Annotated[int, typer.Option(min=1, help="How many bends, the ends not counted.")] = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training data.")] = 30,
    rate: Annotated[float, typer.Option(help="Learning rate to begin with.")] = 0.01,
    momentum: Annotated[float, typer.Option(help="Of the gradient descent.")] = 0.9,
    decay: Annotated[float, typer.Option(help="Weight decay of the curve's points.")] = 1e-4,
    batch: Annotated[int, typer.Option(min=1, help="Examples at a time.")] = 128,
    samples: Annotated[int, typer.Option(min=0, help="How many training examples; 0 is all.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the order of examples and the points drawn.")] = 0,
    factory: Annotated[str, typer.Option(help="What makes the network, 'package.module:function'.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a checkpoint that is there.")] = False,
    project: Annotated[Path | None, typer.Option("--project", help="The project; the one around here.")] = None,
    device: Annotated[str, typer.Option(help="torch device, such as cuda:0.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: JsonEvents = False,
) -> None:
    """Train the bends of a curve of low loss between two models; explore it with --curve A BEND B."""
    from solera.cli.explorations import model_named
    from solera.cli.work import submit_and_run, workbench
    from solera.landscapes.bends import Training
    from solera.workbench.connecting import submit_connect

    training = Training(kind, bends, epochs, rate, momentum, decay, batch, seed)  # type: ignore[arg-type]
    with workbench(project, device=device) as bench:
        ends = (model_named(bench, a), model_named(bench, b))
        result = submit_and_run(
            bench,
            lambda: submit_connect(
                bench, ends, out.absolute(), task, training, samples=samples, factory=factory, force=force
            ),
            quiet=quiet,
            json=json,
        )
    if json:
        show_line("result", result)
    elif not quiet:
        show(f"{result['summary'][0].upper()}{result['summary'][1:]} ({in_time(result['seconds'])}).")
        models = " ".join([a, *(Path(bend).name for bend in result["bends"]), b])
        show(f"Explore it: solera explore --curve {models} --family kind={kind}")
