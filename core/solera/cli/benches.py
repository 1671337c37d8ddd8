"""``solera bench``: our figures beside the peer's and the floor, in one run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from solera.cli.screen import Json, say, show, show_json, show_table
from solera.errors import InputError

bench = typer.Typer(help="Our figures beside a peer's and a floor, measured in one run.", no_args_is_help=True)

#: Measures and gives back what ``solera.testing.bench.report`` makes.
Measure = Callable[[], dict[str, Any]]

_known: dict[str, Measure] = {}

_CORE = {
    "opening": "Opening 100 shards, and solera --help.",
}


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(bench, name="bench", rich_help_panel="Trust")
    for name, help_ in _CORE.items():
        add_bench(name, help_, lambda name=name: _measured(name))  # type: ignore[misc]
    for name in ("merge", "search", "landscape"):
        know_bench(name, lambda name=name: _measured(name))  # type: ignore[misc]


def know_bench(name: str, measure: Measure) -> None:
    """Let ``solera bench all`` measure a benchmark whose command has options of its own."""
    _known[name] = measure


def add_bench(name: str, help_: str, measure: Measure) -> None:
    """Add ``solera bench NAME`` without options."""
    know_bench(name, measure)
    bench.command(name, help=help_)(_command(measure))


@bench.command("merge")
def run_merge(
    small: Annotated[bool, typer.Option("--small", help="Models of a tenth of the size.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where models and mergekit are kept for the next run.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this method; may be repeated.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often we are run; the best counts.")] = 3,
    page: Annotated[Path | None, typer.Option(help="Write the figures there, in Markdown with a chart.")] = None,
    json: Json = False,
) -> None:
    """Merges from disk to disk by each method, beside mergekit with the same files."""
    from solera.testing.bench import report
    from solera.testing.bench_merge import CASES, merge
    from solera.testing.bench_merge_page import write_page

    unknown = [name for name in only or () if name not in CASES]
    if unknown:
        raise InputError(f"The benchmark has no method '{unknown[0]}'; it has {', '.join(CASES)}.", method=unknown[0])
    plain = report("merge", merge(say, small=small, folder=folder, only=tuple(only or ()), rounds=rounds))
    show_measured(plain, page, partial(write_page, small=small), json=json)


@bench.command("search")
def run_search(
    folder: Annotated[Path | None, typer.Option(help="Where models and scores are kept for the next run.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this problem; may be repeated.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many searches of each kind.")] = 5,
    gp: Annotated[bool, typer.Option("--gp/--no-gp", help="Whether Optuna's Gaussian processes take part.")] = True,
    page: Annotated[Path | None, typer.Option(help="Write the figures there, in Markdown with a chart.")] = None,
    json: Json = False,
) -> None:
    """Hypervolume against evaluations: MAP, GP, TPE, NSGA-II, NSGA-III and chance, on the demo's merges."""
    from solera.testing.bench import report
    from solera.testing.bench_search import rows, search
    from solera.testing.bench_search_page import write_page

    curves = search(say, folder=folder, seeds=seeds, only=tuple(only or ()), gp=gp)
    plain = {**report("search", rows(curves)), "curves": [curve.to_plain() for curve in curves]}
    show_measured(plain, page, write_page, json=json)


@bench.command("landscape")
def run_landscape(
    only: Annotated[list[str] | None, typer.Option(help="Only this network; may be repeated.")] = None,
    cells: Annotated[int, typer.Option(min=1, help="Cells of the exact grid that pictures are held against.")] = 2601,
    page: Annotated[Path | None, typer.Option(help="Write the figures there, in Markdown with a chart.")] = None,
    json: Json = False,
) -> None:
    """Loss surfaces, exact and from few points, beside loss-landscapes."""
    from solera.testing.bench import report
    from solera.testing.bench_landscape import landscape
    from solera.testing.bench_landscape_page import write_page

    plain = report("landscape", landscape(say, only=tuple(only or ()), cells=cells))
    show_measured(plain, page, write_page, json=json)


@bench.command("all")
def run_all(json: Json = False) -> int:
    """Every benchmark, one after the other; one that lacks something is named and left out (exit code 2)."""
    found, left_out = [], 0
    for name, measure in _known.items():
        try:
            found.append(measure())
        except InputError as error:
            say(f"{name} is left out: {error}")
            left_out += 1
        else:
            if not json:
                show_figures(found[-1])
    if json:
        show_json(found)
    return 2 if left_out else 0


def show_measured(
    plain: dict[str, Any], page: Path | None, write_page: Callable[[dict[str, Any], Path], object], *, json: bool
) -> None:
    """Show a benchmark's report, as a table or as JSON, and write it as a page where one is wanted."""
    if page is not None:
        write_page(plain, page)
    if json:
        show_json(plain)
    else:
        show_figures(plain)


def show_figures(plain: dict[str, Any]) -> None:
    """A benchmark's rows as a table."""
    show(f"\n{plain['bench']} (solera {plain['version']}, {plain['machine']['cores']} cores)")
    show_table(
        ("case", "what", "ours", "peer", "floor", "ratio", "target", "met"),
        (_cells(row) for row in plain["rows"]),
    )


def _cells(row: dict[str, Any]) -> list[str]:
    unit, ratio = row["unit"], row["ratio"]
    figures = [_figure(row[key], unit) for key in ("ours", "peer", "floor")]
    target = _figure(row["target"], unit if ratio is None else "")
    met = {None: "", True: "yes", False: "no"}[row["met"]]
    return [row["case"], row["metric"], *figures, "" if ratio is None else f"{ratio:.2f}", target, met]


def _command(measure: Measure) -> Any:
    def run(json: Json = False) -> None:
        plain = measure()
        if json:
            show_json(plain)
        else:
            show_figures(plain)

    return run


def _measured(name: str) -> dict[str, Any]:
    from solera.testing.bench import run_bench

    return run_bench(name, say)


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.4g} {unit}"
