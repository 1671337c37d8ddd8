"""The experiment that sets methods side by side."""

from __future__ import annotations

import pytest

from solera.errors import InputError
from solera.extend.registry import Registry
from solera.recipes.checks import check
from solera.recipes.plain import from_plain
from solera.workbench.contest import contest
from solera.workbench.experiment import load_experiment

METHODS = Registry.discover().methods
SHELF = [METHODS.describe(name) for name in METHODS]
FOUR = {name: f"library:{name}" for name in ("a", "b", "c", "d")}


def rows(experiment):
    return {entry["name"]: entry for entry in experiment["entries"]}


def test_every_method_that_merges_peers_is_a_row():
    experiment = contest(FOUR, "library:base", ["x", "y"], SHELF)
    load_experiment(experiment)
    found = rows(experiment)
    assert list(found)[:5] == ["base", *FOUR]
    assert all(found[name]["single"] for name in ("base", *FOUR))
    assert {"linear", "ties", "dare", "model_stock", "tsv_m", "multislerp", "ram"} <= set(found)
    # Two models, one model, a trajectory, one task alone, a merged vector and its parts.
    assert not {"slerp", "wise_ft", "passthrough", "ema", "checkpoint_average", "tall_mask", "lines"} & set(found)
    assert {"slerp", "arcee_fusion"} <= set(rows(contest({"a": "A", "b": "B"}, None, ["x"], SHELF)))


@pytest.mark.parametrize("based", [True, False])
def test_rows_are_recipes_without_faults(based):
    experiment = contest(FOUR, "library:base" if based else None, ["x"], SHELF)
    merges = [entry for entry in experiment["entries"] if "recipe" in entry]
    assert len(merges) >= (20 if based else 5)
    for entry in merges:
        faults: list = []
        recipe = from_plain(entry["recipe"], METHODS, faults)
        assert faults == []
        assert check(recipe, METHODS) == (), entry["name"]
        assert set(entry.get("tune", {})) == {var.name for var in recipe.variables}


def test_methods_that_need_data_take_each_models_own_task():
    tasks = ["p", "q", "r", "s"]
    experiment = contest(FOUR, "library:base", tasks, SHELF, steps=2)
    load_experiment(experiment)
    found = rows(experiment)
    assert {"fisher", "regmean", "darex_q"} <= set(found)
    nodes = found["fisher"]["recipe"]["nodes"]
    assert [nodes[f"s{i}"]["task"] for i in range(4)] == tasks
    assert nodes["s1"] == {"statistic": "fisher", "of": "m1", "task": "q", "samples": 200}
    for name in ("fisher", "regmean", "darex_q"):
        faults: list = []
        recipe = from_plain(found[name]["recipe"], METHODS, faults)
        assert faults == []
        assert check(recipe, METHODS) == (), name
    assert not {"fisher", "regmean", "darex_q"} & set(rows(contest(FOUR, "library:base", ["p"], SHELF)))
    with pytest.raises(InputError, match="one task for each model"):
        contest(FOUR, "library:base", ["p"], SHELF, names=["fisher"])


def test_how_far_a_method_goes_is_tuned_over_its_range():
    found = rows(contest(FOUR, "library:base", ["x"], SHELF, names=["ties", "linear"], steps=4))
    assert found["ties"]["tune"] == {"scale": [0.5, 1.0, 1.5, 2.0]}
    assert "tune" not in found["linear"]
    once = rows(contest(FOUR, "library:base", ["x"], SHELF, names=["ties"], steps=1))
    assert "tune" not in once["ties"]


@pytest.mark.parametrize(
    ("models", "names", "sentence"),
    [
        ({"a": "A"}, [], "two models"),
        (FOUR, ["nonsense"], "No method is called 'nonsense'"),
        (FOUR, ["ties", "slerp"], "merged by slerp"),
    ],
)
def test_what_cannot_be_compared(models, names, sentence):
    with pytest.raises(InputError, match=sentence):
        contest(models, "library:base", ["x"], SHELF, names=names)
