"""Simplices, subsets and polylines: what their points are, against sums in float64, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import FaultsError, InputError
from solera.execution.memory import materialise
from solera.extend.registry import Registry
from solera.families.family import Family
from solera.families.forms import FORMS, check_form
from solera.families.graph import Graph, Source
from solera.families.region import Region
from solera.recipes.checks import check
from solera.recipes.nodes import CheckpointNode, Recipe


@pytest.fixture(scope="module")
def methods():
    return Registry.discover([]).methods


def model(name):
    return Recipe((CheckpointNode(name, f"memory:{name}"),), name)


def make(form, names, checkpoints, methods, **params) -> Any:
    return FORMS[form].family([model(name) for name in names], Source(checkpoints, methods), params)


def blend(states, shares):
    return sum(share * states[name]["w"].double() for name, share in shares.items())


def made(family, coords, checkpoints, methods):
    return materialise(family.recipe_at(coords), checkpoints, methods)["w"].double()


def test_a_simplex_blends_its_models(states, checkpoints, methods):
    family = make("simplex", "abc", checkpoints, methods)
    assert (family.kind, len(family.coords), family.region) == ("simplex", 2, Region("simplex"))
    assert check(family.recipe, methods) == ()
    got = made(family, (0.3, 0.5), checkpoints, methods)
    assert torch.allclose(got, blend(states, {"a": 0.2, "b": 0.3, "c": 0.5}), atol=1e-6)
    assert [family.labels[name] for name in "abc"] == [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
    third = made(family, family.labels["uniform soup"], checkpoints, methods)
    assert torch.allclose(third, blend(states, dict.fromkeys("abc", 1 / 3)), atol=1e-6)
    flat = {name: torch.cat([state[n].double().flatten() for n in "wb"]) for name, state in states.items()}
    at = {name: np.array(family.geometry.distances(family.labels[name])) for name in "abc"}
    for one, other in ("ab", "bc", "ca"):
        assert np.linalg.norm(at[one] - at[other]) == pytest.approx(float((flat[one] - flat[other]).norm()), rel=1e-9)
    assert family.geometry.barycentric((0.3, 0.5)) == pytest.approx((0.2, 0.3, 0.5))


def test_a_family_of_many_models_has_a_short_name(checkpoints, methods):
    names = sorted(checkpoints)
    few = make("subset", names[:3], checkpoints, methods)
    assert few.recipe.name == f"Soups of {', '.join(names[:3])}"
    many = Graph([model(name) for name in "abcdefg"])
    assert many.models == "7 models, a to g"


def test_a_subset_is_the_soup_of_what_is_taken(states, checkpoints, methods):
    family = make("subset", "abc", checkpoints, methods)
    assert [(coord.kind, coord.values) for coord in family.coords] == [("whole", (0.0, 1.0))] * 3
    assert torch.equal(made(family, (0.0, 1.0, 0.0), checkpoints, methods), states["b"]["w"].double())
    got = made(family, (1.0, 0.0, 1.0), checkpoints, methods)
    assert torch.allclose(got, blend(states, {"a": 0.5, "c": 0.5}), atol=1e-6)
    assert torch.equal(made(family, (0.9, 0.2, 0.6), checkpoints, methods), got), "taken to the nearest whole number"
    with pytest.raises(InputError, match="takes one model or more"):
        family.numbers((0.0, 0.4, 0.0))


@pytest.mark.parametrize("by", ["index", "length"])
def test_a_polyline_meets_its_models_to_the_bit_and_is_straight_between(by, states, checkpoints, methods):
    family = make("polyline", "abc", checkpoints, methods, by=by)
    knots = [stop.at[0] for stop in family.path]
    flat = {name: torch.cat([state[n].double().flatten() for n in "wb"]) for name, state in states.items()}
    lengths = [0.0, float((flat["b"] - flat["a"]).norm())]
    lengths.append(lengths[1] + float((flat["c"] - flat["b"]).norm()))
    assert knots == pytest.approx(lengths if by == "length" else [0.0, 1.0, 2.0], rel=1e-9)
    for name, knot in zip("abc", knots, strict=True):
        assert torch.equal(made(family, (knot,), checkpoints, methods), states[name]["w"].double())
    between = made(family, (0.25 * knots[1] + 0.75 * knots[2],), checkpoints, methods)
    assert torch.allclose(between, blend(states, {"b": 0.25, "c": 0.75}), atol=1e-6)


def test_families_survive_their_plain_form(checkpoints, methods):
    for form in ("simplex", "subset", "polyline"):
        family = make(form, "abc", checkpoints, methods)
        assert Family.from_plain(family.to_plain(), methods) == family


def test_what_is_no_simplex_is_refused(states, checkpoints, methods):
    middle = {**states["a"], **{name: (states["a"][name] + states["b"][name]) / 2 for name in "wb"}}
    given = {**checkpoints, "m": MemoryCheckpoint.from_state_dict(middle, "m")}
    with pytest.raises(InputError, match="is a blend of the other models"):
        make("simplex", "abm", given, methods)
    with pytest.raises(InputError, match="one and the same model"):
        make("simplex", "aba", checkpoints, methods)
    with pytest.raises(FaultsError, match="goes through 2 models or more; got 1"):
        make("subset", "a", checkpoints, methods)
    with pytest.raises(InputError, match="stands still"):
        make("polyline", "abb", checkpoints, methods)


@pytest.mark.parametrize(
    ("plain", "code"),
    [
        ({}, "experiment.family"),
        ({"line": ["a", "b"], "plane": ["a", "b", "c"]}, "experiment.family"),
        ({"simplex": ["a"]}, "experiment.family"),
        ({"simplex": "a"}, "experiment.family"),
        ({"polyline": ["a", "b"], "by": "weight"}, "param.choice"),
        ({"subset": ["a", "b"], "margin": 0.1}, "experiment.unknown-key"),
        ({"line": ["a", "b"], "margin": -1}, "experiment.margin"),
    ],
)
def test_faults_of_form_are_told(plain, code):
    faults: list[Any] = []
    check_form(plain, faults)
    assert [fault.code for fault in faults] == [code]


@settings(max_examples=60)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=5), st.sampled_from([0.0, 0.2]))
def test_the_nearest_blend_is_a_blend_and_none_is_nearer(coords, margin):
    region = Region("simplex", margin)
    nearest = np.array(region.nearest(coords))
    assert region.contains(tuple(nearest))

    def far(at):
        shares = [np.append(each, 1 - np.sum(each)) for each in (np.array(coords), np.array(at))]
        return float(np.linalg.norm(shares[0] - shares[1]))

    for other in region.draw(np.random.default_rng(0), 50, len(coords)):
        assert region.contains(tuple(other))
        assert far(nearest) <= far(other) + 1e-9


@given(st.lists(st.floats(-1, 2), min_size=2, max_size=6))
def test_the_nearest_subset_takes_something(coords):
    region = Region("subset")
    assert region.contains(region.nearest(coords))
    assert set(region.nearest(coords)) <= {0.0, 1.0}
    assert all(region.contains(tuple(row)) for row in region.draw(np.random.default_rng(1), 20, len(coords)))


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2), st.floats(0.0, 0.9))
def test_the_nearest_blend_within_ranges_is_the_nearest_of_a_fine_grid(given_, low):
    region, ranges = Region("simplex"), [(low, 1.0), (0.0, 1.0)]
    given_ = [max(given_[0], low), given_[1]]
    found = np.array(region.nearest(given_, ranges))
    assert region.contains(found.tolist())
    assert all(a <= x <= b for x, (a, b) in zip(found, ranges, strict=True))
    first = np.linspace(low, 1.0, 400)
    second = np.clip(given_[1], 0.0, 1.0 - first)
    apart = np.hypot(first - given_[0], second - given_[1])
    assert np.hypot(*(found - given_)) <= apart.min() + 1e-9
    assert region.nearest(found.tolist(), ranges) == tuple(found.tolist())


def test_ranges_without_a_blend_are_told():
    with pytest.raises(InputError, match=r"total 1\.2, more"):
        Region("simplex").nearest([0.9, 0.9], [(0.6, 1.0), (0.6, 1.0)])
