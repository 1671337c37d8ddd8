"""Whole journeys without a window, through the installed command and the script face."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.warm import Warm

from solera.execution.writer import write_checkpoint
from solera.projects.project import Project
from solera.runs.reader import RunReader

ROOT = Path(__file__).parents[2]
SOLERA = [sys.executable, "-m", "solera.cli"]

SLOW = """\
solera: 1
kind: explore
title: A fine plane
family: {plane: [checkpoints/digits-base, checkpoints/digits-rotated, checkpoints/digits-inverted]}
tasks: [rotated, inverted]
explorer: {name: grid, params: {points: 12}}
limit: 200
report: ""
"""


#: Runs a command to its end.
Solera = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def solera(warm: Warm) -> Solera:
    """Commands that nobody kills run in processes that need not import torch again."""

    def run(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return warm.run([*SOLERA[1:], *map(str, words)], cwd=cwd)

    return run


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits example in a project, with its experiments replaced by small ones."""
    from solera.settings import Settings
    from solera.workbench import Workbench

    folder = tmp_path_factory.mktemp("flow") / "demo"
    with Project.create(folder) as project, Workbench(project, settings=Settings(threads=1)) as bench:
        job = bench.jobs.wait(bench.submit_demo("digits").id, 200)
        assert job.state == "done", job.error
        for file in project.experiments():
            file.unlink()
        (project.experiments_folder / "slow.yaml").write_text(SLOW)
    return folder


@pytest.fixture
def project(demo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo, tmp_path / "project"))


def result_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The last line of a job's events."""
    *events, result = (json.loads(line) for line in done.stdout.splitlines())
    assert all(isinstance(event["v"], int) and event["event"] for event in events)
    assert result["event"] == "result"
    return result


def start_exploration(project: Path) -> tuple[subprocess.Popen[str], Path]:
    """The slow exploration in a process of its own, once it has a few points."""
    words = [*SOLERA, "explore", "slow", "--project", str(project), "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        for file in (project / "runs").glob("*.h5"):
            if RunReader(file).count >= 3:
                return process, file
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"it did not start: {process.communicate()}")


def test_from_checkpoints_to_a_recorded_merge(solera: Solera, project: Path) -> None:
    done = solera("inspect", "digits-base", "--json", cwd=project)
    assert json.loads(done.stdout)["architecture"] == "digits-cnn"
    recipe = project / "recipes" / "digits-task-arithmetic.yaml"
    assert solera("check", recipe, cwd=project).returncode == 0
    done = solera("merge", recipe, project / "outputs" / "sum", "--set", "scale=0.4", "--json", "-q", cwd=project)
    assert done.returncode == 0, done.stderr
    done = solera("evaluate", "outputs/sum", "-t", "rotated", "-t", "inverted", "--json", "-q", cwd=project)
    scores = json.loads(done.stdout)["scores"]
    assert scores["rotated.accuracy"]["value"] > 0.5
    done = solera("runs", "list", "--json", cwd=project)
    assert sorted(run["kind"] for run in json.loads(done.stdout)) == ["evaluate", "merge"]
    run = json.loads(done.stdout)[0]["id"]
    shown = json.loads(solera("runs", "show", run, "--json", cwd=project).stdout)
    assert shown["header"]["provenance"]["versions"]["torch"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_resumably_within_ten_seconds(solera: Solera, project: Path, number: signal.Signals) -> None:
    process, file = start_exploration(project)
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 3
    assert f"solera runs resume {file.stem}" in err
    assert RunReader(file).state == "interrupted"
    done = solera("runs", "resume", file.stem, "--project", project, "--json")
    assert done.returncode == 0, done.stderr
    assert result_of(done)["run"] == file.stem
    assert RunReader(file).count == 144


def test_kill_9_loses_at_most_a_second_and_the_same_command_goes_on(solera: Solera, project: Path) -> None:
    process, file = start_exploration(project)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    killed = RunReader(file)
    assert killed.state == "interrupted"
    assert killed.count >= 3
    before = killed.points()
    done = solera("explore", "slow", "--project", project, "--json")
    assert done.returncode == 0, done.stderr
    result = result_of(done)
    assert (result["run"], result["reused"]) == (file.stem, False)
    after = RunReader(file).points()
    assert len(after) == 144
    np.testing.assert_array_equal(after.values[: len(before)], before.values)
    again = result_of(solera("explore", "slow", "--project", project, "--json"))
    assert (again["run"], again["reused"]) == (file.stem, True)


def test_a_finished_run_is_exported(solera: Solera, project: Path) -> None:
    words = ("--line", "digits-base", "digits-rotated", "-t", "rotated", "-p", "points=3", "--limit", "16", "--json")
    done = solera("explore", *words, cwd=project)
    assert done.returncode == 0, done.stderr
    run = result_of(done)["run"]
    for name in ("run.csv", "run.json", "run.nc"):
        assert solera("runs", "export", run[:17], project / name, cwd=project).returncode == 0
    rows = (project / "run.csv").read_text().splitlines()
    assert len(rows) == 1 + RunReader(project / "runs" / f"{run}.h5").count
    import xarray

    with xarray.open_dataset(project / "run.nc", engine="h5netcdf") as data:
        assert data.sizes["column"] == 2
    assert solera("runs", "check", cwd=project).returncode == 0


def test_a_plugin_that_raises_on_import_stops_nothing(solera: Solera, project: Path) -> None:
    plugins = Path(os.environ["SOLERA_CONFIG"]).parent / "plugins" / "broken"
    plugins.mkdir(parents=True)
    (plugins / "__init__.py").write_text("raise RuntimeError('boom')")
    (plugins / "plugin.toml").write_text(
        'name = "broken"\nversion = "1"\napi = "0"\n[[contributions]]\nkind = "method"\nname = "boom"\n'
        'object = "broken:boom"\n'
    )
    recipe = project / "recipes" / "digits-average.yaml"
    assert solera("check", recipe, cwd=project).returncode == 0
    recipe.write_text(recipe.read_text().replace("method: linear", "method: boom"))
    done = solera("check", recipe, cwd=project)
    assert done.returncode == 2
    assert "boom" in done.stderr
    assert "solera plugin disable broken" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_project_that_cannot_be_written_is_a_sentence(solera: Solera, project: Path) -> None:
    with Project.open(project):  # a window holds it; headless work goes on beside it
        done = solera("evaluate", "digits-base", "-t", "rotated", "-q", "--project", project)
        assert done.returncode == 0, done.stderr
    (project / "solera.toml").write_text("nonsense = [")
    done = solera("runs", "list", "--project", project)
    assert done.returncode == 2
    assert "no TOML" in done.stderr or "cannot be read" in done.stderr


@pytest.mark.heavy
def test_the_demo_runs_twice_and_the_second_reuses_everything(solera: Solera, tmp_path: Path) -> None:
    first = solera("demo", tmp_path / "demo", "--headless", "--example", "digits")
    assert first.returncode == 0, first.stderr
    assert "task arithmetic" in first.stdout
    pictures = [line for line in first.stdout.splitlines() if line.endswith(".png")]
    assert all(Path(line).is_file() for line in pictures)
    runs = sorted((tmp_path / "demo" / "runs").glob("*.h5"))
    stamps = [file.stat().st_mtime_ns for file in runs]
    second = solera("demo", tmp_path / "demo", "--headless", "--example", "digits")
    assert second.returncode == 0, second.stderr
    assert f"{len(runs)} of {len(runs)} runs recorded before" in second.stdout
    assert [file.stat().st_mtime_ns for file in sorted((tmp_path / "demo" / "runs").glob("*.h5"))] == stamps


def test_the_script_of_the_readme_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks, "README.md has no script"
    monkeypatch.chdir(project)
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, cwd=project, timeout=200)
        assert done.returncode == 0, done.stderr
    assert (project / "merged" / "model.safetensors").is_file()


MERGE = """\
solera: 1
nodes:
  a: {checkpoint: a}
  b: {checkpoint: b}
  c: {checkpoint: c}
  o: {method: ties, base: a, inputs: [b, c], density: 0.3}
output: o
"""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Three models of 60 MB, and a recipe of them."""
    for i, name in enumerate("abc"):
        generator = torch.Generator().manual_seed(i)
        write_checkpoint(
            {f"layers.{j}.w": torch.randn(1000, 1000, generator=generator) for j in range(15)}, tmp_path / name
        )
    (tmp_path / "merge.yaml").write_text(MERGE)
    return tmp_path


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def killed(words: list[object], folder: Path, after: float) -> bool:
    """Run a command and kill it; whether it was killed before its end."""
    process = subprocess.Popen(
        [*SOLERA, *map(str, words)], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    assert process.returncode == 0
    return False


def test_kill_9_of_a_merge_keeps_its_finished_files(solera: Solera, large: Path) -> None:
    """Killed as soon as a file is finished, the same command takes it over and gives the same bytes."""
    words: list[object] = ["merge", "merge.yaml", "out", "-q", "--shard-size", "8M"]
    assert solera("merge", "merge.yaml", "whole/out", "-q", "--shard-size", "8M", cwd=large).returncode == 0
    journal = large / ".out.solera.journal"
    process = subprocess.Popen([*SOLERA, *map(str, words)], cwd=large)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if journal.exists() and journal.read_text().count("\n") >= 3:
            break
        time.sleep(0.002)
    process.kill()
    process.wait()
    if not (large / "out").exists():  # it may have been quicker than we
        kept = journal.read_text().count("\n") - 1
        assert kept >= 2
        inodes = {file.name: file.stat().st_ino for file in (large / ".out.solera").glob("*.safetensors")}
        done = solera("merge", "merge.yaml", "out", "--json", "--shard-size", "8M", cwd=large)
        assert done.returncode == 0, done.stderr
        assert result_of(done)["out"] == str(large / "out")
        assert f"Going on after {kept} of" in done.stdout
        now = {file.name: file.stat().st_ino for file in (large / "out").glob("*.safetensors")}
        assert sum(now[name] == inode for name, inode in inodes.items() if name in now) >= kept
    assert files_of(large / "out") == files_of(large / "whole" / "out")
    assert not [path.name for path in large.iterdir() if path.name.startswith(".")]


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(3))
def test_kill_9_of_a_merge_at_random_times_until_it_is_done(solera: Solera, seed: int, large: Path) -> None:
    chance = random.Random(seed)
    assert solera("merge", "merge.yaml", "whole/out", "-q", "--shard-size", "8M", cwd=large).returncode == 0
    whole = files_of(large / "whole" / "out")
    words: list[object] = ["merge", "merge.yaml", "out", "-q", "--shard-size", "8M"]
    kills = 0
    for _ in range(200):
        if not killed(words, large, 1.0 + chance.random() * 3.0 * (1 + kills / 20)):
            break
        kills += 1
        if (large / "out").exists():
            break
    assert kills > 0
    assert files_of(large / "out") == whole


def test_ctrl_c_keeps_finished_files_and_says_so(solera: Solera, large: Path) -> None:
    words = ["merge", "merge.yaml", "out", "-q", "--shard-size", "8M"]
    journal = large / ".out.solera.journal"
    process = subprocess.Popen([*SOLERA, *words], cwd=large, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if journal.exists() and journal.read_text().count("\n") >= 3:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if process.returncode == 0:
        return  # it was done already
    assert process.returncode == 3
    assert re.search(r"\d+ of 8 files are finished and kept in", err), err
    assert not (large / "out").exists()
    assert solera(*words, cwd=large).returncode == 0


def test_a_score_may_be_required(solera: Solera, project: Path) -> None:
    words = ("evaluate", "digits-base", "-t", "rotated", "--project", project, "-q")
    assert solera(*words, "--require", "rotated.accuracy>=0.1").returncode == 0
    done = solera(*words, "--require", "rotated.accuracy>=0.1", "--require", "rotated.cross_entropy<=1e-9", "--json")
    assert done.returncode == 4
    assert "rotated.cross_entropy<=1e-9 is not met: rotated.cross_entropy is" in done.stderr
    verdicts = result_of(done)["requirements"]
    assert [verdict["met"] for verdict in verdicts] == [True, False]
    done = solera(*words, "--require", "rotated.los<=1")
    assert done.returncode == 2
    assert "there are: rotated.cross_entropy, rotated.accuracy" in done.stderr
    done = solera(*words, "--require", "rotated.loss", "--json")
    assert (done.returncode, json.loads(done.stdout)["code"]) == (2, "input")


def test_a_network_of_ones_own_is_named_where_no_config_says_it(
    solera: Solera, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = "from solera_plugins.digits.network import DigitsCnn\n\ndef make():\n    return DigitsCnn(width=48)\n"
    (tmp_path / "mynet.py").write_text(made)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in (project / "checkpoints" / "digits-base").glob("*.safetensors*"):
        shutil.copy(file, bare)
    words = ("evaluate", bare, "-t", "rotated", "--project", project, "-q", "--json")
    told = solera(*words)
    assert told.returncode == 1
    assert "config" in told.stderr
    named = solera(*words, "--factory", "mynet:make")
    usual = solera("evaluate", "digits-base", *words[2:])
    assert result_of(named)["scores"] == result_of(usual)["scores"]
