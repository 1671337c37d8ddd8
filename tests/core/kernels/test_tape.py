"""Tapes against torch: operation by operation, as random programs, and in what they add up and sift."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from solera.kernels import codes, tape
from solera.kernels.tape import Rows, Tape
from solera.tensors import hashing, reductions
from solera.tensors.selection import StreamingSelect

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


def numbers(count: int, index: int, dtype: str = "float32") -> Tensor:
    """Normal numbers with zeros of both signs, equal ones and large ones among them."""
    made = hashing.normal(7, "x", index, 0, count)
    made[::13] = 0.0
    made[5::29] = -0.0
    made[3::17] = 0.25
    made[11::31] *= 1000
    return made.to(DTYPES[dtype])


def rows_of(tensors: list[Tensor]) -> Rows:
    rows = Rows(len(tensors))
    for i, tensor in enumerate(tensors):
        rows.put(i, codes.KINDS[str(tensor.dtype).rpartition(".")[2]], tensor.data_ptr())
    return rows


def played(build, tensors: list[Tensor], dtype: str = "float32", origin: int = 0) -> Tensor:
    made = Tape()
    result = build(made, [made.read(str(i)) for i in range(len(tensors))])
    out = torch.empty(tensors[0].numel(), dtype=DTYPES[dtype])
    finished = made.finish([result])
    given = rows_of([tensors[int(name)] for name in finished.inputs])
    assert finished.play(given, origin, out.numel(), codes.KINDS[dtype], out.data_ptr())
    return out


def same(a: Tensor, b: Tensor) -> bool:
    return a.numpy().tobytes() == b.numpy().tobytes() if a.dtype != torch.bfloat16 else torch.equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 7, 1024, 1025, 5000])
def test_what_is_read_comes_back(dtype, count):
    x = numbers(count, 0, dtype)
    assert torch.equal(played(lambda t, v: v[0], [x], dtype), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_are_rounded_as_torch_rounds(dtype):
    x, y = numbers(70_000, 0), numbers(70_000, 1)
    made = played(lambda t, v: t.add(t.scale(v[0], 0.3), v[1]), [x, y], dtype)
    assert torch.equal(made, (x * 0.3 + y).to(DTYPES[dtype]))


OPERATIONS: dict[str, tuple[Any, Any]] = {
    "add": (lambda t, v: t.add(*v), torch.add),
    "subtract": (lambda t, v: t.subtract(*v), torch.sub),
    "multiply": (lambda t, v: t.multiply(*v), torch.mul),
    "divide": (lambda t, v: t.divide(v[0], t.add(t.abs(v[1]), t.sign(t.at_least(t.abs(v[1]), 0.1)))),
               lambda x, y: x / (y.abs() + y.abs().clamp_min(0.1).sign())),
    "divide by": (lambda t, v: t.divide_by(v[0], 0.7), lambda x, y: x / 0.7),
    "scale": (lambda t, v: t.scale(v[0], -1.7), lambda x, y: x * -1.7),
    "maximum": (lambda t, v: t.maximum(t.abs(v[0]), t.abs(v[1])), lambda x, y: torch.maximum(x.abs(), y.abs())),
    "at least": (lambda t, v: t.at_least(v[0], 0.0), lambda x, y: x.clamp_min(0.0)),
    "sign": (lambda t, v: t.sign(v[0]), lambda x, y: x.sign()),
    "abs": (lambda t, v: t.abs(v[0]), lambda x, y: x.abs()),
    "equals": (lambda t, v: t.equals(v[0], 0.25), lambda x, y: (x == 0.25).float()),
    "larger": (lambda t, v: t.trim(v[0], 0.25, 0), lambda x, y: torch.where(x.abs() > 0.25, x, 0.0)),
    "not smaller": (lambda t, v: t.trim(v[0], 0.25, None), lambda x, y: torch.where(x.abs() >= 0.25, x, 0.0)),
    "weighted sum": (lambda t, v: t.weighted_sum([*v, v[0]], [0.3, 1.0, 0.7]), lambda x, y: x * 0.3 + y + x * 0.7),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_torchs_own(name):
    on_tape, by_torch = OPERATIONS[name]
    x, y = numbers(3001, 0), numbers(3001, 1)
    assert same(played(on_tape, [x, y]), by_torch(x, y))


def test_those_at_a_threshold_stay_up_to_a_place_of_the_tensor():
    x = numbers(5000, 0)
    for until in (1, 700, 2048, 4999, 9000):
        place = torch.arange(300, 5300)
        wanted = torch.where((x.abs() > 0.25) | ((x.abs() == 0.25) & (place < until)), x, 0.0)
        assert same(played(lambda t, v, u=until: t.trim(v[0], 0.25, u), [x], origin=300), wanted)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_thinning_is_the_hashed_mask_wherever_a_piece_begins(share):
    x = numbers(3000, 0)
    words, bound = hashing.words(3, "layer", 1), hashing.bound(share)
    for origin in (0, 5, 2**32 - 3000):
        drawn = hashing.uniform(3, "layer", 1, origin, 3000) < share
        assert same(played(lambda t, v: t.thin(v[0], words, bound), [x], origin=origin), torch.where(drawn, x, 0.0))


def test_bits_keep_what_they_say():
    x = numbers(2999, 0)
    mask = hashing.chosen(1, "m", 0, 0, 4000, 0.4).numpy()
    bits = np.packbits(mask, bitorder="little")
    wanted = torch.where(torch.from_numpy(mask[1000:3999]), x, 0.0)
    assert same(played(lambda t, v: t.keep_bits(v[0], bits), [x], origin=1000), wanted)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_finite_is_reported(bad, dtype):
    x = numbers(4000, 0, dtype)
    made = Tape()
    finished = made.finish([made.sign(made.read("x"))])  # the result is finite whatever is read
    out = torch.empty(4000)
    assert finished.play(rows_of([x]), 0, 4000, codes.KINDS["float32"], out.data_ptr())
    x[3777] = bad
    assert not finished.play(rows_of([x]), 0, 4000, codes.KINDS["float32"], out.data_ptr())


@pytest.mark.parametrize(("dtype", "large"), [("bfloat16", 3.4e38), ("float16", 66_000.0), ("float32", 3e38)])
def test_what_does_not_fit_is_reported(dtype, large):
    x = torch.full((10,), large)
    made = Tape()
    finished = made.finish([made.add(made.read("x"), made.read("x"))])
    assert not finished.play(rows_of([x]), 0, 10, codes.KINDS[dtype], torch.empty(10, dtype=DTYPES[dtype]).data_ptr())


def test_a_refused_piece_is_not_played():
    x = torch.zeros(3000)
    made = Tape()
    value = made.read("x")
    made.refuse(value)
    finished = made.finish([made.add(value, value)])
    out = torch.empty(3000)
    assert finished.play(rows_of([x]), 0, 3000, 2, out.data_ptr())
    x[2999] = 1e-30
    assert not finished.play(rows_of([x]), 0, 3000, 2, out.data_ptr())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_programs_give_what_torch_gives(data):
    """Registers are shared out rightly, whatever is needed until when."""
    tensors = [numbers(1500, i) for i in range(3)]
    made = Tape()
    values = [made.read(str(i)) for i in range(3)]
    twins = list(tensors)
    for _ in range(data.draw(st.integers(1, 25))):
        a, b = (data.draw(st.integers(0, len(values) - 1)) for _ in range(2))
        kind = data.draw(st.sampled_from(["add", "multiply", "sum", "trim", "sign"]))
        if kind == "sum":
            picked = [a, b, data.draw(st.integers(0, len(values) - 1))]
            values.append(made.weighted_sum([values[i] for i in picked], [0.5, 0.25, 1.0]))
            twins.append(twins[picked[0]] * 0.5 + twins[picked[1]] * 0.25 + twins[picked[2]])
        elif kind == "trim":
            values.append(made.trim(values[a], 0.25, 0))
            twins.append(torch.where(twins[a].abs() > 0.25, twins[a], 0.0))
        elif kind == "sign":
            values.append(made.sign(values[a]))
            twins.append(twins[a].sign())
        else:
            values.append(getattr(made, kind)(values[a], values[b]))
            twins.append(twins[a] + twins[b] if kind == "add" else twins[a] * twins[b])
    out = torch.empty(1500)
    finished = made.finish([values[-1]])
    given = rows_of([tensors[int(name)] for name in finished.inputs])
    if finished.play(given, 0, 1500, 2, out.data_ptr()):
        assert same(out, twins[-1])
    else:
        assert not bool(torch.isfinite(twins[-1]).all())


@pytest.mark.parametrize("count", [1, 63, 64, 1000, 2**17])
def test_sums_are_those_of_reductions(count):
    tensors = [numbers(count, i, "bfloat16") for i in range(3)]
    made = Tape()
    finished = made.finish([made.read(str(i)) for i in range(3)])
    products, sizes = np.zeros(6), np.zeros(3)
    assert finished.products(rows_of(tensors), 0, count, products)
    assert finished.sizes(rows_of(tensors), 0, count, sizes)
    gram = reductions.Gram(3)
    gram.add([tensor.float() for tensor in tensors])
    assert products.tolist() == [gram.total(i, j) for j in range(3) for i in range(j + 1)]
    assert sizes.tolist() == [reductions.sum_abs(tensor.float()) for tensor in tensors]
    exact = float(torch.dot(tensors[0].double(), tensors[1].double()))
    assert products[1] == pytest.approx(exact, rel=1e-12, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2999))
def test_sifting_is_a_pass_of_the_selection(count, low, high, k):
    x = numbers(count, 0).abs()
    k = k % count + 1
    low, high = sorted((float(x.quantile(low)), float(x.quantile(high))))
    bounds = [int(torch.tensor(number).view(torch.int32)) for number in (low, high)]
    selects = [StreamingSelect(k), StreamingSelect(k)]
    for select in selects:
        select._look_in(*bounds)
    made = Tape()
    finished = made.finish([made.read("x")])
    while selects[0].needs_pass:
        selects[0].add(x)
        sifted = finished.sift(rows_of([x]), 0, count, [selects[1].range])
        assert sifted is not None
        ((over, largest, patterns, places),) = sifted
        selects[1].sifted(count, over, largest, patterns, places)
        for select in selects:
            select.end_pass()
    assert not selects[1].needs_pass
    assert (selects[0].threshold, selects[0].above, selects[0].ties) == (
        selects[1].threshold, selects[1].above, selects[1].ties,
    )  # fmt: skip
    assert selects[0].tie_at(1) == selects[1].tie_at(1)


@pytest.mark.parametrize("columns", [700, 5000])
def test_ranks_of_numbers_alike_in_their_upper_bits(columns):
    sizes = (1 + torch.arange(columns).flip(0).float() * 2**-23).expand(3, columns).contiguous()
    sizes[1] = torch.rand(columns) * 2**-12 + 1
    table = torch.arange(columns).float()
    ranked = torch.empty_like(sizes)
    assert tape.rank(sizes.data_ptr(), 3, columns, table.data_ptr(), ranked.data_ptr())
    assert torch.equal(ranked, sizes.argsort(dim=1, stable=True).argsort(dim=1).float())


@pytest.mark.parametrize("columns", [1, 2, 100, 3000])
def test_ranks_are_those_of_a_stable_sort(columns):
    sizes = numbers(5 * columns, 0).abs().view(5, columns).contiguous()
    table = torch.rand(columns)
    ranked = torch.empty_like(sizes)
    assert tape.rank(sizes.data_ptr(), 5, columns, table.data_ptr(), ranked.data_ptr())
    order = sizes.argsort(dim=1, stable=True)
    assert torch.equal(ranked, torch.empty_like(sizes).scatter_(1, order, table.expand(5, columns)))
