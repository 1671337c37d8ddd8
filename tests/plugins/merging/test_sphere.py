"""Averages by angle against slow twins in plain vector arithmetic."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import InputError
from solera.extend.registry import Registry

METHODS = Registry.discover().methods
karcher, model_stock = METHODS["karcher"].function, METHODS["model_stock"].function


def slow_karcher(models, weight, iterations=10, tolerance=1e-5):
    """On the vectors themselves, in float64."""
    shares = [w / sum(weight) for w in weight]
    scale = sum(a * float(m.norm()) for a, m in zip(shares, models, strict=True))
    some = [(a, m / m.norm()) for a, m in zip(shares, models, strict=True) if float(m.norm()) > 0]
    if not some:
        return torch.zeros_like(models[0])
    total = sum(a for a, _ in some)
    some = [(a / total, u) for a, u in some]
    u = sum(a * v for a, v in some)
    u = u / u.norm() if float(u.norm()) > 1e-12 else some[0][1]
    for _ in range(iterations):
        step = torch.zeros_like(u)
        for a, v in some:
            cosine = max(-1.0, min(1.0, float(u @ v)))
            angle = math.acos(cosine)
            if math.sin(angle) > 1e-12:
                step += a * angle / math.sin(angle) * (v - cosine * u)
        size = float(step.norm())
        if size < tolerance:
            break
        u = math.cos(size) * u + math.sin(size) / size * step
        u = u / u.norm()
    return scale * u


@given(st.integers(1, 5), st.integers(2, 40), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_karcher(count, size, seed):
    models = list(torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    models = [m.float().double() + 0.5 for m in models]
    weight = tuple(1.0 + i for i in range(count))
    got = karcher([m.float() for m in models], weight=weight, iterations=10, tolerance=1e-5)
    want = slow_karcher([m.float().double() for m in models], weight)
    torch.testing.assert_close(got.double(), want, atol=2e-5, rtol=1e-4)


def test_karcher_guards():
    given_ = {"iterations": 10, "tolerance": 1e-5}
    a = torch.tensor([3.0, 4.0])
    torch.testing.assert_close(karcher([a, a], weight=(1.0, 2.0), **given_), a)
    assert karcher([a, -a], weight=(1.0, 1.0), **given_).isfinite().all()
    assert karcher([a * 0, a * 0], weight=(1.0, 1.0), **given_).tolist() == [0.0, 0.0]
    torch.testing.assert_close(karcher([a, a * 0], weight=(1.0, 1.0), **given_), a / 2)
    torch.testing.assert_close(
        karcher([torch.tensor([2.0]), torch.tensor([4.0])], weight=(1.0, 1.0), **given_), torch.tensor([3.0])
    )
    assert karcher([torch.zeros(0), torch.zeros(0)], weight=(1.0, 1.0), **given_).shape == (0,)
    with pytest.raises(InputError, match="more than 0"):
        karcher([a, a], weight=(0.0, 0.0), **given_)


def test_two_equal_lengths_meet_halfway_along_the_arc():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    got = karcher([a, b], weight=(1.0, 1.0), iterations=10, tolerance=1e-9)
    torch.testing.assert_close(got, torch.full((2,), math.sqrt(0.5)))


def slow_stock(deltas):
    count = len(deltas)
    cosines = [
        float(deltas[i] @ deltas[j]) / max(float(deltas[i].norm() * deltas[j].norm()), 1e-6)
        for i in range(count)
        for j in range(i)
    ]
    cosine = sum(cosines) / len(cosines)
    below = 1 + (count - 1) * cosine
    ratio = count * cosine / below if below > 1e-6 else 0.0
    return ratio * sum(deltas) / count


@given(st.integers(2, 5), st.integers(1, 30), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_model_stock(count, size, seed):
    deltas = [d.double() + 0.7 for d in torch.randn(count, size, generator=torch.Generator().manual_seed(seed))]
    got = model_stock([d.float() for d in deltas], by="tensor", compat="mergekit")
    torch.testing.assert_close(got.double(), slow_stock([d.float().double() for d in deltas]), atol=1e-4, rtol=1e-4)
    rows = model_stock([d.float().view(1, -1) for d in deltas], by="row", compat="mergekit")
    torch.testing.assert_close(rows.view(-1), got, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("compat", ["none", "mergekit"])
@pytest.mark.parametrize("by", ["tensor", "row"])
def test_model_stock_guards(by, compat):
    given_ = {"by": by, "compat": compat}
    d = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    torch.testing.assert_close(model_stock([d, d], **given_), d)
    assert model_stock([d, -d], **given_).abs().sum() == 0
    assert model_stock([d * 0, d * 0], **given_).abs().sum() == 0
    assert model_stock([torch.ones(1), -torch.ones(1)], **given_).tolist() == [0.0]
    assert model_stock([torch.zeros(0, 3), torch.zeros(0, 3)], **given_).shape == (0, 3)


@pytest.mark.parametrize("by", ["tensor", "row"])
def test_model_stock_does_not_depend_on_how_small_the_changes_are(by):
    deltas = [torch.randn(6, 20, generator=torch.Generator().manual_seed(i)) * 0.3 + 0.2 for i in range(3)]
    made = model_stock(deltas, by=by, compat="none")
    small = model_stock([d * 2.0**-20 for d in deltas], by=by, compat="none")
    torch.testing.assert_close(small * 2.0**20, made)
    assert model_stock([d * 2.0**-20 for d in deltas], by=by, compat="mergekit").norm() * 2.0**20 < 0.1 * made.norm()


@pytest.mark.parametrize("by", ["tensor", "row"])
def test_model_stock_stays_at_the_base_where_models_disagree(by):
    a, b = torch.tensor([[1.0, 0.2, 0.0]]), torch.tensor([[-1.0, 0.2, 0.1]])
    assert not model_stock([a, b], by=by, compat="none").any()
    assert model_stock([a, b], by=by, compat="mergekit").norm() > 2 * ((a + b) / 2).norm()
