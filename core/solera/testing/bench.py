"""Benchmarks: our figures beside the peer's and the floor, in one run."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from solera.errors import InputError

#: Told a line at every step; for stderr.
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        case: What was done.
        metric: What was measured.
        unit: Its unit; empty for a pure number.
        ours: Our figure.
        peer: The peer's in the same run; None if there is none.
        floor: What no program can go below on this machine; None if unknown.
        ratio: ``ours / peer``, or ours over the floor without a peer; None without either.
        target: What ``ratio`` must not exceed (``ours``, where there is no ratio).
        met: Whether it does not.
    """

    case: str
    metric: str
    unit: str
    ours: float
    peer: float | None = None
    floor: float | None = None
    ratio: float | None = None
    target: float | None = None
    met: bool | None = None

    @staticmethod
    def of(
        case: str, metric: str, unit: str, ours: float, *, peer: float | None = None, floor: float | None = None,
        target: float | None = None,
    ) -> Row:  # fmt: skip
        """A row whose ratio and verdict follow from the rest; lower is better."""
        beside = peer if peer is not None else floor
        ratio = ours / beside if beside else None
        judged = ours if ratio is None else ratio
        return Row(case, metric, unit, ours, peer, floor, ratio, target, None if target is None else judged <= target)


#: Name -> where its function is: ``function(say) -> rows``.
BENCHES: dict[str, str] = {
    "opening": "solera.testing.bench_opening:opening",
    "merge": "solera.testing.bench_merge:merge",
    "landscape": "solera.testing.bench_landscape:landscape",
    "search": "solera.testing.bench_search:figures",
}


def run_bench(name: str, say: Say = lambda text: None) -> dict[str, Any]:
    """Run a benchmark.

    Args:
        name: A key of :data:`BENCHES`.
        say: Told a line at every step.

    Returns:
        ``{"bench", "version", "machine", "rows": [...]}``, JSON-ready.

    Raises:
        InputError: There is no such benchmark, or something it compares with is not installed.
    """
    if name not in BENCHES:
        raise InputError(f"No benchmark is called '{name}'; known: {', '.join(BENCHES)}.", bench=name)
    module, _, function = BENCHES[name].partition(":")
    return report(name, getattr(importlib.import_module(module), function)(say))


def report(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """A benchmark's rows with what they were measured on, JSON-ready."""
    return {
        "bench": name,
        "version": metadata.version("solera"),
        "machine": machine(),
        "rows": [asdict(row) for row in rows],
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        return platform.processor()
