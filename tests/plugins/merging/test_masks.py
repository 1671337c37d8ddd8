"""Random masks are drawn once for a tensor that is gone through twice, and the same when they are drawn again."""

import pytest
import torch
from torch import Tensor

from solera.api import Piece, bricks
from solera_plugins.merging import masks as module
from solera_plugins.merging.masks import Masks


class Draws:
    """Draws masks and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, model: int, delta: Tensor, piece: Piece) -> Tensor:
        self.count += 1
        return bricks.random_mask(delta.shape, 0.4, 1, piece, model)


@pytest.mark.parametrize(
    ("sizes", "limit", "draws"), [((64, 64, 23), 2**26, 3), ((61, 90), 2**26, 4), ((80, 80), 100, 4)]
)
def test_two_passes_keep_the_same(
    sizes: tuple[int, ...], limit: int, draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", limit)
    x = torch.arange(1.0, sum(sizes) + 1)
    draw = Draws()
    masks = Masks(draw, 1, x.numel())

    def once() -> Tensor:
        kept, start = [], 0
        for part in x.split(list(sizes)):
            kept.append(masks.keep(0, part, Piece("w", start)))
            start += part.numel()
        return torch.cat(kept)

    first = once()
    assert torch.equal(first, x * bricks.random_mask(x.shape, 0.4, 1, Piece("w"), 0))
    assert torch.equal(once(), first)
    assert draw.count == draws


def test_nothing_is_remembered_where_nobody_comes_back() -> None:
    draw = Draws()
    masks = Masks(draw, 1, 0)
    for _ in range(2):
        masks.keep(0, torch.ones(16), Piece("w"))
    assert draw.count == 2
