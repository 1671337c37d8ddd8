"""The landscape benchmark as a page of the documentation: a table and a chart of one run's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from solera.testing.bench_chart import bars
from solera.testing.bench_page import machine_line, write_files


def write_page(report: dict[str, Any], page: Path) -> None:
    """Write a run's figures.

    Args:
        report: What :func:`solera.testing.bench.report` made of the landscape benchmark.
        page: The Markdown file; the chart lies beside it, with the ending ``.svg``.
    """
    write_files(page, text(report, page.with_suffix(".svg").name), chart(report))


def text(report: dict[str, Any], chart_name: str) -> str:
    """The page in Markdown."""
    lines = [
        "# Landscapes: figures",
        "",
        "Written by `solera bench landscape --page`. Networks trained on scikit-learn's digits, planes of one filter "
        "norm in two random directions, CPU seconds of one thread (compilers included), the best of several trials; a "
        "slice of the 51x51 grid is timed and scaled. The peer of an exact grid is loss-landscapes 3.0.6 in the same "
        "run; that of a picture is our own exact grid, which it follows in one process: what was compiled for the one "
        "is there for the other. The floor is the network alone, called as it is. Errors of pictures are the largest "
        "over the cells named.",
        "",
        machine_line(report),
        "",
        f"![CPU time of exact grids]({chart_name})",
        "",
        "| case | what | ours | peer | floor | ratio | at most |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        mark = " (missed)" if row["met"] is False else ""
        cells = [_figure(row[key], row["unit"]) for key in ("ours", "peer", "floor")]
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3f}"
        target = "" if row["target"] is None else f"{row['target']:.3g}"
        lines.append(f"| {row['case']} | {row['metric']} | {' | '.join(cells)} | {ratio}{mark} | {target} |")
    return "\n".join(lines) + "\n"


def chart(report: dict[str, Any]) -> str:
    """Bars of CPU time of exact grids, ours and the peer's, as SVG."""
    rows = [row for row in report["rows"] if row["metric"] == "CPU time"]
    pairs = {row["case"].partition(",")[0]: (row["ours"], row["peer"]) for row in rows}
    return bars(pairs, "upper bar: solera; lower bar: loss-landscapes 3.0.6")


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}".strip()
