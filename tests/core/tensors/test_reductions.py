from __future__ import annotations

import math

import pytest
import torch

from solera.errors import InputError
from solera.tensors.reductions import BLOCK, Gram, block_partials, block_sum, dot, norm, reduce_sum, sum_abs


@pytest.mark.parametrize("count", [1, 3, 1000, BLOCK - 1, BLOCK, 2 * BLOCK + 17])
def test_sums_are_those_of_exact_arithmetic(count):
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, generator=generator)
    y = torch.randn(count, generator=generator)
    values, others = x.double().tolist(), y.double().tolist()
    total = math.fsum(abs(v) for v in values)
    assert abs(reduce_sum(x) - math.fsum(values)) <= 1e-14 * total
    assert sum_abs(x) == pytest.approx(total, rel=1e-14)
    exact = math.fsum(a * b for a, b in zip(values, others, strict=True))
    size = math.fsum(abs(a * b) for a, b in zip(values, others, strict=True))
    assert abs(dot(x, y) - exact) <= 1e-14 * size
    assert norm(x) == pytest.approx(math.sqrt(math.fsum(v * v for v in values)), rel=1e-14)


def test_threads_and_pieces_do_not_matter():
    x = torch.randn(9 * BLOCK + 5, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    try:
        results = set()
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.add((reduce_sum(x), norm(x), dot(x, x)))
    finally:
        torch.set_num_threads(before)
    assert len(results) == 1
    y = x.flip(0)
    gram = Gram(2)
    for start in range(0, x.numel(), 3 * BLOCK):
        gram.add([x[start : start + 3 * BLOCK], y[start : start + 3 * BLOCK]])
    assert gram.products == [[dot(x, x), dot(x, y)], [dot(x, y), dot(y, y)]]
    whole = block_partials(torch.abs, x)
    assert whole == block_partials(torch.abs, x[: 2 * BLOCK]) + block_partials(torch.abs, x[2 * BLOCK :])


def test_edges():
    assert reduce_sum(torch.zeros(0)) == 0
    assert norm(torch.zeros(0, 3)) == 0
    assert reduce_sum(torch.tensor(2.5)) == 2.5
    assert reduce_sum(torch.ones(3, 4, dtype=torch.bfloat16).t()) == 12
    assert math.isnan(reduce_sum(torch.tensor([1.0, float("nan")])))
    assert block_sum(lambda a, b: (a - b) ** 2, torch.tensor([1.0, 2]), torch.tensor([0.0, 4])) == 5
    with pytest.raises(InputError):
        dot(torch.zeros(2), torch.zeros(3))


def test_inputs_are_left_alone():
    x = torch.ones(10, dtype=torch.float64)
    reduce_sum(x)
    assert torch.equal(x, torch.ones(10, dtype=torch.float64))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_sums():
    x = torch.randn(3 * BLOCK + 5, generator=torch.Generator().manual_seed(1))
    assert sum_abs(x.cuda()) == pytest.approx(sum_abs(x), rel=1e-13)
    assert norm(x.cuda()) == pytest.approx(norm(x), rel=1e-13)
