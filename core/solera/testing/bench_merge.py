"""Merging models from disk to disk: the same files by us and by mergekit, beside bare reading and writing."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from solera.settings import cache_folder
from solera.testing.bench import Row, Say
from solera.testing.measured import Measured, measure
from solera.testing.merge_inputs import LARGE, SMALL, merge_inputs
from solera.testing.mergekit_peer import OPTIONS, Mergekit

#: Most anonymous memory of a merge at the default budget, GiB.
MEMORY_TARGET = 0.6

#: Seconds of a run of mergekit that is tried with its other options too: they are worth a few seconds at most.
SHORT = 60.0

#: How many times the floor a merge element by element may take, starting Python not counted.
FLOOR_TARGET = 2.5


@dataclass(frozen=True, slots=True)
class Case:
    """One merge.

    Attributes:
        base: Whether the base model takes part beside the tunes.
        tunes: How many tunes.
        parameters: mergekit's, of every tune.
        common: mergekit's, of the merge.
        target: What share of mergekit's time we may take.
        elementwise: Whether each element depends on no other.
    """

    base: bool
    tunes: int = 3
    parameters: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    common: Mapping[str, float] = field(default_factory=dict)
    target: float = 1 / 3
    elementwise: bool = False


_WEIGHTS = {"weight": (0.5, 0.3, 0.2)}
_SPARSE = {**_WEIGHTS, "density": (0.5, 0.5, 0.5)}

#: mergekit's methods and what we owe them.
CASES: dict[str, Case] = {
    "linear": Case(False, parameters=_WEIGHTS, target=1 / 5, elementwise=True),
    "task_arithmetic": Case(True, parameters=_WEIGHTS, target=1 / 4, elementwise=True),
    "slerp": Case(False, 2, common={"t": 0.4}, target=1 / 4),
    "karcher": Case(False, target=1 / 4),
    "model_stock": Case(True, target=1 / 3),
    "sce": Case(True, common={"select_topk": 0.5}, target=1 / 3),
    "dare_ties": Case(True, parameters=_SPARSE, target=1 / 6),
    "della": Case(True, parameters=_SPARSE, target=1 / 6),
    "ties": Case(True, parameters=_SPARSE, target=1 / 12),
    "breadcrumbs": Case(True, parameters=_SPARSE, target=1 / 12),
}


def merge(
    say: Say, *, small: bool = False, folder: Path | None = None, only: tuple[str, ...] = (), rounds: int = 3
) -> tuple[Row, ...]:
    """Merge by each method, best of some rounds, with files in the page cache and fingerprints known.

    Args:
        say: Told a line at every step.
        small: Models of a tenth of the size; start-up then weighs more.
        folder: Where inputs and mergekit's environment are kept; the user's cache folder if None.
        only: Only these of :data:`CASES`.
        rounds: How often we are run, but for a look at our memory; mergekit once with each set of options, or only with
            those that make it faster where that takes more than :data:`SHORT`.

    Raises:
        InputError: mergekit cannot be installed, or a program fails.
    """
    place = folder or cache_folder() / "bench"
    shape = SMALL if small else LARGE
    say(f"models in {place}")
    inputs = merge_inputs(place / ("small" if small else "large"), shape)
    peer = Mergekit(place / "mergekit")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="solera-bench-", dir=place) as name:
        bench = _Bench(Path(name), inputs, peer, rounds)
        start = bench.start()
        rows.append(Row.of("start", "wall time", "s", start))
        for method in only or CASES:
            say(method)
            rows += bench.rows(method, CASES[method], start)
            say("; ".join(f"{row.metric} {row.ours:.3g} {row.unit}" for row in rows[-3:]))
    return tuple(rows)


class _Bench:
    """The runs of one benchmark."""

    def __init__(self, folder: Path, inputs: Mapping[str, Path], peer: Mergekit, rounds: int) -> None:
        self._folder = folder
        self._inputs = inputs
        self._peer = peer
        self._rounds = rounds
        self._out = folder / "out"

    def start(self) -> float:
        """Seconds that starting Python and importing what merges takes."""
        command = [sys.executable, "-c", "import solera.execution.stream"]
        return min(measure(command).wall for _ in range(self._rounds + 1))

    def rows(self, method: str, case: Case, start: float) -> list[Row]:
        """The figures of one case."""
        recipe = self._recipe(method, case)
        command = [sys.executable, "-m", "solera.cli", "merge", str(recipe), str(self._out), "-q"]
        memory = self._clean(lambda: measure(command, memory=True)).anonymous  # fills caches, too
        ours = min(self._clean(lambda: measure(command)).wall for _ in range(self._rounds))
        runs = [self._theirs(recipe, OPTIONS[0])]
        if runs[0].wall < SHORT:
            runs += [self._theirs(recipe, options) for options in OPTIONS[1:]]
        theirs, peer_held = min(run.wall for run in runs), min(run.anonymous for run in runs) / 2**30
        floor = min(self._floor(case) for _ in range(self._rounds))
        held = memory / 2**30
        rows = [
            Row.of(method, "wall time", "s", ours, peer=theirs, floor=floor, target=case.target),
            Row(method, "anonymous memory", "GiB", held, peer_held, None, None, MEMORY_TARGET, held <= MEMORY_TARGET),
        ]
        beyond = Row.of(
            method, "wall time after the start", "s", max(ours - start, 0.0), floor=floor,
            target=FLOOR_TARGET if case.elementwise else None,
        )  # fmt: skip
        return [*rows, beyond]

    def _theirs(self, recipe: Path, options: tuple[str, ...]) -> Measured:
        return self._clean(lambda: self._peer.merge(recipe, self._out, options, memory=True))

    def _recipe(self, method: str, case: Case) -> Path:
        tunes = [self._inputs[f"ft{i + 1}"] for i in range(case.tunes)]
        lines = [f"merge_method: {method}", "dtype: bfloat16"]
        if case.base or method == "slerp":
            lines.append(f"base_model: {self._inputs['base'] if case.base else tunes[0]}")
        lines.append("models:")
        for i, path in enumerate(tunes):
            values = ", ".join(f"{name}: {numbers[i]}" for name, numbers in case.parameters.items())
            lines.append(f"  - {{model: {path}, parameters: {{{values}}}}}" if values else f"  - model: {path}")
        if case.common:
            lines.append(f"parameters: {{{', '.join(f'{k}: {v}' for k, v in case.common.items())}}}")
        file = self._folder / f"{method}.yml"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    def _clean(self, run: Callable[[], Measured]) -> Measured:
        """Run without what an earlier run left."""
        shutil.rmtree(self._out, ignore_errors=True)
        return run()

    def _floor(self, case: Case) -> float:
        """Seconds to read the inputs once and write one of them, by as many threads as there are cores."""
        from concurrent.futures import ThreadPoolExecutor

        names = [f"ft{i + 1}" for i in range(case.tunes)] + (["base"] if case.base else [])
        shutil.rmtree(self._out, ignore_errors=True)
        self._out.mkdir()
        files = sorted(self._inputs[names[0]].glob("*.safetensors"))
        jobs = [(file.name, at) for file in files for at in range(0, file.stat().st_size, _FLOOR_BYTES)]
        began = time.perf_counter()
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(lambda job: _copy([self._inputs[name] for name in names], self._out, *job), jobs))
        return time.perf_counter() - began


#: Bytes read and written at a time for the floor.
_FLOOR_BYTES = 1 << 20


def _copy(folders: list[Path], out: Path, name: str, at: int) -> None:
    data = b""
    for folder in folders:
        source = os.open(folder / name, os.O_RDONLY)
        try:
            data = os.pread(source, _FLOOR_BYTES, at)
        finally:
            os.close(source)
    target = os.open(out / name, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(target, data, at)
    finally:
        os.close(target)
