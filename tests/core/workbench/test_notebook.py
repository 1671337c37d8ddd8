"""Notebooks: models tell what they are, and a job's progress stays up to date in its cell."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

import solera
from solera.events import Progress
from solera.jobs.job import Job
from solera.jobs.spec import JobSpec
from solera.workbench.notebook import JobCell, wait_in_cell


class FakeDisplay:
    """IPython's display and the handle it gives."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, item: Any, *, display_id: bool) -> "FakeDisplay":
        assert display_id
        self.shown.append(item._repr_html_())
        return self

    def update(self, item: Any) -> None:
        self.shown.append(item._repr_html_())


class FakeQueue:
    """A job that moves on at each look."""

    def __init__(self, job: Job) -> None:
        self.job, self.waits = job, 0

    def wait(self, job: str, timeout: float | None = None) -> Job:
        assert job == self.job.id
        self.waits += 1
        self.job.progress = Progress(job=job, done=self.waits, total=3, unit="points", text="line", left=70.0)
        self.job.state = "done" if self.waits >= 3 else "running"
        return self.job


def job() -> Job:
    return Job(JobSpec(kind="explore", title="Line <a> to b"))


def ipython(monkeypatch: pytest.MonkeyPatch, shell: object) -> FakeDisplay:
    display = FakeDisplay()
    package: Any = types.ModuleType("IPython")
    package.get_ipython = lambda: shell
    inner: Any = types.ModuleType("IPython.display")
    inner.display = display
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", inner)
    return display


def test_a_cell_follows_a_job_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    display = ipython(monkeypatch, types.SimpleNamespace(kernel=object()))
    queue = FakeQueue(job())
    wait_in_cell(queue, queue.job)  # type: ignore[arg-type]
    first, *middle, last = display.shown
    assert "queued" in first
    assert '<progress value="2" max="3"' in middle[1]
    assert "2 of 3 points" in middle[1]
    assert "about 1 min 10 s left" in middle[1]
    assert "done" in last
    assert "<progress" not in last
    assert all("<a>" not in shown for shown in display.shown)


@pytest.mark.parametrize("shell", [None, types.SimpleNamespace()], ids=["no shell", "a terminal"])
def test_elsewhere_nothing_is_shown(monkeypatch: pytest.MonkeyPatch, shell: object) -> None:
    display = ipython(monkeypatch, shell)
    queue = FakeQueue(job())
    queue.waits = 2
    wait_in_cell(queue, queue.job)  # type: ignore[arg-type]
    assert display.shown == []


def test_ipython_is_not_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    queue = FakeQueue(job())
    queue.waits = 2
    wait_in_cell(queue, queue.job)  # type: ignore[arg-type]
    assert "IPython" not in sys.modules


def test_a_cell_is_text_too() -> None:
    done = job()
    done.state, done.result = "done", {"summary": "21 points"}
    assert repr(JobCell(done)) == "Line <a> to b · done · 21 points"


def test_a_model_tells_where_it_comes_from(tmp_path: Path) -> None:
    a = solera.open({"w": torch.zeros(2, 3)}, name="a")
    b = solera.open({"w": torch.ones(2, 3)}, name="b <b>")
    opened = a._repr_html_()
    assert "6 in 1 tensors" in opened
    assert "float32" in opened
    merged = (a + solera.var("scale", 0.0, 2.0) * (b - a)).named("merge <i>")._repr_html_()
    assert "scale from 0 to 2" in merged
    assert "merge &lt;i&gt;" in merged
    assert "<i>" not in merged
    assert "<details>" in merged
