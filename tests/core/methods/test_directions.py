"""Random directions and Fastfood: the rules, against loops that say them slowly."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from solera.errors import InputError
from solera.methods.curves import bernstein, hats
from solera.methods.directions import filter_axis, filter_norms, normalised
from solera.methods.fastfood import Fastfood, hadamard


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "shape", "transposed", "axis"),
    [
        ("fc.weight", (10, 8), (), 0),
        ("embed.weight", (100, 8), (), 0),
        ("conv.weight", (1, 3, 3, 3), (), 0),
        ("pos_embed", (1, 16, 8), (), 1),
        ("conv.weight", (1, 3, 5), (), 0),
        ("h.0.attn.c_attn.weight", (8, 24), ("*.c_attn.weight",), 1),
    ],
)
def test_where_filters_lie(name, shape, transposed, axis):
    assert filter_axis(name, shape, transposed) == axis


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 3, 3), (6, 1)])
def test_each_filter_gets_the_norm_of_the_weights(shape, axis):
    direction, weights = drawn(*shape), drawn(*shape, seed=1)
    weights.select(axis, 0).zero_()
    got = normalised(direction, weights, "filter", axis=axis)
    for i in range(shape[axis]):
        mine, own = direction.select(axis, i), weights.select(axis, i)
        want = mine * float(own.double().norm() / (mine.double().norm() + 1e-10))
        assert torch.allclose(got.select(axis, i), want, rtol=1e-6, atol=1e-7)
    assert not got.select(axis, 0).any(), "a filter of zeros stays where it is"


def test_vectors_stay_or_move_along_themselves():
    direction, bias = drawn(7), drawn(7, seed=1)
    assert not normalised(direction, bias, "filter", "zero").any()
    assert torch.equal(normalised(direction, bias, "layer", "weight"), bias)
    assert torch.equal(normalised(direction, bias, "filter", "noise"), direction)
    assert not normalised(torch.tensor(2.0), torch.tensor(3.0), "filter", "zero").any(), "a scalar is as a vector"


def test_norms_do_not_depend_on_threads():
    tensor = drawn(3, 70_001)
    kept = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(filter_norms(tensor))
    finally:
        torch.set_num_threads(kept)
    assert torch.equal(*found)
    assert torch.allclose(found[0], tensor.double().norm(dim=1), rtol=1e-13)


def test_an_unknown_rule_is_refused():
    with pytest.raises(InputError, match="normalised by filter"):
        normalised(drawn(2, 2), drawn(2, 2), "rows")  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 8, 32])
def test_the_hadamard_transform_is_that_of_the_matrix(count):
    matrix = torch.ones(1, 1, dtype=torch.float64)
    while len(matrix) < count:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    x = drawn(count).double()
    assert torch.allclose(hadamard(x), matrix @ x, atol=1e-12)


def test_fastfood_is_linear_and_its_columns_have_length_one():
    fastfood = Fastfood.drawn(256, seed=5)
    columns = torch.stack([fastfood.project(row) for row in torch.eye(12)], dim=1)
    assert torch.allclose(columns.norm(dim=0), torch.ones(12, dtype=torch.float64), atol=1e-12)
    z = drawn(12).double()
    assert torch.allclose(fastfood.project(z), columns @ z, atol=1e-12)
    assert not torch.equal(fastfood.project(z), Fastfood.drawn(256, seed=6).project(z))
    with pytest.raises(InputError, match="at most 256 coordinates"):
        fastfood.project(torch.zeros(257))


@given(st.integers(2, 6), st.floats(0, 1))
def test_shares_of_a_curve_total_one(count, t):
    for shares in (bernstein(t, count), hats(t, [1.0] * count), hats(t * 9, [float(i * i) for i in range(count)])):
        assert math.isclose(sum(shares), 1.0, abs_tol=1e-9)


def test_a_polyline_has_knots_that_rise():
    assert hats(1.0, [0.0, 1.0, 4.0]) == [0.0, 1.0, 0.0]
    assert hats(-0.5, [0.0, 1.0, 4.0]) == [1.5, -0.5, 0.0], "beyond the ends the line goes on"
    with pytest.raises(InputError, match="rise from model to model"):
        hats(0.5, [0.0, 2.0, 1.0])
