"""``solera extract``: what a model has learnt beyond its base, as a low-rank adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solera.cli.screen import JsonEvents, in_count, in_time, show, show_line


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("extract", rich_help_panel="Checkpoints and recipes")(extract)


def extract(
    model: Annotated[str, typer.Argument(help="A checkpoint, an entry of the library, or a recipe.")],
    out: Annotated[Path, typer.Argument(help="The adapter's folder to make.")],
    base: Annotated[str, typer.Option(help="The checkpoint the model was tuned from.")],
    rank: Annotated[int, typer.Option(min=0, help="Most directions of a matrix; 0 for no limit.")] = 0,
    energy: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of each matrix's squared change to hold, such as 0.9.")
    ] = 0.0,
    only: Annotated[list[str] | None, typer.Option(help="Take only modules of such names; may be repeated.")] = None,
    leave: Annotated[list[str] | None, typer.Option(help="Leave out modules of such names; may be repeated.")] = None,
    save_rest: Annotated[
        bool, typer.Option("--save-rest", help="Keep what is no matrix (norms, biases) in the adapter, whole.")
    ] = False,
    dtype: Annotated[str, typer.Option(help="Dtype of the adapter.")] = "float32",
    device: Annotated[str, typer.Option(help="torch device, such as cuda:0.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace an adapter that is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: JsonEvents = False,
) -> None:
    """Write what a model has beyond its base as a low-rank adapter that peft loads."""
    from solera.cli.work import submit_and_run, workbench

    wanted = {
        "rank": rank, "energy": energy, "only": list(only or ()), "leave": list(leave or ()), "save_rest": save_rest,
        "dtype": dtype,
    }  # fmt: skip
    with workbench(device=device) as bench:
        recipe = bench.inputs.recipe(model, Path.cwd())
        source = bench.inputs.recipe(base, Path.cwd()).checkpoints[0].source
        result = submit_and_run(
            bench,
            lambda: bench.submit_extract(recipe, source, out.absolute(), wanted, force, device=device),
            quiet=quiet,
            json=json,
        )
    if json:
        show_line("result", result)
    elif not quiet:
        _report(result)


def _report(result: dict[str, object]) -> None:
    made = result["extracted"]
    assert isinstance(made, dict)
    ranks, count = sorted(set(made["ranks"].values())), len(made["ranks"])
    span = f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {ranks[0]} to {ranks[-1]}"
    modules = f"{count} module{'' if count == 1 else 's'}"
    show(
        f"Wrote {result['out']} in {in_time(float(str(result['seconds'])))}: {modules}, {span}, "
        f"{in_count(made['parameters'])} parameters, {100 * made['share']:.2f} % of the squared change."
    )
    left = made["left_out"]
    if left:
        names = ", ".join(list(left)[:3]) + (" ..." if len(left) > 3 else "")
        show(f"Not in it: {len(left)} tensors with {100 * sum(left.values()):.2f} % of the change ({names}).")
