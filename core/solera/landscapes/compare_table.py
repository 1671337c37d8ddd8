"""A comparison as text: one line a model, one column a task."""

from __future__ import annotations

import math
from collections.abc import Sequence

from solera.landscapes.compare import Comparison, Row
from solera.tasks.scores import metric


def markdown(comparison: Comparison) -> str:
    """The table in Markdown, with what its columns mean below it."""
    head, *lines = _cells(comparison)
    rule = ["---", *("---:" for _ in head[1:-1]), "---"]
    body = "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))
    return f"{body}\n\n{legend(comparison)}\n"


def plain(comparison: Comparison) -> str:
    """The table for a terminal, columns aligned."""
    cells = _cells(comparison)
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = [
        "  ".join(
            text.ljust(width) if i in {0, len(widths) - 1} else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines) + "\n\n" + legend(comparison) + "\n"


def legend(comparison: Comparison) -> str:
    """What the numbers are: metric, unit, split, sample counts, and what 'within noise' means."""
    kind = metric(comparison.metric)
    unit = "%" if kind.display == "percent" else kind.unit
    scores = [score for score in comparison.rows[0].scores if score.column.metric == comparison.metric]
    sizes = ", ".join(f"{score.column.task} {_share(score.count, score.column.count)}" for score in scores)
    best = comparison.best_single
    against = (
        f" The gain is how much better the mean is than that of the best single model there ({best}), paired by "
        "sample; it is within noise if it is less than two standard errors."
        if best
        else ""
    )
    chosen = f"; variables were chosen on the {comparison.chosen_on} split" if comparison.chosen_on else ""
    return (
        f"{kind.title}{f' ({unit})' if unit else ''}, {kind.better} is better, ± one standard error, on the "
        f"{comparison.columns[0].split} split (samples: {sizes}){chosen}.{against}"
    )


def _share(count: int, whole: int) -> str:
    """How many samples a number is of; of how many, where it is a preview."""
    return f"{count} of {whole}" if 0 < count < whole else str(count)


def _cells(comparison: Comparison) -> list[list[str]]:
    tasks = [column.task for column in comparison.columns if column.metric == comparison.metric]
    gains = bool(comparison.best_single)
    head = ["model", *tasks, "mean", *(["gain"] if gains else []), "chosen"]
    return [head, *(_line(row, comparison, gains) for row in comparison.rows)]


def _line(row: Row, comparison: Comparison, gains: bool) -> list[str]:
    name = comparison.metric
    scores = [number(s.value, s.stderr, name) for s in row.scores if s.column.metric == name]
    gain = []
    if gains:
        if row.gain is None:
            gain = ["best single"]
        else:
            noise = " (within noise)" if row.gain.within_noise else ""
            gain = [number(row.gain.value, row.gain.stderr, name, signed=True) + noise]
    chosen = ", ".join(f"{key} {value:g}" for key, value in row.numbers.items())
    return [row.name, *scores, number(row.mean.value, row.mean.stderr, name), *gain, chosen]


def number(value: float, stderr: float, measure: str, *, signed: bool = False) -> str:
    """``"61.3 ± 1.0"``: percent metrics times 100 with one decimal, others with three."""
    percent = metric(measure).display == "percent"
    factor, digits = (100.0, 1) if percent else (1.0, 3)
    if math.isnan(value):
        return "not a number"
    text = f"{factor * value:{'+' if signed else ''}.{digits}f}"
    return text if math.isnan(stderr) else f"{text} ± {factor * stderr:.{digits}f}"


def summary(comparison: Comparison) -> str:
    """One line for a run list: the best merged model and its gain."""
    merged: Sequence[Row] = [row for row in comparison.rows if not row.single and not math.isnan(row.mean.value)]
    if not merged:
        return f"{len(comparison.rows)} models compared"
    sign = 1 if metric(comparison.metric).better == "higher" else -1
    best = max(merged, key=lambda row: sign * row.mean.value)
    text = f"best {best.name}: {number(best.mean.value, best.mean.stderr, comparison.metric)}"
    if best.gain is None:
        return text
    return f"{text}, {number(best.gain.value, best.gain.stderr, comparison.metric, signed=True)} over the best single"
