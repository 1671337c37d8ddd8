"""A recipe's own variables as a family."""

import pytest

from solera.errors import FaultsError
from solera.families.family import Family
from solera.families.variables import recipe_family
from solera.params import Curve, PerModel, Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe, SumNode, Term
from solera_plugins.merging.linear import linear
from solera_plugins.merging.slerp import slerp
from solera_plugins.merging.task_arithmetic import task_arithmetic
from solera_plugins.merging.ties import ties

METHODS = {spec.name: spec for spec in (linear, task_arithmetic, ties, slerp)}
MODELS: tuple[Node, ...] = tuple(CheckpointNode(name, name) for name in ("base", "math", "code"))


def made(method, base="base", **params):
    inputs = ("math", "code") if base else ("base", "math", "code")
    return Recipe((*MODELS, MethodNode("made", method, inputs, base, params)), "made")


def test_bounds_come_from_the_variable_then_from_the_parameter():
    family = recipe_family(made("ties", density=Var("density"), scale=Var("scale", 0.5, 2)), METHODS)
    assert [coord.name for coord in family.coords] == ["density", "scale"]
    declared = ties.param("density").param
    assert (family.coords[0].low, family.coords[0].high) == (declared.search or (declared.low, declared.high))
    assert (family.coords[1].low, family.coords[1].high) == (0.5, 2)
    point = family.recipe_at((0.3, 1.0)).node("made")
    assert isinstance(point, MethodNode)
    assert point.params == {"density": 0.3, "scale": 1.0}
    assert Family.from_plain(family.to_plain(), METHODS) == family


def test_missing_bounds_and_variables_are_faults():
    with pytest.raises(FaultsError, match="has no free variables"):
        recipe_family(made("ties"), METHODS)
    delta = SumNode("delta", (Term("math"), Term("base", -1.0)))
    free = Recipe((*MODELS, delta, SumNode("out", (Term("base"), Term("delta", Var("t"))))), "out")
    with pytest.raises(FaultsError, match=r"nodes\.out\.sum\[1\]\.times: The variable 't' has no bounds"):
        recipe_family(free, METHODS)


def test_task_arithmetic_finds_base_and_experts_among_its_points():
    weights = PerModel((Var("m", 0, 1.5), Var("c", 0, 1.5)))
    family = recipe_family(made("task_arithmetic", weight=weights), METHODS)
    assert family.labels == {"base": (0.0, 0.0), "math": (1.0, 0.0), "code": (0.0, 1.0)}


def test_experts_beyond_the_bounds_or_out_of_reach_are_not_named():
    narrow = PerModel((Var("m", 0, 0.8), Var("c", 0, 1.5)))
    assert set(recipe_family(made("task_arithmetic", weight=narrow), METHODS).labels) == {"base", "code"}
    assert recipe_family(made("task_arithmetic", scale=Var("s", 0, 2)), METHODS).labels == {"base": (0.0,)}


def test_sums_of_sums_are_seen_through():
    nodes: tuple[Node, ...] = (
        *MODELS,
        SumNode("to_math", (Term("math"), Term("base", -1.0))),
        SumNode("to_code", (Term("code"), Term("base", -1.0))),
        SumNode("blend", (Term("base"), Term("to_math", Var("m", -1, 1)), Term("to_code", 0.5))),
        SumNode("out", (Term("blend"), Term("to_code", Var("c", -1, 1)))),
    )
    family = recipe_family(Recipe(nodes, "out"), METHODS)
    assert family.labels == {"base": (0.0, -0.5), "math": (1.0, -0.5), "code": (0.0, 0.5)}


@pytest.mark.parametrize(
    "recipe",
    [
        made("ties", scale=Var("s", 0, 1)),
        made("task_arithmetic", scale=Var("s", 0, 1), weight=PerModel((Var("m", 0, 1), 0.0))),
        made("task_arithmetic", normalize=True, weight=PerModel((Var("m", 0, 1), Var("c", 0, 1)))),
        made("linear", base="", weight=PerModel((1.0, Var("m", 0, 1), 1.0))),
        made("task_arithmetic", weight=PerModel((Var("m", 0, 1), Curve((0.0, 1.0))))),
    ],
    ids=[
        "not affine",
        "a product",
        "divided by their total",
        "shares that are divided by their total",
        "differs by layer",
    ],
)
def test_nothing_is_named_where_it_cannot_be_known(recipe):
    assert recipe_family(recipe, METHODS).labels == {}


def test_given_labels_are_kept():
    family = recipe_family(made("ties", scale=Var("s", 0, 1)), METHODS, {"base": (0.0,)})
    assert family.label_at((0.0,)) == "base"
