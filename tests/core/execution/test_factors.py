from __future__ import annotations

import pytest
import torch

from solera.execution import factors
from solera.execution.factors import factorise


def matrix(rows, columns, rank=0, noise=0.0, seed=0):
    torch.manual_seed(seed)
    if not rank:
        return torch.randn(rows, columns)
    return torch.randn(rows, rank) @ torch.randn(rank, columns) + noise * torch.randn(rows, columns)


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (1, 7), (7, 1), (20, 20)])
@pytest.mark.parametrize("rank", [1, 5, 100])
def test_it_is_the_best_of_its_rank(shape, rank):
    given = matrix(*shape)
    found = factorise(given, "x", rank=rank)
    values = torch.linalg.svdvals(given.double()).square()
    assert found.rank == min(rank, *shape)
    assert found.kept == pytest.approx(float(values[: found.rank].sum()), rel=1e-9)
    assert found.total == pytest.approx(float(values.sum()), rel=1e-9)
    rest = (given.double() - found.up @ found.down).square().sum()
    assert float(rest) == pytest.approx(found.total - found.kept, abs=1e-9 * found.total)


@pytest.mark.parametrize("shape", [(200, 300), (300, 200)])
def test_the_iteration_comes_close_to_the_best(shape, monkeypatch):
    """A slowly falling spectrum, the hardest for it; and one with a gap, where it is exact."""
    monkeypatch.setattr(factors, "EXACT_SIDE", 16)
    given = matrix(*shape)
    found = factorise(given, "x", rank=20)
    best = float(torch.linalg.svdvals(given.double())[:20].square().sum())
    assert 0.985 * best <= found.kept <= best * (1 + 1e-9)
    rest = (given.double() - found.up @ found.down).square().sum()
    assert float(rest) == pytest.approx(found.total - found.kept, rel=1e-9)
    low = matrix(shape[0], shape[1], rank=12)
    exact = factorise(low, "x", rank=12)
    torch.testing.assert_close((exact.up @ exact.down).float(), low, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", [512, 16])
@pytest.mark.parametrize("energy", [0.3, 0.9, 0.999])
def test_the_fewest_directions_of_an_energy(side, energy, monkeypatch):
    monkeypatch.setattr(factors, "EXACT_SIDE", side)
    given = matrix(160, 240, rank=10, noise=0.3)
    found = factorise(given, "x", energy=energy)
    values = torch.linalg.svdvals(given.double()).square().cumsum(0)
    fewest = int((values < energy * values[-1]).sum()) + 1
    assert found.rank == (fewest if side == 512 else pytest.approx(fewest, abs=1))
    assert found.kept >= energy * found.total * (1 - 1e-9)
    assert factorise(given, "x", energy=energy, rank=3).rank == min(3, fewest)


def test_signs_and_starts_are_fixed():
    first, second = (factorise(matrix(600, 700), "x", rank=4) for _ in range(2))
    assert torch.equal(first.up, second.up)
    assert torch.equal(first.down, second.down)
    columns = first.up.gather(0, first.up.abs().argmax(0, keepdim=True))
    assert bool((columns > 0).all())


def test_nothing_and_a_stop():
    assert factorise(torch.zeros(5, 4), "x", rank=2) is None

    class Stop(Exception):
        pass

    def check():
        raise Stop

    with pytest.raises(Stop):
        factorise(matrix(600, 700), "x", rank=4, check=check)
