"""Where the ticks of an axis stand and what they say; axes that grow by whole ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from solera_app.plots.numerals import number

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def tick_step(low: float, high: float, most: int = 6) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that gives at most ``most`` ticks in [low, high]."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return 1.0
    raw = span / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (*_STEPS, 20.0):
        step = factor * power
        if math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) + 1 <= most:
            return step
    return 10 * power


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers in [low, high], at most ``most``, at even steps."""
    step = tick_step(low, high, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers for a logarithmic scale: 1, 2, 5 times powers of ten, powers only when there are many."""
    if not 0 < low < high:
        return []
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        found = [f * 10.0**p for p in powers for f in factors if low <= f * 10.0**p * (1 + 1e-9) <= high * (1 + 2e-9)]
        if len(found) <= most:
            return found if len(found) > 1 else ticks(low, high, most)
    stride = math.ceil(len(powers) / most)
    return [10.0**p for p in powers if p % stride == 0 and low <= 10.0**p <= high]


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Whole numbers in [low, high], for an axis in powers of ten; at even steps, at most ``most``.

    Less than three of them tell little: then 1, 2, 5 times powers are taken, as their logarithms.
    """
    first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    if last - first < 2 and high > low:
        return [math.log10(value) for value in log_ticks(10.0**low, 10.0**high, most)]
    stride = max(1, math.ceil((last - first + 1) / most))
    return [float(power) for power in range(first, last + 1) if power % stride == 0]


def power_labels(values: list[float]) -> list[str]:
    """Powers of ten in words: ``"10⁻³"``; where some are not whole, all as the numbers they are."""
    if any(abs(value - round(value)) > 1e-9 for value in values):
        return [number(round(10.0**value, 12)).rstrip("0").rstrip(".") for value in values]
    return [f"10{str(round(value)).translate(_SUPERSCRIPTS)}" for value in values]


def tick_labels(values: list[float], *, percent: bool = False) -> list[str]:
    """The ticks in words of equal decimals; percents of fractions when asked (the sign belongs to the axis title)."""
    scaled = [100 * value if percent else value for value in values]
    if len(scaled) < 2:
        return [number(value) for value in scaled]
    steps = np.diff(scaled)
    if max(abs(scaled[0]), abs(scaled[-1])) >= 1e7:
        return [number(value) for value in scaled]
    for decimals in range(9):
        rounded = np.round(scaled, decimals)
        if np.all(np.abs(rounded - scaled) < 1e-3 * float(np.abs(steps).min())):
            return [number(value, decimals) for value in scaled]
    return [number(value) for value in scaled]


@dataclass(slots=True)
class GrowingRange:
    """The extent of a live axis: it grows by whole ticks and never shrinks until :meth:`reset`.

    Attributes:
        low, high: The extent; NaN before anything was covered.
        floor, ceiling: Limits it does not grow past (a fraction ends at 1); None is open.
    """

    low: float = math.nan
    high: float = math.nan
    floor: float | None = None
    ceiling: float | None = None

    def cover(self, low: float, high: float, most: int = 6) -> tuple[float, float]:
        """Grow to hold [low, high]; returns the extent. Values that are not finite change nothing."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return (self.low, self.high) if math.isfinite(self.low) else (0.0, 1.0)
        if math.isfinite(self.low):
            if self.low <= low and high <= self.high:
                return self.low, self.high
            low, high = min(low, self.low), max(high, self.high)
        if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
            pad = abs(low) * 0.05 or 0.5
            low, high = low - pad, high + pad
        step = tick_step(low, high, most)
        self.low, self.high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        if self.floor is not None:
            self.low = max(self.low, min(self.floor, low))
        if self.ceiling is not None:
            self.high = min(self.high, max(self.ceiling, high))
        return self.low, self.high

    def reset(self) -> None:
        """Forget the extent (another run or column is shown)."""
        self.low = self.high = math.nan
