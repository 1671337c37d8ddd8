"""Searches that were run several times with other seeds: one line for each kind, with what lies between the seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solera.errors import InputError
from solera.landscapes.pareto import hypervolume, nondominated
from solera.landscapes.volume import reference_of
from solera_app.views.facts import columns, objectives
from solera_app.views.snapshot import Snapshot

Floats = NDArray[np.float64]
#: What may differ between runs of one experiment.
_BESIDE = frozenset({"seed", "title", "device"})


@dataclass(frozen=True, slots=True, eq=False)
class OverSeeds:
    """One experiment over its seeds.

    Attributes:
        name: The explorer, and how many seeds.
        seeds: How many.
        at: Evaluations, shape (n,): as far as every seed came.
        median, low, high: Of the hypervolume over seeds, shape (n,): the median and the quartiles.
    """

    name: str
    seeds: int
    at: Floats
    median: Floats
    low: Floats
    high: Floats


def over_seeds(runs: Sequence[Snapshot]) -> tuple[tuple[OverSeeds, ...], Floats]:
    """Hypervolumes of several searches against one reference, those of equal experiments but for the seed together.

    Each run recorded its own against a reference of its own, which cannot be compared; here all are measured anew, to
    the worst of these references in each objective.

    Args:
        runs: Two or more, of the same objectives.

    Returns:
        The groups, in order of first sight; and the reference, shape (m,), in the scores' own units.

    Raises:
        InputError: The objectives differ, or there are fewer than two.
    """
    named = [[columns(run.header)[place].name for place in objectives(run.header)] for run in runs]
    if any(names != named[0] for names in named) or len(named[0]) < 2:
        said = "; ".join(dict.fromkeys(", ".join(names) or "none" for names in named))
        raise InputError(f"Hypervolumes are compared over the same two objectives or more; these runs have {said}.")
    facts = [columns(runs[0].header)[place] for place in objectives(runs[0].header)]
    signs = np.array([1.0 if each.lower else -1.0 for each in facts])
    scored = [run.points.values[run.search][:, list(objectives(run.header))] * signs for run in runs]
    reference = np.nanmax(
        [_reference(run, named[0], signs, own) for run, own in zip(runs, scored, strict=True)], axis=0
    )
    groups: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        groups.setdefault(_experiment(run), []).append(place)
    found = [_together([runs[i] for i in rows], [scored[i] for i in rows], reference) for rows in groups.values()]
    return tuple(found), reference * signs


def _reference(run: Snapshot, names: Sequence[str], signs: Floats, own: Floats) -> Floats:
    told = [run.indicators.get(f"reference:{name}") for name in names]
    if all(each is not None and each[1].size for each in told):
        return np.array([float(each[1][-1]) for each in told if each is not None]) * signs
    return reference_of(own)


def _experiment(run: Snapshot) -> str:
    kept = {key: value for key, value in run.header.experiment.items() if key not in _BESIDE}
    return json.dumps(kept, sort_keys=True, default=str)


def _together(runs: Sequence[Snapshot], scored: Sequence[Floats], reference: Floats) -> OverSeeds:
    grown = [_grown(values, reference) for values in scored]
    count = min(map(len, grown))
    table = np.array([line[:count] for line in grown]).reshape(len(grown), count)
    low, median, high = np.quantile(table, [0.25, 0.5, 0.75], axis=0)
    explorer = runs[0].header.experiment.get("explorer", {})
    name = str(explorer.get("name", "")) if isinstance(explorer, dict) else ""
    seeds = len({run.header.experiment.get("seed", 0) for run in runs})
    many = f", {seeds} seeds" if seeds > 1 else ""
    return OverSeeds(f"{name}{many}", seeds, np.arange(1, count + 1, dtype=np.float64), median, low, high)


def _grown(values: Floats, reference: Floats) -> Floats:
    """Hypervolume after each point, shape (n,); points that are not finite add nothing."""
    front, volume, found = np.empty((0, reference.size)), 0.0, np.empty(len(values))
    for i, point in enumerate(values):
        if np.isfinite(point).all() and (point < reference).all():
            front = np.vstack([front, point])
            kept = nondominated(front)
            front = front[kept]
            volume = hypervolume(front, reference)
        found[i] = volume
    return found
