"""All faults at once, each with its place."""

from __future__ import annotations

import pytest
import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import Fault, FaultsError, PluginError
from solera.params import PerModel, Var
from solera.recipes.checks import check
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, SumNode, Term
from solera.recipes.order import ordered, reachable, reference
from solera.recipes.yaml import dump_recipe, parse_recipe

A, B = CheckpointNode("a", "x"), CheckpointNode("b", "y")


def codes(recipe, methods, checkpoints=None):
    return {(fault.code, fault.place) for fault in check(recipe, methods, checkpoints)}


def test_a_right_recipe_has_no_faults(methods):
    assert check(Recipe((A, B, MethodNode("m", "pull", ("b",), "a")), "m", "bfloat16"), methods) == ()


@pytest.mark.parametrize(
    ("nodes", "output", "fault"),
    [
        ((A,), "", ("recipe.no-output", "output")),
        ((A,), "z", ("recipe.unknown-node", "output")),
        ((A, A), "a", ("recipe.id-twice", "nodes.a")),
        ((CheckpointNode("a b", "x"),), "a b", ("recipe.id", "nodes.a b")),
        ((CheckpointNode("a", ""),), "a", ("recipe.source", "nodes.a.checkpoint")),
        ((A, SumNode("s", ())), "a", ("recipe.empty", "nodes.s.sum")),
        ((A, SumNode("s", (Term("a"), Term("")))), "a", ("recipe.unconnected", "nodes.s.sum[1]")),
        ((A, MethodNode("m", "pul", ("a",))), "a", ("recipe.unknown-method", "nodes.m.method")),
        ((A, MethodNode("m", "pull", ("z",), "a")), "m", ("recipe.unknown-node", "nodes.m")),
        ((A, B, MethodNode("m", "turn", ("a",), params={"t": 0.5})), "m", ("recipe.inputs", "nodes.m.inputs")),
        ((A, B, MethodNode("m", "turn", ("a", "b"))), "m", ("param.missing", "nodes.m.t")),
        ((A, B, MethodNode("m", "turn", ("a", "b"), params={"t": 2.0})), "m", ("param.range", "nodes.m.t")),
        ((A, B, MethodNode("m", "pull", ("b",), "a", {"mode": "x"})), "m", ("param.choice", "nodes.m.mode")),
        ((A, B, MethodNode("m", "pull", ("b",), "a", {"dens": 1})), "m", ("param.unknown-key", "nodes.m.dens")),
        (
            (A, B, MethodNode("m", "pull", ("b",), "a", {"density": PerModel((0.1, 0.2))})),
            "m",
            ("param.count", "nodes.m.density"),
        ),
        ((A, B, SumNode("d", (Term("a"), Term("b", -1.0)))), "d", ("recipe.output-delta", "output")),
        ((A, SumNode("s", (Term("t"),)), SumNode("t", (Term("s"),))), "a", ("recipe.cycle", "nodes.s")),
    ],
)
def test_each_fault_is_found_with_its_place(nodes, output, fault, methods):
    assert fault in codes(Recipe(tuple(nodes), output), methods)


def test_all_faults_come_at_once(methods):
    recipe = Recipe((A, A, MethodNode("m", "pul", ("z",)), SumNode("s", ())), "q", "bfloat17")
    found = {code for code, _ in codes(recipe, methods)}
    assert found >= {"recipe.id-twice", "recipe.unknown-method", "recipe.unknown-node", "recipe.empty", "recipe.dtype"}


def test_a_program_prints_what_would_mend_a_fault(methods):
    faults = check(Recipe((A, SumNode("d", (Term("a"), Term("a", -1.0)))), "d"), methods)
    assert "delta, not weights. To mend it: add it to a base: base + d." in str(FaultsError("recipe", faults))
    assert Fault("source", "a", "It is not there.", ("Relocate…",)).told == "a: It is not there."


def test_sentences_suggest_what_was_meant(methods):
    text = " ".join(str(f) for f in check(Recipe((A, MethodNode("m", "pul", ("aa",))), "mm", "bfloat17"), methods))
    for meant in ("'pull'", "'a'", "'m'", "'bfloat16'"):
        assert f"Did you mean {meant}?" in text


def test_a_broken_plugin_is_a_fault_and_its_node_keeps_its_data(methods):
    class Broken(dict):
        def __getitem__(self, key):
            if key == "pull":
                raise PluginError("The method 'pull' cannot be loaded (SyntaxError).")
            return super().__getitem__(key)

    text = "solera: 1\nnodes:\n  a: {checkpoint: x}\n  m: {method: pull, inputs: [a], density: 0.3}\noutput: m\n"
    recipe, faults = parse_recipe(text, Broken(methods))
    assert dump_recipe(recipe) == text
    (fault,) = faults
    assert (fault.code, fault.fields["line"]) == ("recipe.broken-method", 4)


def test_one_variable_has_one_meaning(methods):
    delta = SumNode("d", (Term("a"), Term("b", -1.0)))
    out = SumNode("o", (Term("a"), Term("d", Var("t", 0, 1)), Term("d", Var("t", 0, 2))))
    assert ("recipe.variable", "nodes.o") in codes(Recipe((A, B, delta, out), "o"), methods)


def test_checkpoints_must_fit_the_reference(methods):
    def made(**tensors):
        return MemoryCheckpoint.from_state_dict({k: torch.zeros(v) for k, v in tensors.items()}, "x")

    recipe = Recipe((A, B, SumNode("o", (Term("a", 0.5), Term("b", 0.5)))), "o")
    good = made(w=(2, 3), v=(4,))
    assert check(recipe, methods, {"a": good, "b": made(w=(2, 3), v=(4,))}) == ()
    (fault,) = check(recipe, methods, {"a": good, "b": made(w=(3, 2), v=(4,))})
    assert fault.place == "nodes.b"
    assert "[2, 3]" in fault.message
    assert "[3, 2]" in fault.message
    (fault,) = check(recipe, methods, {"a": good, "b": made(w=(2, 3))})
    assert "'v'" in fault.message or "v" in fault.message
    assert ("recipe.not-open", "nodes.b.checkpoint") in codes(recipe, methods, {"a": good})


def test_order_reach_and_reference(methods):
    m = MethodNode("m", "pull", ("b",), "a")
    recipe = Recipe((m, CheckpointNode("loose", "z"), SumNode("o", (Term("m"),)), B, A), "o")
    order = [node.id for node in ordered(recipe)]
    assert order.index("a") < order.index("m") < order.index("o")
    assert [node.id for node in reachable(recipe).nodes] == ["m", "o", "b", "a"]
    assert reference(recipe) == "a"
    assert reference(Recipe((A, B, MethodNode("t", "turn", ("b", "a"))), "t")) == "b"
    assert reference(Recipe((SumNode("s", (Term("s"),)),), "s")) == ""
