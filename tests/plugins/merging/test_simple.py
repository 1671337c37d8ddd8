"""Formulas of a line or two, SCE, arcs, and greedy soups."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.api import greedy_soup
from solera.errors import InputError

NUMBERS = st.integers(-8, 8).map(lambda i: i / 16)


def test_wise_ft_and_expo_lie_on_the_line(run):
    d = torch.tensor([1.0, -2.0])
    assert run("wise_ft")([d], alpha=0.25).tolist() == [0.25, -0.5]
    assert run("expo")([d], alpha=0.5).tolist() == [1.5, -3.0]
    assert torch.equal(run("expo")([d], alpha=0.0), run("wise_ft")([d], alpha=1.0))


def slow_sce(rows, density):
    n, size = len(rows), len(rows[0])
    columns = list(zip(*rows, strict=True))
    if density < 1:
        variance = [sum((x - sum(c) / n) ** 2 for x in c) / n for c in columns]
        keep = int(sum(v > 0 for v in variance) * density)
        order = sorted(range(size), key=lambda i: (-torch.tensor(variance[i]).float().item(), i))[:keep]
        rows = [[x if i in order else 0.0 for i, x in enumerate(row)] for row in rows]
        columns = list(zip(*rows, strict=True))
    energy = [sum(x * x for x in row) for row in rows]
    weight = [e / sum(energy) for e in energy] if sum(energy) else [1 / n] * n
    made = []
    for c in columns:
        agree = [(w, x) for w, x in zip(weight, c, strict=True) if x * sum(c) > 0]
        made.append(sum(w * x for w, x in agree) / sum(w for w, _ in agree) if agree else 0.0)
    return made


@given(
    rows=st.integers(1, 9).flatmap(
        lambda size: st.lists(st.lists(NUMBERS, min_size=size, max_size=size), min_size=2, max_size=2)
    ),
    density=st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(max_examples=80, deadline=None)
def test_sce(run, rows, density):
    made = run("sce")([torch.tensor(row) for row in rows], density=density)
    torch.testing.assert_close(made, torch.tensor(slow_sce(rows, density)), atol=1e-6, rtol=1e-5)


def slow_arc(a, b, t):
    size = float(a.norm() * b.norm())
    angle = math.acos(max(-1.0, min(1.0, float(a @ b) / size))) if size else 0.0
    if math.sin(angle) < 1e-8:
        return (1 - t) * a + t * b
    return (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_nuslerp(run, t):
    a, b = torch.randn(2, 4, 6, dtype=torch.float64)
    made = run("nuslerp")([a, b], weight=(1 - t, t))
    torch.testing.assert_close(made, slow_arc(a.reshape(-1), b.reshape(-1), t).view(4, 6))
    rows = run("nuslerp")([a, b], weight=(2 - 2 * t, 2 * t), by="row")
    torch.testing.assert_close(rows, torch.stack([slow_arc(x, y, t) for x, y in zip(a, b, strict=True)]))


def test_nuslerp_guards(run):
    a = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    for by in ("tensor", "row"):
        for other, want in ((a, a), (-a, 0 * a), (0 * a, 0.5 * a)):
            torch.testing.assert_close(run("nuslerp")([a, other], by=by).float(), want)
        assert run("nuslerp")([torch.zeros(0, 3)] * 2, by=by).shape == (0, 3)
        assert run("nuslerp")([torch.tensor(2.0), torch.tensor(4.0)], by=by).item() == pytest.approx(3.0)
    with pytest.raises(InputError, match="total 0"):
        run("nuslerp")([a, a], weight=(1.0, -1.0))


def slow_multislerp(tensors, shares):
    units = [t / t.norm() for t in tensors]
    pole = sum(a * u for a, u in zip(shares, units, strict=True))
    pole = pole / pole.norm()
    step = sum(a * (u - (u @ pole) * pole) for a, u in zip(shares, units, strict=True))
    size = float(step.norm())
    if size > 1e-8:
        pole = math.cos(size) * pole + math.sin(size) / size * step
    return pole * sum(a * t.norm() for a, t in zip(shares, tensors, strict=True))


def test_multislerp(run):
    tensors = list(torch.randn(4, 30, generator=torch.Generator().manual_seed(1)))
    shares = (0.1, 0.2, 0.3, 0.4)
    made = run("multislerp")(tensors, weight=shares)
    torch.testing.assert_close(
        made.double(), slow_multislerp([t.double() for t in tensors], shares), atol=1e-5, rtol=1e-4
    )
    a = tensors[0]
    torch.testing.assert_close(run("multislerp")([a, a, a]), a)
    assert run("multislerp")([a, -a]).abs().max() < 1e-6
    assert run("multislerp")([a * 0, a * 0]).abs().sum() == 0
    with pytest.raises(InputError, match="more than 0"):
        run("multislerp")([a, a], weight=(0.0, 0.0))


def test_ties_rescales_to_the_former_norm(run):
    delta = torch.randn(40)
    for norm, order in (("l1", 1), ("l2", 2), ("linf", math.inf)):
        made = run("ties")([delta], density=0.3, elect="none", merge="sum", rescale=norm)
        torch.testing.assert_close(made.norm(order), delta.norm(order))
        assert int((made != 0).sum()) == 12
    with pytest.raises(InputError, match="scope"):
        run("ties")([delta], scope="model", rescale="l1")


def test_greedy_soups():
    scores = {(2,): 0.8, (2, 1): 0.8, (2, 1, 0): 0.7, (2, 0): 0.9}

    def evaluate(ingredients):
        return scores[ingredients]

    by_paper = greedy_soup([0.5, 0.6, 0.8], evaluate)
    assert (by_paper.ingredients, by_paper.score) == ((2, 1), 0.8)
    by_code = greedy_soup([0.5, 0.6, 0.8], evaluate, accept="gt")
    assert (by_code.ingredients, by_code.score) == ((2, 0), 0.9)
    assert by_code.tried == (((2, 1), 0.8, False), ((2, 0), 0.9, True))
    assert greedy_soup([0.5] * 4, lambda _: 0.5).ingredients == (3, 2, 1, 0)
    for bad in ([], [0.5, math.nan]):
        with pytest.raises(InputError, match="scores"):
            greedy_soup(bad, evaluate)
