import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import InputError, NotFoundError, OutputError, SoleraError, TaskError
from solera.events import PointScored
from solera.families.family import Family
from solera.jobs.job import Job
from solera.jobs.spec import JobSpec
from solera.projects.project import Project
from solera.recipes.nodes import CheckpointNode, Recipe, SumNode, Term
from solera.runs.reader import RunReader
from solera.settings import Settings
from solera.tasks.scores import Score
from solera.workbench import Workbench
from solera.workbench.outcome import result_of

LINE = {
    "solera": 1,
    "kind": "explore",
    "title": "A short line",
    "family": {"line": ["library:digits-rotated", "library:digits-inverted"]},
    "tasks": ["rotated", "inverted"],
    "explorer": {"name": "grid", "params": {"points": 4}},
    "limit": 16,
}


def finish(bench: Workbench, job: Job) -> dict[str, Any]:
    bench.jobs.wait(job.id, 120)
    return result_of(job)


def blend(share: float = 0.5) -> Recipe:
    nodes = (
        CheckpointNode("a", "library:digits-rotated"),
        CheckpointNode("b", "library:digits-inverted"),
        SumNode("blend", (Term("a", 1 - share), Term("b", share))),
    )
    return Recipe(nodes, "blend", name="half")


def test_a_merge_is_made_recorded_and_listed_with_its_lineage(bench: Workbench) -> None:
    result = finish(bench, bench.submit_merge(blend(), "half", dtype="float16"))
    assert bench.project is not None
    entry = bench.project.library.get("outputs/half")
    assert (entry.role, entry.dtype, entry.path) == ("made", "float16", bench.project.outputs / "half")
    assert entry.lineage["run"] == result["run"]
    assert set(entry.lineage["inputs"]) == {"a", "b"}
    assert all(item["fingerprint"].startswith("sha256-tree:") for item in entry.lineage["inputs"].values())
    header = RunReader(result["path"]).header
    assert header.kind == "merge"
    assert header.provenance["plan"]["writes"] > 0
    assert "half" in header.provenance["recipe"]
    with pytest.raises(SoleraError, match="exists"):
        finish(bench, bench.submit_merge(blend(), "half"))


def test_an_output_that_is_there_is_refused_before_anything_is_read(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.project is not None
    there = bench.project.outputs / "there"
    there.mkdir(parents=True)
    (there / "mine.txt").write_text("keep")
    before = {info.id for info in bench.runs.list()}
    asked = []
    real = TensorRef.read_into

    def noted(self, *arguments):
        asked.append(self.name)
        return real(self, *arguments)

    monkeypatch.setattr(TensorRef, "read_into", noted)
    with pytest.raises(OutputError, match="exists"):
        finish(bench, bench.submit_merge(blend(), "there"))
    bench.runs.refresh()
    assert ({info.id for info in bench.runs.list()}, asked) == (before, [])
    assert [file.name for file in there.iterdir()] == ["mine.txt"]
    finish(bench, bench.submit_merge(blend(), "there", force=True))
    assert asked


def test_an_exploration_keeps_its_whole_provenance(bench: Workbench) -> None:
    reader = RunReader(finish(bench, bench.submit_explore(LINE))["path"])
    header = reader.header
    assert (reader.state, header.shape, header.planned) == ("done", (4,), 4)
    assert header.labels == {"digits-rotated": [0.0], "digits-inverted": [1.0]}
    facts = header.provenance
    assert {"torch", "solera", "numpy"} <= set(facts["versions"])
    for key in ("python", "platform", "command", "device", "threads", "recipe", "semantic_hash", "inputs", "key"):
        assert facts[key], key
    assert facts["seed"] == 0
    assert [task["version"] for task in facts["tasks"]] == [1, 1]
    points = reader.points()
    assert set(points.phase) == {"search", "report"}
    assert np.isfinite(points.values).all()
    family = Family.from_plain(header.experiment["family"], bench.registry.methods)
    assert family.recipe_at((0.5,)).variables == ()


def test_an_equal_experiment_is_not_computed_again(bench: Workbench) -> None:
    first = finish(bench, bench.submit_explore(LINE))
    again = finish(bench, bench.submit_explore({**LINE, "title": "Under another name"}))
    assert (first["reused"], again["reused"]) == (False, True)
    assert again["run"] == first["run"]
    other = finish(bench, bench.submit_explore({**LINE, "seed": 1}))
    anew = finish(bench, bench.submit(LINE, fresh=True))
    assert len({first["run"], other["run"], anew["run"]}) == 3
    Path(anew["path"]).unlink()
    assert finish(bench, bench.submit_explore(LINE))["reused"] is False


def test_changed_weights_are_another_experiment(bench: Workbench) -> None:
    first = finish(bench, bench.submit_explore(LINE))
    assert bench.project is not None
    finish(bench, bench.submit_merge(blend(0.25), "quarter"))
    bench.project.library.relocate("digits-inverted", bench.project.outputs / "quarter")
    assert finish(bench, bench.submit_explore(LINE))["run"] != first["run"]


def test_equal_weights_in_another_network_are_another_experiment(bench: Workbench) -> None:
    first = finish(bench, bench.submit_explore(LINE))
    assert bench.project is not None
    config = bench.project.library.get("digits-rotated").path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "note": "another"}))
    bench.inputs.close()  # a config is read once
    assert finish(bench, bench.submit_explore(LINE))["reused"] is False
    assert first["reused"] is False


def test_a_cancelled_exploration_goes_on_from_its_own_file(bench: Workbench) -> None:
    whole = RunReader(finish(bench, bench.submit({**LINE, "seed": 7}))["path"])
    plain = {**LINE, "seed": 7, "title": "Interrupted"}
    events = bench.jobs.subscribe()
    job = bench.submit(plain, fresh=True)
    while (event := events.get(timeout=60)).KIND != "point":
        pass
    assert event.job == job.id
    bench.jobs.cancel(job.id)
    bench.jobs.wait(job.id, 30)
    assert job.state == "cancelled"
    stopped = RunReader(bench.runs_folder / f"{job.run}.h5")
    assert 1 <= stopped.count < whole.count
    result = finish(bench, bench.resume(job.run))
    assert result["run"] == job.run
    resumed = RunReader(result["path"])
    for name in ("coords", "values", "stderrs", "phase"):
        np.testing.assert_array_equal(getattr(resumed.points(), name), getattr(whole.points(), name))
    with pytest.raises(InputError, match="nothing to go on with"):
        bench.resume(job.run)


def test_a_retried_job_goes_on_with_its_run(bench: Workbench) -> None:
    events = bench.jobs.subscribe()
    job = bench.submit(LINE)
    while events.get(timeout=60).KIND != "point":
        pass
    bench.jobs.cancel(job.id)
    bench.jobs.wait(job.id, 30)
    run = job.run
    assert finish(bench, bench.jobs.retry(job.id))["run"] == run


def test_a_comparison_says_what_is_within_noise(bench: Workbench) -> None:
    plain = {
        "solera": 1,
        "kind": "compare",
        "tasks": ["rotated", "inverted"],
        "metric": "accuracy",
        "entries": [
            {"name": "rotated", "checkpoint": "library:digits-rotated", "single": True},
            {"name": "inverted", "checkpoint": "library:digits-inverted", "single": True},
            {"name": "half", "recipe": "recipes/digits-two-scales.yaml", "tune": {"turn": [0.0, 0.7], "invert": [0.7]}},
        ],
    }
    result = finish(bench, bench.submit_compare(plain))
    rows = {row["name"]: row for row in result["comparison"]["rows"]}
    assert rows["half"]["numbers"] == {"turn": 0.7, "invert": 0.7}
    assert rows["half"]["gain"]["value"] > 0
    assert "| half |" in result["table"]
    again = finish(bench, bench.submit_compare(plain))
    assert again["reused"]
    assert again["comparison"] == result["comparison"]


def test_a_comparison_can_be_a_preview(bench: Workbench) -> None:
    plain = {
        "solera": 1,
        "kind": "compare",
        "tasks": ["rotated"],
        "limit": 40,
        "entries": [
            {"name": "half", "recipe": "recipes/digits-two-scales.yaml", "tune": {"turn": [0.2, 0.7]}},
        ],
    }
    found = [finish(bench, bench.submit_compare({**plain, "seed": seed})) for seed in (0, 0, 1)]
    assert [result["reused"] for result in found] == [False, True, False]
    points = [RunReader(result["path"]).points() for result in found]
    for each in points:
        assert each.phase.tolist() == ["search", "search", "report"]
        assert (each.counts == 40).all()
    assert (points[0].values[:, 0] != points[2].values[:, 0]).all()  # other samples, other cross-entropies


def test_evaluating_one_model(bench: Workbench) -> None:
    result = finish(bench, bench.submit_evaluate("library:digits-rotated", ["rotated"]))
    scores = result["comparison"]["rows"][0]["scores"]
    assert scores["rotated.accuracy"]["value"] > 0.9
    assert scores["rotated.accuracy"]["count"] == 497


def values(scores: tuple[Score, ...]) -> list[float]:
    return [score.value for score in scores]


def test_a_live_point_scores_what_the_weights_score(bench: Workbench) -> None:
    assert bench.project is not None
    finish(bench, bench.submit_merge(blend(0.3), "point"))
    saved = bench.recipe("library:outputs/point")
    exact = values(bench.score_point(blend(0.3), ["rotated"], None))
    assert exact == values(bench.score_point(saved, ["rotated"], None))
    dragged = values(bench.score_point(blend(0.3), ["rotated"], 64))
    np.testing.assert_allclose(dragged, values(bench.score_point(saved, ["rotated"], 64)), rtol=1e-4)
    # Another position of the handle is another point of the same, kept recipe.
    bench.score_point(blend(0.5), ["rotated"], 64)
    kept = list(bench._live._ready)
    moved = values(bench.score_point(blend(0.9), ["rotated"], 64))
    assert moved != dragged
    assert list(bench._live._ready) == kept


def test_sentences_for_what_is_not_there(bench: Workbench) -> None:
    with pytest.raises(NotFoundError, match="digits-base"):
        bench.open("library:nothing")
    with pytest.raises(TaskError, match=r"rotated.*solera\.toml"):
        bench.task("nothing")
    with pytest.raises(TaskError, match="Did you mean 'rotated'"):
        bench.task("rotatd")
    with pytest.raises(SoleraError, match="explorer"):
        finish(bench, bench.submit_explore({**LINE, "explorer": {"name": "columbus"}}))
    with pytest.raises(SoleraError, match="points"):
        finish(bench, bench.submit_explore({**LINE, "explorer": {"name": "grid", "params": {"points": -3}}}))
    with pytest.raises(InputError, match="no device"):
        bench.submit({**LINE, "device": "cuda:77"})
    with pytest.raises(NotFoundError):
        bench.resume("never")


def test_every_fault_of_a_recipe_at_once(bench: Workbench) -> None:
    wrong = dataclasses.replace(blend(), nodes=(*blend().nodes[:2], SumNode("blend", (Term("a", 2.0), Term("c")))))
    nodes = (CheckpointNode("a", "library:gone"), *wrong.nodes[1:])
    faults = bench.check(dataclasses.replace(wrong, nodes=nodes, dtype="int8"))
    assert {"recipe.unknown-node", "recipe.dtype", "not-found"} <= {fault.code for fault in faults}


def test_a_workbench_needs_no_project(digits_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = digits_template / "checkpoints" / "digits-base"
    with Workbench(settings=Settings(threads=1)) as bench:
        runs = bench.runs_folder
        result = finish(bench, bench.submit_merge(bench.recipe(str(base)), "copy"))
        assert Path(result["out"]) == tmp_path / "copy"
        assert "digits" in bench.tasks()
        assert "classification" not in bench.tasks()
    assert not runs.exists()


def test_unfinished_jobs_are_offered_again(folder: Path) -> None:
    project = Project.open(folder)
    with Workbench(project, settings=Settings(threads=1)) as bench:
        events = bench.jobs.subscribe()
        job = bench.submit(LINE)
        while events.get(timeout=60).KIND != "point":
            pass
    assert job.state == "interrupted"
    with Workbench(project, settings=Settings(threads=1)) as bench:
        (offered,) = bench.jobs.jobs()
        assert (offered.id, offered.state, offered.run) == (job.id, "interrupted", job.run)
        assert finish(bench, bench.jobs.retry(offered.id))["run"] == job.run
    project.close()


def test_what_a_job_returns_is_json(bench: Workbench) -> None:
    result = finish(bench, bench.submit_explore(LINE))
    assert json.loads(json.dumps(result)) == result


def test_an_exploration_in_a_process_gives_the_same_run(bench: Workbench) -> None:
    """It is recorded there, point by point; whoever watches here sees the same."""
    here = RunReader(finish(bench, bench.submit(LINE, fresh=True))["path"])
    events = bench.jobs.subscribe()
    args = {"experiment": LINE, "fresh": True, "process": True}
    job = bench.jobs.submit(JobSpec("explore", "Apart", args, ("cpu",)))
    there = RunReader(finish(bench, job)["path"])
    assert any("in a process of its own" in said.text for said in job.log)
    assert (there.state, there.count, job.run) == ("done", here.count, there.header.id)
    np.testing.assert_array_equal(there.points().values, here.points().values)
    told = [events.get() for _ in range(events.qsize())]
    assert [event.index for event in told if isinstance(event, PointScored)] == list(range(here.count))


def test_a_merge_over_several_devices_asks_for_all_their_lanes(bench, monkeypatch):
    """Other jobs take one: the first of the settings', and refuse several that are named."""
    monkeypatch.setattr(bench.jobs, "lanes", ("cpu", "cuda:0", "cuda:1"))
    assert bench.lanes("all", share=True) == ("cuda:0", "cuda:1")
    monkeypatch.setattr(bench, "settings", dataclasses.replace(bench.settings, device="cuda:1,cuda:0"))
    assert bench.lanes(share=True) == ("cuda:1", "cuda:0")
    assert bench.lanes() == ("cuda:1",)
    with pytest.raises(InputError, match="share merges and explorations"):
        bench.lanes("cuda:0,cuda:1")
    submitted: list[JobSpec] = []
    monkeypatch.setattr(bench.jobs, "submit", submitted.append)
    bench.submit_merge(Recipe((CheckpointNode("a", "/nowhere"),), "a"), "/nowhere/out", device="cuda:0,cuda:1")
    assert submitted[0].lanes == ("cuda:0", "cuda:1")
