"""Runs beside each other, and a run done again with one change."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from solera.cli.main import main
from solera.errors import InputError, SoleraError
from solera.jobs.job import Job
from solera.recipes.nodes import CheckpointNode, Recipe, SumNode, Term
from solera.runs.reader import RunReader
from solera.workbench import Workbench
from solera.workbench.beside import Found, _best, beside, changed, settings_of, within_noise
from solera.workbench.outcome import result_of

LINE = {
    "solera": 1,
    "kind": "explore",
    "title": "A short line",
    "family": {"line": ["library:digits-rotated", "library:digits-inverted"]},
    "tasks": ["rotated"],
    "explorer": {"name": "grid", "params": {"points": 3}},
    "limit": 16,
}


def finish(bench: Workbench, job: Job) -> dict[str, Any]:
    bench.jobs.wait(job.id, 120)
    return result_of(job)


def test_again_with_one_change_and_both_beside_each_other(bench: Workbench) -> None:
    first = finish(bench, bench.submit(LINE))
    second = finish(bench, bench.again(first["run"], {"explorer.params.points": 5, "title": "Longer"}))
    assert second["run"] != first["run"]
    readers = [RunReader(first["path"]), RunReader(second["path"])]
    assert [reader.header.planned for reader in readers] == [3, 5]
    found = beside(readers)
    settings = {line.name: line.values for line in found.lines if line.kind == "setting"}
    assert settings == {"title": ("A short line", "Longer"), "explorer.params.points": ("3", "5")}
    assert found.equal > 3
    (accuracy,) = [line for line in found.lines if line.name == "rotated.accuracy"]
    for reader, one in zip(readers, accuracy.found, strict=True):
        points = reader.points()
        column = reader.header.column_names.index("rotated.accuracy")
        best = max(points.values[points.phase == "search", column])
        assert one.value == best
    assert accuracy.better == "higher"
    facts = {line.name: line.values for line in found.lines if line.kind == "fact"}
    assert facts["state"] == ("done", "done")


def test_a_merge_is_made_again_beside_the_first(bench: Workbench) -> None:
    nodes = (
        CheckpointNode("a", "library:digits-rotated"), CheckpointNode("b", "library:digits-inverted"),
        SumNode("s", (Term("a", 0.5), Term("b", 0.5))),
    )  # fmt: skip
    first = finish(bench, bench.submit_merge(Recipe(nodes, "s", name="half"), "half"))
    second = finish(bench, bench.again(first["run"], {"dtype": "float16"}))
    assert Path(second["out"]).name == "half-2"
    assert bench.project is not None
    assert bench.project.library.get("outputs/half-2").dtype == "float16"


def test_settings_go_and_come_by_their_dotted_names() -> None:
    assert settings_of(LINE) == {
        "kind": "explore", "title": "A short line", "tasks": "rotated", "explorer.name": "grid",
        "explorer.params.points": "3", "limit": "16",
    }  # fmt: skip
    made = changed(LINE, {"explorer.params.points": 9, "limit": None, "new.part": 1})
    assert made["explorer"] == {"name": "grid", "params": {"points": 9}}
    assert "limit" not in made
    assert made["new"] == {"part": 1}
    assert LINE["limit"] == 16
    assert LINE["explorer"] == {"name": "grid", "params": {"points": 3}}
    with pytest.raises(InputError, match="'title' is 'A short line', and has no parts"):
        changed(LINE, {"title.x": 1})


def test_a_faulty_change_is_a_sentence(bench: Workbench) -> None:
    run = finish(bench, bench.submit(LINE))["run"]
    with pytest.raises(SoleraError, match="nonsense"):
        bench.again(run, {"nonsense": 3})
    with pytest.raises(InputError, match="Two runs or more"):
        beside([RunReader(bench.runs.get(run).path)])


@pytest.mark.parametrize(
    ("values", "errors", "noise"),
    [((0.9, 0.8), (0.01, 0.01), False), ((0.9, 0.89), (0.01, 0.01), True), ((0.9, 0.8), (math.nan, math.nan), False)],
)
def test_what_is_within_noise(values: Any, errors: Any, noise: bool) -> None:
    found = [Found(value, error, 9) for value, error in zip(values, errors, strict=True)]
    assert within_noise(found, "higher") is noise


def test_on_the_command_line(folder: Path, capsys: Any) -> None:
    from solera.projects.project import Project
    from solera.settings import Settings

    with Project.open(folder) as project, Workbench(project, settings=Settings(threads=1)) as bench:
        first = finish(bench, bench.submit(LINE))["run"]
    assert main(["runs", "again", first, "--set", "seed=7", "--project", str(folder), "-q", "--json"]) == 0
    second = json.loads(capsys.readouterr().out)["run"]
    assert main(["runs", "compare", first, second, "--project", str(folder), "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert [line["values"] for line in lines if line["name"] == "seed"] == [["", "7"]]
    assert main(["runs", "again", first, "--set", "seed", "--project", str(folder)]) == 2


def test_the_best_of_a_run_is_among_what_was_scored_on_most_samples() -> None:
    points = SimpleNamespace(
        phase=np.array(["search"] * 4 + ["report"]), values=np.array([[0.9], [0.2], [0.6], [0.5], [0.95]]),
        stderrs=np.full((5, 1), 0.1), counts=np.array([[8], [8], [16], [16], [40]]),
    )  # fmt: skip
    reader: Any = SimpleNamespace(points=lambda: points, header=SimpleNamespace(column_names=("t.accuracy",)))
    assert _best(reader, "t.accuracy", "search", "higher") == Found(0.6, 0.1, 16)
    assert _best(reader, "t.accuracy", "report", "higher") == Found(0.95, 0.1, 40)
