"""Random directions, subspaces, trajectory planes and curves as families: what their points are."""

from typing import Any

import numpy as np
import pytest
import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import FaultsError, InputError
from solera.execution.memory import materialise
from solera.extend.registry import Registry
from solera.families.curves import steps
from solera.families.directions import seed_of
from solera.families.family import Family
from solera.families.forms import FORMS
from solera.families.graph import Source
from solera.families.trajectories import principal
from solera.methods.directions import normalised
from solera.recipes.checks import check
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.tensors import hashing


@pytest.fixture(scope="module")
def methods():
    return Registry.discover([]).methods


def make(form, names, checkpoints, methods, **params) -> Any:
    models = [Recipe((CheckpointNode(name, f"memory:{name}"),), name) for name in names]
    return FORMS[form].family(models, Source(checkpoints, methods), params)


def made(family, coords, checkpoints, methods):
    return materialise(family.recipe_at(coords), checkpoints, methods)


def flat(state):
    return torch.cat([state[name].double().flatten() for name in "wb"])


def test_random_directions_are_those_of_their_seeds(states, checkpoints, methods):
    family = make("random_directions", "a", checkpoints, methods, seed=4)
    assert check(family.recipe, methods) == ()
    assert family.labels == {"a": (0.0, 0.0)}
    centre = states["a"]
    got = made(family, (0.5, -1.0), checkpoints, methods)
    want = centre["w"].clone().double()
    for i, times in enumerate((0.5, -1.0)):
        z = hashing.normal(seed_of(4, i), "w", 0, 0, 35).view(7, 5)
        want += times * normalised(z, centre["w"], "filter").double()
    assert torch.allclose(got["w"].double(), want, atol=1e-6)
    for name in ("b", "bn.running_mean", "bn.num_batches_tracked"):
        assert torch.equal(got[name], centre[name]), "biases, statistics and counters stay"
    first, second = (flat(made(family, at, checkpoints, methods)) - flat(centre) for at in ((1.0, 0.0), (0.0, 1.0)))
    assert family.facts["cosines"][0][1] == pytest.approx(
        float(first @ second / first.norm() / second.norm()), abs=1e-6
    )
    far = np.linalg.norm(family.geometry.distances((0.7, -0.3)))
    assert far == pytest.approx(float((0.7 * first - 0.3 * second).norm()), rel=1e-5)


def test_what_is_frozen_does_not_move_and_vectors_may(states, checkpoints, methods):
    family = make("random_directions", "a", checkpoints, methods, dimensions=1, frozen="w", vectors="weight", reach=0.5)
    assert (family.coords[0].low, family.coords[0].high) == (-0.5, 0.5)
    got = made(family, (0.5,), checkpoints, methods)
    assert torch.equal(got["w"], states["a"]["w"])
    assert torch.allclose(got["b"], 1.5 * states["a"]["b"])


@pytest.mark.parametrize("law", ["dense", "fastfood"])
def test_a_subspace_has_columns_of_length_one_and_moves_everything_but_statistics(law, states, checkpoints, methods):
    family = make("subspace", "a", checkpoints, methods, dimensions=3, law=law, seed=2)
    assert check(family.recipe, methods) == ()
    centre = flat(states["a"])
    columns = []
    for i in range(3):
        got = made(family, tuple(float(i == j) for j in range(3)), checkpoints, methods)
        assert torch.equal(got["bn.running_mean"], states["a"]["bn.running_mean"])
        assert not torch.equal(got["b"], states["a"]["b"])
        columns.append(flat(got) - centre)
    lengths = torch.stack(columns).norm(dim=1)
    assert torch.allclose(lengths, torch.ones(3, dtype=torch.float64), atol=1e-5 if law == "dense" else 0.3)
    blend = flat(made(family, (0.3, -0.2, 0.9), checkpoints, methods)) - centre
    assert torch.allclose(blend, 0.3 * columns[0] - 0.2 * columns[1] + 0.9 * columns[2], atol=1e-6)


@pytest.fixture
def run(states):
    """Checkpoints that drift from a to b with a little of c."""
    found = {}
    for i in range(6):
        s = i / 5
        found[f"s{i}"] = {
            name: (1 - s) * states["a"][name] + s * states["b"][name] + 0.3 * s * (1 - s) * states["c"][name]
            + 0.01 * torch.randn(states["a"][name].shape, generator=torch.Generator().manual_seed(i))
            for name in ("w", "b", "bn.running_mean")
        }  # fmt: skip
    return found


def test_a_trajectory_plane_is_that_of_its_principal_components(run, methods):
    given = {name: MemoryCheckpoint.from_state_dict(state, name) for name, state in run.items()}
    family = make("trajectory", list(run), given, methods)
    assert check(family.recipe, methods) == ()
    rows = torch.stack([flat(state) for state in run.values()])
    last = rows[-1]
    _, _, components = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    for axis in range(2):
        at = tuple(float(axis == j) for j in range(2))
        got = flat(made(family, at, given, methods)) - last
        assert abs(float(got @ components[axis])) == pytest.approx(1.0, abs=1e-5)
    for stop, row in zip(family.path, rows, strict=True):
        inside = sum(float((row - last) @ components[k]) ** 2 for k in range(2))
        assert np.linalg.norm(stop.at) ** 2 == pytest.approx(inside, abs=1e-6)
        if stop.label != "s5":
            outside = max(float((row - last).square().sum()) - inside, 0.0) ** 0.5 / float((row - last).norm())
            assert stop.off == pytest.approx(outside, abs=1e-4)
    assert family.path[-1].at == (0.0, 0.0)
    assert sum(family.facts["explained_variance"]) <= 1 + 1e-9
    assert Family.from_plain(family.to_plain(), methods) == family


def test_checkpoints_on_a_line_span_no_trajectory_plane():
    steps_ = np.outer([3.0, 2.0, 1.0, 0.0], [1.0, 0.0])
    with pytest.raises(InputError, match="spread in 1 dimension, so they span no plane"):
        principal(steps_ @ steps_.T)
    with pytest.raises(InputError, match="spread in 0 dimensions"):
        principal(np.zeros((3, 3)))


@pytest.mark.parametrize("kind", ["bezier", "polyline"])
def test_a_curve_begins_and_ends_in_its_models(kind, states, checkpoints, methods):
    family = make("curve", "abc", checkpoints, methods, kind=kind)
    assert check(family.recipe, methods) == ()
    for t, name in ((0.0, "a"), (1.0, "c")):
        assert torch.equal(made(family, (t,), checkpoints, methods)["w"], states[name]["w"])
    shares = (0.25, 0.5, 0.25) if kind == "bezier" else (0.0, 1.0, 0.0)
    want = sum(share * states[name]["w"].double() for share, name in zip(shares, "abc", strict=True))
    assert torch.allclose(made(family, (0.5,), checkpoints, methods)["w"].double(), want, atol=1e-6)
    at = [0.0, 0.3, 0.8, 1.0]
    points = [flat(made(family, (t,), checkpoints, methods)) for t in at]
    want_steps = [float((points[i + 1] - points[i]).norm()) for i in range(3)]
    assert steps(family, at) == pytest.approx(want_steps, rel=1e-5)


def test_what_makes_no_family_is_refused(checkpoints, methods):
    with pytest.raises(InputError, match="hold the same weights"):
        make("curve", "aba", checkpoints, methods)
    with pytest.raises(InputError, match="one and the same checkpoint"):
        make("trajectory", "abab", checkpoints, methods)
    with pytest.raises(FaultsError, match="goes through 1 model; got 2"):
        make("subspace", "ab", checkpoints, methods)
    with pytest.raises(FaultsError, match="from 1 to 4"):
        make("random_directions", "a", checkpoints, methods, dimensions=9)
