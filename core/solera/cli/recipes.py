"""``solera check`` and ``solera merge``: recipes on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solera.cli.screen import Json, in_bytes, in_count, show, show_json
from solera.errors import InputError

if TYPE_CHECKING:
    from solera.recipes.nodes import Recipe
    from solera.workbench import Workbench

RecipeFile = Annotated[Path, typer.Argument(help="A recipe in YAML.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="A free variable: NAME=VALUE; may be repeated.")]
Dtype = Annotated[str, typer.Option(help="Storage dtype of the result, such as bfloat16.")]
Memory = Annotated[str, typer.Option("--memory-budget", help="Memory it may hold, such as 8GiB.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("check", rich_help_panel="Checkpoints and recipes")(check)
    app.command("merge", rich_help_panel="Checkpoints and recipes")(merge)


def check(
    recipe: RecipeFile, set_: Set = None, dtype: Dtype = "", memory_budget: Memory = "", json: Json = False
) -> None:
    """Show all faults of a recipe, or what it costs: bytes read, held and written."""
    from solera.cli.work import workbench
    from solera.errors import FaultsError

    with workbench() as bench:
        try:
            loaded = bench.recipe(str(recipe), Path.cwd())
            plan = _plan(bench, loaded, set_, dtype, memory_budget)
        except FaultsError as error:
            if not json:
                raise
            show_json({"ok": False, **error.to_plain()["fields"]})
            raise typer.Exit(2) from error
    if json:
        show_json({"ok": True, "faults": [], "plan": plan})
    else:
        show(f"{recipe} is right.")
        _show_plan(plan)


def merge(
    recipe: RecipeFile,
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    set_: Set = None,
    device: Annotated[str, typer.Option(help="torch device, such as cuda:0.")] = "",
    dtype: Dtype = "",
    memory_budget: Memory = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost; write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a checkpoint that is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: Json = False,
) -> None:
    """Make the weights of a recipe and write them as a checkpoint."""
    from solera.cli.work import submit_and_run, workbench
    from solera.settings import parse_bytes

    with workbench(device=device) as bench:
        loaded = bench.recipe(str(recipe), Path.cwd())
        if dry_run:
            plan = _plan(bench, loaded, set_, dtype, memory_budget)
            if json:
                show_json({"plan": plan})
            else:
                _show_plan(plan)
            return
        numbers = _numbers(set_, loaded)
        budget = parse_bytes(memory_budget) if memory_budget else 0
        result = submit_and_run(
            bench,
            lambda: bench.submit_merge(
                loaded, out.absolute(), dtype, force, numbers=numbers, memory_budget=budget, device=device
            ),
            quiet=quiet,
        )
    if json:
        show_json(result)
    elif not quiet:
        show(f"Wrote {result['out']}")


def _plan(bench: Workbench, recipe: Recipe, set_: list[str] | None, dtype: str, memory: str) -> dict[str, Any]:
    from solera.settings import parse_bytes

    budget = parse_bytes(memory) if memory else 0
    return bench.plan(recipe, numbers=_numbers(set_, recipe), dtype=dtype, memory_budget=budget).summary()


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


def _show_plan(plan: dict[str, Any]) -> None:
    show(
        f"Reads {in_bytes(plan['reads'])}, holds at most {in_bytes(plan['holds'])}, writes {in_bytes(plan['writes'])}: "
        f"{in_count(plan['parameters'])} parameters in {plan['tensors']} tensors, {plan['computed']} computed."
    )
    if plan["cast"]:
        show(f"{plan['cast']} tensors change their dtype.")
    if plan["dropped"]:
        show(f"Left out, for not every model has them: {', '.join(plan['dropped'][:5])}.")
    if plan["first_passes"]:
        show(f"Read twice, for these look at the whole model first: {', '.join(plan['first_passes'])}.")
