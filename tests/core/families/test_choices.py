"""Variables that choose (a switch, a method, a model) and curves over layers whose control points are free."""

from typing import Any

import pytest
import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import Fault
from solera.execution.memory import Materialiser, materialise
from solera.extend.registry import Registry
from solera.families.variables import recipe_family
from solera.models.layout import FlatLayout
from solera.params import Curve, Param, ParamSpec, Var, decode, encode, variables
from solera.recipes.checks import check
from solera.recipes.hashes import semantic_hash
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, SumNode, Term

CHOICE = ParamSpec("how", "choice", "sum", choices=("sum", "mean", "max"))


@pytest.fixture(scope="module")
def methods():
    return Registry.discover([]).methods


def decoded(plain, spec) -> tuple[Any, list[Fault]]:
    faults: list[Fault] = []
    return decode(plain, spec, "here", faults), faults


@pytest.mark.parametrize(
    ("plain", "spec", "choices"),
    [
        ({"var": "how"}, CHOICE, ("sum", "mean", "max")),
        ({"var": "how", "choices": ["max", "sum"]}, CHOICE, ("max", "sum")),
        ({"var": "on"}, ParamSpec("on", "bool", False), (False, True)),
        ({"var": "k", "choices": [1, 4]}, ParamSpec("k", "int", 1), (1, 4)),
        ({"var": "globs", "choices": ["a.*", "b.*"]}, ParamSpec("globs", "str", ""), ("a.*", "b.*")),
    ],
)
def test_a_variable_that_chooses_survives_the_codec(plain, spec, choices):
    value, faults = decoded(plain, spec)
    assert not faults
    assert value.choices == choices
    assert decoded(encode(value), spec) == (value, [])
    assert [value.value(i) for i in range(len(choices))] == list(choices)


@pytest.mark.parametrize(
    ("plain", "spec", "code"),
    [
        ({"var": "how", "choices": ["sum", "median"]}, CHOICE, "param.choice"),
        ({"var": "how", "choices": ["sum"]}, CHOICE, "param.var-choices"),
        ({"var": "how", "choices": ["sum", "sum"]}, CHOICE, "param.var-choices"),
        ({"var": "how", "low": 1}, CHOICE, "param.var-bound"),
        ({"var": "name"}, ParamSpec("name", "str", ""), "param.var-kind"),
        ({"curve": [0.1, {"var": "2x"}]}, ParamSpec("c", "float", 0.0), "param.var-name"),
    ],
)
def test_what_chooses_nothing_is_told(plain, spec, code):
    value, faults = decoded(plain, spec)
    assert value is None
    assert [fault.code for fault in faults] == [code]


def test_a_curve_has_control_points():
    spec = ParamSpec("scale", "float", 1.0, param=Param(0.0, 2.0))
    plain = {"curve": [{"var": "first", "low": 0.0, "high": 1.0, "init": 0.5}, 1.0, {"var": "last"}]}
    curve, faults = decoded(plain, spec)
    assert not faults
    assert encode(curve) == plain
    assert [each.name for each in variables(curve)] == ["first", "last"]
    assert curve.at(0.25, {"first": 0.2, "last": 2.0}) == pytest.approx(0.6)
    assert curve.at(0.0, {"last": 2.0}) == 0.5


def leaves(*names):
    return tuple(CheckpointNode(name, f"memory:{name}") for name in names)


def test_a_family_chooses_among_models(states, checkpoints, methods):
    picked = MethodNode("picked", "select", ("a", "b", "c"), params={"which": Var("model")})
    recipe = Recipe((*leaves(*"abc"), picked), "picked")
    assert check(recipe, methods) == ()
    family = recipe_family(recipe, methods)
    (coord,) = family.coords
    assert (coord.kind, coord.choices, coord.values) == ("choice", ("a", "b", "c"), (0.0, 1.0, 2.0))
    for i, name in enumerate("abc"):
        at = family.recipe_at((i + 0.2,))
        assert check(at, methods) == ()
        assert torch.equal(materialise(at, checkpoints, methods)["w"], states[name]["w"])


def test_a_family_chooses_a_method_and_its_switch(checkpoints, methods):
    nodes = (
        *leaves(*"abc"),
        MethodNode("lines", "linear", ("b", "c"), params={"normalize": Var("fair", choices=(False, True))}),
        MethodNode("signs", "ties", ("b", "c"), "a", {"density": Var("density", 0.2, 1.0)}),
        MethodNode("picked", "select", ("lines", "signs"), params={"which": Var("method", choices=(0, 1))}),
    )
    recipe = Recipe(nodes, "picked")
    family = recipe_family(recipe, methods)
    kinds = {coord.name: (coord.kind, coord.choices) for coord in family.coords}
    assert kinds == {
        "fair": ("choice", ("False", "True")), "density": ("real", ()), "method": ("choice", ("lines", "signs")),
    }  # fmt: skip
    names = [coord.name for coord in family.coords]
    layout = FlatLayout(("w", "b"), ((7, 5), (7,)), (0, 35), 42)
    materialiser = Materialiser(recipe, checkpoints, methods, layout)
    assert not materialiser.affine
    out = torch.empty(42)
    for point in ({"fair": 0, "density": 0.5, "method": 0}, {"fair": 1, "density": 0.7, "method": 1}):
        coords = tuple(float(point[name]) for name in names)
        materialiser.at(family.numbers(coords), out)
        kept = materialise(family.recipe_at(coords), checkpoints, methods)
        assert torch.equal(out, torch.cat([kept["w"].flatten(), kept["b"]])), "what is scored is what is saved"


def test_control_points_move_layers_apart(methods):
    generator = torch.Generator().manual_seed(0)
    states = {
        name: {f"layers.{i}.weight": torch.randn(3, 3, generator=generator) for i in range(3)} for name in ("a", "b")
    }
    given = {name: MemoryCheckpoint.from_state_dict(state, name) for name, state in states.items()}
    curve = Curve((Var("early", 0.0, 1.0, 0.0), Var("late", 0.0, 1.0, 0.0)))
    nodes = (
        *leaves("a", "b"),
        SumNode("delta", (Term("b"), Term("a", -1.0))),
        SumNode("point", (Term("a"), Term("delta", curve))),
    )
    recipe = Recipe(nodes, "point")
    assert check(recipe, methods) == ()
    assert [(coord.name, coord.kind) for coord in recipe_family(recipe, methods).coords] == [
        ("early", "real"), ("late", "real"),
    ]  # fmt: skip
    made = materialise(recipe.with_values({"early": 0.2, "late": 0.8}), given, methods)
    layout = FlatLayout(tuple(states["a"]), ((3, 3),) * 3, (0, 9, 18), 27)
    out = torch.empty(27)
    Materialiser(recipe, given, methods, layout).at({"early": 0.2, "late": 0.8}, out)
    for i, share in enumerate((0.2, 0.5, 0.8)):
        a, b = (states[name][f"layers.{i}.weight"] for name in ("a", "b"))
        assert torch.allclose(made[f"layers.{i}.weight"], (1 - share) * a + share * b, atol=1e-6)
        assert torch.equal(out[9 * i : 9 * i + 9].view(3, 3), made[f"layers.{i}.weight"])


def test_what_is_chosen_among_is_part_of_the_hash(methods):
    def hashed(*choices):
        node = MethodNode("m", "linear", ("a", "b"), params={"normalize": Var("fair", choices=choices)})
        return semantic_hash(Recipe((*leaves("a", "b"), node), "m"), methods, {"a": "1", "b": "2"})

    assert hashed(False, True) != hashed(True, False)
