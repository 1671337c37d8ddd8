"""Which points within a family's bounds are points of it: blends, and choices of one model or more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from solera.errors import InputError

RegionKind = Literal["simplex", "subset"]

#: How far outside a simplex rounding may put a point that belongs to it.
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the box that a family's coordinates span.

    Attributes:
        kind: ``"simplex"``: no coordinate below 0, and all together at most 1 (what is left is the first model's
            share). ``"subset"``: each is 0 or 1, and one at least is 1.
        margin: For a simplex, how far a share may lie below 0.
    """

    kind: RegionKind
    margin: float = 0.0

    def contains(self, coords: Sequence[float]) -> bool:
        """Whether a point belongs to it."""
        if self.kind == "subset":
            return any(round(value) for value in coords)
        least = -self.margin - _TOLERANCE
        return min(coords) >= least and 1.0 - sum(coords) >= least

    def nearest(self, coords: Sequence[float], ranges: Sequence[tuple[float, float]] = ()) -> tuple[float, ...]:
        """The point of it nearest to any point, which is the point itself if it belongs to it.

        In a simplex by Euclidean distance between the shares of all models; for a subset the numbers are rounded, and
        the largest is chosen if all would be 0.

        Args:
            coords: Any numbers.
            ranges: Low and high of each coordinate of a simplex, which the point found is to keep to; empty is all of
                the simplex.

        Raises:
            InputError: No point of the simplex lies within the ranges.
        """
        given = np.asarray(coords, dtype=np.float64)
        if self.kind == "subset":
            chosen = np.round(np.clip(given, 0.0, 1.0))
            if not chosen.any():
                chosen[int(np.argmax(given))] = 1.0
            return tuple(map(float, chosen))
        if self.contains(coords):
            return tuple(map(float, coords))
        shares = np.concatenate([[1.0 - given.sum()], given]) + self.margin
        found = _on_simplex(shares, 1.0 + self.margin * len(shares))[1:] - self.margin
        if ranges:
            low, high = np.array(ranges, dtype=np.float64).T
            if ((found < low) | (found > high)).any():
                found = _within(given, np.maximum(low, -self.margin), high, 1.0 + self.margin)
        return tuple(map(float, found))

    def draw(self, rng: np.random.Generator, count: int, dimensions: int) -> NDArray[np.float64]:
        """Points drawn evenly from it.

        Args:
            rng: What draws.
            count: How many.
            dimensions: Coordinates of the family.

        Returns:
            Shape (count, dimensions).
        """
        if self.kind == "simplex":
            total = 1.0 + self.margin * (dimensions + 1)
            return np.asarray(rng.dirichlet(np.ones(dimensions + 1), count)[:, 1:] * total - self.margin)
        numbers = rng.integers(1, 2**dimensions, count) if dimensions < 63 else None
        if numbers is None:
            return np.asarray([self.nearest(row) for row in rng.integers(0, 2, (count, dimensions))])
        return np.asarray((numbers[:, None] >> np.arange(dimensions)) & 1, dtype=np.float64)

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"kind": self.kind, "margin": self.margin}

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Region:
        """The inverse of :meth:`to_plain`."""
        return Region(plain["kind"], float(plain.get("margin", 0.0)))


def _on_simplex(shares: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    """The nearest shares, none below 0, that come to a total: one number is taken off all, none goes below 0."""
    falling = np.sort(shares)[::-1]
    excess = (np.cumsum(falling) - total) / np.arange(1, len(shares) + 1)
    last = int(np.flatnonzero(falling > excess)[-1])
    return np.asarray(np.maximum(shares - excess[last], 0.0))


def _within(
    given: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], most: float
) -> NDArray[np.float64]:
    """The nearest numbers within ranges that total no more than ``most``: what is taken off all is found by halving.

    Raises:
        InputError: Already the lowest numbers total more.
    """
    if low.sum() > most + _TOLERANCE:
        raise InputError(
            f"The lowest shares of these ranges total {low.sum():g}, more than the {most:g} of a blend; "
            "widen the ranges."
        )
    less, more = 0.0, float((given - low).max(initial=0.0))
    if np.clip(given, low, high).sum() <= most:
        return np.asarray(np.clip(given, low, high))
    for _ in range(100):
        middle = (less + more) / 2
        if np.clip(given - middle, low, high).sum() > most:
            less = middle
        else:
            more = middle
    return np.asarray(np.clip(given - more, low, high))
