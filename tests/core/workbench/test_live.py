from pathlib import Path

import numpy as np

from solera.params import Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, SumNode, Term
from solera.recipes.types import infer_types
from solera.workbench import Workbench
from solera.workbench.live import freed

A, B, C = (CheckpointNode(name, name) for name in "abc")


def test_a_blend_of_weights_becomes_steps_from_its_first() -> None:
    recipe = Recipe((A, B, C, SumNode("out", (Term("a", 0.5), Term("b", 0.3), Term("c", 0.2)))), "out")
    opened, numbers = freed(recipe, {})
    assert sorted(numbers.values()) == [0.2, 0.3]
    assert {var.name for var in opened.variables} == set(numbers)
    assert infer_types(opened, {})["out"] == "weights"


def test_a_sum_of_deltas_keeps_its_terms() -> None:
    delta = SumNode("d", (Term("b"), Term("a", -1.0)))
    recipe = Recipe((A, B, delta, SumNode("out", (Term("a"), Term("d", 0.8)))), "out")
    opened, numbers = freed(recipe, {})
    assert numbers == {"d__1": -1.0, "out__1": 0.8}
    assert infer_types(opened, {}) == {**infer_types(recipe, {}), **dict.fromkeys(["d__1_from_b"], "delta")}


def test_what_cannot_be_freed_stays() -> None:
    nodes = (A, B, SumNode("out", (Term("a"), Term("b", Var("t", 0, 1)))), MethodNode("m", "slerp", ("a", "b")))
    recipe = Recipe(nodes, "m")
    assert freed(recipe, {}) == (recipe, {})


def test_a_handle_follows_the_data_and_parameters_of_its_task(bench: Workbench, folder: Path) -> None:
    project, recipe = bench.project, Recipe((CheckpointNode("a", "library:digits-rotated"),), "a")
    assert project is not None
    project.set_task("own", "digits", {"transform": "rotation"})
    found = [bench.score_point(recipe, ("own",), 64)]
    project.set_task("own", "digits", {"transform": "inversion"})
    found.append(bench.score_point(recipe, ("own",), 64))
    rng = np.random.default_rng(0)
    for low in (0, 5):
        x, y = rng.random((40, 1, 8, 8), dtype=np.float32), rng.integers(low, low + 5, 40)
        np.savez(folder / "own.npz", x=x, y=y, split=["selection"] * 40)
        project.set_task("own", "classification", {"data": "own.npz"})
        found.append(bench.score_point(recipe, ("own",), 32))
    assert len({scores[0].value for scores in found}) == 4
