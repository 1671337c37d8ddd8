"""Steps and first passes: what a method is handed, and what it may give back."""

from __future__ import annotations

import time
from typing import Annotated

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.checkpoints.memory import MemoryCheckpoint
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.errors import InputError, PluginError
from solera.execution import prepare as prepare_module
from solera.execution.cuts import PIECE
from solera.execution.memory import materialise
from solera.execution.plan import piece_bytes, plan
from solera.execution.program import compile_recipe
from solera.execution.step import add_up
from solera.execution.stream import execute
from solera.methods.spec import Piece, method
from solera.params import Curve, Param, PerModel, Rules, Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, SumNode, Term
from solera.tensors.reductions import BLOCK

NODES = (CheckpointNode("a", "memory:a"), CheckpointNode("b", "memory:b"))


def opened(**extra):
    states = {
        "a": {"layers.0.w": torch.ones(2, 3), "layers.1.w": torch.full((2, 3), 2.0), **extra},
        "b": {"layers.0.w": torch.full((2, 3), 3.0), "layers.1.w": torch.full((2, 3), 5.0), **extra},
    }
    return {key: MemoryCheckpoint.from_state_dict(state, key) for key, state in states.items()}


def run(spec, *, base="", inputs=("a", "b"), numbers=None, checkpoints=None, **params):
    recipe = Recipe((*NODES, MethodNode("o", spec.name, inputs, base, params)), "o")
    return materialise(recipe, checkpoints or opened(), {spec.name: spec}, numbers)


def recorder(**kwargs):
    calls = []

    @method("record", **kwargs)
    def record(
        tensors,
        *,
        x: Annotated[float, Param(0, 10)] = 1.0,
        each: Annotated[tuple[float, ...], Param(per_model=True)] = (7.0,),
        rounds: int = 2,
        piece: Piece | None = None,
    ):
        """Record."""
        calls.append((piece, x, each, rounds, [tensor.clone() for tensor in tensors]))
        return tensors[0]

    return record, calls


def test_a_base_is_subtracted_and_added_again():
    spec, calls = recorder(takes="delta", base="required")
    made = run(spec, base="a", inputs=("b",))
    assert torch.equal(calls[0][4][0], torch.full((2, 3), 2.0))
    assert torch.equal(made["layers.1.w"], torch.full((2, 3), 5.0))


def test_parameters_are_resolved_at_every_tensor():
    spec, calls = recorder()
    values = {"x": Curve((1.0, 3.0)), "each": PerModel((Rules((("*.0.*", 5.0),), 6.0), Var("v"))), "rounds": Var("n")}
    run(spec, numbers={"v": 0.5, "n": 2.6}, **values)
    assert [(piece.name, x, each, rounds) for piece, x, each, rounds, _ in calls] == [
        ("layers.0.w", 1.0, (5.0, 0.5), 3),
        ("layers.1.w", 3.0, (6.0, 0.5), 3),
    ]


def test_variables_keep_to_the_bounds_of_their_parameter():
    spec, _ = recorder()
    with pytest.raises(InputError, match="'x' must lie from 0 to 10"):
        run(spec, x=Var("v"), numbers={"v": 11.0})


def test_float64_methods_are_handed_float64():
    spec, calls = recorder(float64=True)
    made = run(spec)
    assert calls[0][4][0].dtype == torch.float64
    assert made["layers.0.w"].dtype == torch.float32


@pytest.mark.parametrize("result", [torch.zeros(3), "text", None])
def test_a_method_must_give_a_tensor_of_the_right_shape(result):
    @method("wrong")
    def wrong(tensors):
        """Wrong."""
        return result

    with pytest.raises(PluginError, match=r"'wrong' must give a tensor of shape \(2, 3\) for 'layers\.0\.w'"):
        run(wrong)


def test_a_first_pass_sees_every_tensor_in_order_of_name_as_often_as_it_likes(monkeypatch):
    seen = []

    def look(passes, **params):
        for _ in range(2):
            seen.append([(name, tuple(tensors[0].shape), float(tensors[1].sum())) for name, tensors in passes])
        return "state"

    @method("look", takes="delta", base="required", prepare=look)
    def looking(deltas, *, state=None):
        """Look."""
        assert state == "state"
        return deltas[0]

    monkeypatch.setattr(prepare_module, "PIECE", 4)
    zebra = {"zebra.num_batches_tracked": torch.tensor(3)}
    run(looking, base="a", inputs=("a", "b"), checkpoints=opened(**zebra))
    pieces = [
        ("layers.0.w", (4,), 8.0),
        ("layers.0.w", (2,), 4.0),
        ("layers.1.w", (4,), 12.0),
        ("layers.1.w", (2,), 6.0),
    ]
    assert seen == [pieces, pieces]


def test_pieces_of_first_passes_are_whole_blocks_of_the_reductions():
    assert PIECE % BLOCK == 0


@given(st.lists(st.tuples(st.floats(-9, 9, width=32), st.floats(-2, 2)), min_size=1, max_size=6), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_sums_do_not_depend_on_where_they_are_cut(terms, cut):
    generator = torch.Generator().manual_seed(3)
    tensors = [torch.randn(41, generator=generator) * scale for scale, _ in terms]
    factors = [factor for _, factor in terms]
    whole = add_up(tensors, factors)
    parts = [add_up([t[:cut].clone() for t in tensors], factors), add_up([t[cut:].clone() for t in tensors], factors)]
    assert torch.equal(whole, torch.cat(parts))
    one_by_one = torch.stack([add_up([t[i].clone() for t in tensors], factors) for i in range(41)])
    assert torch.equal(whole, one_by_one)


def test_values_are_let_go_when_nobody_needs_them():
    chain = [SumNode(f"s{i}", (Term(f"s{i - 1}" if i else "a"),)) for i in range(50)]
    long = compile_recipe(Recipe((*NODES, *chain), "s49"), {}, opened())
    short = compile_recipe(Recipe((*NODES, *chain[:3]), "s2"), {}, opened())
    assert piece_bytes(long, opened(), 100) == piece_bytes(short, opened(), 100)
    assert plan(Recipe((*NODES, *chain), "s49"), opened(), {}).holds > 0


def test_a_look_at_one_tensor_comes_before_its_pieces_and_has_its_parameters():
    looks = []

    def look(passes, *, x, **_):
        looks.append((x, passes.numel, [(name, tuple(t[0].shape)) for name, t in passes]))
        return float(sum(float(t[0].sum()) for _, t in passes))

    @method("centre", prepare=look, prepare_over="tensor", granularity="element")
    def centre(tensors, *, x: Annotated[float, Param(0, 10)] = 1.0, state=None):
        """Take the sum away."""
        return tensors[0] - state

    made = run(centre, inputs=("a",), x=Curve((1.0, 3.0)))
    assert looks == [(1.0, 6, [("layers.0.w", (6,))]), (3.0, 6, [("layers.1.w", (6,))])]
    assert float(made["layers.0.w"].sum()) == 6 - 6 * 6


def test_blocks_are_runs_of_rows_in_their_shape(tmp_path):
    seen = []

    @method("rows", granularity=lambda params: "block" if params["x"] > 0 else "element")
    def rows(tensors, *, x: Annotated[float, Param(0, 10)] = 1.0, piece: Piece | None = None):
        """Take each row's mean away."""
        seen.append((piece.start, tuple(tensors[0].shape)))
        return tensors[0] - tensors[0].mean(dim=-1, keepdim=True) * x

    big = {"m": torch.randn(6, 40_000), "v": torch.randn(11), "s": torch.tensor(2.0)}
    opened_ = {"a": MemoryCheckpoint.from_state_dict(big, "a")}
    recipe = Recipe((NODES[0], MethodNode("o", "rows", ("a",))), "o")
    held = materialise(recipe, opened_, {"rows": rows})
    seen.clear()
    folder = execute(plan(recipe, opened_, {"rows": rows}), tmp_path / "out", QuietContext())
    assert sorted(seen) == [(0, ()), (0, (3, 40_000)), (0, (11,)), (120_000, (3, 40_000))]
    for name, ref in open_checkpoint(folder).items():
        assert torch.equal(ref.read(), held[name])
    seen.clear()
    flat = Recipe((NODES[0], MethodNode("o", "rows", ("a",), params={"x": 0.0})), "o")
    execute(plan(flat, opened_, {"rows": rows}), tmp_path / "flat", QuietContext())
    assert {shape for _, shape in seen} == {(1,), (11,), (131_072,), (240_000 - 131_072,)}


@pytest.mark.parametrize("scope", ["tensor", "model"])
def test_a_look_sees_what_steps_before_it_looked_for(scope, tmp_path):
    """Two methods with first passes, one on top of the other, in pieces and whole."""

    @method("sink", prepare=lambda passes, **_: max(float(t[0].max()) for _, t in passes), prepare_over="tensor",
            granularity="element")  # fmt: skip
    def sink(tensors, *, state=None):
        """Take the largest away."""
        return tensors[0] - state

    @method("shift", prepare=lambda passes, **_: min(float(t[0].min()) for _, t in passes), prepare_over=scope,
            granularity="element")  # fmt: skip
    def shift(tensors, *, state=None):
        """Take the smallest away."""
        return tensors[0] - state

    generator = torch.Generator().manual_seed(1)
    state = {f"layers.{i}.w": torch.randn(300_000, generator=generator) for i in range(2)}
    opened_ = {"a": MemoryCheckpoint.from_state_dict(state, "a")}
    nodes = (NODES[0], MethodNode("s", "sink", ("a",)), MethodNode("o", "shift", ("s",)))
    methods = {"sink": sink, "shift": shift}
    folder = execute(plan(Recipe(nodes, "o"), opened_, methods, threads=3), tmp_path / "out", QuietContext())
    sunk = {name: tensor - float(tensor.max()) for name, tensor in state.items()}
    least = min(float(tensor.min()) for tensor in sunk.values())
    held = materialise(Recipe(nodes, "o"), opened_, methods)
    for name, ref in open_checkpoint(folder).items():
        assert torch.equal(ref.read(), sunk[name] - (float(sunk[name].min()) if scope == "tensor" else least))
        assert torch.equal(ref.read(), held[name])


def test_many_tensors_cost_as_much_each_as_few(tmp_path):
    def seconds(count):
        state = {f"layers.{i}.w": torch.ones(8) for i in range(count)}
        opened_ = {key: MemoryCheckpoint.from_state_dict(state, key) for key in "ab"}
        recipe = Recipe((*NODES, SumNode("o", (Term("a", 0.5), Term("b", 0.5)))), "o")
        began = time.process_time()
        execute(plan(recipe, opened_, {}), tmp_path / str(count), QuietContext())
        return time.process_time() - began

    seconds(50)
    few = min(seconds(n) for n in (400, 401))
    assert seconds(6400) < 16 * few * 4
