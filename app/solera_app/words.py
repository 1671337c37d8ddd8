"""Numbers and times as a person reads them: a space before the unit, commas for thousands, true minus."""

from __future__ import annotations

import math
import time

from solera.events import Progress


def count_short(count: int) -> str:
    """A number of parameters: ``28,490``, ``41.9 M``, ``8.03 B``."""
    if count < 1_000_000:
        return f"{count:,}"
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if count >= size:
            return f"{_three(count / size)} {letter}"
    return str(count)


def size_short(nbytes: float) -> str:
    """Bytes in decimal units: ``114 kB``, ``16.1 GB``."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if nbytes >= size:
            return f"{_three(nbytes / size)} {unit}"
    return f"{nbytes:.0f} B"


def _three(value: float) -> str:
    """Three significant figures, no exponent."""
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{digits}f}"


def duration(seconds: float) -> str:
    """``0.8 s``, ``12 s``, ``2 min 31 s``, ``3 h 04 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def when(seconds: float) -> str:
    """``14:21``, ``Yesterday 18:12``, ``Mon 11:30``, ``17 Nov 09:05``."""
    then, now = time.localtime(seconds), time.localtime()
    clock = time.strftime("%H:%M", then)
    days = (time.mktime((*now[:3], 0, 0, 0, 0, 0, -1)) - time.mktime((*then[:3], 0, 0, 0, 0, 0, -1))) / 86400
    if round(days) == 0:
        return clock
    if round(days) == 1:
        return f"Yesterday {clock}"
    if days < 7:
        return f"{time.strftime('%a', then)} {clock}"
    return f"{then.tm_mday} {time.strftime('%b', then)} {clock}"


def progress_line(progress: Progress) -> str:
    """``62 % · 312 MB/s · 2 min 31 s left``; what is not known is left out."""
    parts = []
    if progress.total:
        parts.append(f"{100 * progress.done / progress.total:.0f} %")
    elif progress.done:
        parts.append(f"{progress.done:,.0f} {progress.unit}".strip())
    if progress.rate:
        parts.append(
            f"{size_short(progress.rate)}/s" if progress.unit == "B" else f"{_rate(progress.rate)} {progress.unit}/s"
        )
    if progress.left is not None:
        parts.append(f"{duration(progress.left)} left")
    if progress.text:
        parts.append(progress.text)
    return " · ".join(parts)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
