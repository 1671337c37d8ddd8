"""A coordinate: one number a family of models is steered by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from solera.errors import InputError

#: ``"real"``; ``"whole"`` numbers from ``low`` to ``high``; one of several ``"choice"``s, by its place from 0.
CoordKind = Literal["real", "whole", "choice"]


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
        kind: What its values are. Whether a member is in a subset is a whole number from 0 to 1.
        choices: Of a choice, what each place stands for; ``low`` is then 0 and ``high`` the last place.

    Raises:
        InputError: The bounds are no range.
    """

    name: str
    low: float
    high: float
    title: str = ""
    unit: str = ""
    log: bool = False
    kind: CoordKind = "real"
    choices: tuple[str, ...] = ()

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
        if self.kind not in get_args(CoordKind):
            raise InputError(
                f"The coordinate '{self.name}' is one of {', '.join(get_args(CoordKind))}, not '{self.kind}'."
            )
        if self.kind != "real" and (self.log or self.low % 1 or self.high % 1):
            raise InputError(
                f"The coordinate '{self.name}' takes whole places; it needs whole bounds and no logarithmic scale, not "
                f"{self.low:g} to {self.high:g}.",
                coord=self.name,
            )
        if (self.low, self.high) != (0, len(self.choices) - 1) if self.kind == "choice" else self.choices:
            raise InputError(
                f"The coordinate '{self.name}' has {len(self.choices)} choices; a choice runs from 0 to the last of "
                "them, and nothing else has any.",
                coord=self.name,
            )

    @property
    def values(self) -> tuple[float, ...]:
        """All values, if they can be counted; empty for a real number."""
        return () if self.kind == "real" else tuple(self.low + i for i in range(int(self.high - self.low) + 1))

    def at(self, share: float) -> float:
        """The value at a share of the way, 0 giving exactly ``low`` and 1 exactly ``high``.

        Of values that can be counted each has an equal part of the way.
        """
        if share in (0.0, 1.0):
            return self.high if share else self.low
        if self.kind != "real":
            return self.low + min(math.floor(share * (self.high - self.low + 1)), self.high - self.low)
        if self.log:
            return math.exp(math.log(self.low) * (1 - share) + math.log(self.high) * share)
        return self.low * (1 - share) + self.high * share

    def snap(self, value: float) -> float:
        """The nearest value of its kind; halves go to the even number. Real ones stay, also outside the bounds."""
        return value if self.kind == "real" else float(round(value))

    def said(self, value: float) -> str:
        """A value as a person reads it: the choice's own name, else the number."""
        place = round(value)
        return self.choices[place] if 0 <= place < len(self.choices) else f"{value:g}"

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready, as run headers keep it."""
        plain: dict[str, Any] = {
            "name": self.name,
            "low": self.low,
            "high": self.high,
            "title": self.title,
            "unit": self.unit,
            "log": self.log,
        }
        if self.kind != "real":
            plain |= {"kind": self.kind, "choices": list(self.choices)}
        return plain

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Coord:
        """The inverse of :meth:`to_plain`."""
        return Coord(
            str(plain["name"]), float(plain["low"]), float(plain["high"]), str(plain.get("title", "")),
            str(plain.get("unit", "")), bool(plain.get("log", False)), plain.get("kind", "real"),
            tuple(map(str, plain.get("choices", ()))),
        )  # fmt: skip
