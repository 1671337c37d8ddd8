"""Whole journeys without a window, through the installed command and the script face."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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


def solera(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SOLERA, *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=280)


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


def test_from_checkpoints_to_a_recorded_merge(project: Path) -> None:
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
def test_a_signal_stops_resumably_within_ten_seconds(project: Path, number: signal.Signals) -> None:
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


def test_kill_9_loses_at_most_a_second_and_the_same_command_goes_on(project: Path) -> None:
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


def test_a_finished_run_is_exported(project: Path) -> None:
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


def test_a_plugin_that_raises_on_import_stops_nothing(project: Path) -> None:
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


def test_a_project_that_cannot_be_written_is_a_sentence(project: Path) -> None:
    with Project.open(project):  # a window holds it; headless work goes on beside it
        done = solera("evaluate", "digits-base", "-t", "rotated", "-q", "--project", project)
        assert done.returncode == 0, done.stderr
    (project / "solera.toml").write_text("nonsense = [")
    done = solera("runs", "list", "--project", project)
    assert done.returncode == 2
    assert "no TOML" in done.stderr or "cannot be read" in done.stderr


@pytest.mark.heavy
def test_the_demo_runs_twice_and_the_second_reuses_everything(tmp_path: Path) -> None:
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
