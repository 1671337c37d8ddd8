"""Merges of a workbench: what is known is not read, what is there is not made again, what changed is noticed."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from solera.checkpoints.tensor_ref import TensorRef
from solera.context import QuietContext
from solera.errors import ChangedError, SoleraError
from solera.jobs.job import Job
from solera.recipes.nodes import CheckpointNode, Recipe, SumNode, Term
from solera.workbench import Workbench
from solera.workbench import rates as rates_module
from solera.workbench.outcome import result_of
from solera.workbench.rates import Rates


def blend(share: float = 0.5, **changes: Any) -> Recipe:
    nodes = (
        CheckpointNode("a", "library:digits-rotated"),
        CheckpointNode("b", "library:digits-inverted"),
        SumNode("blend", (Term("a", 1 - share), Term("b", share))),
    )
    return dataclasses.replace(Recipe(nodes, "blend", name="half"), **changes)


def finish(bench: Workbench, job: Job) -> dict[str, Any]:
    return result_of(bench.jobs.wait(job.id, 120))


def made(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tensors that are read."""
    names: list[str] = []
    real = TensorRef.read_into

    def noted(self, *arguments):
        names.append(self.name)
        return real(self, *arguments)

    monkeypatch.setattr(TensorRef, "read_into", noted)
    return names


def test_a_merge_learns_the_fingerprints_from_what_it_reads(bench: Workbench, reads: list[str]) -> None:
    recipe = blend()
    for file in bench.inputs.cache.glob("*.txt"):
        file.unlink()
    assert bench.inputs.known_fingerprints(recipe) == {}
    result = finish(bench, bench.submit_merge(recipe, "half"))
    once = {(name, reads.count(name)) for name in reads}
    assert {count for _, count in once} == {2}, "each tensor of each of the two models once"
    assert bench.inputs.known_fingerprints(recipe) == result["fingerprints"]
    assert bench.inputs.fingerprints(recipe, QuietContext()) == result["fingerprints"]


def test_an_equal_merge_is_not_made_again(bench: Workbench, reads: list[str]) -> None:
    first = finish(bench, bench.submit_merge(blend(), "one"))
    assert not first["reused"]
    out = Path(first["out"])
    before = len(reads)
    second = finish(bench, bench.submit_merge(blend(note="Another note."), "two"))
    assert not second["reused"], "the recipe's text is in the files"
    assert len(reads) > before
    before = len(reads)
    job = bench.jobs.wait(bench.submit_merge(blend(), "three").id, 120)
    third = result_of(job)
    assert third["reused"]
    assert len(reads) == before
    assert any("has these weights already" in said.text for said in job.log)
    assert {k: v for k, v in made(Path(third["out"])).items() if k != "README.md"} == {
        k: v for k, v in made(out).items() if k != "README.md"
    }
    assert "# three" in made(Path(third["out"]))["README.md"].decode()
    entry = bench.project.library.get("outputs/three")  # type: ignore[union-attr]
    assert set(entry.lineage["inputs"]) == {"a", "b"}
    fresh = made(Path(finish(bench, bench.submit_merge(blend(), "three", force=True))["out"]))
    assert fresh == made(Path(third["out"]))


def test_a_result_in_which_nan_might_pass_is_not_taken(bench: Workbench) -> None:
    finish(bench, bench.submit_merge(blend(), "one", allow_nonfinite=True))
    assert not finish(bench, bench.submit_merge(blend(), "two"))["reused"]


def test_a_result_that_changed_is_made_again(bench: Workbench) -> None:
    first = Path(finish(bench, bench.submit_merge(blend(), "one"))["out"])
    weights = first / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    again = finish(bench, bench.submit_merge(blend(), "two"))
    assert not again["reused"]
    assert Path(again["out"], "model.safetensors").read_bytes() != bytes(data)


def test_a_change_of_one_result_is_none_of_the_other(bench: Workbench) -> None:
    first = Path(finish(bench, bench.submit_merge(blend(), "one"))["out"]) / "model.safetensors"
    second = Path(finish(bench, bench.submit_merge(blend(), "two"))["out"]) / "model.safetensors"
    before = first.read_bytes()
    with second.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\xff")
    assert first.read_bytes() == before


def test_another_version_of_a_method_is_another_result(bench: Workbench) -> None:
    from solera.workbench.artifacts import artifact_key

    recipe = bench.recipe(
        {
            "solera": 1,
            "nodes": {
                "a": {"checkpoint": "library:digits-rotated"},
                "b": {"checkpoint": "library:digits-inverted"},
                "o": {"method": "linear", "inputs": ["a", "b"]},
            },
            "output": "o",
        }
    )
    prints = bench.inputs.fingerprints(recipe, QuietContext())
    before = artifact_key(bench.plan(recipe), prints, "cpu", 10**9)
    assert artifact_key(bench.plan(recipe), prints, "cpu", 10**9) == before
    spec = bench.registry.methods["linear"]
    bench.registry.methods.provide("linear", dataclasses.replace(spec, version=spec.version + 1))
    assert artifact_key(bench.plan(recipe), prints, "cpu", 10**9) != before


class Touching:
    """Changes an input when the merge is half way."""

    def __init__(self, path: Path, real: Any, *, content: bool) -> None:
        self.path, self.real, self.content, self.left = path, real, content, 8

    def __call__(self, ref: TensorRef, *arguments: Any) -> None:
        self.left -= 1
        if self.left == 0:
            if self.content:
                with self.path.open("r+b") as file:
                    file.seek(-1, os.SEEK_END)
                    file.write(b"\x01")
            os.utime(self.path, (1, 1))
        self.real(ref, *arguments)


@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_an_input_that_is_touched_meanwhile(
    content: bool, known: bool, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fingerprint decides, where it was known; else, and where it holds something else, the merge ends."""
    recipe = blend()
    if known:
        bench.inputs.fingerprints(recipe, QuietContext())
    else:
        for file in bench.inputs.cache.glob("*.txt"):
            file.unlink()
    path = bench.checkpoints(recipe)["b"].files[0]
    touching = Touching(path, TensorRef.read_into, content=content)
    monkeypatch.setattr(TensorRef, "read_into", lambda self, *arguments: touching(self, *arguments))
    job = bench.submit_merge(recipe, "half")
    if known and not content:
        assert Path(finish(bench, job)["out"], "model.safetensors").exists()
        assert any("holds what it held" in said.text for said in job.log)
    else:
        with pytest.raises(ChangedError, match="changed after it was opened"):
            finish(bench, job)
        assert not (bench.project.outputs / "half").exists()  # type: ignore[union-attr]
    assert touching.left <= 0


def test_the_time_is_known_from_former_merges(bench: Workbench, tmp_path: Path) -> None:
    plan = bench.plan(blend())
    rates = Rates(tmp_path / "cache" / "rates.json")
    assert rates.expected(plan, "cpu") is None
    rates.remember(plan, "cpu", 0.01)  # too short to tell
    assert rates.expected(plan, "cpu") is None
    rates.remember(plan, "cpu", 2.0)
    once = rates.expected(plan, "cpu")
    assert once is not None
    assert once.seconds == pytest.approx(2.0)
    assert once.basis.startswith("a former merge")
    rates.remember(plan, "cpu", 4.0)
    twice = rates.expected(plan, "cpu")
    assert twice is not None
    assert twice.seconds is not None
    assert 2.0 < twice.seconds < 4.0
    assert twice.basis.startswith("2 former merges")
    assert rates.expected(plan, "cuda:0") is None
    assert rates.expected(plan, "cpu", hashes=True) is None
    (tmp_path / "cache" / "rates.json").write_text("nonsense")
    assert rates.expected(plan, "cpu") is None
    Rates(Path("/proc/nowhere/rates.json")).remember(plan, "cpu", 2.0)


def test_or_from_a_part_of_it(bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(rates_module, "_SAMPLE_BYTES", 20_000)
    plan = bench.plan(blend())
    expected = bench.expected(plan)
    assert "just now" in expected.basis
    assert expected.seconds is not None
    assert 0.0 < expected.seconds < 60.0
    monkeypatch.setattr(rates_module, "_SAMPLE_SECONDS", -1.0)
    slow = bench.expected(plan)
    assert slow.seconds is None
    assert "took more than" in slow.basis


def test_a_cancelled_merge_says_so(bench: Workbench) -> None:
    job = bench.submit_merge(blend(), "half")
    bench.jobs.cancel(job.id)
    bench.jobs.wait(job.id, 60)
    if job.state == "cancelled":
        with pytest.raises(SoleraError, match="cancelled"):
            result_of(job)
        assert not (bench.project.outputs / "half").exists()  # type: ignore[union-attr]
    assert json.dumps(job.to_plain())
