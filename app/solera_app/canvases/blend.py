"""Weights of models and the place they stand for: in true distances, from four models on in a polygon. No Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence

from solera.errors import InputError

Place = tuple[float, float]
Weights = tuple[float, ...]


def place_of(positions: Sequence[Place], weights: Sequence[float]) -> Place:
    """Where weights lie: the models' positions, weighted.

    Args:
        positions: One (x, y) per model, L2 distances.
        weights: One per model, total 1.
    """
    return (
        sum(weight * x for weight, (x, _) in zip(weights, positions, strict=True)),
        sum(weight * y for weight, (_, y) in zip(weights, positions, strict=True)),
    )


def weights_of(positions: Sequence[Place], at: Place) -> Weights:
    """Weights of a place: barycentric for a triangle, the foot of the perpendicular for a line. Total 1.

    In a polygon they are mean value coordinates (Floater 2003), of the nearest place inside it.

    Raises:
        InputError: The models lie on one point (or three on one line), so weights are not determined.
    """
    if len(positions) > 3:
        return _mean_values(positions, nearest_inside(positions, at))
    (ax, ay), (bx, by) = positions[0], positions[1]
    ux, uy, px, py = bx - ax, by - ay, at[0] - ax, at[1] - ay
    if len(positions) == 2:
        length = ux * ux + uy * uy
        if length == 0:
            raise InputError("The two models have the same weights, so there is no line between them.")
        share = (px * ux + py * uy) / length
        return (1 - share, share)
    vx, vy = positions[2][0] - ax, positions[2][1] - ay
    area = ux * vy - uy * vx
    scale = max(ux * ux + uy * uy, vx * vx + vy * vy)
    if abs(area) <= 1e-9 * scale or scale == 0:
        raise InputError("The three models lie on one line, so they span no triangle. Use a line through two of them.")
    second, third = (px * vy - py * vx) / area, (ux * py - uy * px) / area
    return (1 - second - third, second, third)


def polygon(count: int) -> tuple[Place, ...]:
    """The corners of a regular polygon of radius 1, the first at the top, then clockwise."""
    turns = [2 * math.pi * i / count for i in range(count)]
    return tuple((round(math.sin(turn), 12), round(math.cos(turn), 12)) for turn in turns)


def nearest_inside(positions: Sequence[Place], at: Place) -> Place:
    """The place itself if it lies in a convex polygon (its corners in order), else the nearest one on its sides."""
    sides = list(zip(positions, (*positions[1:], positions[0]), strict=True))
    turns = [(bx - ax) * (at[1] - ay) - (by - ay) * (at[0] - ax) for (ax, ay), (bx, by) in sides]
    if all(turn <= 0 for turn in turns) or all(turn >= 0 for turn in turns):
        return at
    found = []
    for (ax, ay), (bx, by) in sides:
        ux, uy = bx - ax, by - ay
        share = min(max(((at[0] - ax) * ux + (at[1] - ay) * uy) / (ux * ux + uy * uy), 0.0), 1.0)
        found.append((ax + share * ux, ay + share * uy))
    return min(found, key=lambda place: math.dist(place, at))


def _mean_values(positions: Sequence[Place], at: Place) -> Weights:
    """Weights ``w_i ~ (tan(a_{i-1}/2) + tan(a_i/2)) / r_i``, a_i the angle under which side i is seen."""
    count = len(positions)
    arms = [(x - at[0], y - at[1]) for x, y in positions]
    reach = [math.hypot(*arm) for arm in arms]
    size = max(reach)
    for i, length in enumerate(reach):
        if length <= 1e-9 * size:
            return tuple(float(i == j) for j in range(count))
    tangents = []
    for i in range(count):
        (ax, ay), (bx, by) = arms[i], arms[(i + 1) % count]
        product = reach[i] * reach[(i + 1) % count]
        cross, dot = ax * by - ay * bx, ax * bx + ay * by
        if abs(cross) <= 1e-9 * product and dot <= 0:  # on a side: only its two ends count
            other = (i + 1) % count
            share = reach[i] / (reach[i] + reach[other])
            return tuple(1 - share if j == i else share if j == other else 0.0 for j in range(count))
        tangents.append(cross / (product + dot))
    raw = [(tangents[i - 1] + tangents[i]) / reach[i] for i in range(count)]
    total = sum(raw)
    return tuple(value / total for value in raw)


def shifted(weights: Sequence[float], right: float, up: float) -> Weights:
    """Weights after a step of the arrow keys.

    Right moves weight from the first model to the second; up moves it from both to the third, in the proportion they
    have (for a line: to the second, as right does). In a polygon the place moves, by a share of its radius.
    """
    if len(weights) > 3:
        corners = polygon(len(weights))
        x, y = place_of(corners, weights)
        return weights_of(corners, (x + right, y + up))
    if len(weights) == 2:
        step = right + up
        return (weights[0] - step, weights[1] + step)
    first, second, third = weights
    rest = first + second
    share = first / rest if rest > 1e-9 else 0.5
    return (first - right - up * share, second + right - up * (1 - share), third + up)


def rebalanced(weights: Sequence[float], index: int, value: float) -> Weights:
    """Weights with one set and the others scaled so that the total stays 1 (evenly where they are all 0)."""
    others = [weight for i, weight in enumerate(weights) if i != index]
    rest, left = sum(others), 1 - value
    if abs(rest) < 1e-9:
        scaled = iter([left / len(others)] * len(others))
    else:
        scaled = iter([weight * left / rest for weight in others])
    return tuple(value if i == index else next(scaled) for i in range(len(weights)))


def tidy(weights: Sequence[float], digits: int = 4) -> Weights:
    """Weights rounded for people and files, the largest taking up what rounding left, so that the total is 1."""
    rounded = [round(weight, digits) for weight in weights]
    largest = max(range(len(rounded)), key=lambda i: rounded[i])
    rounded[largest] = round(1 - sum(value for i, value in enumerate(rounded) if i != largest), digits)
    return tuple(rounded)
