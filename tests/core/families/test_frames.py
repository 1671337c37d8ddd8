"""Lines and planes."""

import math
from typing import Any

import pytest
import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import InputError, MismatchError, NumericError
from solera.families import frames
from solera.families.family import Family
from solera.params import Var
from solera.recipes.checks import check
from solera.recipes.nodes import CheckpointNode, Recipe, SumNode, Term


def model(name, source=""):
    return Recipe((CheckpointNode(name, source or f"memory:{name}"),), name)


def line(*args, **options) -> Any:
    return frames.line(*args, **options)


def plane(*args, **options) -> Any:
    return frames.plane(*args, **options)


def evaluate(recipe, states, name):
    """A slow, obvious twin of the executor, for sums in float64."""
    values = {}
    for node in recipe.nodes:
        if isinstance(node, CheckpointNode):
            values[node.id] = states[node.id][name].double()
        else:
            values[node.id] = sum(float(term.coefficient) * values[term.node] for term in node.terms)
    return values[recipe.output]


def test_a_line_runs_from_one_model_to_the_other(states, checkpoints):
    family = line(model("a"), model("b"), checkpoints)
    assert (family.kind, [coord.name for coord in family.coords]) == ("line", ["t"])
    assert str(family.coords[0].low) == "0.0", "no negative zero"
    assert check(family.recipe, {}) == ()
    for t in (0.0, 0.25, 1.0):
        want = (1 - t) * states["a"]["w"].double() + t * states["b"]["w"].double()
        assert torch.allclose(evaluate(family.recipe_at((t,)), states, "w"), want, atol=1e-12)
    length = math.sqrt(sum(float((states["b"][n].double() - states["a"][n].double()).square().sum()) for n in "wb"))
    assert family.geometry.scale == (pytest.approx(length, rel=1e-12),)
    assert family.label_at((0.0,)) == "a"
    assert family.label_at((1.0,)) == "b"
    assert family.label_at((0.5,)) == ""


def test_a_plane_passes_through_its_three_models_in_an_orthogonal_frame(states, checkpoints):
    family = plane(model("a"), model("b"), model("c"), checkpoints)
    assert check(family.recipe, {}) == ()
    dx, dy = family.geometry.scale

    def flat(at):
        return torch.cat([evaluate(family.recipe_at(at), states, name).flatten() for name in "wb"])

    for label, at in family.labels.items():
        want = torch.cat([states[label][name].double().flatten() for name in "wb"])
        assert torch.allclose(flat(at), want, atol=1e-6)
    u, v = flat((1.0, 0.0)) - flat((0.0, 0.0)), flat((0.0, 1.0)) - flat((0.0, 0.0))
    assert abs(float(u @ v)) < 1e-9
    assert dx == pytest.approx(float(u.norm()), rel=1e-12)
    assert dy == pytest.approx(float(v.norm()), rel=1e-12)
    k = family.labels["c"][0]
    assert (family.coords[0].low, family.coords[0].high) == (
        pytest.approx(min(0, k) - 0.2),
        pytest.approx(max(1, k) + 0.2),
    )
    assert (family.coords[1].low, family.coords[1].high) == (-0.2, 1.2)


def test_the_frame_is_the_one_of_the_published_code(states, checkpoints):
    """u = b - a, v = c - a made orthogonal to u; coordinates of c are ((c - a).u / dx, dy)."""
    family = plane(model("a"), model("b"), model("c"), checkpoints)
    a, b, c = (torch.cat([states[n][t].double().flatten() for t in "wb"]) for n in "abc")
    u = b - a
    dx = u.norm()
    u = u / dx
    v = (c - a) - (c - a).dot(u) * u
    assert family.geometry.scale == (pytest.approx(float(dx)), pytest.approx(float(v.norm())))
    assert family.geometry.distances(family.labels["c"]) == (
        pytest.approx(float((c - a).dot(u))),
        pytest.approx(float(v.norm())),
    )


def test_barycentric_coordinates_are_the_soup_triangle(checkpoints):
    geometry = plane(model("a"), model("b"), model("c"), checkpoints).geometry
    for i, at in enumerate(geometry.points.values()):
        corner = tuple(float(i == j) for j in range(3))
        assert geometry.from_barycentric(corner) == at
        assert geometry.barycentric(at) == pytest.approx(corner, abs=1e-12)
    centre = geometry.from_barycentric((1 / 3, 1 / 3, 1 / 3))
    assert geometry.barycentric(centre) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    with pytest.raises(InputError, match="3 weights that total 1"):
        geometry.from_barycentric((0.5, 0.4, 0.0))


@pytest.mark.parametrize("size", [1e-7, 0.0])
def test_three_models_on_a_line_span_no_plane(states, checkpoints, size):
    wobble = torch.randn(7, 5, generator=torch.Generator().manual_seed(9)).double()
    a, b = ({n: t.double() for n, t in states[m].items()} for m in "ab")
    on_line = {n: a[n] + 0.3 * (b[n] - a[n]) for n in a}
    on_line["w"] = on_line["w"] + size * wobble
    all_states = {"a": a, "b": b, "c": on_line}
    opened = {name: MemoryCheckpoint.from_state_dict(state, name) for name, state in all_states.items()}
    with pytest.raises(InputError, match="a, b and c lie on one line"):
        plane(model("a"), model("b"), model("c"), opened)


def test_a_small_but_real_height_is_measured_exactly(states):
    a, b = ({n: t.double() for n, t in states[m].items() if n in "wb"} for m in "ab")
    u = torch.cat([(b[n] - a[n]).flatten() for n in "wb"])
    side = torch.randn(u.numel(), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    side = side - (side @ u) / (u @ u) * u
    side = side * (1e-5 * u.norm() / side.norm())
    c = {
        "w": a["w"] + 700 * (b["w"] - a["w"]) + side[:35].view(7, 5),
        "b": a["b"] + 700 * (b["b"] - a["b"]) + side[35:],
    }
    opened = {n: MemoryCheckpoint.from_state_dict(s, n) for n, s in {"a": a, "b": b, "c": c}.items()}
    family = plane(model("a"), model("b"), model("c"), opened)
    assert family.geometry.scale[1] == pytest.approx(float(side.norm()), rel=1e-5)


def test_equal_ends_misfits_and_nan_are_sentences(states, checkpoints):
    with pytest.raises(InputError, match="hold the same weights"):
        line(model("a"), model("b"), {"a": checkpoints["a"], "b": checkpoints["a"]})
    short = MemoryCheckpoint.from_state_dict({"w": states["b"]["w"]}, "short")
    with pytest.raises(MismatchError, match=r"1 tensors .* \(b\)"):
        line(model("a"), model("b"), {"a": checkpoints["a"], "b": short})
    states["b"]["b"][2] = torch.nan
    with pytest.raises(NumericError, match="tensor 'b' of 'b' holds NaN"):
        line(model("a"), model("b"), checkpoints)


def test_equal_names_get_numbers_and_equal_checkpoints_are_shared():
    same = line(model("base", "x"), model("base", "y"))
    assert [node.id for node in same.recipe.checkpoints] == ["base", "base_2"]
    assert list(same.labels) == ["base", "base_2"]
    mean = SumNode("mean", (Term("base", 0.5), Term("other", 0.5)))
    blend = Recipe((CheckpointNode("other", "z"), CheckpointNode("base", "x"), mean), "mean")
    shared = line(model("root", "x"), blend, names=("root", "blend"))
    assert [node.id for node in shared.recipe.checkpoints] == ["root", "other"]
    assert check(shared.recipe, {}) == ()


def test_ends_with_free_variables_or_no_output_are_refused():
    free = Recipe((CheckpointNode("a", "x"), SumNode("s", (Term("a", Var("t")),))), "s")
    with pytest.raises(InputError, match=r"free variables \(t\)"):
        line(free, model("b"))
    with pytest.raises(InputError, match="without an output"):
        line(Recipe((CheckpointNode("a", "x"),)), model("b"))


def test_plain_form_comes_back(checkpoints):
    family = plane(model("a"), model("b"), model("c"), checkpoints)
    assert Family.from_plain(family.to_plain(), {}) == family


def test_points_must_fit_the_coordinates(checkpoints):
    family = line(model("a"), model("b"), checkpoints)
    for wrong in ((), (0.0, 1.0), (math.nan,)):
        with pytest.raises(InputError, match="1 finite numbers"):
            family.recipe_at(wrong)
    wide = family.between({"t": (-0.5, 1.5)})
    assert wide.coords[0].low == -0.5
    with pytest.raises(InputError, match="no coordinate x"):
        family.between({"x": (0, 1)})


def test_an_end_may_be_made_by_a_method(states, checkpoints):
    mean = Recipe(
        (
            *(CheckpointNode(name, f"memory:{name}") for name in "abc"),
            SumNode("mean", (Term("b", 0.5), Term("c", 0.5))),
        ),
        "mean",
    )
    family = plane(model("a"), mean, model("c"), checkpoints)
    half = {name: (states["b"][name].double() + states["c"][name].double()) / 2 for name in "wb"}
    length = math.sqrt(sum(float((half[name] - states["a"][name].double()).square().sum()) for name in "wb"))
    assert family.geometry.scale[0] == pytest.approx(length, rel=1e-6)
    assert list(family.labels) == ["a", "mean", "c"]
    assert check(family.recipe, {}, checkpoints) == ()
