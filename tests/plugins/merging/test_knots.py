"""KnOTS finds the few directions of adapters' changes without decomposing everything."""

import pytest
import torch

from solera.api import bricks
from solera_plugins.merging import knots as module

ARGUMENTS = {"density": (0.3, 0.3), "weight": (1.0, 1.0)}


def low_rank(rows, columns, rank, seed):
    torch.manual_seed(seed)
    # As an adapter's: computed in float32, so that rounding leaves a little of every direction.
    return (0.05 * torch.randn(rows, rank) @ (0.05 * torch.randn(rank, columns))).double()


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize(("rank", "shape"), [(8, (300, 260)), (60, (300, 260)), (0, (300, 260)), (8, (40, 300))])
def test_it_is_what_the_full_decomposition_gives(rank, shape, side, monkeypatch):
    deltas = [
        low_rank(shape[0], shape[1], rank, seed) if rank else torch.zeros(shape, dtype=torch.float64)
        for seed in range(2)
    ]
    found = module.knots.function(deltas, side=side, **ARGUMENTS)
    monkeypatch.setattr(module, "_PROBES", 10**9)
    full = module.knots.function(deltas, side=side, **ARGUMENTS)
    torch.testing.assert_close(found, full, rtol=0, atol=1e-7)


def test_few_directions_are_looked_for_first(monkeypatch):
    sizes = []
    decompose = bricks.truncated_svd

    def noted(matrix, rank):
        sizes.append(min(matrix.shape))
        return decompose(matrix, rank)

    monkeypatch.setattr(bricks, "truncated_svd", noted)
    module.knots.function([low_rank(600, 500, 8, seed) for seed in range(2)], **ARGUMENTS)
    module.knots.function([torch.randn(300, 260, dtype=torch.float64) for _ in range(2)], **ARGUMENTS)
    assert sizes == [64, 300]
