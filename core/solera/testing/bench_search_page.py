"""The search benchmark as a page of the documentation: a table and a chart of one run's curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from solera.testing.bench_page import machine_line, svg, write_files

_COLOURS = {
    "MAP": "#b3541e", "MAP as published": "#d9a05b", "GP": "#5b7f3a", "TPE": "#3b6ea5", "NSGA-II": "#555a63",
    "NSGA-III": "#9aa0a8", "random": "#c9b8d6",
}  # fmt: skip
_NOISE = "Objectives are raw losses, but for a problem that says error rates."
_DIGITS = " `digits` are the demo's experts on 150 validation pictures a task, a real network behind every evaluation."
_TEXT = " `text` is a smaller language model of the demo's kind on 16 windows, a real network behind every evaluation."
_PANEL, _TALL, _GAP, _LEFT, _TOP = 300, 190, 56, 44, 34
#: Lowest share that charts show.
_LOWEST = 0.7


def write_page(report: dict[str, Any], page: Path) -> None:
    """Write a run's figures.

    Args:
        report: What :func:`solera.testing.bench.report` made of the benchmark, with ``"curves"`` too.
        page: The Markdown file; the chart lies beside it, with the ending ``.svg``.
    """
    write_files(page, text(report, page.with_suffix(".svg").name), chart(report["curves"]))


def text(report: dict[str, Any], chart_name: str) -> str:
    """The page in Markdown."""
    seeds = len(report["curves"][0]["needed"]["0.97"]) if report["curves"] else 0
    lines = [
        "# Searching for trade-offs: figures",
        "",
        f"Written by `solera bench search --page`. Evaluations to a share of the best hypervolume known, median (least "
        f"to most) of {seeds} seeds; base and experts count. The reference is the nadir of the best front plus a tenth "
        "of its range; the best front is that of all points any search met, a longer one of MAP's among them. "
        f"{_NOISE}{_DIGITS if any(c['problem'].startswith('digits') for c in report['curves']) else ''}"
        f"{_TEXT if any(c['problem'].startswith('text') for c in report['curves']) else ''}",
        "",
        machine_line(report),
        "",
        f"![Share of the best hypervolume by evaluations]({chart_name})",
        "",
        "| problem | method | to 97 % | to 99 % | share at 20 | at 40 | at 60 | at the end | ms a suggestion |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for curve in report["curves"]:
        shares = [_share(curve["median"], n) for n in (20, 40, 60)]
        end = f"{curve['median'][-1]:.3f} ({len(curve['median'])})"
        needed = [_needed(curve["needed"][share], len(curve["median"])) for share in ("0.97", "0.99")]
        cells = [curve["problem"], curve["method"], *needed, *shares, end, f"{1e3 * curve['thought']:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Promises", "", "| problem | figure | measured | at most | kept |", "|---|---|---|---|---|"]
    for row in report["rows"]:
        if row["target"] is not None:
            judged = row["ours"] if row["ratio"] is None else row["ratio"]
            figure = "not reached" if judged >= 1e6 else f"{judged:.3g}"
            kept = "yes" if row["met"] else "**no**"
            lines.append(f"| {row['case']} | {row['metric']} | {figure} | {row['target']:.3g} | {kept} |")
    return "\n".join(lines) + "\n"


def _share(middle: Sequence[float], n: int) -> str:
    return f"{middle[n - 1]:.3f}" if len(middle) >= n else ""


def _needed(needed: Sequence[float | None], points: int) -> str:
    """``"35 (31-40)"``; what was not reached is more than the evaluations there were."""
    numbers = sorted(float("inf") if each is None else each for each in needed)
    said = [
        f"{each:.0f}" if each != float("inf") else f">{points}" for each in (median(numbers), numbers[0], numbers[-1])
    ]
    return f"{said[0]} ({said[1]}-{said[2]})"


def chart(curves: Sequence[dict[str, Any]]) -> str:
    """Share of the best hypervolume by evaluations, a panel for each problem: median and middle half over seeds."""
    problems = list(dict.fromkeys(curve["problem"] for curve in curves))
    parts: list[str] = []
    for i, problem in enumerate(problems):
        x, y = _LEFT + (i % 2) * (_PANEL + _GAP), _TOP + (i // 2) * (_TALL + _GAP)
        parts += _panel([curve for curve in curves if curve["problem"] == problem], problem, x, y)
    below = _TOP + (len(problems) + 1) // 2 * (_TALL + _GAP)
    for k, (name, colour) in enumerate(_COLOURS.items()):
        parts.append(f'<rect x="{_LEFT + 92 * k}" y="{below - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 92 * k + 14}" y="{below}" font-size="10">{name}</text>')
    return svg(_LEFT + 2 * (_PANEL + _GAP), below + 16, parts)


def _panel(curves: Sequence[dict[str, Any]], title: str, x: float, y: float) -> list[str]:
    most = max(len(curve["median"]) for curve in curves)

    def place(n: int, share: float) -> str:
        across = x + (n / most) * _PANEL
        return f"{across:.1f},{y + _TALL * (1 - (max(share, _LOWEST) - _LOWEST) / (1 - _LOWEST)):.1f}"

    parts = [f'<text x="{x}" y="{y - 8}">{title}</text>']
    for share in (0.7, 0.8, 0.9, 0.97, 1.0):
        level = place(0, share).partition(",")[2]
        parts.append(f'<line x1="{x}" x2="{x + _PANEL}" y1="{level}" y2="{level}" stroke="#e3e3e3"/>')
        parts.append(f'<text x="{x - 4}" y="{float(level) + 4:.1f}" text-anchor="end" font-size="10">{share:g}</text>')
    for curve in sorted(curves, key=lambda each: each["method"] == "MAP"):
        colour, numbers = _COLOURS[curve["method"]], range(1, len(curve["median"]) + 1)
        band = [place(n, share) for n, share in zip(numbers, curve["high"], strict=True)]
        band += [place(n, share) for n, share in zip(numbers, curve["low"], strict=True)][::-1]
        line = [place(n, share) for n, share in zip(numbers, curve["median"], strict=True)]
        parts.append(f'<polygon points="{" ".join(band)}" fill="{colour}" fill-opacity="0.15"/>')
        parts.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    parts.append(
        f'<text x="{x + _PANEL}" y="{y + _TALL + 14}" text-anchor="end" font-size="10">{most} evaluations</text>'
    )
    return parts
