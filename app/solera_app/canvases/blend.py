"""Weights of two or three models and the place they stand for, in true distances. Plain numbers, no Qt."""

from __future__ import annotations

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

    Raises:
        InputError: The models lie on one point (or three on one line), so weights are not determined.
    """
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


def shifted(weights: Sequence[float], right: float, up: float) -> Weights:
    """Weights after a step of the arrow keys.

    Right moves weight from the first model to the second; up moves it from both to the third, in the proportion they
    have (for a line: to the second, as right does).
    """
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
