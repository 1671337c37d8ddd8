"""DAREx-q against a slow search, and its bounds."""

from __future__ import annotations

import math

import pytest
import torch

from solera.errors import InputError
from solera.methods.darex import chosen_q, darex_q, output_change, q_grid


def slow(row, density, eta, confidence=0.95):
    p = 1 - density
    phi = 0.5 if p == 0.5 else (1 - 2 * p) / math.log((1 - p) / p)

    def bound(q):
        spread = eta**2 * phi * sum(c * c for c in row) / (4 * q * q)
        return abs(eta * (1 - density / q) * sum(row) + spread + math.log(2 / (1 - confidence)))

    places = [i / 1000 for i in range(1000) if density - 1e-9 <= i / 1000 < 0.9985]
    return min(places, key=bound)


@pytest.mark.parametrize("density", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("eta", [0.45, 20.0, 200.0])
def test_the_search(density, eta):
    delta = torch.randn(6, 9, generator=torch.Generator().manual_seed(3)) * 0.02
    mean, bias = torch.randn(9, generator=torch.Generator().manual_seed(4)), torch.full((6,), 0.01)
    found = darex_q(delta, mean, density, bias=bias, eta=eta)
    for row, b, q in zip((delta * mean).double().tolist(), bias.tolist(), found.tolist(), strict=True):
        assert q == pytest.approx(slow([*row, b], density, eta), abs=1e-3)
    assert float(found.min()) >= density - 1e-6
    assert float(found.max()) <= 0.998 + 1e-6


def test_no_change_is_divided_by_the_density():
    assert darex_q(torch.zeros(2, 3), torch.ones(3), 0.1).tolist() == pytest.approx([0.1, 0.1])
    assert darex_q(torch.zeros(2, 3), torch.ones(3), 0.9995).tolist() == pytest.approx([0.9995, 0.9995])


@pytest.mark.parametrize(
    ("shape", "inputs", "density"), [((3,), 3, 0.5), ((2, 3), 4, 0.5), ((2, 3), 3, 0.0), ((2, 3), 3, 1.0)]
)
def test_wrong_input(shape, inputs, density):
    with pytest.raises(InputError, match="DAREx-q wants"):
        darex_q(torch.zeros(shape), torch.zeros(inputs), density)


def test_one_divisor_is_chosen_from_the_density_up():
    assert q_grid(0.9, 0.04) == pytest.approx([0.9, 0.94, 0.98, 1.0])
    q, tried = chosen_q(lambda q: (q - 0.34) ** 2, 0.1, best="lower", step=0.1)
    assert q == pytest.approx(0.3)
    assert [round(at, 3) for at, _ in tried] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert chosen_q(lambda q: -abs(q - 0.5), 0.1, best="higher", step=0.1)[0] == pytest.approx(0.5)
    assert chosen_q(lambda _: 1.0, 0.1, best="higher")[0] == 0.1
    with pytest.raises(InputError, match="density inside 0 to 1"):
        q_grid(0.0)


def test_how_far_outputs_move():
    whole = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    pruned = whole + torch.tensor([[1.0, 9.0, 2.0], [9.0, 0.0, 1.0]])
    assert output_change(whole, pruned) == pytest.approx(22 / 6)
    assert output_change(whole, pruned, top=2) == pytest.approx((1 + 4 + 0 + 1) / 4)
    assert output_change(whole, pruned, top=9) == pytest.approx(float((pruned - whole).square().mean()))
    with pytest.raises(InputError, match="one shape"):
        output_change(whole, pruned[:1])
