"""The methods against their slow twins, and what must hold whatever the numbers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import InputError
from solera.extend.registry import Registry
from solera.methods.spec import Piece

METHODS = Registry.discover().methods
linear, task_arithmetic, ties, slerp = (METHODS[name] for name in ("linear", "task_arithmetic", "ties", "slerp"))

# --- slow, obvious twins: Python floats, one number at a time


def slow_linear(models, weight, normalize):
    total = sum(weight) if normalize else 1.0
    return [sum(w / total * x for w, x in zip(weight, column, strict=True)) for column in zip(*models, strict=True)]


def slow_task_arithmetic(deltas, scale, weight, normalize):
    total = sum(weight) if normalize and abs(sum(weight)) >= 1e-8 else 1.0
    return [
        scale * sum(w / total * x for w, x in zip(weight, column, strict=True)) for column in zip(*deltas, strict=True)
    ]


def slow_slerp(a, b, t):
    def length(x):
        size = math.sqrt(sum(v * v for v in x))
        return size if size > 1e-8 else 1.0

    cosine = sum(x * y for x, y in zip(a, b, strict=True)) / (length(a) * length(b))
    if abs(cosine) > 0.9995:
        return [(1 - t) * x + t * y for x, y in zip(a, b, strict=True)]
    angle = math.acos(cosine)
    left, right = math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
    return [left * x + right * y for x, y in zip(a, b, strict=True)]


def trimmed(delta, density):
    """Keep the floor(density * n) largest, at least one, ties in order of index."""
    keep = max(int(len(delta) * density), 1) if density > 0 else 0
    order = sorted(range(len(delta)), key=lambda i: (-abs(delta[i]), i))
    return [x if i in set(order[:keep]) else 0.0 for i, x in enumerate(delta)]


def sign(x):
    return (x > 0) - (x < 0)


def slow_ties(deltas, density, scale, weight, zero_sign, merge, elect):
    """TIES over one vector per model."""
    kept = [[w * x for x in trimmed(d, p)] for d, p, w in zip(deltas, density, weight, strict=True)]
    columns = list(zip(*kept, strict=True))
    signs = [sign(sum(column) if elect == "mass" else sum(map(sign, column))) for column in columns]
    even = {"majority": sign(sum(signs)), "plus": 1, "drop": 0}[zero_sign]
    result = []
    for column, s in zip(columns, signs, strict=True):
        s = s or even
        agreeing = [(x, w) for x, w in zip(column, weight, strict=True) if s and sign(x) == s]
        if not agreeing:
            result.append(0.0)
        elif merge == "mean":
            result.append(scale * sum(x for x, _ in agreeing) / (sum(w for _, w in agreeing) or 1.0))
        elif merge == "sum":
            result.append(scale * sum(x for x, _ in agreeing))
        else:
            result.append(scale * max((x for x, _ in agreeing), key=abs))
    return result


# ---

#: Sixteenths: sums and products of a few are exact, so that no sign or tie hangs on rounding.
NUMBERS = st.integers(-8, 8).map(lambda i: i / 16)


@st.composite
def models(draw, least=1, most=4):
    count, size = draw(st.integers(least, most)), draw(st.integers(1, 12))
    return [draw(st.lists(NUMBERS, min_size=size, max_size=size)) for _ in range(count)]


def tensors(rows):
    return [torch.tensor(row, dtype=torch.float32) for row in rows]


def close(got, want):
    torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float32), atol=1e-6, rtol=1e-5)


@given(models(), st.data())
@settings(max_examples=50, deadline=None)
def test_linear(rows, data):
    weight = tuple(data.draw(st.integers(1, 8)) / 4 for _ in rows)
    normalize = data.draw(st.booleans())
    close(linear.function(tensors(rows), weight=weight, normalize=normalize), slow_linear(rows, weight, normalize))


@given(models(), st.data())
@settings(max_examples=50, deadline=None)
def test_task_arithmetic(rows, data):
    weight = tuple(data.draw(st.integers(-8, 8)) / 4 for _ in rows)
    scale, normalize = data.draw(NUMBERS), data.draw(st.booleans())
    got = task_arithmetic.function(tensors(rows), scale=scale, weight=weight, normalize=normalize)
    close(got, slow_task_arithmetic(rows, scale, weight, normalize))


@given(models(2, 2), st.integers(0, 8).map(lambda i: i / 8))
@settings(max_examples=80, deadline=None)
def test_slerp(rows, t):
    close(slerp.function(tensors(rows), t=t, colinear=0.9995), slow_slerp(rows[0], rows[1], t))


@given(
    models(), st.sampled_from(["majority", "plus", "drop"]), st.sampled_from(["mean", "sum", "max"]),
    st.sampled_from(["mass", "count"]), st.data(),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_ties(rows, zero_sign, merge, elect, data):
    density = tuple(data.draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0])) for _ in rows)
    weight = tuple(data.draw(st.sampled_from([0.5, 1.0, 2.0, -1.0])) for _ in rows)
    got = ties.function(
        tensors(rows), density=density, scale=0.5, weight=weight, scope="tensor", elect=elect, zero_sign=zero_sign,
        merge=merge, compat="none",
    )  # fmt: skip
    close(got, slow_ties(rows, density, 0.5, weight, zero_sign, merge, elect))


class Pieces:
    """A model of several tensors as a stream of pieces."""

    def __init__(self, rows, cuts, size):
        self.rows, self.cuts, self.size = rows, cuts, size
        self.numel = cuts[-1] - cuts[0]

    def sample(self):
        return [[row[i : i + 2] for row in self.rows] for i in range(0, self.numel, 3)]

    def __iter__(self):
        for i, (start, stop) in enumerate(itertools.pairwise(self.cuts)):
            for left in range(start, stop, self.size):
                yield f"t{i}", [row[left : min(left + self.size, stop)] for row in self.rows]


@given(models(), st.sampled_from(["majority", "drop"]), st.integers(1, 5), st.data())
@settings(max_examples=100, deadline=None)
def test_ties_over_the_whole_model_is_ties_over_one_long_vector(rows, zero_sign, size, data):
    length = len(rows[0])
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, length), max_size=3))), length]
    density = tuple(data.draw(st.sampled_from([0.1, 0.3, 0.5, 0.9, 1.0])) for _ in rows)
    params = {
        "density": density, "scale": 1.0, "weight": (1.0,) * len(rows), "scope": "model", "elect": "mass",
        "zero_sign": zero_sign, "merge": "mean", "compat": "none",
    }  # fmt: skip
    flat = tensors(rows)
    state = ties.prepare(Pieces(flat, cuts, size), **params)
    parts = [
        ties.function([row[start:stop] for row in flat], **params, state=state, piece=Piece(f"t{i}"))
        for i, (start, stop) in enumerate(itertools.pairwise(cuts))
    ]
    close(torch.cat(parts), slow_ties(rows, density, 1.0, (1.0,) * len(rows), zero_sign, "mean", "mass"))


@pytest.mark.parametrize(("compat", "density", "kept"), [("none", 0.5, 5), ("authors", 0.5, 6), ("mergelm", 0.3, 4)])
def test_how_many_are_kept(compat, density, kept):
    delta = [torch.arange(1.0, 11.0)]
    made = ties.function(
        delta, density=(density,), scale=1.0, weight=(1.0,), scope="tensor", elect="none", zero_sign="drop",
        merge="sum", compat=compat,
    )  # fmt: skip
    assert int((made != 0).sum()) == kept


def test_inputs_are_left_alone_and_empty_tensors_are_fine():
    for spec in (linear, task_arithmetic, ties, slerp):
        params = {param.name: (1.0, 1.0) if param.param.per_model else param.default for param in spec.params}
        before = [torch.randn(5, 7), torch.randn(5, 7)]
        given_ = [tensor.clone() for tensor in before]
        assert spec.function(given_, **params).shape == (5, 7)
        assert all(torch.equal(x, y) for x, y in zip(before, given_, strict=True))
        assert spec.function([torch.zeros(0, 3), torch.zeros(0, 3)], **params).shape == (0, 3)
    by_deviation = ties.function([torch.zeros(0, 3)] * 2, density=(0.5, 0.5), weight=(1.0, 1.0), share="deviation")
    assert by_deviation.shape == (0, 3)


def test_slerp_guards():
    line = {"t": 0.25, "colinear": 0.9995}
    a = torch.tensor([1.0, 2.0])
    close(slerp.function([a, -a], **line), [0.5, 1.0])
    close(slerp.function([a, a], **line), [1.0, 2.0])
    close(slerp.function([torch.tensor([2.0]), torch.tensor([4.0])], **line), [2.5])
    assert slerp.function([a, torch.zeros(2)], **line).isfinite().all()
    assert slerp.function([torch.zeros(2), torch.zeros(2)], **line).abs().sum() == 0
    almost = torch.tensor([1.0, 2.0 + 1e-6])
    assert slerp.function([a, almost], t=0.5, colinear=0.999999).isfinite().all()
    assert torch.equal(slerp.function([a, torch.tensor([3.0, -1.0])], t=0.0, colinear=0.9995), a)


def test_weights_that_total_zero_cannot_be_shares():
    with pytest.raises(InputError, match="total 0"):
        linear.function([torch.ones(2), torch.ones(2)], weight=(1.0, -1.0), normalize=True)


def test_the_manifest_says_what_the_signatures_say():
    for name in ("linear", "task_arithmetic", "ties", "slerp"):
        assert METHODS.describe(name).params == METHODS[name].params
        assert METHODS.describe(name).title == METHODS[name].title
        assert METHODS.describe(name).summary == METHODS[name].summary
