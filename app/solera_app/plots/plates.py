"""Placing names beside marks so that they neither cover each other nor leave the picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF


@dataclass(frozen=True, slots=True)
class Wanted:
    """A name to be placed.

    Attributes:
        anchor: The mark's centre, px.
        size: The plate's size, px.
        gap: Distance from the mark's centre to the plate's nearest edge, px.
    """

    anchor: QPointF
    size: QSizeF
    gap: float = 12.0


def place(wanted: Sequence[Wanted], bounds: QRectF, blocked: Iterable[QRectF] = ()) -> list[QRectF]:
    """A rectangle for each plate: right of its mark if free, else left, above, below, or a little further out.

    Args:
        wanted: In order of importance; earlier ones choose first.
        bounds: Plates stay inside.
        blocked: What they should not cover (other marks).

    Returns:
        One rectangle per plate. When nothing is free, the place that covers least.
    """
    taken = [_edges(rect) for rect in blocked]
    placed: list[QRectF] = []
    for plate in wanted:
        choices = [_into(rect, bounds) for rect in _choices(plate)]
        hidden = _covered(np.array([_edges(rect) for rect in choices]), np.array(taken).reshape(-1, 4))
        best = choices[int(np.argmin(hidden + 4.0 * np.arange(len(choices))))]
        placed.append(best)
        taken.append(_edges(best))
    return placed


def _edges(rect: QRectF) -> tuple[float, float, float, float]:
    return rect.left(), rect.top(), rect.right(), rect.bottom()


def _covered(choices: NDArray[np.float64], taken: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area in px that each choice, with 2 px around it, shares with what is taken; shape (choices,)."""
    a, b = choices[:, None, :] + (-2.0, -2.0, 2.0, 2.0), taken[None, :, :]
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    return np.asarray((np.maximum(width, 0.0) * np.maximum(height, 0.0)).sum(axis=1))


def _choices(plate: Wanted) -> list[QRectF]:
    x, y, w, h = plate.anchor.x(), plate.anchor.y(), plate.size.width(), plate.size.height()
    found = []
    for gap in (plate.gap, plate.gap + 12, plate.gap + 28):
        right, left = x + gap, x - gap - w
        above, below, level = y - gap - h, y + gap, y - h / 2
        found += [
            QRectF(left_edge, top, w, h)
            for left_edge, top in (
                (right, level), (left, level), (x - w / 2, above), (x - w / 2, below),
                (right - 4, above + 4), (right - 4, below - 4), (left + 4, above + 4), (left + 4, below - 4),
            )
        ]  # fmt: skip
    return found


def _into(rect: QRectF, bounds: QRectF) -> QRectF:
    x = max(bounds.left(), min(rect.x(), bounds.right() - rect.width()))
    y = max(bounds.top(), min(rect.y(), bounds.bottom() - rect.height()))
    return QRectF(x, y, rect.width(), rect.height())


def spread(centres: Sequence[float], height: float, low: float, high: float) -> list[float]:
    """Move labels on one vertical line apart until they are ``height`` px from each other, within [low, high]."""
    order = sorted(range(len(centres)), key=lambda index: centres[index])
    placed = [0.0] * len(centres)
    edge = low
    for index in order:
        placed[index] = max(centres[index], edge)
        edge = placed[index] + height
    edge = high
    for index in reversed(order):
        placed[index] = min(placed[index], edge)
        edge = placed[index] - height
    return placed
