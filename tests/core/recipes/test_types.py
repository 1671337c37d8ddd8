"""The algebra of Weights and Deltas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import Fault
from solera.params import Curve, Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe, SumNode, Term
from solera.recipes.types import infer_types

LEAVES = tuple(CheckpointNode(name, name) for name in "abc")
DELTA = SumNode("d", (Term("b"), Term("a", -1.0)))


def kind_of(node, methods, *more):
    faults: list[Fault] = []
    types = infer_types(Recipe((*LEAVES, DELTA, *more, node), node.id), methods, faults)
    return types.get(node.id), faults


@pytest.mark.parametrize(
    ("terms", "kind"),
    [
        ([("a", 1), ("b", -1)], "delta"),
        ([("a", 0.5), ("b", 0.5)], "weights"),
        ([("a", 0.333333), ("b", 0.333333), ("c", 0.333334)], "weights"),
        ([("a", 1), ("d", Var("t"))], "weights"),
        ([("d", Var("t")), ("d", 3.0)], "delta"),
        ([("d", Curve((0.1, 0.9)))], "delta"),
        ([("a", 2), ("b", -1)], "weights"),
        ([("a", 1), ("b", 1), ("c", -1), ("d", 0.2)], "weights"),
        ([("a", 0.5)], None),
        ([("a", 1), ("b", 1)], None),
        ([("a", Var("t")), ("b", 0.5)], None),
        ([("a", Curve((0.0, 1.0))), ("b", 1)], None),
        ([("a", -1)], None),
    ],
)
def test_sums(terms, kind, methods):
    found, faults = kind_of(SumNode("s", tuple(Term(n, c) for n, c in terms)), methods)
    assert found == kind
    assert (kind is None) == bool(faults)
    assert all(fault.remedies and fault.fields["node"] == "s" for fault in faults)


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        (MethodNode("m", "pull", ("b", "c"), "a"), "weights"),
        (MethodNode("m", "pull", ("b", "d"), "a"), "weights"),
        (MethodNode("m", "pull", ("d", "d")), "delta"),
        (MethodNode("m", "pull", ("b", "c")), None),
        (MethodNode("m", "pull", ("b",), "d"), None),
        (MethodNode("m", "turn", ("a", "b")), "weights"),
        (MethodNode("m", "turn", ("a", "d")), None),
        (MethodNode("m", "turn", ("a", "b"), "c"), None),
        (MethodNode("m", "mean", ("a", "b")), "weights"),
        (MethodNode("m", "mean", ("d", "d")), "delta"),
        (MethodNode("m", "mean", ("a", "d")), None),
    ],
)
def test_methods(node, kind, methods):
    found, faults = kind_of(node, methods)
    assert found == kind
    assert (kind is None) == bool(faults)


def test_what_hangs_on_an_untyped_node_is_not_blamed(methods):
    bad = SumNode("bad", (Term("a"), Term("b")))
    after = MethodNode("after", "turn", ("bad", "a"))
    recipe = Recipe((*LEAVES, bad, after), "after")
    faults: list[Fault] = []
    assert set(infer_types(recipe, methods, faults)) == {"a", "b", "c"}
    assert [fault.fields["node"] for fault in faults] == ["bad"]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-4, 4)), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_sum_has_a_type_exactly_when_its_weights_total_one_or_zero(terms):
    """Slow twin: count affine combinations with exact integers (halves)."""
    node = SumNode("s", tuple(Term(name, number / 2) for name, number in terms))
    types = infer_types(Recipe((*LEAVES, DELTA, node), "s"), {})
    total = math.fsum(number for name, number in terms if name != "d")
    any_weights = any(name != "d" for name, _ in terms)
    expected = "delta" if total == 0 else "weights" if total == 2 and any_weights else None
    assert types.get("s") == expected


def test_thousands_of_chained_sums_need_no_recursion():
    nodes: list[Node] = [CheckpointNode("n0", "x")]
    nodes += [SumNode(f"n{i}", (Term(f"n{i - 1}"),)) for i in range(1, 5000)]
    recipe = Recipe(tuple(reversed(nodes)), "n4999")
    assert infer_types(recipe, {})["n4999"] == "weights"


def test_coefficients_beyond_all_numbers_are_a_fault_and_no_traceback():
    type_, faults = kind_of(SumNode("s", (Term("a", 1.7e308), Term("b", 1.7e308))), {})
    assert type_ is None
    assert [fault.code for fault in faults] == ["recipe.sum-total"]
