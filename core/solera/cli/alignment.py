"""``solera align``, ``solera zip`` and ``solera rescale``: units in other places, together, or of another size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from solera.cli.screen import JsonEvents, in_time, show, show_line


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("align", rich_help_panel="Checkpoints and recipes")(align)
    app.command("zip", rich_help_panel="Checkpoints and recipes")(zip_models)
    app.command("rescale", rich_help_panel="Checkpoints and recipes")(rescale)


def align(
    model: Annotated[str, typer.Argument(help="The checkpoint that is permuted, or an entry of the library.")],
    to: Annotated[str, typer.Argument(help="The checkpoint it is aligned to, or an entry of the library.")],
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    by: Annotated[str, typer.Option(help="What is compared: weights, or activations on a task's data.")] = "weights",
    task: Annotated[str, typer.Option(help="The task whose training data the networks see.")] = "",
    seed: Annotated[int, typer.Option(help="Of the order in which groups of units are visited.")] = 0,
    tries: Annotated[int, typer.Option(min=1, help="How many orders are tried; the best is kept.")] = 1,
    hold: Annotated[
        list[str] | None, typer.Option(help="Hold groups of such names fast, such as stream; may be repeated.")
    ] = None,
    blend: Annotated[
        float | None, typer.Option(help="Write this point of the line from TO (0) to the aligned model (1) instead.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Restore the statistics of the blend's activations (REPAIR); needs --task.")
    ] = False,
    factory: Annotated[str, typer.Option(help="What makes the network, 'package.module:function'.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a checkpoint that is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: JsonEvents = False,
) -> None:
    """Permute a model's units so that they fit another's; what it computes stays the same."""
    from solera.alignment.rule import Rule
    from solera.cli.work import submit_and_run, workbench
    from solera.workbench.alignment import submit_align

    rule = Rule.from_plain({"by": by, "task": task, "seed": seed, "tries": tries, "hold": list(hold or ())})
    with workbench() as bench:
        sources = [bench.inputs.recipe(each, Path.cwd()).checkpoints[0].source for each in (model, to)]
        result = submit_and_run(
            bench,
            lambda: submit_align(
                bench, sources[0], sources[1], out.absolute(), rule, blend=blend, repair=repair, factory=factory,
                force=force,
            ),
            quiet=quiet,
            json=json,
        )  # fmt: skip
    if json:
        show_line("result", result)
    elif not quiet:
        _report(result, by)


def _report(result: dict[str, Any], by: str) -> None:
    found = result["found"]
    measure = "Inner product of the weights" if by == "weights" else "Sum of the units' correlations"
    show(
        f"Wrote {result['out']} in {in_time(result['seconds'])}: {found['moved']} of {found['units']} units in "
        f"{found['groups']} groups moved."
    )
    show(f"{measure}: {found['before']:.6g} before, {found['after']:.6g} after.")
    show(f"Outputs on a batch moved by {found['change']:.2g} of their size under permutations at random.")
    if result["repaired"]:
        show(f"Statistics of activations restored in {len(result['repaired'])} layers.")


def zip_models(
    models: Annotated[list[str], typer.Argument(help="Checkpoints of one architecture, or entries of the library.")],
    out: Annotated[Path, typer.Argument(help="The folder to make; with --share a folder of folders.")],
    task: Annotated[str, typer.Option(help="The task whose training data the networks see.")],
    share: Annotated[
        list[str] | None,
        typer.Option(help="Zip this group of units alone, and keep for each model what comes after; may be repeated."),
    ] = None,
    within: Annotated[float, typer.Option(min=0, max=1, help="Budget of joints within a network (beta).")] = 0.125,
    again: Annotated[float, typer.Option(min=0, max=1, help="What keeps joined units from more joints (alpha).")] = 0.3,
    factory: Annotated[str, typer.Option(help="What makes the network, 'package.module:function'.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a checkpoint that is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: JsonEvents = False,
) -> None:
    """Join the units of several networks that fire alike (ZipIt): one network, or shared first layers."""
    from solera.cli.work import submit_and_run, workbench
    from solera.workbench.zipping import submit_zip

    with workbench() as bench:
        sources = [bench.inputs.recipe(each, Path.cwd()).checkpoints[0].source for each in models]
        result = submit_and_run(
            bench,
            lambda: submit_zip(
                bench, sources, out.absolute(), task, share=share or (), within=within, again=again, factory=factory,
                force=force,
            ),
            quiet=quiet,
            json=json,
        )  # fmt: skip
    if json:
        show_line("result", result)
    elif not quiet:
        show(f"Wrote {', '.join(result['written'])} in {in_time(result['seconds'])}.")
        show(f"Units of {len(result['groups'])} groups were joined.")
        if result["recalibrated"]:
            show(f"Statistics of {len(result['recalibrated'])} batch normalisations were made anew.")


def rescale(
    model: Annotated[str, typer.Argument(help="A checkpoint, or an entry of the library.")],
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    form: Annotated[
        str, typer.Option(help="unit: what comes into a unit has norm 1; balanced: the norm of what goes out of it.")
    ] = "unit",
    factory: Annotated[str, typer.Option(help="What makes the network, 'package.module:function'.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a checkpoint that is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: JsonEvents = False,
) -> None:
    """Bring the units of a ReLU network to a canonical scale; what it computes stays the same."""
    from solera.cli.work import submit_and_run, workbench
    from solera.workbench.rescaling import submit_rescale

    with workbench() as bench:
        source = bench.inputs.recipe(model, Path.cwd()).checkpoints[0].source
        result = submit_and_run(
            bench,
            lambda: submit_rescale(bench, source, out.absolute(), form, factory=factory, force=force),
            quiet=quiet,
            json=json,
        )
    if json:
        show_line("result", result)
    elif not quiet:
        left = sum(len(units) for units in result["still"].values())
        show(f"Wrote {result['out']} in {in_time(result['seconds'])}: units of {', '.join(result['groups'])} rescaled.")
        if left:
            show(f"Left as they are, for nothing comes in or goes out: {left} units.")
