"""The materialiser: the same bits as the executor, at every point."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import FaultsError, MismatchError, NumericError
from solera.execution.memory import Materialiser, materialise
from solera.models.layout import FlatLayout
from solera.params import PerModel, Rules, Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe, SumNode, Term

NODES = tuple(CheckpointNode(name, f"memory:{name}") for name in "abc")
U = SumNode("u", (Term("b"), Term("a", -1.0)))
V = SumNode("v", (Term("c"), Term("a", -1.0), Term("u", -0.3)))
S, T = Var("s", 0, 1, init=0.5), Var("t", 0, 1, init=0.5)

FAMILIES: dict[str, tuple[tuple[Node, ...], bool]] = {
    "line": ((U, SumNode("o", (Term("a"), Term("u", S)))), True),
    "plane": ((U, V, SumNode("o", (Term("a"), Term("u", S), Term("v", T)))), True),
    "arithmetic": ((MethodNode("o", "task_arithmetic", ("b", "c"), "a", {"scale": S}),), True),
    "weights": ((MethodNode("o", "task_arithmetic", ("b", "c"), "a", {"weight": PerModel((S, T))}),), True),
    "bilinear": (
        (MethodNode("o", "task_arithmetic", ("b", "c"), "a", {"weight": PerModel((S, 1.0)), "scale": T}),),
        False,
    ),
    "product": ((U, SumNode("w", (Term("u", S),)), SumNode("o", (Term("a"), Term("w", T)))), False),
    "rules": ((U, SumNode("o", (Term("a"), Term("u", Rules((("*embed*", S),), T))))), True),
    "ties": ((MethodNode("o", "ties", ("b", "c"), "a", {"density": S, "scale": T}),), False),
    "ties-model": ((MethodNode("o", "ties", ("b", "c"), "a", {"density": S, "scope": "model"}),), False),
    "slerp": ((MethodNode("o", "slerp", ("b", "c"), params={"t": S}),), False),
    "constant": ((SumNode("o", (Term("a", 0.5), Term("b", 0.5))),), True),
}


def layout_of(state):
    names = [name for name, tensor in state.items() if tensor.is_floating_point() and name != "head.weight"]
    offsets, end = [], 0
    for name in names:
        offsets.append(end)
        end += state[name].numel()
    shapes = tuple(tuple(state[name].shape) for name in names)
    return FlatLayout(tuple(names), shapes, tuple(offsets), end, (("head.weight", "model.embed.weight"),))


def flat_of(made, layout):
    return torch.cat([made[name].float().reshape(-1) for name in layout.names])


@pytest.mark.parametrize("dtype", ["", "bfloat16", "float16"])
@pytest.mark.parametrize("name", FAMILIES)
def test_points_are_the_bits_that_would_be_saved(name, dtype, methods, toy_state):
    states = {key: toy_state(i) for i, key in enumerate("abc")}
    checkpoints = {key: MemoryCheckpoint.from_state_dict(value, key) for key, value in states.items()}
    layout = layout_of(states["a"])
    nodes, affine = FAMILIES[name]
    recipe = Recipe((*NODES, *nodes), "o", dtype)
    materialiser = Materialiser(recipe, checkpoints, methods, layout)
    assert materialiser.affine is affine
    assert set(materialiser.coords) <= {"s", "t"}
    out = torch.empty(layout.numel)
    for numbers in ({}, {"s": 0.3, "t": 0.9}, {"s": 1.0, "t": 0.0}, {}):
        numbers = {key: value for key, value in numbers.items() if key in materialiser.coords}
        materialiser.at(numbers, out)
        assert torch.equal(out, flat_of(materialise(recipe, checkpoints, methods, numbers), layout))


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_points_do_not_remember_each_other(methods, toy_state, coords):
    checkpoints = {key: MemoryCheckpoint.from_state_dict(toy_state(i), key) for i, key in enumerate("abc")}
    layout = layout_of(toy_state(0))
    recipe = Recipe((*NODES, *FAMILIES["plane"][0]), "o")
    long, out, fresh = (
        Materialiser(recipe, checkpoints, methods, layout),
        torch.empty(layout.numel),
        torch.empty(layout.numel),
    )
    for s, t in coords:
        long.at({"s": s, "t": t}, out)
    Materialiser(recipe, checkpoints, methods, layout).at({"s": s, "t": t}, fresh)
    assert torch.equal(out, fresh)


def test_a_network_that_does_not_fit_is_refused(methods, toy_state):
    checkpoints = {"a": MemoryCheckpoint.from_state_dict(toy_state(0), "a")}
    recipe = Recipe(NODES[:1], "a")
    with pytest.raises(MismatchError, match="no tensor 'other'"):
        Materialiser(recipe, checkpoints, methods, FlatLayout(("other",), ((2,),), (0,), 2))
    with pytest.raises(MismatchError, match=r"shape \(2, 3\)"):
        Materialiser(recipe, checkpoints, methods, FlatLayout(("model.layers.0.w",), ((2, 3),), (0,), 6))


def test_tensors_the_network_lacks_still_count_for_the_whole_model(methods, toy_state):
    states = {key: toy_state(i) for i, key in enumerate("abc")}
    states["b"]["model.layers.1.w"] *= 50  # takes most of the model's share of entries
    checkpoints = {key: MemoryCheckpoint.from_state_dict(value, key) for key, value in states.items()}
    part = {name: tensor for name, tensor in states["a"].items() if name != "model.layers.1.w"}
    layout = layout_of(part)
    recipe = Recipe((*NODES, *FAMILIES["ties-model"][0]), "o")
    out = torch.empty(layout.numel)
    Materialiser(recipe, checkpoints, methods, layout).at({"s": 0.2}, out)
    assert torch.equal(out, flat_of(materialise(recipe, checkpoints, methods, {"s": 0.2}), layout))


def test_faults_and_overflows(methods, toy_state):
    checkpoints = {key: MemoryCheckpoint.from_state_dict(toy_state(i), key) for i, key in enumerate("abc")}
    layout, out = layout_of(toy_state(0)), torch.empty(layout_of(toy_state(0)).numel)
    with pytest.raises(FaultsError):
        Materialiser(Recipe(NODES, ""), checkpoints, methods, layout)
    line = Materialiser(Recipe((*NODES, *FAMILIES["line"][0]), "o", "float16"), checkpoints, methods, layout)
    with pytest.raises(NumericError, match=r"'model\.embed\.weight'"):
        line.at({"s": 1e6}, out)
    line.at({"s": 0.5}, out)
    assert out.isfinite().all()


def test_inputs_may_change_between_uses_but_are_never_written(methods, toy_state):
    states = {key: toy_state(i) for i, key in enumerate("abc")}
    before = {key: {name: tensor.clone() for name, tensor in value.items()} for key, value in states.items()}
    checkpoints = {key: MemoryCheckpoint.from_state_dict(value, key) for key, value in states.items()}
    for nodes, _ in FAMILIES.values():
        made = materialise(Recipe((*NODES, *nodes), "o"), checkpoints, methods)
        for tensor in made.values():
            tensor.zero_()
    for key, value in states.items():
        assert all(torch.equal(tensor, before[key][name]) for name, tensor in value.items())
