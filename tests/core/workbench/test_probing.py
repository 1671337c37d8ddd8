"""Probes as jobs: recorded, found again, gone on with after a stop, refused in sentences."""

import pytest

from solera.api import Estimate, Finding, Measure, Row, probe
from solera.events import PartKept
from solera.recipes.nodes import Recipe
from solera.runs.reader import RunReader
from solera.workbench.probing import named, probe_plain


def counting(stop_at, made):
    @probe("counted", kind="scalars", measures=(Measure("norm"),), needs="weights")
    def counted(subject):
        """Norms, in steps that are counted."""
        for i, model in enumerate(subject.models):

            def norm(step, model=model):
                if len(made) == stop_at[0]:
                    raise KeyError("stopped")
                made.append((model.name, step))
                return [step * float(model.checkpoint["bias"].read().norm()) if "bias" in model.checkpoint else step]

            parts = [subject.once(f"{model.name}/{step}", lambda s=step: norm(s))[0] for step in range(3)]
            yield Row((i,), {"norm": Estimate(sum(parts), 0.5, 3)})
            yield Finding(f"sum: {model.name}", sum(parts))

    return counted


def _plain(bench, name, **more):
    models = ["library:digits-rotated", "library:digits-mirrored"]
    return probe_plain(name, named(models, [bench.recipe(model) for model in models]), **more)


def _run(bench, plain, **more):
    job = bench.submit(plain, **more)
    bench.jobs.wait(job.id, 120)
    return job


def test_a_probe_is_recorded_and_found_again(bench):
    made: list[tuple[str, int]] = []
    bench.registry.probes.provide("counted", counting([99], made))
    job = _run(bench, _plain(bench, "counted"))
    assert job.state == "done", job.error
    run = RunReader(job.result["path"])
    assert (run.state, run.header.kind, run.header.shape, run.header.planned) == ("done", "probe", (2,), 2)
    assert [row["norm"] for row in run.result().records()] == [3, 3]
    assert run.indicators == ("sum: digits-rotated", "sum: digits-mirrored")
    assert set(run.header.provenance["models"]) == {"digits-rotated", "digits-mirrored"}
    again = _run(bench, _plain(bench, "counted"))
    assert again.result["reused"]
    assert len(made) == 6
    other = _run(bench, _plain(bench, "counted"), fresh=True)
    assert not other.result["reused"]


def test_a_stopped_probe_goes_on_from_what_it_kept(bench):
    made: list[tuple[str, int]] = []
    stop_at = [4]
    bench.registry.probes.provide("counted", counting(stop_at, made))
    job = _run(bench, _plain(bench, "counted"))
    assert job.state == "failed"
    run = RunReader(bench.runs_folder / f"{job.run}.h5")
    assert run.count == 1
    assert [said["name"] for said in run.events() if said["event"] == PartKept.KIND][-1] == "digits-mirrored/0"
    stop_at[0] = 99
    resumed = bench.jobs.wait(bench.resume(job.run).id, 60)
    assert resumed.state == "done", resumed.error
    run.refresh()
    assert run.count == 2
    assert made == [(f"digits-{side}", step) for side in ("rotated", "mirrored") for step in range(3)]
    assert [len(run.indicator(name)[0]) for name in run.indicators] == [1, 1]
    assert run.events()[-1]["state"] == "done"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"probe": {"name": "nothing"}}, "No probe is called 'nothing'"),
        ({"probe": {"name": "hessian_trace"}, "tasks": []}, "name a task whose examples are used"),
        ({"probe": {"name": "hessian_trace"}, "tasks": ["nothing"]}, "'nothing'"),
        ({"probe": {"name": "hessian_trace", "params": {"draws": 0}}}, "'draws' must be from 1"),
        ({"base": {"name": "base", "checkpoint": "library:digits-base"}}, "takes no base"),
    ],
)
def test_what_cannot_be_measured_is_said(bench, changes, said):
    job = _run(bench, {**_plain(bench, "hessian_trace", task="rotated", limit=8), **changes})
    assert job.state == "failed"
    assert said in job.error["message"]


def test_networks_are_measured_on_a_tasks_examples(bench):
    plain = _plain(bench, "hessian_trace", task="rotated", limit=16, params={"draws": 3}, split="selection")
    job = _run(bench, plain)
    assert job.state == "done", job.error
    result = RunReader(job.result["path"]).result()
    assert (result.column("trace") > 0).all()
    assert result.counts[:, 0].tolist() == [3, 3]
    assert result.counts[0, 2] == 16


def test_models_of_one_name_are_told_apart():
    recipes = [Recipe((), "", name="model")] * 2
    assert [name for name, _ in named(["a/model", "b/model"], recipes)] == ["a/model", "b/model"]
    assert [name for name, _ in named(["x", "x"], recipes)] == ["model 1", "model 2"]
