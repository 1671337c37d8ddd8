"""How long a merge will take: from merges that were made on this machine, or from making a small part of it."""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.context import QuietContext
from solera.errors import Cancelled, SoleraError
from solera.files import replace_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from solera.checkpoints.checkpoint import Checkpoint
    from solera.execution.plan import Plan

#: A shorter merge says little about a rate.
_LEAST_SECONDS = 0.5

#: Bytes of a result that are made to see how fast it goes, and the most seconds that may take.
_SAMPLE_BYTES = 32_000_000
_SAMPLE_SECONDS = 8.0

#: What a new merge weighs against all earlier ones.
_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Expected:
    """How long a merge is expected to take.

    Attributes:
        seconds: Wall time; None if it cannot be said.
        basis: Where the number is from, a few words.
    """

    seconds: float | None
    basis: str


class Paces:
    """Work a second that was done on this machine, by kind of work.

    Args:
        file: Where they are kept; a file that cannot be written only costs the memory of them.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def known(self, kind: str) -> tuple[float, int] | None:
        """Work a second, and how often it was seen; None if it never was."""
        found = self._read().get(kind)
        return (float(found["rate"]), int(found["merges"])) if found else None

    def note(self, kind: str, work: float, seconds: float) -> None:
        """Note how long some work took; too little says nothing."""
        if seconds < _LEAST_SECONDS:
            return
        paces = self._read()
        pace, before = work / seconds, paces.get(kind)
        smooth = pace if before is None else (1 - _SHARE) * float(before["rate"]) + _SHARE * pace
        paces[kind] = {"rate": smooth, "merges": int(before["merges"]) + 1 if before else 1}
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_text(self._file, json.dumps(paces, indent=1, sort_keys=True))

    def _read(self) -> dict[str, Any]:
        try:
            plain = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return plain if isinstance(plain, dict) else {}


class Rates:
    """Bytes a second of the merges made on this machine, by what they do.

    Args:
        file: See :class:`Paces`.
    """

    def __init__(self, file: Path) -> None:
        self._paces = Paces(file)

    def expected(self, plan: Plan, device: str, *, hashes: bool = False) -> Expected | None:
        """By former merges of the same methods on the same device; None if there were none.

        Args:
            plan: The merge.
            device: torch device.
            hashes: Whether fingerprints of inputs are to be made on the way, which takes its time.
        """
        known = self._paces.known(_kind(plan, device, hashes))
        if known is None:
            return None
        rate, count = known
        former = "a former merge" if count == 1 else f"{count} former merges"
        return Expected(_moved(plan) / rate, f"{former} of this kind on this machine")

    def remember(self, plan: Plan, device: str, seconds: float, *, hashes: bool = False) -> None:
        """Note how long a whole merge took; arguments as :meth:`expected`."""
        self._paces.note(_kind(plan, device, hashes), _moved(plan), seconds)


def calibrate(
    plan: Plan, device: str, again: Callable[[Mapping[str, Checkpoint]], Plan], *, hashes: bool = False
) -> Expected:
    """Make a part of the result, some tens of megabytes, and reckon from that.

    Args:
        plan: The merge.
        device: torch device.
        again: Plans the same recipe over other checkpoints.
        hashes: Whether fingerprints of inputs are to be made on the way.
    """
    from solera.execution.stream import execute

    names = _sample(plan)
    try:
        part = again({id_: _only(checkpoint, names) for id_, checkpoint in plan.checkpoints.items()})
    except SoleraError:
        return Expected(None, "a part of this recipe cannot be made on its own")
    context = _Limited(device)
    fingerprints = {} if hashes else dict.fromkeys(part.checkpoints, "none")
    with tempfile.TemporaryDirectory(prefix="solera-calibration-") as place:
        began = time.perf_counter()
        try:
            execute(part, Path(place) / "part", context, fingerprints=fingerprints)
        except Cancelled:
            return Expected(None, f"a part of {part.writes / 1e6:.3g} MB took more than {_SAMPLE_SECONDS:g} s")
        seconds = time.perf_counter() - began
    return Expected(seconds * plan.writes / max(part.writes, 1), f"making {part.writes / 1e6:.3g} MB of it just now")


class _Limited(QuietContext):
    """Stops when its time is up."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self._until = time.monotonic() + _SAMPLE_SECONDS

    def check(self) -> None:
        if time.monotonic() > self._until:
            raise Cancelled("The calibration takes too long.")


def _sample(plan: Plan) -> frozenset[str]:
    """Names of tensors of many sizes that together are about as large as a sample should be."""
    by_size = sorted(plan.targets, key=lambda target: (target.nbytes, target.name))
    small = [target for target in by_size if target.nbytes <= _SAMPLE_BYTES // 2] or by_size[:1]
    for every in range(1, len(small)):
        chosen = small[::-every]
        if sum(target.nbytes for target in chosen) <= _SAMPLE_BYTES:
            return frozenset(target.name for target in chosen)
    return frozenset(target.name for target in small[-1:])


def _only(checkpoint: Checkpoint, names: frozenset[str]) -> Checkpoint:
    return checkpoint.with_tensors({name: ref for name, ref in checkpoint.items() if name in names}, checkpoint.strip)


def _moved(plan: Plan) -> int:
    return plan.reads + plan.writes


def _kind(plan: Plan, device: str, hashes: bool) -> str:
    """What decides the rate: the methods, with their parameters that call for a pass of their own, and the device."""
    methods = sorted({step.spec.name for step in plan.program.steps if step.spec is not None})
    passes = len(plan.program.prepared)
    what = f"{'+'.join(methods) or 'sums'} passes={passes} inputs={len(plan.checkpoints)}"
    several = f" x{len(plan.devices)}" if len(plan.devices) > 1 else ""
    return f"{what} {device.partition(':')[0]}{several}{' hashes' if hashes else ''}"
