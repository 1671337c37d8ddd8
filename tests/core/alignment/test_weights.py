"""Weight matching, seen on permutations that were planted, and against every permutation there is."""

import itertools
import threading

import numpy as np
import pytest
import torch
from torch import nn

from solera.alignment.assignment import Gain, assign
from solera.alignment.permutations import drawn, indices, load_permutations, permuted, save_permutations
from solera.alignment.permuted import PermutedCheckpoint
from solera.alignment.symmetry import Axis, Group, Symmetry
from solera.alignment.tracing import trace_symmetry
from solera.alignment.weights import match_weights
from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.errors import Cancelled, MismatchError
from solera.seeds import Seed


def mlp(seed=0, width=12):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3)).eval()


def moved(state, symmetry, permutations):
    return {k: permuted(t, symmetry.axes.get(k, (None,) * t.ndim), symmetry, permutations) for k, t in state.items()}


def test_a_planted_permutation_is_undone():
    module = mlp()
    symmetry = trace_symmetry(module, torch.randn(2, 6))
    state = module.state_dict()
    shuffled = MemoryCheckpoint.from_state_dict(moved(state, symmetry, drawn(symmetry, Seed(3))))
    reference = MemoryCheckpoint.from_state_dict(state)
    found = match_weights(symmetry, reference, shuffled, QuietContext(), seed=Seed(0))
    back = PermutedCheckpoint(shuffled, symmetry, lambda _: found.permutations)
    assert all(torch.equal(back[name].read(), state[name]) for name in state)
    assert found.after > found.before


def test_the_order_of_visits_is_seeded_and_more_tries_are_never_worse():
    a, b = (MemoryCheckpoint.from_state_dict(mlp(seed).state_dict()) for seed in (1, 2))
    symmetry = trace_symmetry(mlp(), torch.randn(2, 6))
    first, again = (match_weights(symmetry, a, b, QuietContext(), seed=Seed(5)) for _ in range(2))
    assert all(np.array_equal(first.permutations[g], again.permutations[g]) for g in symmetry.groups)
    assert match_weights(symmetry, a, b, QuietContext(), seed=Seed(5), tries=4).after >= first.after


@pytest.mark.parametrize("cells", [1, 2, 3, 6])
def test_the_assignment_is_the_best_of_all_that_the_group_allows(cells):
    group = Group(6, cells)
    draws = np.random.default_rng(cells)
    gain = Gain(draws.normal(size=(6, 6)), draws.normal(size=(cells, cells)) if cells > 1 else np.zeros((1, 1)))
    everything = []
    for order in itertools.permutations(range(cells)):
        inside = itertools.product(itertools.permutations(range(group.inner)), repeat=cells)
        everything += [np.concatenate([c * group.inner + np.array(p) for c, p in zip(order, ps)]) for ps in inside]
    best = max(gain.of(group, each) for each in everything)
    assert gain.of(group, *assign([group], [gain])) == pytest.approx(best)


def test_a_long_assignment_is_one_that_can_be_stopped(monkeypatch):
    monkeypatch.setattr("solera.alignment.assignment._LONG", 4)
    gain = Gain(np.random.default_rng(0).normal(size=(9, 9)), np.zeros((1, 1)))
    quick = assign([Group(9)], [gain])
    monkeypatch.undo()
    assert np.array_equal(quick[0], assign([Group(9)], [gain])[0])
    monkeypatch.setattr("solera.alignment.assignment._LONG", 4)
    still = threading.Event()
    monkeypatch.setattr("solera.alignment.assignment.linear_sum_assignment", lambda *_, **__: (None, still.wait(60)))
    asked = []

    def stop():
        asked.append(1)
        if len(asked) > 2:
            raise Cancelled("no more")

    with pytest.raises(Cancelled):
        assign([Group(9)], [gain], stop)
    assert not still.is_set()
    still.set()


def test_groups_whose_cells_move_together_are_assigned_together():
    groups = [Group(6, 3), Group(9, 3, "a")]
    draws = np.random.default_rng(0)
    gains = [Gain(draws.normal(size=(g.size, g.size)), draws.normal(size=(3, 3))) for g in groups]
    totals = []
    for order in itertools.permutations(range(3)):
        total = 0.0
        for group, gain in zip(groups, gains, strict=True):
            inside = itertools.product(itertools.permutations(range(group.inner)), repeat=3)
            total += max(
                gain.of(group, np.concatenate([c * group.inner + np.array(p) for c, p in zip(order, ps, strict=True)]))
                for ps in inside
            )
        totals.append(total)
    found = assign(groups, gains)
    cells = [(each[:: g.inner] // g.inner).tolist() for each, g in zip(found, groups, strict=True)]
    assert cells[0] == cells[1]
    assert sum(gain.of(g, p) for g, gain, p in zip(groups, gains, found, strict=True)) == pytest.approx(max(totals))


@pytest.mark.parametrize("shape", [(8,), (8, 5), (5, 8), (3, 8 * 4), (2, 3, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_a_view_reads_any_part_as_the_whole(shape, dtype, monkeypatch):
    torch.manual_seed(0)
    tensor = torch.randn(shape).mul(100).to(dtype)
    axis = {5: None, 3: None, 2: None, 8: Axis("g"), 32: Axis("g", ("cell", "unit", 4))}
    symmetry = Symmetry({"g": Group(8, 2)}, {"w": tuple(axis[size] for size in shape)})
    permutations = drawn(symmetry, Seed(1))
    view = PermutedCheckpoint(MemoryCheckpoint.from_state_dict({"w": tensor}), symmetry, lambda _: permutations)
    wanted = permuted(tensor, symmetry.axes["w"], symmetry, permutations)
    for whole in (1 << 22, 0):  # small tensors are read whole, large ones row by row
        monkeypatch.setattr("solera.alignment.permuted._WHOLE", whole)
        assert torch.equal(view["w"].read(), wanted)
        for start, stop in ((0, 1), (3, 7), (tensor.numel() - 2, tensor.numel()), (2, 2)):
            assert torch.equal(view["w"].read(start, stop), wanted.reshape(-1)[start:stop])


def test_cells_move_alone_where_an_axis_says_so():
    group = Group(4, 2)
    symmetry = Symmetry(
        {"heads": group}, {"q": (Axis("heads", ("cell", 3)),), "o": (Axis("heads", ("cell", 2, "unit")),)}
    )
    permutations = {"heads": np.array([3, 2, 0, 1])}
    assert indices(symmetry.axes["q"], symmetry, permutations)[0].tolist() == [3, 4, 5, 0, 1, 2]
    assert indices(symmetry.axes["o"], symmetry, permutations)[0].tolist() == [5, 4, 7, 6, 0, 1, 2, 3]


def test_permutations_are_kept_and_others_are_not_taken(tmp_path):
    symmetry = Symmetry({"a": Group(5), "b": Group(6, 2)}, {})
    permutations = drawn(symmetry, Seed(0))
    save_permutations(tmp_path / "p.safetensors", permutations, {"why": "test"})
    found = load_permutations(tmp_path / "p.safetensors", symmetry)
    assert found is not None
    assert all(np.array_equal(found[name], permutations[name]) for name in symmetry.groups)
    assert load_permutations(tmp_path / "p.safetensors", Symmetry({"a": Group(5)}, {})) is None
    assert load_permutations(tmp_path / "none.safetensors", symmetry) is None


def test_groups_can_be_held_fast_and_sizes_are_checked():
    symmetry = trace_symmetry(mlp(), torch.randn(2, 6))
    held = symmetry.without(["0"])
    assert set(held.groups) == {"2"}
    assert all(axis is None or axis.group == "2" for axes in held.axes.values() for axis in axes)
    with pytest.raises(MismatchError, match="No group is called 'x'"):
        symmetry.without(["x"])
    with pytest.raises(MismatchError, match=r"'0.weight' is \[13, 6\], wanted \[12, 6\]"):
        symmetry.fit({"0.weight": (13, 6)}, "m")
