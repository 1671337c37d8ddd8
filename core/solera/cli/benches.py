"""``solera bench``: our figures beside the peer's and the floor, in one run."""

from __future__ import annotations

from typing import Any

import typer

from solera.cli.screen import Json, say, show, show_json, show_table

#: Benchmarks of the core; installed packages add commands to the group (the window's, for one).
bench = typer.Typer(help="Our figures beside a peer's and a floor, measured in one run.", no_args_is_help=True)

_CORE = {
    "opening": "Opening 100 shards, and solera --help.",
    "merge": "Merges from disk to disk.",
    "landscape": "A 51 x 51 surface, beside loss-landscapes.",
}


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(bench, name="bench", rich_help_panel="Trust")
    for name, help_ in _CORE.items():
        bench.command(name, help=help_)(_command(name))


@bench.command("all")
def run_all(json: Json = False) -> None:
    """Every benchmark of the core, one after the other."""
    found = [_measured(name) for name in _CORE]
    if json:
        show_json(found)
        return
    for plain in found:
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


def _command(name: str) -> Any:
    def run(json: Json = False) -> None:
        plain = _measured(name)
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
