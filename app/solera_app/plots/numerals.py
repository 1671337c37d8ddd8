"""How numbers are written: significant to their uncertainty, with a true minus and tabular width."""

from __future__ import annotations

import math
from collections.abc import Sequence

MINUS = "\N{MINUS SIGN}"
MISSING = "\N{EN DASH}"


def error_decimals(stderr: float) -> int:
    """Decimals that an error deserves: two digits when it begins with 1, 2 or 3.5 at most, else one (the PDG rule).

    May be negative: an error of 250 gives -1 (tens).
    """
    exponent = math.floor(math.log10(stderr))
    lead = round(stderr / 10.0**exponent, 2)
    return (1 if lead < 3.55 else 0) - exponent if lead < 9.5 else -exponent


def number(value: float, decimals: int | None = None) -> str:
    """A number for a person: thousands with commas, a true minus, words for what is not finite.

    Args:
        value: Any float.
        decimals: Digits after the point; None gives four significant digits.
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if decimals is None:
        size = abs(value)
        if size >= 1e7 or 0 < size < 1e-5:
            return _scientific(value)
        decimals = max(0, 3 - (math.floor(math.log10(size)) if size > 0 else 3))
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")  # no minus before a rounded nought
    return text.replace("-", MINUS)


def _scientific(value: float) -> str:
    mantissa, exponent = f"{value:.2e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10{power}".replace("-", MINUS)


def measured(value: float, stderr: float = math.nan, *, percent: bool = False, unit: str = "") -> str:
    """``"2.957 ± 0.009"``: a value with its standard error, each to the digits the error allows.

    Args:
        value: The number; a fraction if ``percent``.
        stderr: Its standard error in the same unit; NaN or 0 leaves it out.
        percent: Write a fraction as percent: ``"93.2 ± 0.6 %"``.
        unit: Put after it, parted by a space.
    """
    scale = 100.0 if percent else 1.0
    tail = " %" if percent else (f" {unit}" if unit else "")
    value, stderr = value * scale, stderr * scale
    if not math.isfinite(value):
        return number(value)
    if not (math.isfinite(stderr) and stderr > 0):
        return f"{number(value, 1 if percent else None)}{tail}"
    decimals = error_decimals(stderr)
    if stderr >= 1e7 or stderr < 1e-7:
        return f"{number(value)} ± {number(stderr)}{tail}"
    return f"{number(value, decimals)} ± {number(stderr, decimals)}{tail}"


def short(value: float) -> str:
    """Three significant digits, for places where the error is said elsewhere: ``"0.170"``, ``"3.30"``."""
    size = abs(value)
    if not math.isfinite(value) or size >= 1e7 or 0 < size < 1e-5:
        return number(value)
    return number(value, max(0, 2 - (math.floor(math.log10(size)) if size > 0 else 2)))


def counted(count: int, noun: str, plural: str = "") -> str:
    """``"1 point"``, ``"1,319 points"``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(names: Sequence[str]) -> str:
    """``"a"``, ``"a and b"``, ``"a, b and c"``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
