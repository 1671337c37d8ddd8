"""``solera check`` and ``solera merge``: recipes on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solera.cli.screen import Json, JsonEvents, in_bytes, in_count, in_time, say, show, show_json, show_line, time_of
from solera.errors import InputError

if TYPE_CHECKING:
    from solera.recipes.nodes import Recipe
    from solera.workbench import Workbench

RecipeFile = Annotated[Path, typer.Argument(help="A recipe in YAML.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="A free variable: NAME=VALUE; may be repeated.")]
Device = Annotated[
    str, typer.Option(help="torch device, such as cuda:0; several share a merge: cuda:0,cuda:1, or all.")
]
Dtype = Annotated[str, typer.Option(help="Storage dtype of the result, such as bfloat16.")]
Memory = Annotated[str, typer.Option("--memory-budget", help="Memory it may hold, such as 8GiB.")]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch models of the Hugging Face hub that its local cache lacks.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("check", rich_help_panel="Checkpoints and recipes")(check)
    app.command("merge", rich_help_panel="Checkpoints and recipes")(merge)


def check(
    recipe: RecipeFile,
    set_: Set = None,
    device: Device = "",
    dtype: Dtype = "",
    memory_budget: Memory = "",
    download: Download = False,
    show_recipe: Annotated[
        bool, typer.Option("--show-recipe", help="Print it in Solera's own form: what a mergekit file means.")
    ] = False,
    json: Json = False,
) -> None:
    """Show all faults of a recipe, or what it costs: bytes read, held and written, and the time."""
    from solera.cli.work import workbench
    from solera.errors import FaultsError
    from solera.recipes.yaml import dump_recipe

    with workbench(device=device) as bench:
        try:
            loaded = _load(bench, recipe, download)
            cost = _cost(bench, loaded, set_, device, dtype, memory_budget)
        except FaultsError as error:
            if not json:
                raise
            show_json({"ok": False, **error.to_plain()["fields"]})
            raise typer.Exit(2) from error
    if json:
        show_json({"ok": True, "faults": [], **cost, "recipe": dump_recipe(loaded)})
    else:
        if show_recipe:
            show(dump_recipe(loaded))
        show(f"{recipe} is right.")
        _show_cost(cost)


def merge(
    recipe: RecipeFile,
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    set_: Set = None,
    device: Device = "",
    dtype: Dtype = "",
    memory_budget: Memory = "",
    shard_size: Annotated[str, typer.Option(help="Most bytes of a file of the result, such as 2GiB.")] = "",
    allow_nonfinite: Annotated[
        bool, typer.Option("--allow-nonfinite", help="Let NaN and infinity pass, with a warning, instead of failing.")
    ] = False,
    download: Download = False,
    process: Annotated[
        bool | None,
        typer.Option(
            "--process/--thread", help="Run in a process of its own, or not; else the recipe's methods decide."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost; write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a checkpoint that is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: JsonEvents = False,
) -> None:
    """Make the weights of a recipe and write them as a checkpoint."""
    from solera.cli.work import submit_and_run, workbench

    with workbench(device=device) as bench:
        loaded = _load(bench, recipe, download, quiet=quiet)
        if dry_run:
            cost = _cost(bench, loaded, set_, device, dtype, memory_budget, out.absolute(), force=force)
            if json:
                show_line("result", cost)
            else:
                _show_cost(cost)
            return
        result = submit_and_run(
            bench,
            lambda: bench.submit_merge(
                loaded, out.absolute(), dtype, force, numbers=_numbers(set_, loaded), device=device,
                memory_budget=_bytes(memory_budget), shard_bytes=_bytes(shard_size), allow_nonfinite=allow_nonfinite,
                process=process,
            ),
            quiet=quiet,
            json=json,
        )  # fmt: skip
    if json:
        show_line("result", result)
    elif not quiet:
        show(f"{'Copied to' if result['reused'] else 'Wrote'} {result['out']} in {in_time(result['seconds'])}.")


def _load(bench: Workbench, recipe: Path, download: bool, *, quiet: bool = False) -> Recipe:
    """The recipe of a file; what of it is done otherwise than by the program it was written for is said on stderr."""
    bench.inputs.download = download
    loaded = bench.recipe(str(recipe), Path.cwd())
    for note in () if quiet else bench.inputs.notes:
        say(note)
    return loaded


def _cost(
    bench: Workbench, recipe: Recipe, set_: list[str] | None, device: str, dtype: str, memory: str,
    out: Path | None = None, *, force: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """What a merge takes: ``{"plan": Plan.summary(), "expected": {"seconds", "basis"}, "statistics"}``."""
    import dataclasses

    from solera.execution.stream import check_output

    numbers = _numbers(set_, recipe)
    plan = bench.plan(recipe, numbers=numbers, dtype=dtype, memory_budget=_bytes(memory), device=device)
    if out is not None:
        check_output(plan, out, force=force)
    expected = bench.expected(plan, device=device, numbers=numbers)
    found = {"plan": plan.summary(), "expected": dataclasses.asdict(expected)}
    measured = bench.statistics(recipe, device=device, tried=True)
    return {**found, "statistics": measured} if measured else found


def _bytes(text: str) -> int:
    from solera.settings import parse_bytes

    return parse_bytes(text) if text else 0


def _numbers(set_: list[str] | None, recipe: Recipe) -> dict[str, float]:
    """``NAME=VALUE`` options as numbers of the recipe's variables."""
    known = [var.name for var in recipe.variables]
    numbers: dict[str, float] = {}
    for item in set_ or []:
        name, equals, text = item.partition("=")
        try:
            numbers[name] = float(text)
        except ValueError:
            equals = ""
        if not equals:
            raise InputError(f"--set takes NAME=NUMBER, not '{item}'.", option=item)
        if name not in known:
            raise InputError(
                f"The recipe has no variable '{name}'; it has: {', '.join(known) or 'none'}.", variable=name
            )
    return numbers


def _show_cost(cost: dict[str, Any]) -> None:
    plan, seconds = cost["plan"], cost["expected"]["seconds"]
    show(
        f"Reads {in_bytes(plan['reads'])}, holds at most {in_bytes(plan['holds'])}, writes {in_bytes(plan['writes'])}: "
        f"{in_count(plan['parameters'])} parameters in {plan['tensors']} tensors, {plan['computed']} computed."
    )
    if plan["devices"]:
        show(f"Computes on {', '.join(plan['devices'])}, holds at most {in_bytes(plan['device_holds'])} on each.")
    basis = cost["expected"]["basis"]
    show(f"Takes about {in_time(seconds)}, by {basis}." if seconds is not None else f"How long is not known: {basis}.")
    for one in cost.get("statistics", ()):
        what = f"The statistic '{one['node']}' ({one['statistic']} of {one['of']} on {one['task']}, {one['split']})"
        if one["ready"]:
            show(f"{what} is there.")
        else:
            show(
                f"{what} is computed first: {one['examples']} examples, {one['passes']} each, holds at most "
                f"{in_bytes(one['holds'])} beside its data; {time_of(one)}."
            )
    for change, count in plan["casts"].items():
        show(f"Cast from {change}: {count} tensors.")
    if plan["tied"]:
        show(f"Written once, for they are tied: {_some(f'{a} is {b}' for a, b in plan['tied'].items())}.")
    if plan["copied"]:
        show(f"Copied from '{plan['reference']}', for they hold integers: {_some(plan['copied'])}.")
    if plan["dropped"]:
        show(f"Left out, for '{plan['reference']}' has them not: {_some(plan['dropped'])}.")
    if plan["first_passes"]:
        show(f"Read twice, for these look at the whole model first: {', '.join(plan['first_passes'])}.")


def _some(names: Iterable[str]) -> str:
    """The first few of a list, and how many more there are."""
    shown = list(names)
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(shown[:5]) + more
