"""Four numbers that are all called "barrier"; each keeps its name.

They are formulas on a curve over t, with ends at t = 0 and t = 1, smaller being better. On a score where larger is
better they are those of its negative (so accuracy and error give the same).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from solera.errors import InputError

BarrierName = Literal["chord", "instability", "worst_end", "mode_connectivity"]


@dataclass(frozen=True, slots=True)
class Barrier:
    """A barrier.

    Attributes:
        name: Which of the four.
        height: The number, in the score's unit; NaN if any value is, or an end is infinite.
        at: The t it is taken at; NaN with the height.
    """

    name: BarrierName
    height: float
    at: float


def barriers(t: ArrayLike, values: ArrayLike) -> dict[BarrierName, Barrier]:
    """All four barriers of a curve.

    ``chord`` (Entezari 2021): the largest rise above the straight line between the ends, >= 0. ``instability``
    (Frankle 2020): the maximum less the mean of the ends. ``worst_end``: the maximum less the worse end.
    ``mode_connectivity`` (Yang 2021): mean of the ends less the value farthest from it, so a barrier is negative and a
    dip positive.

    Args:
        t: Shape (n,), in any order, with 0 and 1 among them. Points beyond the ends are left out.
        values: Shape (n,), smaller is better.

    Raises:
        InputError: An end is missing.
    """
    order = np.argsort(np.asarray(t, dtype=np.float64), kind="stable")
    where, curve = np.asarray(t, dtype=np.float64)[order], np.asarray(values, dtype=np.float64)[order]
    if not ((where == 0).any() and (where == 1).any()):
        raise InputError("A barrier needs the curve's values at both ends, t = 0 and t = 1.")
    within = (where >= 0) & (where <= 1)
    where, curve = where[within], curve[within]
    first, last = float(curve[0]), float(curve[-1])
    mean = (first + last) / 2
    if np.isnan(curve).any() or not np.isfinite(curve[[0, -1]]).all():
        names: tuple[BarrierName, ...] = ("chord", "instability", "worst_end", "mode_connectivity")
        return {name: Barrier(name, float("nan"), float("nan")) for name in names}
    rise = curve - ((1 - where) * first + where * last)
    rise[[0, -1]] = 0.0
    above, top, far = int(np.argmax(rise)), int(np.argmax(curve)), int(np.argmax(np.abs(mean - curve)))
    return {
        "chord": Barrier("chord", float(rise[above]), float(where[above])),
        "instability": Barrier("instability", float(curve[top]) - mean, float(where[top])),
        "worst_end": Barrier("worst_end", float(curve[top]) - max(first, last), float(where[top])),
        "mode_connectivity": Barrier("mode_connectivity", mean - float(curve[far]), float(where[far])),
    }
