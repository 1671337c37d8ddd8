"""Statistics through the workbench: computed before what needs them, kept, found, gone on with, refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import solera
from solera import _face
from solera.api import ClassificationTask
from solera.errors import FaultsError, InputError
from solera.recipes import algebra
from solera.recipes.nodes import Recipe, StatisticNode
from solera.workbench import paces
from solera.workbench.statistics import PendingStatistic

TEXT = """
solera: 1
name: by-fisher
nodes:
  rotated: {checkpoint: "library:digits-rotated"}
  inverted: {checkpoint: "library:digits-inverted"}
  f_rotated: {statistic: fisher, of: rotated, task: rotated, samples: 16, labels: sampled}
  f_inverted: {statistic: fisher, of: inverted, task: inverted, samples: 16, labels: sampled}
  merged: {method: fisher, inputs: [rotated, inverted], statistics: [f_rotated, f_inverted]}
output: merged
"""


@pytest.fixture
def recipe(bench):
    from solera.recipes.yaml import load_recipe

    return load_recipe(TEXT, bench.registry.methods)


def done(bench, job):
    job = bench.jobs.wait(job.id, 120)
    assert job.state == "done", job.error
    return job.result


def test_a_merge_computes_what_it_needs_once(bench, recipe, folder):
    plan = bench.plan(recipe)
    assert all(isinstance(found, PendingStatistic) for found in plan.program.statistics.values())
    assert bench.expected(plan).basis == "its statistics are computed first"
    first, second = bench.statistics(recipe)
    assert (first["examples"], first["passes"], first["ready"], second["of"]) == (16, "1 gradient", False, "inverted")
    assert (first["seconds"], first["basis"]) == (None, "none of this kind was computed on this machine yet")
    tried = bench.statistics(recipe, tried=True)[0]
    assert 0 < tried["seconds"] < 60
    assert tried["basis"] == "trying 16 examples just now"
    done(bench, bench.submit_merge(recipe, folder / "out"))
    files = sorted((folder / "artifacts" / "statistics").glob("*.safetensors"))
    assert len(files) == 2
    assert [(one["ready"], one["seconds"]) for one in bench.statistics(recipe)] == [(True, 0.0), (True, 0.0)]
    stamps = [file.stat().st_mtime_ns for file in files]
    result = done(bench, bench.submit_merge(recipe, folder / "again", dtype="bfloat16"))
    assert [file.stat().st_mtime_ns for file in files] == stamps
    assert set(result["fingerprints"]) == {"rotated", "inverted", "f_rotated", "f_inverted"}


def test_how_long_a_statistic_takes_is_told_by_former_ones(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(paces, "cache_folder", lambda: tmp_path)
    node = next(node for node in recipe.nodes if isinstance(node, StatisticNode))
    paces.remember(node, "cpu", 100, 1000, 0.1)  # too short to say anything
    assert paces.expected(node, "cpu", 300, 1000, None).seconds is None
    paces.remember(node, "cpu", 100, 1000, 2.0)
    found = paces.expected(node, "cpu", 300, 2000, None)
    assert (found.seconds, found.basis) == (12.0, "a former one of this kind on this machine")
    assert paces.expected(replace(node, params={"labels": "exact"}), "cpu", 300, 2000, None).seconds is None
    assert paces.expected(node, "cuda:0", 300, 2000, None).seconds is None


def test_streamed_and_in_memory_are_equal_to_the_last_bit(bench, recipe, folder):
    from solera.execution.memory import materialise

    for method, kind in (("fisher", "fisher"), ("regmean", "gram")):
        nodes = tuple(
            replace(node, statistic=kind, params={}) if hasattr(node, "statistic") else replace(node, method=method)
            if hasattr(node, "method") else node
            for node in recipe.nodes
        )  # fmt: skip
        changed = replace(recipe, nodes=nodes)
        out = folder / method
        done(bench, bench.submit_merge(changed, out))
        made = bench.open(out)
        held = materialise(changed, bench.checkpoints(changed), bench.registry.methods)
        assert all(torch.equal(made[name].read(), held[name]) for name in held)


def test_a_statistic_of_its_own_is_found_again(bench):
    recipe = algebra.statistic("gram", bench.recipe("library:digits-base"), "rotated", samples=20)
    first = done(bench, bench.submit_statistic(recipe))
    assert not first["reused"]
    again = done(bench, bench.submit_statistic(recipe))
    assert (again["reused"], again["path"]) == (True, first["path"])
    other = algebra.statistic("gram", bench.recipe("library:digits-base"), "rotated", samples=21)
    assert done(bench, bench.submit_statistic(other))["path"] != first["path"]


def test_other_data_under_the_same_name_is_noticed():
    x = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    model = solera.open(
        torch.nn.Sequential(torch.nn.Linear(4, 3)), factory=lambda: torch.nn.Sequential(torch.nn.Linear(4, 3))
    )

    def task(inputs):
        return ClassificationTask("mine", lambda split: (inputs, torch.zeros(12, dtype=torch.int64)))

    one = solera.statistic("mean", model, task(x)).tensors()
    two = solera.statistic("mean", model, task(x + 1)).tensors()
    torch.testing.assert_close(one["0.weight"], x.mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(two["0.weight"], x.mean(0) + 1, rtol=1e-5, atol=1e-6)


def test_batchnorm_of_a_merge_is_that_of_its_activations():
    def make():
        return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 3))

    torch.manual_seed(0)
    a, b = (solera.open(make(), factory=make, name=name) for name in "ab")
    x = torch.randn(64, 4)
    task = ClassificationTask("data", lambda split: (x, torch.zeros(64, dtype=torch.int64)))
    merged = solera.merge("linear", [a, b])
    anew = solera.merge("batchnorm", [merged], statistics=[solera.statistic("batchnorm", merged, task, batch=64)])
    plain, state = merged.state_dict(), anew.state_dict()
    inner = x @ plain["0.weight"].T + plain["0.bias"]
    torch.testing.assert_close(state["1.running_mean"], inner.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(state["1.running_var"], inner.var(0), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(state[name], plain[name]) for name in plain if "running" not in name)


def test_faults_name_the_node(bench, recipe):
    def codes(**change):
        nodes = tuple(replace(node, **change) if node.id == "f_rotated" else node for node in recipe.nodes)
        return {(fault.code, fault.place) for fault in bench.check(replace(recipe, nodes=nodes))}

    assert codes() == set()
    assert ("task", "nodes.f_rotated.task") in codes(task="nobody")
    assert ("recipe.statistic", "nodes.f_rotated.split") in codes(split="test")
    assert ("recipe.statistics", "nodes.merged.statistics[0]") in codes(statistic="gram", params={})
    assert ("param.unknown-key", "nodes.f_rotated.lables") in codes(params={"lables": "exact"})
    assert ("recipe.unknown-node", "nodes.f_rotated") in codes(model="nobody")
    bare = replace(recipe, nodes=tuple(replace(n, statistics=()) if n.id == "merged" else n for n in recipe.nodes))
    assert "needs a statistic 'fisher' for each input" in str(bench.check(bare)[0])
    with pytest.raises(FaultsError, match="is an importance"):
        bench.plan(replace(recipe, output="f_rotated"))


def test_a_landscape_over_shares_has_its_statistics(bench, recipe):
    from solera.params import PerModel, Var

    share = PerModel((1.0, Var("share", 0.0, 1.0, 0.5)))
    nodes = tuple(replace(n, params={"weight": share}) if n.id == "merged" else n for n in recipe.nodes)
    free = replace(recipe, nodes=nodes)
    whole = bench.score_point(free, ["rotated"], 32, numbers={"share": 0.0})
    target = bench.score_point(Recipe(recipe.nodes, "rotated"), ["rotated"], 32)
    assert whole[0].value == pytest.approx(target[0].value, abs=1e-5)


def test_a_script_is_told_what_there_is():
    model = _face.open({"w": torch.zeros(2, 2)})
    with pytest.raises(InputError, match="No statistic is called 'hessian'"):
        solera.statistic("hessian", model, "digits")
    with pytest.raises(InputError, match="no parameter lables"):
        solera.statistic("fisher", model, "digits", lables="exact")
