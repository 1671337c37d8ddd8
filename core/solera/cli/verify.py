"""``solera verify``: fixtures of published methods, run through our own path."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from solera.cli.screen import Json, show, show_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", rich_help_panel="Trust")(verify)


def verify(
    folder: Annotated[Path, typer.Argument(help="A goldens root, one kind's folder, or one method's.")],
    json: Json = False,
) -> None:
    """Run every fixture of a folder; each case's largest error, then 'N passed, N failed'."""
    from solera.extend.registry import Registry
    from solera.settings import load_settings
    from solera.testing.goldens import verify as run_cases

    settings = load_settings()
    registry = Registry.discover(settings.all_plugin_folders, disabled=settings.disabled_plugins)
    results = []
    for result in run_cases(folder, registry.methods):
        results.append(result)
        if not json and result.outcome in {"passed", "failed"}:
            error = "" if math.isnan(result.error) else f"largest error {result.error:.3g}"
            show("  ".join(part for part in (result.outcome, result.case, error, result.note) if part))
    passed, failed = (sum(item.outcome == outcome for item in results) for outcome in ("passed", "failed"))
    left_out = [item for item in results if item.outcome not in {"passed", "failed"}]
    if json:
        plain = [
            {"case": r.case, "outcome": r.outcome, "error": None if math.isnan(r.error) else r.error, "note": r.note}
            for r in results
        ]
        show_json({"passed": passed, "failed": failed, "cases": plain})
    else:
        for item in left_out:
            show("  ".join(part for part in (item.outcome, item.case, item.note) if part))
        show(f"{passed} passed, {failed} failed")
    if failed or not passed:
        raise typer.Exit(1)
