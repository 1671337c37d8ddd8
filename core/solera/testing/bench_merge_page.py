"""The merge benchmark as a page of the documentation: a table and a chart of one run's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from solera.testing.bench_page import machine_line, svg, write_files

_BAR, _GAP, _LEFT, _WIDTH = 14, 12, 130, 620


def write_page(report: dict[str, Any], page: Path, *, small: bool = False) -> None:
    """Write a run's figures.

    Args:
        report: What :func:`solera.testing.bench.report` made of the merge benchmark.
        page: The Markdown file; the chart lies beside it, with the ending ``.svg``.
        small: Whether the models were the small ones.
    """
    write_files(page, text(report, page.with_suffix(".svg").name, small=small), chart(report))


def text(report: dict[str, Any], chart_name: str, *, small: bool = False) -> str:
    """The page in Markdown."""
    models = "110 million" if small else "1.1 billion"
    lines = [
        "# Merging: figures",
        "",
        f"Written by `solera bench merge --page`. Models of {models} parameters in bfloat16 (a base and three tunes), "
        "files in the page cache, fingerprints known, from the command to its end; ours the best of several runs, "
        "mergekit's with `--lazy-unpickle --async-write`, or its defaults where they are better (tried where a run "
        "takes less than a minute). Both run the same mergekit file. "
        "The floor is reading the inputs and writing the result, nothing else.",
        "",
        machine_line(report),
        "",
        f"![Wall time by method]({chart_name})",
        "",
        "| method | ours s | mergekit s | ratio | at most | floor s | after start s | anonymous GiB | mergekit's |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case, rows in _cases(report).items():
        wall, memory, after = rows["wall time"], rows["anonymous memory"], rows["wall time after the start"]
        mark = "" if wall["met"] else " (missed)"
        lines.append(
            f"| {case} | {wall['ours']:.1f} | {wall['peer']:.1f} | {wall['ratio']:.3f}{mark} | {wall['target']:.3f} | "
            f"{wall['floor']:.1f} | {after['ours']:.1f} | {memory['ours']:.2f} | {memory['peer']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def chart(report: dict[str, Any]) -> str:
    """Bars of wall time by method, ours and mergekit's, as SVG."""
    cases = _cases(report)
    most = max((row["peer"] for rows in cases.values() for row in (rows["wall time"],)), default=1.0)
    height = len(cases) * (2 * _BAR + _GAP) + 2 * _GAP + 20
    parts = []
    y = _GAP
    for case, rows in cases.items():
        row = rows["wall time"]
        parts.append(f'<text x="{_LEFT - 8}" y="{y + _BAR + 4}" text-anchor="end">{case}</text>')
        for offset, key, colour in ((0, "ours", "#b3541e"), (_BAR, "peer", "#8a8f98")):
            width = max(row[key] / most * _WIDTH, 1.0)
            parts.append(
                f'<rect x="{_LEFT}" y="{y + offset}" width="{width:.1f}" height="{_BAR - 2}" fill="{colour}"/>'
                f'<text x="{_LEFT + width + 6:.1f}" y="{y + offset + _BAR - 4}">{row[key]:.1f} s</text>'
            )
        y += 2 * _BAR + _GAP
    parts.append(f'<text x="{_LEFT}" y="{y + 14}" fill="#555555">upper bar: solera; lower bar: mergekit 0.1.5</text>')
    return svg(_LEFT + _WIDTH + 80, height, parts)


def _cases(report: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """The rows that have a peer, by case and metric."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in report["rows"]:
        if row["case"] != "start":
            found.setdefault(row["case"], {})[row["metric"]] = row
    return found
