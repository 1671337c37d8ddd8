"""What the pages of all benchmarks share: the line about the machine, and the frame of a chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_files(page: Path, text: str, chart: str) -> None:
    """Write a page and, beside it with the ending ``.svg``, its chart."""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.with_suffix(".svg").write_text(chart, encoding="utf-8")
    page.write_text(text, encoding="utf-8")


def machine_line(report: dict[str, Any]) -> str:
    """What the figures were measured on, a sentence."""
    machine = report["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load']} at the end; solera "
        f"{report['version']}, torch {machine['torch']}, Python {machine['python']}."
    )


def svg(width: float, height: float, parts: Sequence[str]) -> str:
    """A picture on white."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" font-family="sans-serif" '
        'font-size="12">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#ffffff"/>', *parts, "</svg>"]) + "\n"
