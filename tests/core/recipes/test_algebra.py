"""Arithmetic on recipes, checked against numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.params import Var
from solera.recipes.algebra import add, apply, identifier, leaf, scale, sub
from solera.recipes.checks import check
from solera.recipes.export import as_command, as_python
from solera.recipes.nodes import CheckpointNode, Recipe, SumNode, Term
from solera.recipes.order import ordered
from solera.recipes.types import infer_types

BASE, MATH, CODE = (leaf(f"checkpoints/{name}") for name in ("base", "math", "code"))


def test_a_difference_and_a_step_along_it(methods):
    delta = sub(MATH, BASE)
    assert delta.node(delta.output) == SumNode("math_delta", (Term("math"), Term("base", -1.0)))
    merged = add(BASE, scale(0.8, delta))
    assert merged.node(merged.output) == SumNode(merged.output, (Term("base"), Term("math_delta", 0.8)))
    assert check(merged, methods) == ()


def test_scaled_weights_become_an_average(methods):
    thirds = scale(1 / 3, add(add(MATH, CODE), BASE))
    total = thirds.node(thirds.output)
    assert isinstance(total, SumNode)
    assert [term.coefficient for term in total.terms] == [1 / 3] * 3
    assert infer_types(thirds, methods)[thirds.output] == "weights"
    assert check(scale(0.5, MATH), methods)[0].code == "recipe.sum-total"


def test_methods_and_variables(methods):
    merged = apply("pull", [MATH, CODE], BASE, {"density": 0.3})
    assert check(merged, methods) == ()
    again = apply("pull", [merged, sub(CODE, BASE)], BASE, name="twice")
    assert check(again, methods) == ()
    assert len([node for node in again.nodes if isinstance(node, CheckpointNode)]) == 3
    line = add(BASE, scale(Var("t", 0, 1), sub(MATH, BASE)))
    assert [var.name for var in line.variables] == ["t"]
    assert check(line, methods) == ()


def test_same_names_for_different_checkpoints_are_told_apart(methods):
    other = leaf("elsewhere/base")
    delta = sub(other, BASE)
    assert sorted(node.source for node in delta.checkpoints) == ["checkpoints/base", "elsewhere/base"]
    assert len({node.id for node in delta.nodes}) == 3


@pytest.mark.parametrize(
    ("text", "name"),
    [("a-b c", "a_b_c"), ("7b", "model_7b"), ("x.safetensors", "x"), ("--", "model"), ("v1.5", "v1_5")],
)
def test_identifiers(text, name):
    assert identifier(text) == name


def value(recipe, leaves):
    """Slow twin: a recipe of sums as a number."""
    found = {}
    for node in ordered(recipe):
        if isinstance(node, CheckpointNode):
            found[node.id] = leaves[node.source]
        else:
            assert isinstance(node, SumNode)
            found[node.id] = sum(term.coefficient * found[term.node] for term in node.terms)
    return found[recipe.output]


OPERATIONS = st.recursive(
    st.sampled_from("abc"),
    lambda inner: st.tuples(st.sampled_from("+-"), inner, inner) | st.tuples(st.just("*"), st.integers(-3, 3), inner),
    max_leaves=12,
)


@given(OPERATIONS)
@settings(max_examples=80, deadline=None)
def test_arithmetic_on_recipes_is_arithmetic(tree):
    leaves = {"a": 3.0, "b": -5.0, "c": 7.0}

    def build(tree):
        match tree:
            case str():
                return leaf(tree), leaves[tree]
            case ("*", number, inner):
                recipe, number_value = build(inner)
                return scale(float(number), recipe), number * number_value
            case (sign, left, right):
                (a, x), (b, y) = build(left), build(right)
                return (add(a, b), x + y) if sign == "+" else (sub(a, b), x - y)

    recipe, expected = build(tree)
    assert value(recipe, leaves) == expected
    assert len({node.id for node in recipe.nodes}) == len(recipe.nodes)


def test_python_export_says_the_same(methods):
    merged = add(BASE, scale(0.8, apply("pull", [sub(MATH, BASE), sub(CODE, BASE)], params={"density": 0.2})))
    text = as_python(Recipe(merged.nodes, merged.output, "bfloat16"), "out dir")

    class Script:
        saved = None

        def __init__(self, recipe):
            self.recipe = recipe

        def __add__(self, other):
            return Script(add(self.recipe, other.recipe))

        def __sub__(self, other):
            return Script(sub(self.recipe, other.recipe))

        def __rmul__(self, number):
            return Script(scale(number, self.recipe))

        def save(self, out, dtype):
            Script.saved = (self.recipe, out, dtype)

        @staticmethod
        def open(source):
            return Script(leaf(source))

        @staticmethod
        def merge(method, inputs, base=None, **params):
            return Script(apply(method, [item.recipe for item in inputs], base and base.recipe, params))

    exec(text.replace("import solera", ""), {"solera": Script})
    assert Script.saved == (merged, "out dir", "bfloat16")


def test_command_export():
    assert as_command("a b.yaml", "out", {"t": 0.5}, "bfloat16") == (
        "solera merge 'a b.yaml' out --set t=0.5 --dtype bfloat16"
    )
