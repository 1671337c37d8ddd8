"""NearSwap, RAM, Arcee Fusion, passthrough, SCE: against slow twins, one number at a time."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

#: Eighths: what is larger than a threshold does not hang on rounding.
NUMBERS = st.integers(-6, 6).map(lambda i: i / 8)


@st.composite
def rows(draw, least=1, most=4):
    count, size = draw(st.integers(least, most)), draw(st.integers(1, 10))
    return [draw(st.lists(NUMBERS, min_size=size, max_size=size)) for _ in range(count)]


def tensors(lists):
    return [torch.tensor(row) for row in lists]


@given(rows=rows(1, 1), t=st.integers(0, 8).map(lambda i: i / 8))
@settings(max_examples=40, deadline=None)
def test_nearswap(run, rows, t):
    want = [min(t / max(abs(d), 1e-6), 1.0) * d for d in rows[0]]
    torch.testing.assert_close(run("nearswap")(tensors(rows), t=t), torch.tensor(want))


def slow_ram(models, epsilon, boost):
    """``boost`` per model on what it alone changed."""
    made = []
    for column in zip(*models, strict=True):
        changes = [(i, d) for i, d in enumerate(column) if abs(d) > epsilon]
        if len(changes) == 1:
            made.append(changes[0][1] * boost[changes[0][0]])
        else:
            made.append(sum(d for _, d in changes) / max(len(changes), 1))
    return made


def slow_ratios(models, epsilon):
    columns = [[abs(d) > epsilon for d in column] for column in zip(*models, strict=True)]
    shared = [sum(c[i] and sum(c) > 1 for c in columns) for i in range(len(models))]
    own = [sum(c[i] and sum(c) == 1 for c in columns) for i in range(len(models))]
    return [s / max(o, 1) for s, o in zip(shared, own, strict=True)]


@given(rows=rows(), epsilon=st.sampled_from([0.0, 0.1, 0.3]))
@settings(max_examples=60, deadline=None)
def test_ram(run, rows, epsilon):
    made = run("ram")(tensors(rows), epsilon=epsilon)
    torch.testing.assert_close(made, torch.tensor(slow_ram(rows, epsilon, [1.0] * len(rows))))


@given(rows=rows(), epsilon=st.sampled_from([0.0, 0.1, 0.3]), size=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_ram_plus(run, rows, epsilon, size):
    boost = [1 + 0.5 * min(ratio, 0.4) for ratio in slow_ratios(rows, epsilon)]
    want = torch.tensor(slow_ram(rows, epsilon, boost))
    given_ = {"epsilon": epsilon, "r": 0.5, "alpha": 0.4}
    torch.testing.assert_close(run("ram_plus")(tensors(rows), scope="tensor", **given_), want)
    cut = len(rows[0]) // 2
    models = [{"a": t[:cut], "b": t[cut:]} for t in tensors(rows)]
    made = run("ram_plus").over(models, size=size, scope="model", **given_)
    torch.testing.assert_close(torch.cat([made["a"], made["b"]]), want)


def test_ram_plus_without_strength_is_ram(run):
    deltas = [torch.randn(50) * (torch.rand(50) > 0.5) for _ in range(3)]
    torch.testing.assert_close(run("ram_plus")(deltas, r=0.0, scope="tensor"), run("ram")(deltas))


def slow_fusion(base, other):
    """Rows of Python floats."""

    def softmax(row):
        top = max(row)
        total = sum(math.exp(x - top) for x in row)
        return [math.exp(x - top) / total + 1e-8 for x in row]

    scores = []
    for a, b in zip(base, other, strict=True):
        divergence = sum(p * math.log(p / q) for p, q in zip(softmax(b), softmax(a), strict=True))
        scores.append([abs(y - x) * divergence for x, y in zip(a, b, strict=True)])
    ranked = sorted(score for row in scores for score in row)
    low, middle, high = (ranked[int(share * (len(ranked) - 1))] for share in (0.25, 0.5, 0.75))
    at = middle + 1.5 * (high - low)
    return [
        [y if score >= at else x for x, y, score in zip(a, b, row, strict=True)]
        for a, b, row in zip(base, other, scores, strict=True)
    ]


@given(seed=st.integers(0, 10_000), shape=st.sampled_from([(1, 7), (5, 4), (3, 9), (8, 2)]))
@settings(max_examples=40, deadline=None)
def test_arcee_fusion(run, seed, shape):
    base, other = torch.randn(2, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    made = run("arcee_fusion")([base, other])
    torch.testing.assert_close(made, torch.tensor(slow_fusion(base.tolist(), other.tolist()), dtype=torch.float64))


def test_arcee_fusion_guards(run):
    a, b = torch.randn(6, 5), torch.randn(6, 5)
    fusion = run("arcee_fusion")
    assert torch.equal(fusion([a, a]), a.double())
    made = fusion([a, b])
    assert ((made == a) | (made == b)).all()
    assert fusion([torch.tensor(1.0), torch.tensor(3.0)]) == 3.0
    assert torch.equal(fusion([a[:, :1], b[:, :1]]), b[:, :1].double())
    assert fusion([torch.zeros(0, 3), torch.zeros(0, 3)]).shape == (0, 3)
    assert fusion([a * 1e30, b * 1e30]).isfinite().all()


@pytest.mark.parametrize("name", ["ram", "ram_plus", "sce"])
def test_the_order_of_models_does_not_matter(run, name):
    deltas = [torch.randn(40) * (torch.rand(40) > 0.4) for _ in range(4)]
    extra = {"scope": "tensor"} if name == "ram_plus" else {}
    torch.testing.assert_close(run(name)(deltas, **extra), run(name)(deltas[::-1], **extra))


@pytest.mark.parametrize("name", ["ram", "ram_plus", "sce"])
def test_equal_models_and_zero_changes(run, name):
    d = torch.randn(4, 5)
    extra = {"scope": "tensor"} if name == "ram_plus" else {}
    torch.testing.assert_close(run(name)([d, d, d], **extra), d)
    assert not run(name)([d * 0, d * 0], **extra).any()
    assert run(name)([torch.zeros(0, 2)] * 2, **extra).shape == (0, 2)
    assert run(name)([torch.tensor(0.5), torch.tensor(0.25)], **extra).shape == ()


def test_sce_shares_do_not_depend_on_how_small_the_changes_are(run):
    deltas = [torch.randn(200) * size for size in (1.0, 2.0, 4.0)]
    made = run("sce")(deltas)
    torch.testing.assert_close(run("sce")([d * 2.0**-16 for d in deltas]) * 2.0**16, made)
    alike = run("sce")([d * 2.0**-16 for d in deltas], compat="mergekit") * 2.0**16
    assert (alike - made).norm() > 0.1 * made.norm()


def test_passthrough(run):
    d = torch.randn(4, 5)
    assert torch.equal(run("passthrough")([d]), d)
    assert torch.equal(run("passthrough")([d], scale=-0.5), d * -0.5)
