"""What a run says of itself, in the words of a picture: axis titles, subtitle, state, formatted scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solera.runs.header import RunHeader
from solera.tasks.scores import METRICS, Metric
from solera_app.plots.header import STATE_TOKENS
from solera_app.plots.numerals import counted, listed, measured
from solera_app.views.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A score column in words.

    Attributes:
        place: Its position among the run's columns.
        name: ``"rotated.cross_entropy"``. task: ``"rotated"``. split: ``"selection"``.
        metric: Title, unit, direction; a plain stand-in when the metric is not registered here.
        count: Samples the task has on the split; 0 when not said.
    """

    place: int
    name: str
    task: str
    split: str
    metric: Metric
    count: int

    @property
    def lower(self) -> bool:
        """Whether lower is better."""
        return self.metric.better == "lower"

    @property
    def percent(self) -> bool:
        """Whether fractions are read as percent."""
        return self.metric.display == "percent"

    @property
    def short(self) -> str:
        """``"Rotated loss"``."""
        return _sentence(f"{self.task} {_lower(self.metric.title)}".strip())

    @property
    def unit(self) -> str:
        """``"nats"``, ``"%"``, or nothing."""
        return "%" if self.percent else self.metric.unit

    @property
    def axis(self) -> str:
        """``"Rotated loss (nats per token), lower is better"``."""
        return with_direction(self.short, self.metric)


def with_direction(what: str, metric: Metric) -> str:
    """A quantity with its unit and which way is better."""
    unit = "%" if metric.display == "percent" else metric.unit
    return f"{what}{f' ({unit})' if unit else ''}, {metric.better} is better"


def columns(header: RunHeader) -> tuple[ColumnFacts, ...]:
    """The score columns of a run."""
    found = []
    for place, plain in enumerate(header.columns):
        kind = str(plain.get("metric", plain.get("name", "value")))
        title = str(plain.get("title") or kind.replace("_", " "))
        metric = METRICS.get(kind) or Metric(kind, title[:1].upper() + title[1:], str(plain.get("unit", "")), "lower")
        task, split = str(plain.get("task", "")), str(plain.get("split", ""))
        name = str(plain.get("name", f"{task}.{kind}"))
        found.append(ColumnFacts(place, name, task, split, metric, int(plain.get("count", 0))))
    return tuple(found)


def objectives(header: RunHeader) -> tuple[int, ...]:
    """Positions of the scores a search makes good: those the experiment names, else the first of each task."""
    found = columns(header)
    firsts: dict[str, int] = {}
    for column in found:
        firsts.setdefault(column.task, column.place)
    named = {column.name: column.place for column in found} | firsts
    wanted = header.experiment.get("objectives") or tuple(firsts)
    return tuple(named[str(name)] for name in wanted if str(name) in named)


def format_value(value: float, stderr: float = math.nan, metric: Metric | str | None = None) -> str:
    """``"2.957 ± 0.009"``, significant to its error; percent if the metric is read so.

    Args:
        value: The score.
        stderr: Its standard error; NaN when unknown.
        metric: The metric or its name; None writes a plain number.
    """
    kind = METRICS.get(metric) if isinstance(metric, str) else metric
    return measured(value, stderr, percent=kind is not None and kind.display == "percent")


def coordinate_title(coord: Mapping[str, Any]) -> str:
    """``"Density"``, with its unit if it has one."""
    title = _sentence(str(coord.get("title") or coord.get("name", "")))
    unit = str(coord.get("unit", ""))
    return f"{title} ({unit})" if unit else title


def family_kind(header: RunHeader) -> str:
    """``"line"``, ``"plane"``, ``"recipe"``, or nothing when it is not said."""
    family = header.experiment.get("family", {})
    if not isinstance(family, Mapping):
        return ""
    if "kind" in family:
        return str(family["kind"])
    return next((kind for kind in ("line", "plane", "recipe") if kind in family), "")


def scale(header: RunHeader) -> tuple[float, ...]:
    """Length in weight space of one unit of each coordinate; empty when nobody measured it."""
    family = header.experiment.get("family", {})
    places = (header.experiment, family if isinstance(family, Mapping) else {}, header.provenance)
    for place in places:
        geometry = place.get("geometry")
        if isinstance(geometry, Mapping) and "scale" in geometry:
            found = tuple(float(length) for length in geometry["scale"])
            usable = len(found) == len(header.coords) and all(math.isfinite(s) and s > 0 for s in found)
            return found if usable and any(s != 1.0 for s in found) else ()
    return ()


def subtitle(snapshot: Snapshot, shown: Sequence[ColumnFacts], *, outside: int = 0) -> str:
    """One line: family · task · split · n · method · points · seed; what is not known is left out.

    Args:
        snapshot: The run.
        shown: The scores in the picture.
        outside: How many points of the search were scored and lie outside of the picture.
    """
    header = snapshot.header
    parts = [family_words(header), listed(list(dict.fromkeys(column.task for column in shown if column.task)))]
    splits = list(dict.fromkeys(column.split for column in shown if column.split))
    if splits:
        parts.append(f"{listed(splits)} split")
    parts.append(sample_words(snapshot, shown))
    explorer = header.experiment.get("explorer", {})
    if isinstance(explorer, Mapping) and explorer.get("name"):
        parts.append(str(explorer["name"]).replace("_", " "))
    parts.append(point_words(snapshot, shown, outside))
    seed = header.experiment.get("seed", header.provenance.get("seed"))
    if seed is not None:
        parts.append(f"seed {seed}")
    return " · ".join(part for part in parts if part)


def family_words(header: RunHeader) -> str:
    """What was explored: ``"plane"``, ``"simplex of 4 models"``, ``"recipe of 6 variables"``; or nothing."""
    kind, family = family_kind(header), header.experiment.get("family", {})
    if kind in ("recipe", "stack"):
        return f"{kind} of {counted(len(header.coords), 'variable')}"
    if kind in ("simplex", "subset"):
        models = len(header.coords) + (kind == "simplex")
        return f"{kind} of {counted(models, 'model')}"
    if kind == "trajectory" and isinstance(family, Mapping) and family.get("path"):
        return f"trajectory of {counted(len(family['path']), 'checkpoint')}"
    return kind.replace("_", " ")


def point_words(snapshot: Snapshot, shown: Sequence[ColumnFacts], outside: int = 0) -> str:
    """``"412 of 676 points"``, and where not all are shown, why: ``"28 points: 25 shown, 1 failed, 2 outside"``."""
    done, planned = points_done(snapshot), snapshot.header.planned
    said = f"{done:,} of {planned:,} points" if planned and planned >= done else counted(done, "point")
    places = [column.place for column in shown]
    rows: Any = snapshot.search if snapshot.header.kind == "explore" else slice(None)
    values = snapshot.points.values[rows][:, places]
    failed = int((~np.isfinite(values)).any(axis=1).sum()) if places and snapshot.header.kind == "explore" else 0
    if not failed and not outside:
        return said
    parts = [f"{done - failed - outside:,} shown"]
    parts += [f"{count:,} {word}" for count, word in ((failed, "failed"), (outside, "outside")) if count]
    return f"{said}: {', '.join(parts)}"


def probe_words(snapshot: Snapshot) -> str:
    """One line of a probe's run: probe · task · split · n · models · rows · seed; what is not known is left out."""
    header = snapshot.header
    said, experiment = header.provenance, header.experiment
    probe = said.get("probe", {})
    parts = [str(probe.get("title") or probe.get("name", "")) if isinstance(probe, Mapping) else ""]
    for task in said.get("tasks", ())[:1]:
        parts += [str(task.get("task", "")), f"{task['split']} split" if task.get("split") else ""]
        parts.append(f"n = {task['limit']:,}" if task.get("limit") else "all samples")
    models = next((coord.get("labels", ()) for coord in header.coords if coord.get("of") == "model"), ())
    parts.append(counted(len(models), "model") if models else "")
    done, planned = len(snapshot.points), header.planned
    parts.append(f"{done:,} of {planned:,} rows" if planned and planned > done else counted(done, "row"))
    failed = int((~np.isfinite(snapshot.points.values)).any(axis=1).sum())
    parts.append(f"{failed:,} without a number" if failed else "")
    seed = experiment.get("seed", said.get("seed"))
    parts.append(f"seed {seed}" if seed is not None else "")
    return " · ".join(part for part in parts if part)


def noise_words(snapshot: Snapshot, shown: Sequence[ColumnFacts]) -> str:
    """``" · noise unpaired"`` when what is within noise could not be told by paired differences, else nothing."""
    return "" if all(column.place in snapshot.paired for column in shown) else " · noise unpaired"


def points_done(snapshot: Snapshot) -> int:
    """Points that count towards what was planned: those of the search, where there is one."""
    return int(snapshot.search.sum()) if snapshot.header.kind == "explore" else len(snapshot.points)


def sample_words(snapshot: Snapshot, shown: Sequence[ColumnFacts]) -> str:
    """``"n = 300"``: samples behind each score, and of how many if fewer were taken."""
    places = [column.place for column in shown]
    rows: Any = snapshot.search if snapshot.header.kind == "explore" else slice(None)
    if snapshot.header.kind == "compare" and snapshot.report.any():
        rows = snapshot.report  # what a comparison says; the others chose variables
    counts = snapshot.points.counts[rows][:, places] if places else np.empty((0, 0))
    taken = counts[counts > 0]
    have = [column.count for column in shown if column.count]
    if not taken.size:
        return f"n = {max(have):,}" if have else ""
    low, high = int(taken.min()), int(taken.max())
    each = " each" if len(shown) > 1 else ""
    if low != high:
        return f"n = {low:,} to {high:,}"
    return f"n = {high:,}{f' of {max(have):,}' if have and max(have) > high else ''}{each}"


def state_words(snapshot: Snapshot) -> tuple[str, str]:
    """The state and the token of its colour: ``("Running 61 %", "accent")``."""
    word, token = snapshot.state.capitalize(), STATE_TOKENS.get(snapshot.state, "text-3")
    planned = snapshot.header.planned
    if snapshot.live and planned:
        share = min(100 * points_done(snapshot) // planned, 100)
        again = snapshot.header.kind == "explore" and bool(snapshot.report.any())
        word = "Scoring again on the report split" if again else f"{word} {share} %"
    return word, token


def _sentence(text: str) -> str:
    """Sentence case: the first letter large, the rest as it is; an identifier loses its underscores."""
    text = text.replace("_", " ")
    return text[:1].upper() + text[1:]


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]
