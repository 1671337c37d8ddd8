"""``solera statistic``: what data say of a model, computed once and kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solera.cli.screen import JsonEvents, in_bytes, in_time, show, show_line, time_of
from solera.errors import FaultsError, InputError

if TYPE_CHECKING:
    from solera.params import Value


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("statistic", rich_help_panel="Checkpoints and recipes")(statistic)


def statistic(
    kind: Annotated[str, typer.Argument(help="fisher, gram, mean, moments or batchnorm.")],
    model: Annotated[str, typer.Argument(help="A checkpoint, an entry of the library, or a recipe.")],
    task: Annotated[str, typer.Option(help="The task whose examples are used.")],
    split: Annotated[str, typer.Option(help="Which of its data: train, selection or report.")] = "train",
    samples: Annotated[int, typer.Option(min=0, help="How many examples; 0 is all.")] = 0,
    seed: Annotated[int, typer.Option(help="Of a part of the examples, and of what is drawn.")] = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter of the kind, such as labels=sampled; may be repeated."),
    ] = None,
    device: Annotated[str, typer.Option(help="torch device, such as cuda:0.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost; compute nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: JsonEvents = False,
) -> None:
    """Compute a statistic of a model on a task's examples; one that was computed before is found.

    Stopped, it keeps what it has, and the same command goes on.
    """
    from solera.cli.work import submit_and_run, workbench
    from solera.recipes import algebra

    with workbench(device=device) as bench:
        measured = bench.recipe(model, Path.cwd())
        recipe = algebra.statistic(
            kind, measured, task, split=split, samples=samples, seed=seed, params=_params(kind, set_)
        )
        if dry_run:
            faults = [fault for fault in bench.check(recipe) if fault.code != "recipe.output-delta"]
            if faults:
                raise FaultsError(f"statistic {recipe.output}", faults)
            (cost,) = bench.statistics(recipe, device=device, tried=True)[-1:]
            if json:
                show_line("result", cost)
            else:
                there = f"Holds at most {in_bytes(cost['holds'])}; {time_of(cost)}."
                there = f"It is there: {cost['path']}" if cost["ready"] else there
                show(f"{cost['examples']} examples, {cost['passes']} each. {there}")
            return
        result = submit_and_run(
            bench, lambda: bench.submit_statistic(recipe, device=device), quiet=quiet, json=json
        )  # fmt: skip
    if json:
        show_line("result", result)
    elif not quiet:
        how = "Found" if result["reused"] else f"Computed in {in_time(result['seconds'])}"
        show(f"{how}: {result['statistic']} of {result['tensors']} tensors, {result['path']}")


def _params(kind: str, set_: list[str] | None) -> dict[str, Value]:
    """``NAME=VALUE`` options as parameters of the kind."""
    from solera.errors import Fault
    from solera.methods.statistics import STATISTICS
    from solera.params import decode

    if kind not in STATISTICS:
        raise InputError(f"No statistic is called '{kind}'; known: {', '.join(STATISTICS)}.", statistic=kind)
    known = {spec.name: spec for spec in STATISTICS[kind].params}
    found: dict[str, Value] = {}
    faults: list[Fault] = []
    for item in set_ or []:
        name, equals, text = item.partition("=")
        if not equals or name not in known:
            have = ", ".join(known) or "none"
            raise InputError(f"--set takes NAME=VALUE of a parameter of '{kind}' ({have}), not '{item}'.", option=item)
        plain = int(text) if known[name].kind == "int" and text.lstrip("-").isdigit() else text
        value = decode(plain, known[name], f"--set {name}", faults)
        if value is not None:
            found[name] = value
    if faults:
        raise FaultsError(f"statistic {kind}", faults)
    return found
