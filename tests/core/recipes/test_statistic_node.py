"""Statistics as nodes of a recipe: text, faults, hashes, types, scripts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from solera.errors import FaultsError
from solera.methods.spec import method
from solera.recipes import algebra
from solera.recipes.checks import check
from solera.recipes.export import as_python
from solera.recipes.hashes import semantic_hash
from solera.recipes.join import join
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, StatisticNode, SumNode, Term
from solera.recipes.order import reference
from solera.recipes.types import infer_types
from solera.recipes.yaml import dump_recipe, load_recipe, parse_recipe

TEXT = """\
solera: 1
nodes:
  a: {checkpoint: /a}
  f:
    statistic: fisher
    of: a
    task: digits
    split: selection
    samples: 64
    seed: 3
    draws: 2
    labels: sampled
    note: few are enough
  m: {method: weigh, inputs: [a], statistics: [f]}
output: m
"""


@method("weigh", needs="fisher")
def weigh(tensors, *, floor: float = 0.0, statistics=()):
    """Weigh."""
    return tensors[0]


METHODS = {"weigh": weigh}


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe(TEXT, METHODS)


def test_text_there_and_back(recipe):
    node = recipe.node("f")
    assert isinstance(node, StatisticNode)
    assert (node.model, node.statistic, node.task, node.split, node.samples, node.seed) == (
        "a", "fisher", "digits", "selection", 64, 3,
    )  # fmt: skip
    assert node.params == {"draws": 2, "labels": "sampled"}
    assert load_recipe(dump_recipe(recipe), METHODS) == recipe
    assert dump_recipe(load_recipe(dump_recipe(recipe), METHODS)) == dump_recipe(recipe)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("statistic: fisher", "statistic: fishr", "Did you mean 'fisher'"),
        ("of: a", "of: nobody", "no node 'nobody'"),
        ("samples: 64", "samples: many", "whole number"),
        ("samples: 64", "samples: -1", "at least 1"),
        ("draws: 2", "draw: 2", "Did you mean 'draws'"),
        ("draws: 2", "draws: 0", "draws"),
        ("labels: sampled", "labels: guessed", "labels"),
        ("split: selection", "split: test", "A split is one of"),
        ("task: digits", "task: ''", "names no task"),
        ("statistics: [f]", "statistics: f", "list of node names"),
        ("statistics: [f]", "statistics: []", "needs a statistic 'fisher' for each input"),
        ("statistics: [f]", "statistics: [a]", "'a' is weights, no statistic"),
        ("inputs: [a]", "inputs: [f]", "is an importance"),
    ],
)
def test_faults_are_said(old, new, said):
    with pytest.raises(FaultsError) as caught:
        load_recipe(TEXT.replace(old, new), METHODS)
    assert said in str(caught.value)


def test_types(recipe):
    assert infer_types(recipe, METHODS) == {"a": "weights", "f": "importance", "m": "weights"}
    summed = replace(recipe, nodes=(*recipe.nodes, SumNode("s", (Term("f"),))))
    assert any("not added" in fault.message for fault in check(summed, METHODS))
    out = check(replace(recipe, output="f"), METHODS)
    assert [fault.code for fault in out] == ["recipe.output-delta"]
    assert reference(replace(recipe, output="f")) == "a"


def test_a_model_with_variables_has_none():
    text = TEXT.replace("of: a", "of: s").replace(
        "  f:\n", "  d: {sum: [a, {times: -1.0, node: b}]}\n  b: {checkpoint: /b}\n"
        "  s: {sum: [a, {times: {var: t}, node: d}]}\n  f:\n",
    )  # fmt: skip
    faults = parse_recipe(text, METHODS)[1]
    assert any("free variables" in fault.message for fault in faults)


def test_the_hash_counts_what_it_holds(recipe):
    one = semantic_hash(recipe, METHODS, {"a": "1", "f": "2"})
    assert one != semantic_hash(recipe, METHODS, {"a": "1", "f": "3"})
    told = replace(recipe, nodes=tuple(replace(n, note="") if n.id == "f" else n for n in recipe.nodes))
    assert one == semantic_hash(told, METHODS, {"a": "1", "f": "2"})


def test_it_is_joined_and_written_as_a_script(recipe):
    nodes, (first, second) = join([recipe, recipe])
    assert first == second
    assert len(nodes) == 3
    other = replace(recipe, nodes=(CheckpointNode("a", "/other"), *recipe.nodes[1:]))
    nodes, ids = join([recipe, other])
    made = next(node for node in nodes if node.id == ids[1])
    assert isinstance(made, MethodNode)
    assert (made.inputs, made.statistics) == (("a_2",), ("f_2",))
    script = as_python(recipe)
    assert "f = solera.statistic('fisher', a, 'digits', split='selection', samples=64, seed=3, draws=2, " in script
    assert "solera.merge('weigh', [a], statistics=[f])" in script


def test_a_script_says_the_same():
    model = algebra.leaf("/a")
    measured = algebra.statistic("fisher", model, "digits", samples=9)
    made = algebra.apply("weigh", [model], statistics=[measured])
    assert [node.id for node in made.nodes] == ["a", "fisher_a", "weigh"]
    assert check(made, METHODS) == ()
    assert algebra.kinds(made)["fisher_a"] == "importance"
