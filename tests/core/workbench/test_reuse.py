"""Scores that an earlier run has are not computed again."""

from pathlib import Path

import numpy as np
import pytest

from solera.landscapes.calibration import Calibration
from solera.landscapes.ways import Way
from solera.runs.reader import RunReader
from solera.tasks.callables import CallableTask
from solera.tasks.classification import ClassificationEvaluator
from solera.workbench import Workbench
from solera.workbench.memo import scores_key


def experiment(**options):
    return {
        "solera": 1, "kind": "explore", "family": {"recipe": "recipes/digits-two-scales.yaml"},
        "tasks": ["rotated", "inverted"], "report": "", "limit": 96, "seed": 3, **options,
    }  # fmt: skip


def ran(bench: Workbench, plain, **options) -> RunReader:
    done = bench.jobs.wait(bench.submit(plain, **options).id, 120)
    assert done.state == "done", done.error
    assert done.result is not None
    return RunReader(done.result["path"])


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Samples that a network was run on, but for those that ways of evaluating are tried on."""
    counts: list[int] = []
    monkeypatch.setattr(
        "solera.landscapes.calibration.calibrate",
        lambda landscape, planned, context: Calibration(Way(threads=context.threads), ()),
    )
    call = ClassificationEvaluator.__call__

    def counting(self, network, context):
        counts.append(self.count)
        return call(self, network, context)

    monkeypatch.setattr(ClassificationEvaluator, "__call__", counting)
    return counts


def test_a_larger_budget_reuses_every_sample_that_was_scored(bench: Workbench, scored) -> None:
    small = ran(bench, experiment(explorer={"name": "halving", "params": {"candidates": 8, "samples": 24}}))
    assert small.points().counts[:, 0].tolist() == [24] * 8 + [48] * 4 + [96] * 2
    assert sum(scored) == 2 * (8 * 24 + 4 * 24 + 2 * 48)
    scored.clear()
    large = ran(bench, experiment(explorer={"name": "halving", "params": {"candidates": 16, "samples": 24}}))
    assert large.points().counts[:, 0].tolist() == [24] * 16 + [48] * 8 + [96] * 4
    fresh = 2 * (16 * 24 + 8 * 24 + 4 * 48)
    assert sum(scored) <= fresh - 2 * 8 * 24  # the first eight candidates are the same
    assert any("is not scored again" in event.text for event in large.log())
    scored.clear()
    again = ran(
        bench, experiment(explorer={"name": "halving", "params": {"candidates": 16, "samples": 24}}), fresh=True
    )
    assert sum(scored) == fresh
    np.testing.assert_allclose(again.points().values, large.points().values, rtol=1e-6)


def test_another_search_over_the_same_models_takes_over_what_was_scored(bench: Workbench, scored) -> None:
    first = ran(bench, experiment(explorer={"name": "grid", "params": {"points": 3}}, keep_samples=True))
    scored.clear()
    finer = ran(bench, experiment(explorer={"name": "grid", "params": {"points": 5}}))
    assert len(scored) == 2 * (25 - 9)
    np.testing.assert_array_equal(finer.points().values[:9], first.points().values)


def test_other_samples_are_another_matter(bench: Workbench, scored) -> None:
    ran(bench, experiment(explorer={"name": "grid", "params": {"points": 3}}, keep_samples=True))
    scored.clear()
    ran(bench, experiment(explorer={"name": "grid", "params": {"points": 3}}, limit=64))
    assert len(scored) == 2 * 9


def test_scores_of_another_way_of_evaluating_are_another_matter(bench: Workbench, monkeypatch) -> None:
    grid = {"name": "grid", "params": {"points": 3}}
    ran(bench, experiment(explorer=grid, keep_samples=True))

    def by_32(landscape, planned, context):
        landscape.use(Way("plain", 32, context.threads))
        return Calibration(landscape.way, ("plain by 32",))

    monkeypatch.setattr("solera.landscapes.calibration.calibrate", by_32)
    other = ran(bench, experiment(explorer=grid, keep_samples=True, title="by 32"), fresh=True)
    third = ran(bench, experiment(explorer={"name": "grid", "params": {"points": 5}}))
    said = [event.text for event in third.log() if "is not scored again" in event.text]
    assert said == [f"What run {other.header.id} scored at 9 points is not scored again."]
    monkeypatch.undo()
    fourth = ran(bench, experiment(explorer={"name": "grid", "params": {"points": 7}}))
    assert not any(other.header.id in event.text for event in fourth.log())


#: What a point's score depends on, and another of each.
BASE = {"split": "selection", "tasks": ["a"], "seed": 1, "batchnorm": "recalibrated", "batchnorm_samples": 64}
WAY = {"path": "plain", "chunk": 0, "threads": 2}


def key(way=WAY, **said):
    return scores_key({**BASE, **said}, "inputs", "versions", "cpu", way)


@pytest.mark.parametrize(
    "said",
    [
        {"batchnorm": "frozen"}, {"batchnorm_samples": 32}, {"batchnorm_samples": 0}, {"seed": 2},
        {"way": {**WAY, "path": "folded"}}, {"way": {**WAY, "path": "compiled"}}, {"way": {**WAY, "chunk": 64}},
        {"way": {**WAY, "threads": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_what_decides_a_score_is_in_its_key(said) -> None:
    assert key(**said) != key()


def test_what_decides_no_score_is_not_in_its_key() -> None:
    assert key(batchnorm="frozen", seed=2, batchnorm_samples=32) == key(batchnorm="frozen")
    assert key(batchnorm_samples=0, seed=2) == key(batchnorm_samples=0)
    assert key(budget=9, explorer={"name": "grid"}) == key()
    plain = {name: said for name, said in BASE.items() if not name.startswith("batchnorm")}
    assert scores_key(plain, "inputs", "versions", "cpu", WAY) == key(batchnorm="frozen")


def test_a_task_of_one_number_goes_on_where_a_run_was_stopped(bench: Workbench, scored) -> None:
    asked: list[int] = []

    def number(network, x):
        asked.append(1)
        return network(x).std()

    x = np.random.default_rng(0).random((96, 1, 8, 8), dtype=np.float32)
    bench.inputs.tasks["number"] = CallableTask("number", number, lambda split: x, yields="aggregate")
    halving = {"name": "halving", "params": {"candidates": 8, "samples": 24}}
    plain = experiment(explorer=halving, tasks=["number", "rotated"])
    first = bench.jobs.wait(bench.submit(plain, time_limit=1e-9).id, 120)
    assert first.state == "interrupted"
    begun = len(asked)
    assert begun == 1
    whole = ran(bench, plain, resume=True)
    assert whole.points().counts[:, 0].tolist() == [96] * 14
    assert len(asked) == 8  # each candidate once, in all
    alone = ran(bench, plain, fresh=True)
    np.testing.assert_array_equal(alone.points().values, whole.points().values)


def test_data_that_changed_are_scored_anew(bench: Workbench, folder: Path, scored) -> None:
    plain = experiment(explorer={"name": "grid", "params": {"points": 2}}, keep_samples=True, limit=0, tasks=["own"])
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 1, 8, 8), dtype=np.float32), rng.integers(0, 10, 40)
    np.savez(folder / "own.npz", x=x, y=y, split=["selection"] * 40)
    assert bench.project is not None
    bench.project.set_task("own", "classification", {"data": "own.npz"})
    first = ran(bench, plain)
    again = ran(bench, plain)
    assert again.header.id == first.header.id
    scored.clear()
    np.savez(folder / "own.npz", x=x, y=(y + 1) % 10, split=["selection"] * 40)
    other = ran(bench, plain)
    assert other.header.id != first.header.id
    assert len(scored) == 4
    assert (other.points().values != first.points().values).any()


def test_a_soup_leaves_out_a_model_that_a_task_cannot_score(bench: Workbench) -> None:
    marks: list[float] = []

    def picky(network, x):
        marks.append(float(next(network.parameters()).sum()))
        if marks[-1] == marks[0]:  # the model that is seen first
            raise ValueError("no such classes")
        return network(x).std(dim=1)

    x = np.random.default_rng(0).random((40, 1, 8, 8), dtype=np.float32)
    bench.inputs.tasks["picky"] = CallableTask("picky", picky, lambda split: x)
    models = [f"library:digits-{name}" for name in ("base", "rotated", "inverted")]
    plain = {"solera": 1, "family": {"subset": models}, "tasks": ["picky"], "explorer": {"name": "greedy_soup"}}
    run = ran(bench, plain)
    points = run.points().rows(run.points().phase == "search")
    assert np.isnan(points.values[:3, 0]).sum() == 1
    assert np.isfinite(points.values[3:]).all()
    said = [event.text for event in run.log()]
    assert any("Left out, for want of a score" in text for text in said)
    assert any("No scores at" in text and "no such classes" in text for text in said)
