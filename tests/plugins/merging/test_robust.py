"""Medians and trimmed means against slow twins; what a minority can do to them."""

from __future__ import annotations

import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import InputError


@st.composite
def models(draw):
    count, size = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    numbers = st.floats(-4, 4, width=32)
    return [draw(st.lists(numbers, min_size=size, max_size=size)) for _ in range(count)]


@given(rows=models(), trim=st.sampled_from([0.0, 0.2, 0.34, 0.5]))
@settings(max_examples=60, deadline=None)
def test_median_and_trimmed_mean(run, rows, trim):
    tensors = [torch.tensor(row) for row in rows]
    columns = list(zip(*rows, strict=True))
    torch.testing.assert_close(run("median")(tensors), torch.tensor([statistics.median(c) for c in columns]))
    out = min(int(trim * len(rows)), (len(rows) - 1) // 2)
    want = [statistics.fmean(sorted(c)[out : len(c) - out]) for c in columns]
    torch.testing.assert_close(run("trimmed_mean")(tensors, trim=trim), torch.tensor(want), atol=1e-5, rtol=1e-5)


def test_the_order_of_models_does_not_matter(run):
    tensors = list(torch.randn(5, 40))
    for name in ("median", "trimmed_mean", "geometric_median"):
        made = run(name)(tensors, **({"scope": "tensor"} if name == "geometric_median" else {}))
        again = run(name)(tensors[::-1], **({"scope": "tensor"} if name == "geometric_median" else {}))
        torch.testing.assert_close(made, again, atol=1e-5, rtol=1e-5)


def distance(point, tensors, weight):
    return sum(w * float((point.double() - t.double()).norm()) for w, t in zip(weight, tensors, strict=True))


def test_the_geometric_median_minimises_the_distance(run):
    tensors = list(torch.randn(5, 30, generator=torch.Generator().manual_seed(2)))
    weight = (1.0, 2.0, 1.0, 1.0, 0.5)
    made = run("geometric_median")(tensors, weight=weight, scope="tensor")
    best = distance(made, tensors, weight)
    for i in range(20):
        step = 1e-2 * torch.randn(30, generator=torch.Generator().manual_seed(i))
        assert distance(made + step, tensors, weight) > best


def test_the_geometric_median_of_a_model_is_that_of_one_vector(run):
    vectors = list(torch.randn(4, 50) + 3)
    models_ = [{"a": v[:13], "b": v[13:].view(37, 1)} for v in vectors]
    made = run("geometric_median").over(models_, size=7)
    whole = run("geometric_median")(vectors, scope="tensor")
    torch.testing.assert_close(torch.cat([made["a"], made["b"].view(-1)]), whole)


def test_a_minority_cannot_carry_them_away(run):
    good = [torch.ones(30) + 0.01 * v for v in torch.randn(5, 30)]
    bad = [torch.full((30,), 1e6)] * 2
    for name, extra in (("median", {}), ("trimmed_mean", {"trim": 0.3}), ("geometric_median", {"scope": "tensor"})):
        assert float((run(name)([*good, *bad], **extra) - 1).abs().max()) < 0.1


def test_robust_guards(run):
    for name, extra in (("median", {}), ("trimmed_mean", {}), ("geometric_median", {"scope": "tensor"})):
        d = torch.randn(6)
        torch.testing.assert_close(run(name)([d, d, d], **extra), d)
        assert run(name)([d, -d], **extra).abs().max() < 1e-6
        assert run(name)([torch.zeros(0, 3)] * 3, **extra).shape == (0, 3)
        torch.testing.assert_close(run(name)([d], **extra), d)
    with pytest.raises(InputError, match="more than 0"):
        run("geometric_median")([torch.ones(2)] * 2, weight=(0.0, 0.0), scope="tensor")
