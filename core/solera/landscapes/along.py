"""What a curve through weight space is like: its worst and mean loss, and the mean over its length (Garipov 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solera.errors import InputError
from solera.families.curves import steps
from solera.families.family import Family
from solera.landscapes.explorer import History, Space


@dataclass(frozen=True, slots=True)
class Along:
    """A score along a curve.

    Attributes:
        least: The smallest value.
        most: The largest.
        mean: The mean over the points, whatever lies between them.
        integral: The mean over the length of the curve, by trapezes.
        length: Of the curve, in weight space, from point to point.
    """

    least: float
    most: float
    mean: float
    integral: float
    length: float


def curve_summaries(family: Family, space: Space, history: History) -> dict[str, Along]:
    """Each objective along a curve, from the points that were scored: column's name -> summary, smaller is better.

    Empty for families of another kind, and until two places of the curve are scored, on all samples.
    """
    whole = history.whole(space)
    places, rows = np.unique(history.coords[whole, 0], return_index=True)
    if family.kind != "curve" or len(places) < 2:
        return {}
    distances = steps(family, places.tolist())
    points = space.minimised(history.values[whole])[rows]
    names = [space.columns[column].name for column in space.objectives]
    return {name: along(values.tolist(), distances) for name, values in zip(names, points.T, strict=True)}


def along(values: Sequence[float], steps: Sequence[float]) -> Along:
    """Summarise a score along a curve; NaN among the values makes all but the length NaN.

    Args:
        values: At two points or more, in order.
        steps: The distance from each point to the next, one fewer.

    Raises:
        InputError: There is nothing between the points.
    """
    curve, way = np.asarray(values, dtype=np.float64), np.asarray(steps, dtype=np.float64)
    if len(curve) < 2 or len(way) != len(curve) - 1 or not way.sum() > 0:
        raise InputError(f"A curve of {len(curve)} points has as many steps less one, with a length; got {len(way)}.")
    trapezes = (curve[:-1] + curve[1:]) / 2 * way
    length = float(way.sum())
    return Along(float(curve.min()), float(curve.max()), float(curve.mean()), float(trapezes.sum() / length), length)
