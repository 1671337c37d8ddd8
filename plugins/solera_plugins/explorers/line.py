"""The barrier on a line, found from few points."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from solera.api import Ask, Extent, History, InputError, Param, Seed, Space

#: The smaller part of the golden section.
_GOLDEN = (3 - 5**0.5) / 2


class Line:
    """Score a line evenly, then close in on its barriers by golden section and parabolas.

    All four numbers that are called barrier are told at the end (chord, instability, above the worse end, mode
    connectivity). Each is an extreme of a curve made of the first objective; where those extremes lie apart each of
    them is closed in on, whichever is known least first. A step goes to the vertex of the parabola through the highest
    point and its neighbours where that lies between them, and by the golden section into the wider side where it does
    not, until the neighbours on both sides are within ``place``. What is left of the points halves the widest gaps.

    It needs no more than an aggregate score.

    Args:
        points: Points in all.
        even: How many of them are spaced evenly first, both ends among them.
        place: How closely the place of a barrier is to be known, in t.

    Raises:
        InputError: There are more even points than points.
    """

    name = "line"

    def __init__(
        self,
        *,
        points: Annotated[int, Param(5, 10_001, help="Points in all.")] = 18,
        even: Annotated[int, Param(3, 1001, title="Even points", help="Of them evenly spaced first.")] = 11,
        place: Annotated[float, Param(1e-6, 0.5, help="How closely a barrier's place is to be known.")] = 0.01,
    ) -> None:
        if even > points:
            raise InputError(f"Of {points} points {even} cannot be spaced evenly; give more points.")
        self._points, self._even, self._place = points, even, place

    def plan(self, space: Space) -> Extent:
        """As many points as were asked for.

        Raises:
            InputError: There is more than one coordinate, or both ends (t = 0 and t = 1) are not within its range.
        """
        first = space.coords[0]
        if len(space.coords) != 1 or not (first.low <= 0 and first.high >= 1):
            many = len(space.coords) > 1
            got = f"has {len(space.coords)} coordinates" if many else f"goes from {first.low:g} to {first.high:g}"
            raise InputError(f"A barrier lies on a line from t = 0 to t = 1; this family {got}.")
        return Extent(self._points, rounds=(self._even, 1))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The even points, then one after the other."""
        if len(history) < self._even:
            places = np.linspace(0.0, 1.0, self._even)[len(history) : len(history) + n]
            return [Ask((float(t),)) for t in places]
        if len(history) >= self._points:
            return []
        return [Ask((self._next(history.coords[:, 0], space.minimised(history.values)[:, 0]),))]

    def _next(self, t: NDArray[np.float64], values: NDArray[np.float64]) -> float:
        order = np.argsort(t, kind="stable")
        t, values = t[order], values[order]
        known = np.isfinite(values)
        steps = [_step(t[known], heights, self._place, t) for heights in _heights(t[known], values[known])]
        open_ = [step for step in steps if step is not None]
        if open_:
            return max(open_, key=lambda step: step[0])[1]
        widest = int(np.argmax(np.diff(t)))
        return float((t[widest] + t[widest + 1]) / 2)


def _heights(t: NDArray[np.float64], values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The curves whose highest points are barriers; the chord's first."""
    if len(t) < 3 or t[0] != 0 or t[-1] != 1:
        return []
    chord = values - ((1 - t) * values[0] + t * values[-1])
    chord[[0, -1]] = 0.0
    return [chord, values, np.abs((values[0] + values[-1]) / 2 - values)]


def _step(
    t: NDArray[np.float64], heights: NDArray[np.float64], place: float, asked: NDArray[np.float64]
) -> tuple[float, float] | None:
    """How wide the bracket around the highest point is, and where to look next; None if it is narrow enough.

    An end is never refined: there the barrier is known exactly. Near a place that was asked for and has no score it
    looks no more; the widest gap that such places leave in the bracket is halved, while that is wide enough.

    Args:
        t: Places with a score, in order.
        heights: The curve there.
        place: How closely the highest point is to be known.
        asked: All places so far, in order.
    """
    top = int(np.argmax(heights))
    if top in (0, len(t) - 1):
        return None
    left, at, right = (float(x) for x in t[top - 1 : top + 2])
    if max(at - left, right - at) <= place:
        return None
    wanted = _wanted(t[top - 1 : top + 2], heights[top - 1 : top + 2], place)
    if np.abs(asked - wanted).min() <= place / 4:
        inside = asked[(asked >= left) & (asked <= right)]
        widest = int(np.argmax(np.diff(inside)))
        if inside[widest + 1] - inside[widest] <= place / 2:
            return None
        wanted = float((inside[widest] + inside[widest + 1]) / 2)
    return right - left, wanted


def _wanted(t: NDArray[np.float64], heights: NDArray[np.float64], place: float) -> float:
    """Where to look between three points, the middle one highest."""
    left, at, right = (float(x) for x in t)
    before, after = at - left, right - at
    vertex = _vertex(t, heights)
    if min(abs(vertex - x) for x in (left, at, right)) > place / 4:
        return vertex
    # The place is known as well as a parabola can say: the wider side is cut close by, so that the bracket closes.
    side = 1.0 if after >= before else -1.0
    gap = max(before, after)
    return at + side * min(0.9 * place if abs(vertex - at) <= place / 4 else _GOLDEN * gap, _GOLDEN * gap)


def _vertex(t: NDArray[np.float64], heights: NDArray[np.float64]) -> float:
    """Where the parabola through three points, the middle one highest, has its top; the middle if they are level."""
    left, right = t[1] - t[0], t[2] - t[1]
    fall, drop = (heights[1] - heights[0]) / left, (heights[1] - heights[2]) / right
    if not fall + drop > 0:
        return float(t[1])
    return float(t[1] + (fall * right - drop * left) / (2 * (fall + drop)))
