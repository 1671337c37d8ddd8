"""What runs say of checkpoints and of themselves; differences and fingerprints as jobs; tags and notes."""

import json
from pathlib import Path
from typing import Any

import pytest

from solera.errors import NotFoundError
from solera.jobs.job import Job
from solera.projects.library import duplicates
from solera.projects.project_file import read_project_file
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.workbench import Workbench
from solera.workbench.outcome import result_of


def finish(bench: Workbench, job: Job) -> dict[str, Any]:
    bench.jobs.wait(job.id, 120)
    return result_of(job)


def mean() -> Recipe:
    nodes = (
        CheckpointNode("a", "library:digits-rotated"),
        CheckpointNode("b", "library:digits-inverted"),
        MethodNode("mean", "linear", ("a", "b")),
    )
    return Recipe(nodes, "mean", name="mean")


def test_the_scores_of_a_checkpoint_are_found_by_its_weights(bench: Workbench) -> None:
    assert bench.project is not None
    scored = finish(bench, bench.submit_evaluate("library:digits-rotated", ["rotated"]))
    finish(bench, bench.submit_merge(mean(), "mean"))
    finish(bench, bench.submit_evaluate(mean(), ["rotated"]))
    bench.runs.refresh()
    found = bench.standings()
    assert set(found) == {"digits-rotated", "outputs/mean"}
    accuracy = {score.column: score for score in found["digits-rotated"]}["rotated.accuracy"]
    said = scored["comparison"]["rows"][0]["scores"]["rotated.accuracy"]
    assert (accuracy.value, accuracy.stderr, accuracy.count) == (said["value"], said["stderr"], said["count"])
    assert (accuracy.run, accuracy.split) == (scored["run"], "report")


def test_a_run_is_stale_when_what_it_read_holds_other_weights(bench: Workbench) -> None:
    assert bench.project is not None
    first = finish(bench, bench.submit_merge(mean(), "mean"))
    scored = finish(bench, bench.submit_evaluate("library:digits-inverted", ["inverted"]))
    bench.runs.refresh()
    assert bench.stale(bench.runs.list()) == {}
    bench.project.library.relocate("digits-inverted", bench.project.outputs / "mean")
    finish(bench, bench.submit_fingerprints(["library:digits-inverted"]))
    found = bench.stale(bench.runs.list())
    assert set(found) == {first["run"], scored["run"]}
    assert all("holds other weights now" in reason for reason in found.values())


def test_a_run_is_stale_when_its_method_changed_or_is_gone(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    run = finish(bench, bench.submit_merge(mean(), "mean"))["run"]
    bench.runs.refresh()
    methods = bench.registry.methods
    methods.provide("linear", dataclasses.replace(methods["linear"], version=999))
    assert bench.stale(bench.runs.list()) == {run: "The method 'linear' it used changed since."}
    methods._loaded.pop("linear")
    methods._known.pop("linear")
    assert bench.stale(bench.runs.list()) == {run: "The method 'linear' it used is not there now."}


def test_two_checkpoints_are_compared_as_a_job_and_the_table_is_kept(bench: Workbench) -> None:
    result = finish(bench, bench.submit_difference("library:digits-rotated", "library:digits-inverted"))
    plain = json.loads(Path(result["path"]).read_text())
    assert plain == json.loads(json.dumps(result["difference"]))
    assert {row["name"] for row in plain["tensors"]} == set(bench.open("digits-rotated"))
    assert "of signs agree" in result["summary"]


def test_equal_checkpoints_are_told_by_their_fingerprints(bench: Workbench, tmp_path: Path) -> None:
    import shutil

    assert bench.project is not None
    library = bench.project.library
    shutil.copytree(library.get("digits-rotated").path, tmp_path / "copy")
    library.add(tmp_path / "copy")
    names = ["digits-rotated", "digits-inverted", "copy"]
    result = finish(bench, bench.submit_fingerprints([*(f"library:{name}" for name in names), str(tmp_path / "none")]))
    assert len(result["fingerprints"]) == 3
    assert list(result["failed"]) == [str(tmp_path / "none")]
    assert "1 of them hold what another does" in result["summary"]
    assert ("digits-rotated", "copy") in duplicates(library.entries())


def test_tags_and_notes_of_added_and_of_made_ones(bench: Workbench) -> None:
    assert bench.project is not None
    library = bench.project.library
    finish(bench, bench.submit_merge(mean(), "mean"))
    for name in ("digits-rotated", "outputs/mean"):
        entry = library.remark(name, note=" good ", tags=["b", "a", " ", "b"])
        assert (entry.note, entry.tags) == ("good", ("a", "b"))
        assert library.remark(name, note="").tags == ("a", "b")
    assert {entry.name: entry.tags for entry in library.entries() if entry.tags} == {
        "digits-rotated": ("a", "b"), "outputs/mean": ("a", "b"),
    }  # fmt: skip
    assert read_project_file(bench.project.folder).library["digits-rotated"].tags == ("a", "b")
    with pytest.raises(NotFoundError):
        library.remark("nothing", note="x")
