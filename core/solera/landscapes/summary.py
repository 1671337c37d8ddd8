"""What a finished search found: the points worth scoring again, its barriers, a line for a person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solera.landscapes.barriers import Barrier, barriers
from solera.landscapes.explorer import History, Space
from solera.landscapes.pareto import nondominated


def comparable(space: Space, history: History) -> NDArray[np.float64]:
    """The objectives, minimised, shape (n, m); NaN where a point was scored on part of the samples only."""
    points = space.minimised(history.values)
    points[~history.whole(space)] = np.nan
    return points


def best_rows(space: Space, history: History) -> dict[int, int]:
    """Column -> row of its best point, for each objective that has a number at all."""
    points = comparable(space, history)
    return {
        column: int(np.nanargmin(values))
        for column, values in zip(space.objectives, points.T, strict=True)
        if not np.isnan(values).all()
    }


def front_rows(space: Space, history: History) -> list[int]:
    """The rows no other dominates, in the order of the first objective; of equal points the first."""
    points = comparable(space, history)
    front = np.flatnonzero(nondominated(points))
    ordered = front[np.argsort(points[front, 0], kind="stable")]
    return list({tuple(points[row]): int(row) for row in ordered[::-1]}.values())[::-1]


def chosen_points(space: Space, history: History) -> tuple[tuple[float, ...], ...]:
    """What to score again: the named models, the best of each objective, and with two objectives or more the front."""
    rows = list(best_rows(space, history).values())
    if len(space.objectives) > 1:
        rows += front_rows(space, history)
    places = [*space.labels.values(), *(tuple(map(float, history.coords[row])) for row in rows)]
    return tuple(dict.fromkeys(places))


def line_barriers(space: Space, history: History) -> dict[str, dict[str, Barrier]]:
    """The barriers along one coordinate from t = 0 to t = 1: objective's name -> barrier's name -> barrier.

    Empty where there is more than one coordinate or an end was not scored. Points on part of the samples do not count.
    """
    whole = history.whole(space)
    t = history.coords[whole, 0]
    if len(space.coords) != 1 or not ((t == 0).any() and (t == 1).any()):
        return {}
    points = space.minimised(history.values[whole])
    return {
        space.columns[column].name: {str(name): barrier for name, barrier in barriers(t, values).items()}
        for column, values in zip(space.objectives, points.T, strict=True)
    }


def summary_line(space: Space, history: History, volume: float | None, found: dict[str, dict[str, Barrier]]) -> str:
    """One line for a person: the hypervolume, or the best points and chord barriers."""
    if volume is not None:
        return f"hypervolume {volume:.4g}, {len(front_rows(space, history))} of {len(history)} points on the front"
    parts = []
    for column, row in best_rows(space, history).items():
        place = _place(space, history.coords[row])
        parts.append(f"best {space.columns[column].name} {history.values[row, column]:.4g} {place}")
    for name, by_name in found.items():
        chord = by_name["chord"]
        where = f"at {space.coords[0].name} = {chord.at:.3g}"
        parts.append(f"barrier of {name} {chord.height:.4g} {where}" if chord.height > 0 else f"no barrier of {name}")
    return "; ".join(parts)


def _place(space: Space, coords: NDArray[np.float64]) -> str:
    """Where a point is: ``"at a = 1, b = 0.5"``; of a subset which models are in it, ``"that takes a and takes b"``."""
    if space.kind == "subset":
        members = [coord.title for coord, value in zip(space.coords, coords, strict=True) if value]
        return f"that {' and '.join(members)}" if members else "that takes none"
    places = zip(space.coords, coords.round(9), strict=True)
    return "at " + ", ".join(f"{coord.title} = {value + 0.0:.3g}" for coord, value in places)
