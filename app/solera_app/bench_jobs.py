"""Jobs for the window's benchmark: several at once, fifty one after the other, some that are cancelled."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solera.jobs.job import Job
    from solera.recipes.nodes import Recipe
    from solera.workbench.workbench import Workbench
    from solera_app.main import Application

#: Jobs whose memory is looked at.
JOBS = 50
#: Seconds after their start at which jobs are cancelled.
MOMENTS = (0.02, 0.1, 0.3, 1.0)
#: Seconds a job may take to begin.
_BEGIN = 60.0


def make_large(folder: Path) -> None:
    """Three checkpoints ``a``, ``b``, ``c`` of 64 MB."""
    import torch

    from solera.execution.writer import write_checkpoint

    for seed, name in enumerate("abc"):
        generator = torch.Generator().manual_seed(seed)
        tensors = {f"layers.{layer}.w": torch.randn(1000, 1000, generator=generator) for layer in range(16)}
        write_checkpoint(tensors, folder / name)


def _ties(bench: Workbench, folder: Path) -> Recipe:
    """TIES over the checkpoints of a folder."""
    nodes: dict[str, Any] = {name: {"checkpoint": str(folder / name)} for name in "abc"}
    nodes["merged"] = {"method": "ties", "base": "a", "inputs": ["b", "c"], "density": 0.3}
    return bench.recipe({"solera": 1, "nodes": nodes, "output": "merged"})


def _workbench(folder: Path, stack: ExitStack) -> Workbench:
    from solera.projects.project import Project
    from solera.settings import load_settings
    from solera.workbench.workbench import Workbench

    project = stack.enter_context(Project.open(folder))
    settings = dataclasses.replace(load_settings(), threads=1)
    return stack.enter_context(Workbench(project, settings=settings, safe_mode=True))


class Others:
    """A merge, again and again, and a landscape: each in a workbench of its own in this process, for one has one lane.

    Args:
        folders: Two projects as :func:`solera_app.bench_window.make_project` makes them.
        large: The folder of :func:`make_large`.
    """

    def __init__(self, folders: Sequence[Path], large: Path) -> None:
        self._stack = ExitStack()
        self._merging, landscape = (_workbench(folder, self._stack) for folder in folders)
        landscape.submit_explore(folders[1] / "experiments" / "bench-surface.yaml", fresh=True)
        self._recipe = _ties(self._merging, large)
        self._merge: Job | None = None
        self.keep_on()

    def keep_on(self) -> None:
        """Begin the merge again when it is done."""
        if self._merge is None or self._merge.final:
            self._merge = self._merging.submit_merge(self._recipe, "merged", force=True)

    def end(self) -> None:
        """Stop both."""
        self._stack.close()


def memory(application: Application, folder: Path) -> list[int]:
    """Bytes of anonymous memory after each of :data:`JOBS` jobs: a line that is shown and closed, and a merge, in turn.

    Runs the application until it is through.
    """
    series = _Series(application, folder)
    application.open(folder)
    application.run()
    return series.found


class _Series:
    """Submits a job, waits until it is done and shown, closes its tab, looks at the memory; and again."""

    def __init__(self, application: Application, folder: Path) -> None:
        from PySide6.QtCore import QTimer

        self._application, self._desk = application, application.desk
        self.found: list[int] = []
        self._checkpoints = [str(folder / "checkpoints" / name) for name in "abc"]
        self._job: Job | None = None
        self._timer = QTimer(interval=50)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _look(self) -> None:
        from solera.testing.measured import anonymous_bytes
        from solera_app.bridge.background import idle

        bench = self._desk.workbench
        if bench is None or not idle() or self._desk.window.jobs.running:
            return
        if self._job is not None:
            if not bench.jobs.get(self._job.id).final or (self._explores and not self._shown()):
                return
            for tab in self._desk.runs._run_tabs():
                self._desk.close_tab(tab)
            self.found.append(anonymous_bytes())
        if len(self.found) == JOBS:
            self._timer.stop()
            self._application.window.close()
            return
        self._job = self._line(bench) if self._explores else self._merge(bench)

    @property
    def _explores(self) -> bool:
        return len(self.found) % 2 == 0

    def _shown(self) -> bool:
        tabs = self._desk.runs._run_tabs()
        return bool(tabs) and all(tab.view.current is not None for tab in tabs)

    def _line(self, bench: Workbench) -> Job:
        plain = {
            "solera": 1, "kind": "explore", "title": "Line", "family": {"line": self._checkpoints[:2]},
            "tasks": ["rotated"], "split": "selection", "limit": 64,
            "explorer": {"name": "grid", "params": {"points": 21}}, "seed": len(self.found),
        }  # fmt: skip
        job = bench.submit_explore(plain, fresh=True)
        self._desk.runs.await_run(job.id)
        return job

    def _merge(self, bench: Workbench) -> Job:
        nodes: dict[str, Any] = {
            name: {"checkpoint": path} for name, path in zip("abc", self._checkpoints, strict=True)
        }
        nodes["merged"] = {"method": "linear", "inputs": ["a", "b", "c"]}
        return bench.submit_merge(bench.recipe({"solera": 1, "nodes": nodes, "output": "merged"}), "merged", force=True)


def cancelled(folder: Path, large: Path) -> dict[str, list[float]]:
    """Sort of job -> seconds from the cancel to the end, for each of :data:`MOMENTS` at which it was not done yet."""
    with ExitStack() as stack:
        bench = _workbench(folder, stack)
        recipe, experiments = _ties(bench, large), folder / "experiments"
        sorts: dict[str, Callable[[], Job]] = {
            "a merge": lambda: bench.submit_merge(recipe, "cancelled", force=True),
            "a surface": lambda: bench.submit_explore(experiments / "bench-surface.yaml", fresh=True),
            "a Pareto search": lambda: bench.submit_explore(experiments / "bench-front.yaml", fresh=True),
        }
        found: dict[str, list[float]] = {sort: [] for sort in sorts}
        for sort, submit in sorts.items():
            for moment in MOMENTS:
                found[sort] += _until_ended(bench, submit(), moment)
        return found


def _until_ended(bench: Workbench, job: Job, moment: float) -> list[float]:
    began = time.monotonic()
    while bench.jobs.get(job.id).state == "queued" and time.monotonic() - began < _BEGIN:
        time.sleep(0.005)
    time.sleep(moment)
    cancelled = time.monotonic()
    bench.jobs.cancel(job.id)
    state = bench.jobs.wait(job.id, 30.0).state
    ended = time.monotonic()
    sys.stderr.write(f"{job.spec.title} ended as {state}\n")
    return [] if state == "done" else [ended - cancelled]
