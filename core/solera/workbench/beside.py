"""Several runs beside each other: which settings differ, and what each found; and a run done again with a change."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solera.errors import InputError

if TYPE_CHECKING:
    from solera.runs.points import Points
    from solera.runs.reader import RunReader

#: Parts of an experiment that are long and say what is explored, not how.
_LONG = frozenset({"family", "entries", "base", "recipe", "solera"})


@dataclass(frozen=True, slots=True)
class Found:
    """The best value of a column in one run.

    Attributes:
        value: In the metric's unit; NaN if there is none.
        stderr: Its standard error; NaN if unknown.
        count: Samples.
    """

    value: float
    stderr: float
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    Attributes:
        name: ``"explorer.params.points"``, or a column ``"rotated.accuracy"``.
        kind: ``"setting"``, ``"fact"`` or ``"score"``.
        values: One a run, words; empty where a run has none.
        found: For scores, the numbers, one a run.
        better: For scores: which way is good; empty otherwise.
        noise: For scores: whether best and second best differ by less than two standard errors of their difference.
    """

    name: str
    kind: str
    values: tuple[str, ...] = ()
    found: tuple[Found, ...] = ()
    better: str = ""
    noise: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """Runs beside each other.

    Attributes:
        runs: Their ids. titles: Their titles.
        lines: Settings that differ, then facts, then scores.
        equal: How many settings are equal in all.
    """

    runs: tuple[str, ...]
    titles: tuple[str, ...]
    lines: tuple[Line, ...]
    equal: int


def beside(readers: Sequence[RunReader]) -> Beside:
    """Put runs beside each other.

    A column's value in a run is its best over the points that were searched; where the run scored points again on the
    report split, the line of that split is of those alone.

    Args:
        readers: Two or more.

    Raises:
        InputError: Fewer than two.
    """
    if len(readers) < 2:
        raise InputError(f"Two runs or more are compared, not {len(readers)}.")
    told = [settings_of(reader.header.experiment) for reader in readers]
    for settings, reader in zip(told, readers, strict=True):
        settings["recipe"] = str(reader.header.provenance.get("textual_hash", ""))[-12:]
        settings["weights"] = _weights(reader.header.provenance)
    names = list(dict.fromkeys(name for settings in told for name in settings))
    differ = [name for name in names if len({settings.get(name, "") for settings in told}) > 1]
    lines = [Line(name, "setting", tuple(settings.get(name, "") for settings in told)) for name in differ]
    lines.append(Line("state", "fact", tuple(reader.state for reader in readers)))
    lines.append(Line("points", "fact", tuple(f"{_searched(reader):,}" for reader in readers)))
    seconds = [float(reader.points().seconds.sum()) for reader in readers]
    lines.append(Line("seconds of scoring", "fact", tuple(f"{value:.1f}" for value in seconds)))
    lines += _scores(readers)
    ids = tuple(reader.header.id for reader in readers)
    titles = tuple(reader.header.title for reader in readers)
    return Beside(ids, titles, tuple(lines), len(names) - len(differ))


def _searched(reader: RunReader) -> int:
    """Points without those that were scored again on the report split."""
    return int((reader.points().phase == "search").sum())


def _weights(provenance: Mapping[str, Any]) -> str:
    """What the inputs held, in one word: equal words, equal weights."""
    import hashlib

    inputs = provenance.get("inputs", {})
    prints = sorted(str(item.get("fingerprint", "")) for item in inputs.values())
    return hashlib.sha256("".join(prints).encode()).hexdigest()[:12] if prints else ""


def _scores(readers: Sequence[RunReader]) -> list[Line]:
    from solera.tasks.scores import METRICS

    columns: dict[tuple[str, str], str] = {}
    for reader in readers:
        for column, name in zip(reader.header.columns, reader.header.column_names, strict=True):
            metric = METRICS.get(str(column.get("metric", "")))
            if metric is not None:
                columns[name, "search"] = columns[name, "report"] = metric.better
    lines = []
    for (name, phase), better in sorted(columns.items(), key=lambda item: (item[0][1] != "search", item[0][0])):
        found = tuple(_best(reader, name, phase, better) for reader in readers)
        if sum(not math.isnan(item.value) for item in found) < 2:
            continue
        title = name if phase == "search" else f"{name} (report)"
        lines.append(Line(title, "score", (), found, better, within_noise(found, better)))
    return lines


def _best(reader: RunReader, name: str, phase: str, better: str) -> Found:
    import numpy as np

    points: Points = reader.points()
    if name not in reader.header.column_names:
        return Found(math.nan, math.nan, 0)
    place = reader.header.column_names.index(name)
    counts = np.where(points.phase == phase, points.counts[:, place], 0)
    whole = (counts > 0) & (counts == counts.max(initial=0))  # the others were dropped before they were scored in full
    values = np.where(whole, points.values[:, place], np.nan)
    if not np.isfinite(values).any():
        return Found(math.nan, math.nan, 0)
    at = int(np.nanargmax(values) if better == "higher" else np.nanargmin(values))
    return Found(float(values[at]), float(points.stderrs[at, place]), int(points.counts[at, place]))


def within_noise(found: Sequence[Found], better: str) -> bool:
    """Whether the best two differ by less than two standard errors of their difference (taken as independent)."""
    known = [item for item in found if not math.isnan(item.value)]
    first, second = sorted(known, key=lambda item: item.value, reverse=better == "higher")[:2]
    error = math.hypot(*(0.0 if math.isnan(item.stderr) else item.stderr for item in (first, second)))
    return abs(first.value - second.value) < 2 * error


def settings_of(experiment: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Every plain setting of an experiment by its dotted name, as text; what is explored is left out."""
    found: dict[str, str] = {}
    for key, value in experiment.items():
        if not prefix and key in _LONG:
            continue
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= settings_of(value, f"{name}.")
        else:
            found[name] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return found


def changed(experiment: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment with other settings, by dotted names; a value of None takes a setting out.

    Raises:
        InputError: A name leads through what is no mapping.
    """
    made: dict[str, Any] = copy.deepcopy(dict(experiment))
    for name, value in changes.items():
        *way, last = name.split(".")
        here = made
        for part in way:
            here = here.setdefault(part, {})
            if not isinstance(here, dict):
                raise InputError(f"'{name}' cannot be set: '{part}' is {here!r}, and has no parts.", name=name)
        if value is None:
            here.pop(last, None)
        else:
            here[last] = value
    return made
