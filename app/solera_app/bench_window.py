"""The window's benchmark: how soon it is up, and how late its event loop is, idle and beside a job with live views.

Everything is measured in processes of its own (:mod:`solera_app.bench_subject`). Start-up is the best of several, in
wall time and in CPU seconds; the floor is an empty Qt window. Lateness is that of a 5 ms precise timer; its floor is an
empty window beside a process that keeps one core busy, as a job that never wanted Python would. On a machine with other
work the floors tell how much of a figure is the machine's.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from solera.errors import InputError, SoleraError
from solera.testing.bench import Row, Say

#: Starts that are timed; the best counts.
STARTS = 5
#: Seconds each state of the window is watched.
SECONDS = 10.0

_DIGITS = {"architecture": "digits-cnn"}
_TASKS = {"rotated": "rotation", "inverted": "inversion"}
_CASES = {
    "idle": "a project open, idle",
    "surface": "one CPU job, its surface and its table live",
    "front": "one CPU job, its front and its table live",
}


class BenchError(SoleraError, RuntimeError):
    """What is measured ended before it could be."""

    code = "bench"


def window(say: Say) -> tuple[Row, ...]:
    """Measure the window.

    Raises:
        InputError: There is no display and no Xvfb, or the digits' data are not installed.
        BenchError: The window ended before it was measured.
    """
    with _display(say) as environment, tempfile.TemporaryDirectory(prefix="solera-bench-") as folder:
        environment = {**environment, "XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder}
        rows = _starts(environment, say)
        project = make_project(Path(folder) / "project")
        say(f"watching the window, three times {SECONDS:g} s: idle, a surface, a front")
        found = _subject(environment, "late", str(project), str(SECONDS))
        say(f"watching an empty window beside a busy process, {SECONDS:g} s")
        with _busy():
            floor = _subject(environment, "bare-late", str(SECONDS))["bare"]
    for name, case in _CASES.items():
        rows += lateness_rows(case, found[name], floor, target=30.0 if name != "idle" else None)
    return tuple(rows)


def lateness_rows(case: str, found: dict[str, Any], floor: dict[str, Any], target: float | None) -> list[Row]:
    """Rows of one state of the window.

    Args:
        case: What the window was doing.
        found: ``"late"`` and ``"busy"`` in ms per tick; ``"points"`` that were scored meanwhile.
        floor: The same of an empty window.
        target: What the 99th percentile of the lateness must not exceed, in ms.
    """
    if found["points"]:
        case = f"{case} ({found['points']} points)"

    def row(metric: str, values: str, share: float, target: float | None = None) -> Row:
        ours, least = (float(np.percentile(data[values], share)) for data in (found, floor))
        return Row(case, metric, "ms", ours, floor=least, target=target, met=None if target is None else ours <= target)

    return [
        row("event loop late, p50", "late", 50),
        row("event loop late, p99", "late", 99, target),
        row("event loop late, longest", "late", 100),
        row("CPU of the window's thread per 5 ms tick, p99", "busy", 99),
    ]


def _starts(environment: dict[str, str], say: Say) -> list[Row]:
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
