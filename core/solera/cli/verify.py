"""``solera verify``: fixtures of published methods, run through our own path."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solera.cli.screen import Json, show, show_json

if TYPE_CHECKING:
    from solera.testing.goldens import Result


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", rich_help_panel="Trust")(verify)


def verify(
    folder: Annotated[Path, typer.Argument(help="A goldens root, one kind's folder, or one method's.")],
    json: Json = False,
) -> None:
    """Run every fixture of a folder; each case's largest errors, then 'N passed, N failed'."""
    from solera.extend.registry import Registry
    from solera.settings import load_settings
    from solera.testing.goldens import verify as run_cases

    settings = load_settings()
    registry = Registry.discover(
        settings.all_plugin_folders, disabled=settings.disabled_plugins, safe_mode=settings.safe_mode
    )
    results = []
    for result in run_cases(folder, registry.methods, probes=registry.probes):
        results.append(result)
        if not json and result.outcome in {"passed", "failed"}:
            show("  ".join(part for part in (result.outcome, result.case, _errors(result), result.note) if part))
    passed, failed = (sum(item.outcome == outcome for item in results) for outcome in ("passed", "failed"))
    left_out = [item for item in results if item.outcome not in {"passed", "failed"}]
    if json:
        plain = [
            {
                "case": r.case, "outcome": r.outcome, "error": _plain(r.error), "relative": _plain(r.relative),
                "tolerance": r.tolerance, "note": r.note,
            }
            for r in results
        ]  # fmt: skip
        show_json({"passed": passed, "failed": failed, "cases": plain})
    else:
        for item in left_out:
            show("  ".join(part for part in (item.outcome, item.case, item.note) if part))
        show(f"{passed} passed, {failed} failed")
    if failed or not passed:
        raise typer.Exit(1)


def _errors(result: Result) -> str:
    """``largest error 5.96e-08, relative 1.2e-07 (tolerance 1e-06 + 1e-05 |x|)``; empty where nothing was compared."""
    if math.isnan(result.error):
        return ""
    relative = "" if math.isnan(result.relative) else f", relative {result.relative:.3g}"
    return f"largest error {result.error:.3g}{relative}" + (
        f" (tolerance {result.tolerance})" if result.tolerance else ""
    )


def _plain(number: float) -> float | None:
    return None if math.isnan(number) else number
