"""A coordinate: one number a family of models is steered by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solera.errors import InputError


@dataclass(frozen=True, slots=True)
class Coord:
    """One coordinate of a family.

    Attributes:
        name: The recipe's variable it sets, an identifier.
        low: Where pictures and searches begin.
        high: Where they end; above ``low``.
        title: What a person reads; the name if empty.
        unit: Unit of the number; empty for a pure number.
        log: Whether to move on a logarithmic scale (then ``low`` is above 0).

    Raises:
        InputError: The bounds are no range.
    """

    name: str
    low: float
    high: float
    title: str = ""
    unit: str = ""
    log: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.name)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(
                f"The coordinate '{self.name}' runs from {self.low:g} to {self.high:g}; it needs a lower bound below "
                "its upper one.",
                coord=self.name,
            )
        if self.log and self.low <= 0:
            raise InputError(
                f"The coordinate '{self.name}' is logarithmic, so its lower bound must be above 0, not {self.low:g}.",
                coord=self.name,
            )

    def at(self, share: float) -> float:
        """The value at a share of the way, 0 giving exactly ``low`` and 1 exactly ``high``."""
        if share in (0.0, 1.0):
            return self.high if share else self.low
        if self.log:
            return math.exp(math.log(self.low) * (1 - share) + math.log(self.high) * share)
        return self.low * (1 - share) + self.high * share

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready, as run headers keep it."""
        return {
            "name": self.name,
            "low": self.low,
            "high": self.high,
            "title": self.title,
            "unit": self.unit,
            "log": self.log,
        }

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Coord:
        """The inverse of :meth:`to_plain`."""
        return Coord(
            str(plain["name"]), float(plain["low"]), float(plain["high"]), str(plain.get("title", "")),
            str(plain.get("unit", "")), bool(plain.get("log", False)),
        )  # fmt: skip
