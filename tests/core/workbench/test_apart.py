"""Jobs in a process of their own: somebody else's code, a certain end, a run file that can be read."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from solera.execution.writer import write_checkpoint
from solera.jobs.job import Job
from solera.projects.project import Project
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.runs.reader import RunReader
from solera.settings import Settings
from solera.workbench import Workbench
from solera.workbench.apart import LONG_CALL, reason_for_process
from solera.workbench.outcome import result_of

#: Seconds a cancel may take. The promise is one; on a busy machine that is a measurement, so it stands with the heavy
#: tests.
LATEST = pytest.mark.parametrize("latest", [20.0, pytest.param(1.5, marks=pytest.mark.heavy)])

CODE = '''
import os, time
from pathlib import Path
from solera.api import Measure, Row, method, probe

@method("elsewhere", inputs=(1, None), granularity="element")
def elsewhere(tensors, *, how: int = 0):
    """Says where it ran; sleeps for ever, or takes its process down, when told to."""
    Path(os.environ["SOLERA_TEST_SEEN"]).write_text(str(os.getpid()))
    while how == 1:
        time.sleep(0.05)
    if how == 2:
        os.abort()
    return tensors[0].clone()

@probe("where", kind="scalars", measures=(Measure("pid", "process"),))
def where(subject, *, endless: bool = False):
    """In which process it is measured; for ever, when told to."""
    Path(os.environ["SOLERA_TEST_SEEN"]).write_text(str(os.getpid()))
    while endless:
        time.sleep(0.05)
    for i, _ in enumerate(subject.models):
        yield Row((i,), {"pid": float(os.getpid())})
'''

MANIFEST = """
name = "outside"
version = "1"
api = "0"
[[contributions]]
kind = "method"
name = "elsewhere"
object = "outside.made:elsewhere"
[contributions.method]
takes = "weights"
base = "none"
inputs = [1]
[[contributions.params]]
name = "how"
kind = "int"
default = 0
[[contributions]]
kind = "probe"
name = "where"
object = "outside.made:where"
[contributions.probe]
result = "scalars"
[[contributions.params]]
name = "endless"
kind = "bool"
default = false
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    """A project with a checkpoint, and a plugin of somebody else's."""
    folder = tmp_path / "plugins" / "outside"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "made.py").write_text(CODE)
    (folder / "plugin.toml").write_text(MANIFEST)
    monkeypatch.setenv("SOLERA_TEST_SEEN", str(tmp_path / "seen"))
    write_checkpoint({"w": torch.randn(40, 50), "v": torch.randn(9)}, tmp_path / "a")
    settings = Settings(threads=1, plugin_folders=(str(tmp_path / "plugins"),))
    with Project.create(tmp_path / "project") as project, Workbench(project, settings=settings) as made:
        yield made


def recipe(tmp_path: Path, how: int = 0, method: str = "elsewhere") -> Recipe:
    params = {"how": how} if method == "elsewhere" else {}
    return Recipe((CheckpointNode("a", str(tmp_path / "a")), MethodNode("o", method, ("a",), params=params)), "o")


def until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def pid(tmp_path: Path) -> int:
    return int((tmp_path / "seen").read_text())


def begun(bench: Workbench, tmp_path: Path, how: int) -> Job:
    (tmp_path / "seen").unlink(missing_ok=True)
    job = bench.submit_merge(recipe(tmp_path, how), "out")
    until(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text())
    return job


def test_a_method_from_outside_runs_in_another_process(bench: Workbench, tmp_path: Path) -> None:
    job = bench.jobs.wait(bench.submit_merge(recipe(tmp_path), "out").id, 120)
    result = result_of(job)
    assert pid(tmp_path) != os.getpid()
    assert any("is from the plugin 'outside'" in said.text for said in job.log)
    reader = RunReader(result["path"])
    assert (reader.state, reader.header.kind, job.run) == ("done", "merge", result["run"])
    assert bench.project is not None
    assert bench.project.library.get("outputs/out").lineage["run"] == result["run"]
    assert job.progress is not None
    assert (job.progress.unit, job.progress.done) == ("B", job.progress.total)
    shutil.rmtree(bench.project.artifacts / "merges")  # else the weights are taken from there
    here = result_of(bench.jobs.wait(bench.submit_merge(recipe(tmp_path), "here", process=False).id, 120))
    assert pid(tmp_path) == os.getpid()
    weights = [Path(made["out"], "model.safetensors").read_bytes() for made in (result, here)]
    assert weights[0] == weights[1]


@LATEST
def test_a_cancel_is_certain(bench: Workbench, tmp_path: Path, latest: float) -> None:
    """Whatever somebody's code is at: the process is killed, the run file closed, the half result removed."""
    job = begun(bench, tmp_path, 1)
    asked = time.monotonic()
    bench.jobs.cancel(job.id)
    assert bench.jobs.wait(job.id, 60).state == "cancelled"
    assert time.monotonic() - asked < latest
    with pytest.raises(ProcessLookupError):
        os.kill(pid(tmp_path), 0)
    assert bench.project is not None
    assert [path.name for path in bench.project.outputs.iterdir()] == []
    reader = RunReader(bench.project.runs_folder / f"{job.run}.h5")
    assert (reader.state, reader.header.kind) == ("cancelled", "merge")
    assert result_of(bench.jobs.wait(bench.submit_merge(recipe(tmp_path), "out").id, 120))["out"]


def test_a_crash_takes_only_itself_along(bench: Workbench, tmp_path: Path) -> None:
    job = bench.jobs.wait(bench.submit_merge(recipe(tmp_path, 2), "out").id, 120)
    assert job.state == "failed"
    assert job.error is not None
    assert "SIGABRT" in job.error["message"]
    assert bench.project is not None
    assert RunReader(bench.project.runs_folder / f"{job.run}.h5").state == "failed"
    assert not (bench.project.outputs / "out").exists()
    assert json.dumps(job.to_plain())


def test_what_runs_apart(bench: Workbench, tmp_path: Path) -> None:
    def reason(method: str, size: int = 10, **more: object) -> str:
        write_checkpoint({"w": torch.zeros(size, 1)}, tmp_path / "a", force=True)
        from solera.recipes.plain import to_plain

        return reason_for_process(bench._bench, "merge", {"recipe": to_plain(recipe(tmp_path, method=method)), **more})

    assert reason("linear") == ""
    assert reason("linear", process=True) == "it was asked for"
    assert "plugin 'outside'" in reason("elsewhere")
    assert reason("elsewhere", process=False) == ""
    slow = next(
        name for name in bench.registry.methods
        if bench.registry.methods[name].granularity == "tensor" and bench.registry.methods[name].promise != "bytes"
    )  # fmt: skip
    assert reason(slow) == ""
    assert "cannot be stopped within a matrix" in reason(slow, LONG_CALL + 1)
    assert reason("nonsense") == ""


def test_weights_in_memory_do_not_travel(bench: Workbench, tmp_path: Path) -> None:
    from solera.checkpoints.memory import MemoryCheckpoint

    source = bench.inputs.keep(MemoryCheckpoint.from_state_dict({"w": torch.ones(3)}), "key")
    made = Recipe((CheckpointNode("a", source), MethodNode("o", "elsewhere", ("a",))), "o")
    assert result_of(bench.jobs.wait(bench.submit_merge(made, "out").id, 120))["out"]
    assert pid(tmp_path) == os.getpid()


def probed(tmp_path: Path, **params: bool) -> dict[str, object]:
    entry = {"name": "a", "checkpoint": str(tmp_path / "a")}
    return {"solera": 1, "kind": "probe", "entries": [entry], "probe": {"name": "where", "params": params}}


def test_a_probe_from_outside_is_measured_in_another_process(bench: Workbench, tmp_path: Path) -> None:
    job = bench.jobs.wait(bench.submit(probed(tmp_path)).id, 120)
    reader = RunReader(result_of(job)["path"])
    (row,) = reader.result().records()
    assert row["pid"] == pid(tmp_path) != os.getpid()
    assert any("is from the plugin 'outside'" in said.text for said in job.log)
    assert reason_for_process(bench._bench, "probe", {"experiment": {"probe": {"name": "norms"}, "entries": []}}) == ""


def test_a_probe_that_never_ends_is_ended_with_its_process(bench: Workbench, tmp_path: Path) -> None:
    job = bench.submit(probed(tmp_path, endless=True))
    until(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text())
    bench.jobs.cancel(job.id)
    bench.jobs.wait(job.id, 60)
    assert job.state == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(pid(tmp_path), 0)
