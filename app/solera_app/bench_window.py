"""The window's benchmark: every promise about how soon, how smooth and how lean it is.

Everything is measured in processes of its own (:mod:`solera_app.bench_subject`). Start-up is the best of several, in
wall time and in CPU seconds; the floor is an empty Qt window. Lateness is that of a 5 ms precise timer; its floor is an
empty window beside a process that keeps one core busy, as a job that never wanted Python would. What is drawn is told
in wall time and in CPU time of the window's thread. On a machine with other work the floors, and CPU time beside wall
time, tell how much of a figure is the machine's.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from solera.errors import InputError, SoleraError
from solera.testing.bench import Row, Say
from solera_app.bench_jobs import JOBS, make_large

#: Starts that are timed; the best counts.
STARTS = 5
#: Seconds each state of the window is watched.
SECONDS = 10.0

_DIGITS = {"architecture": "digits-cnn"}
_TASKS = {"rotated": "rotation", "inverted": "inversion"}
#: State of the window -> what it was doing; what p99 and the longest wait must not exceed, ms.
_CASES: dict[str, tuple[str, float | None, float | None]] = {
    "importing": ("from the first paint until all is imported", None, 250.0),
    "idle": ("a project open, idle", None, 100.0),
    "surface": ("one CPU job, its surface and its table live", 30.0, 100.0),
    "front": ("one CPU job, its front and its table live", 30.0, 100.0),
    "three": ("a Pareto search, a landscape and a merge at once, front and table live", 75.0, 100.0),
}
#: What is drawn -> in words; the 95th percentile it must not exceed, ms.
_DRAWN: dict[str, tuple[str, float]] = {
    "grow pareto": ("a front of 10,000 points takes 50 more and is painted, 20 times a second", 50.0),
    "grow parallel": ("parallel axes of 10,000 points take 50 more and are painted, 20 times a second", 50.0),
    "grow table": ("a table of 10,000 points takes 50 more and is painted, 20 times a second", 50.0),
    "pan": ("a surface of 501x501 under a hand that drags it", 16.0),
    "open": ("a canvas of 1,000 nodes, to its first paint", 500.0),
    "paint whole": ("a canvas of 1,000 nodes, all in sight, moved", 16.0),
    "paint near": ("a canvas of 1,000 nodes at 100 %, 500 connections in sight, moved", 16.0),
}
#: Jobs before memory is looked at: caches fill.
_WARM = 10
#: MB a job that count as nothing.
_LEAST = 0.01


class BenchError(SoleraError, RuntimeError):
    """What is measured ended before it could be."""

    code = "bench"


def window(say: Say, only: Sequence[str] = ()) -> tuple[Row, ...]:
    """Measure the window.

    Args:
        say: Told a line at every step.
        only: Names of :data:`PARTS`; all of them if empty.

    Raises:
        InputError: There is no such part, no display and no Xvfb, or the digits' data are not installed.
        BenchError: The window ended before it was measured.
    """
    unknown = [name for name in only if name not in PARTS]
    if unknown:
        raise InputError(f"The benchmark has no part '{unknown[0]}'; it has {', '.join(PARTS)}.", part=unknown[0])
    rows: list[Row] = []
    with _display(say) as environment:
        for name in only or PARTS:
            with tempfile.TemporaryDirectory(prefix="solera-bench-") as folder:
                own = {**environment, "XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder}
                rows += PARTS[name](own, Path(folder), say)
    return tuple(rows)


def _late(environment: dict[str, str], folder: Path, say: Say) -> list[Row]:
    projects = [make_project(folder / name) for name in ("project", "second", "third")]
    large = folder / "large"
    make_large(large)
    say(f"watching the window, four times {SECONDS:g} s: idle, a surface, a front, three jobs at once")
    found = _subject(environment, "late", str(SECONDS), *map(str, projects), str(large))
    say(f"watching an empty window beside a busy process, {SECONDS:g} s")
    with _busy():
        floor = _subject(environment, "bare-late", str(SECONDS))["bare"]
    rows: list[Row] = []
    for name, (case, target, longest) in _CASES.items():
        rows += lateness_rows(case, found[name], floor, target, longest)
    return rows


def _drawn(environment: dict[str, str], folder: Path, say: Say) -> list[Row]:
    say("drawing growing views, a surface and a canvas")
    return drawing_rows(_subject(environment, "draw"))


def drawing_rows(found: dict[str, dict[str, list[float]]]) -> list[Row]:
    """Rows of what was drawn: the 95th percentile, in wall time and in CPU time.

    Args:
        found: Case -> ``"wall"`` and ``"cpu"``, ms per paint; ``"floor"`` is a plain widget.
    """
    rows = []
    for name, (case, target) in _DRAWN.items():
        for measure, metric in (("wall", "time, p95"), ("cpu", "CPU time, p95")):
            ours, floor = (float(np.percentile(found[each][measure], 95)) for each in (name, "floor"))
            judged = target if measure == "wall" else None
            met = None if judged is None else ours <= judged
            rows.append(Row(case, metric, "ms", ours, floor=floor, target=judged, met=met))
    return rows


def _memory(environment: dict[str, str], folder: Path, say: Say) -> list[Row]:
    project = make_project(folder / "project")
    say(f"{JOBS} jobs, one after the other")
    return memory_rows(_subject(environment, "memory", str(project))["anonymous"])


def memory_rows(anonymous: Sequence[int]) -> list[Row]:
    """Rows of the memory after each job: its slope from the tenth on, beside twice its standard error.

    Args:
        anonymous: Bytes, after each job.
    """
    kept = np.asarray(anonymous[_WARM - 1 :], dtype=np.float64) / 1e6
    (slope, _), covariance = np.polyfit(np.arange(kept.size), kept, 1, cov=True)
    noise = max(2 * float(np.sqrt(covariance[0, 0])), _LEAST)
    case = f"jobs {_WARM} to {len(anonymous)}: a line shown and closed, and a merge, in turn"
    met = bool(slope <= noise)
    return [
        Row(case, "slope of anonymous memory (target: its noise)", "MB/job", float(slope), target=noise, met=met),
        Row(case, "anonymous memory at the end", "MB", float(kept[-1])),
    ]


def _cancel(environment: dict[str, str], folder: Path, say: Say) -> list[Row]:
    project, large = make_project(folder / "project"), folder / "large"
    make_large(large)
    say("cancelling jobs")
    found = _subject(environment, "cancel", str(project), str(large))
    return [
        Row(f"{sort} is cancelled", "time to its end, longest", "s", max(times), target=1.0, met=max(times) <= 1.0)
        for sort, times in found.items()
    ]


def lateness_rows(
    case: str, found: dict[str, Any], floor: dict[str, Any], target: float | None, longest: float | None = None
) -> list[Row]:
    """Rows of one state of the window.

    Args:
        case: What the window was doing.
        found: ``"late"`` and ``"busy"`` in ms per tick; ``"points"`` that were scored meanwhile.
        floor: The same of an empty window.
        target: What the 99th percentile of the lateness must not exceed, in ms.
        longest: What no tick's lateness must exceed, in ms.
    """
    if found["points"]:
        case = f"{case} ({found['points']} points)"

    def row(metric: str, values: str, share: float, target: float | None = None) -> Row:
        ours, least = (float(np.percentile(data[values], share)) for data in (found, floor))
        return Row(case, metric, "ms", ours, floor=least, target=target, met=None if target is None else ours <= target)

    return [
        row("event loop late, p50", "late", 50),
        row("event loop late, p99", "late", 99, target),
        row("event loop late, longest", "late", 100, longest),
        row("CPU of the window's thread per 5 ms tick, p99", "busy", 99),
    ]


def _starts(environment: dict[str, str], folder: Path, say: Say) -> list[Row]:
    best: dict[str, tuple[float, float]] = {}
    for trial in range(STARTS):
        for what in ("paint", "bare-paint"):
            began = time.monotonic()
            found = _subject(environment, what)
            wall, cpu = best.get(what, (math.inf, math.inf))
            best[what] = (min(wall, found["at"] - began), min(cpu, found["cpu"]))
        say(f"start {trial + 1}: best so far {best['paint'][0]:.2f} s, {best['paint'][1]:.2f} CPU s to the first paint")
    case = f"solera app, a new process, best of {STARTS}"
    (wall, cpu), (least_wall, least_cpu) = best["paint"], best["bare-paint"]
    return [
        Row(case, "process start to first paint", "s", wall, floor=least_wall, target=1.5, met=wall <= 1.5),
        Row(case, "CPU time to first paint", "s", cpu, floor=least_cpu),
    ]


#: Part -> what measures it, with an environment and an empty folder.
PARTS: dict[str, Callable[[dict[str, str], Path, Say], list[Row]]] = {
    "start": _starts,
    "late": _late,
    "draw": _drawn,
    "memory": _memory,
    "cancel": _cancel,
}


def make_project(folder: Path) -> Path:
    """A project with three digits networks of random weights (times do not depend on them) and two experiments.

    Raises:
        InputError: scikit-learn, whose digits are scored, is not installed.
    """
    import torch

    from solera.execution.writer import write_checkpoint
    from solera.extend.registry import Registry
    from solera.models.architecture import build_module
    from solera.projects.project import Project

    if not _installed("sklearn"):
        raise InputError("The benchmark scores scikit-learn's digits; run: pip install 'solera[demo]'.")
    architectures = Registry.discover(safe_mode=True).architectures
    with Project.create(folder, "bench") as project:
        for seed, name in enumerate("abc"):
            generator = torch.Generator().manual_seed(seed)
            state = build_module(_DIGITS, architectures).state_dict()
            for tensor in state.values():
                tensor.normal_(0, 0.1, generator=generator)
            project.library.add(write_checkpoint(state, folder / "checkpoints" / name, config=_DIGITS))
        for task, transform in _TASKS.items():
            project.set_task(task, "digits", {"transform": transform})
        for name, explorer in (("surface", {"name": "grid", "params": {"points": 101}}), ("front", {"name": "pareto"})):
            (project.experiments_folder / f"bench-{name}.yaml").write_text(json.dumps(_experiment(name, explorer)))
    return folder


def _experiment(name: str, explorer: dict[str, Any]) -> dict[str, Any]:
    """More points than are scored while it is watched. JSON is YAML."""
    plain = {
        "solera": 1,
        "kind": "explore",
        "title": f"Bench {name}",
        "family": {"plane": [f"checkpoints/{part}" for part in "abc"]},
        "tasks": list(_TASKS),
        "split": "selection",
        "explorer": explorer,
        "seed": 0,
    }
    return plain if "params" in explorer else {**plain, "budget": 10_000}


def _installed(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _subject(environment: dict[str, str], *words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "solera_app.bench_subject", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        said: Sequence[str] = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise BenchError(
            f"The window ended with code {done.returncode} before '{words[0]}' was measured; it said: {said[0]}",
            stderr=done.stderr,
        ) from None
    return found


@contextmanager
def _busy() -> Iterator[None]:
    """A process that keeps one core busy."""
    work = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        work.kill()
        work.wait()


@contextmanager
def _display(say: Say) -> Iterator[dict[str, str]]:
    """An environment with a display: the one that is there, or an Xvfb of our own.

    Raises:
        InputError: There is neither.
    """
    environment = dict(os.environ)
    if sys.platform != "linux" or environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        yield environment
        return
    if shutil.which("Xvfb") is None:
        raise InputError(
            "The window is measured on a display, and there is none; install the package xvfb, which has one in memory "
            "(on Debian or Ubuntu: sudo apt install xvfb)."
        )
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1440x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise BenchError("Xvfb did not start, so there is no display to measure the window on.")
        say(f"no display: started Xvfb :{number}")
        yield {**environment, "DISPLAY": f":{number}"}
    finally:
        server.terminate()
        server.wait()
