"""Methods that mask or weigh the sum of task vectors, against slow twins in Python floats."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import InputError
from solera.methods.spec import Piece

#: Sixteenths: sums and products of a few are exact, so that no comparison hangs on rounding.
NUMBERS = st.integers(-8, 8).map(lambda i: i / 16)


@st.composite
def models(draw, least=1, most=4):
    count, size = draw(st.integers(least, most)), draw(st.integers(1, 12))
    return [draw(st.lists(NUMBERS, min_size=size, max_size=size)) for _ in range(count)]


def split(rows, cut):
    """One vector per model as models of two tensors."""
    return [{"a": torch.tensor(row[:cut]), "b": torch.tensor(row[cut:])} for row in rows]


def joined(model):
    return torch.cat([model["a"], model["b"]]).double()


def close(got, want, **kwargs):
    torch.testing.assert_close(got.double(), torch.tensor(want, dtype=torch.float64), **kwargs)


@given(rows=models(), agree=st.integers(0, 4), threshold=st.sampled_from([0.25, 0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_consensus_and_tall_masks(run, rows, agree, threshold):
    columns = list(zip(*rows, strict=True))
    claims = [[abs(x) > threshold * abs(sum(c) - x) for x in c] for c in columns]
    want = [0.5 * sum(c) if sum(m) >= agree else 0.0 for c, m in zip(columns, claims, strict=True)]
    tensors = [torch.tensor(row) for row in rows]
    close(run("consensus")(tensors, threshold=threshold, agree=agree, scale=0.5), want)
    for i in range(len(rows)):
        back = [sum(c) if m[i] else 0.0 for c, m in zip(columns, claims, strict=True)]
        close(run("tall_mask")(tensors, threshold=threshold, task=i + 1), back)


def slow_emr(rows, cut):
    columns = list(zip(*rows, strict=True))
    unified = []
    for c in columns:
        s = 1 if sum(c) > 0 else -1
        unified.append(s * max((abs(x) for x in c if x * s > 0), default=0.0))
    made = []
    for row in rows:
        masked = [u if u * x > 0 else 0.0 for u, x in zip(unified, row, strict=True)]
        parts = [part for part in (slice(0, cut), slice(cut, None)) if row[part]]
        above = sum(sum(map(abs, row[p])) / len(row[p]) for p in parts)
        below = sum(sum(map(abs, masked[p])) / len(masked[p]) for p in parts)
        made.append([x * (above / below if below else 0.0) for x in masked])
    return unified, made


@given(rows=models(), cut=st.integers(0, 6), size=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_emr(run, rows, cut, size):
    cut = min(cut, len(rows[0]))
    unified, made = slow_emr(rows, cut)
    close(joined(run("emr").over(split(rows, cut))), unified)
    for i, want in enumerate(made):
        close(joined(run("emr").over(split(rows, cut), size, task=i + 1)), want, atol=1e-6, rtol=1e-5)


def test_a_task_that_is_not_there_is_refused(run):
    for name in ("emr", "tall_mask"):
        with pytest.raises(InputError, match="there are 2"):
            run(name)([torch.ones(2), torch.ones(2)], task=3)


def test_lines_by_depth(run):
    model = {f"model.blocks.{i}.mlp.0.weight": torch.ones(2) for i in range(12)} | {"embed": torch.ones(2)}
    made = run("lines").over([model], alpha=0.25, beta=0.5)
    assert made["embed"].tolist() == [0.25, 0.25]
    for i in range(12):
        assert made[f"model.blocks.{i}.mlp.0.weight"][0] == pytest.approx(0.25 + 0.5 * i / 11)
    single = run("lines").over([{"blocks.0.w": torch.ones(2), "model.0.w": torch.ones(1)}], alpha=0.25, blocks=1)
    assert float(single["model.0.w"]) == 0.25


def test_lines_finds_alpha_from_norms(run):
    parts = [{"m.0.w": torch.tensor([1.0, -2.0])}, {"m.0.w": torch.tensor([3.0, 1.0])}]
    merged = {"m.0.w": torch.tensor([2.0, -0.5])}
    made = run("lines").over([merged, *parts], size=1, rule="norms", beta=0.0)
    alpha = (4 + 1) / 2.5 / 2
    close(made["m.0.w"], [2.0 * alpha, -0.5 * alpha])
    with pytest.raises(InputError, match="further inputs"):
        run("lines").over([merged], rule="norms")
    nothing = {"m.0.w": torch.zeros(2)}
    assert run("lines").over([nothing, *parts], rule="norms")["m.0.w"].tolist() == [0.0, 0.0]


def norm(row):
    low, high = min(row), max(row)
    return [(x - low) / (high - low) if high > low else 0.0 for x in row]


def clipped(row, low, high):
    order = sorted(row)
    bottom = order[int(len(row) * low)] if int(len(row) * low) < len(row) else math.inf
    top = order[max(int(len(row) * (1 - high) - 1), 0)]
    return [max(min(x, top), bottom) for x in row]


def slow_pcb(rows, density, lams, variant):
    """As the formula stands, over one vector per model."""
    q = 1e-4 if variant == "readme" else 1e-2
    n, size = len(rows), len(rows[0])
    sign = [[(x > 0) - (x < 0) for x in row] for row in rows]
    a = [clipped([abs(x) for x in row], q, q) for row in rows]
    z = [[s * x for s, x in zip(signs, norm(row), strict=True)] for signs, row in zip(sign, a, strict=True)]
    betas = []
    for t in range(n):
        scores = []
        for i in range(size):
            if variant == "search":
                inter = sum(math.tanh(z[t][i] * z[s][i]) for s in range(n))
            else:
                other = rows if variant == "readme" else z
                inter = math.tanh(rows[t][i] * sum(other[s][i] for s in range(n)))
            scores.append(torch.tensor(math.exp(n * (norm(a[t])[i] ** 2 - 1)) * inter).float().item())
        low = sorted(scores)[int(size * (1 - density))] if int(size * (1 - density)) < size else math.inf
        high = max(scores)
        betas.append([(max(x, low) - low) / (high - low) if high > low else 0.0 for x in scores])
    return [
        sum(lams[t] * betas[t][i] * sign[t][i] * a[t][i] for t in range(n)) / max(sum(b[i] for b in betas), 1e-12)
        for i in range(size)
    ]


@given(
    seed=st.integers(0, 1000), count=st.integers(1, 3), cut=st.integers(0, 40), size=st.integers(1, 60),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]), variant=st.sampled_from(["readme", "vision", "search"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_pcb_over_the_whole_model(run, seed, count, cut, size, density, variant):
    rows = torch.randn(count, 40, generator=torch.Generator().manual_seed(seed)).tolist()
    lams = tuple(1.0 + t / 4 for t in range(count))
    made = run("pcb").over(split(rows, cut), size, density=density, scale=lams, variant=variant)
    close(joined(made), slow_pcb(rows, density, lams, variant), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("variant", ["readme", "vision", "search"])
@pytest.mark.parametrize("scope", ["tensor", "model"])
def test_pcb_has_no_nan(run, variant, scope):
    d, zero = torch.randn(30), torch.zeros(30)
    given_ = {"variant": variant, "scope": scope}
    for deltas in ([d, zero], [zero, zero], [d, -d], [d, d], [torch.ones(1), torch.ones(1)], [torch.zeros(0)]):
        made = run("pcb").over([{"w": delta} for delta in deltas], **given_)["w"]
        assert made.isfinite().all()
    alone = run("pcb").over([{"w": d}, {"w": zero}], **given_)["w"]
    assert float(alone.abs().max()) > 0, "a model of zeros does not silence the other"


def test_names_do_not_matter_to_a_tensor_on_its_own(run):
    d = torch.randn(6, 5)
    for name in ("iso_c", "tsv_m", "wudi"):
        assert torch.equal(run(name)([d, d]), run(name)([d, d], piece=Piece("layer.weight")))
