"""The window's benchmark as a page of the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from solera.testing.bench_page import machine_line

#: From here on a person wrote what the figures do not say; it is kept.
NOTES = "## What is missed, and why"


def write_page(report: dict[str, Any], page: Path) -> None:
    """Write a run's figures into a page; from :data:`NOTES` on it stays as it is.

    Args:
        report: What :func:`solera.testing.bench.report` made of the window's benchmark.
        page: The Markdown file.
    """
    before = page.read_text(encoding="utf-8") if page.is_file() else ""
    notes = before[before.index(NOTES) :] if NOTES in before else ""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"{text(report)}\n{notes}".rstrip() + "\n", encoding="utf-8")


def text(report: dict[str, Any]) -> str:
    """The page in Markdown."""
    lines = [
        "# The window: figures",
        "",
        "Written by `solera bench window --page`, on a display in memory (Xvfb) where there is no other. Lateness is "
        "that of a timer of 5 ms; its floor is an empty window beside a process that keeps one core busy. The floor of "
        "a paint is a plain widget that fills its rectangle, that of a start an empty window of Qt. CPU time is that "
        "of the window's own thread, of what is drawn that of its process: where it is far below the time above it, "
        "the rest went to other programs.",
        "",
        machine_line(report),
        "",
        "| case | what | ours | floor | at most | kept |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        kept = {None: "", True: "yes", False: "**no**"}[row["met"]]
        cells = [_figure(row[key], row["unit"]) for key in ("ours", "floor", "target")]
        lines.append(f"| {row['case']} | {row['metric']} | {' | '.join(cells)} | {kept} |")
    return "\n".join(lines) + "\n"


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
