"""Task vectors thinned out, whatever by: brought to their former size, and put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from solera.api import Passes, Piece, bricks, reductions
from solera_plugins.merging.combining import Combine, Majority, ZeroSign, combine, weighted
from solera_plugins.merging.trimming import placed, scaled

#: Takes the pieces of all task vectors at one place, and gives what is kept of them.
Thin = Callable[[Sequence[Tensor], Piece], list[Tensor]]


class Thinned:
    """How the task vectors of a tensor are thinned out, and what the whole tensor tells of the rest.

    Args:
        passes: The task vectors.
        thin: What is kept of them.
        weight: One number per model.
        l1: Whether what is kept is brought to the 1-norm of the whole.
    """

    def __init__(self, passes: Passes, thin: Thin, weight: Sequence[float], *, l1: bool) -> None:
        self._thin = thin
        self._weight = weight
        self._factors = _l1_factors(passes, thin) if l1 and passes.numel else [1.0] * len(weight)
        self._majority = Majority(passes, self._elected)

    def merged(self, deltas: Sequence[Tensor], piece: Piece, how: Combine, zero_sign: ZeroSign, scale: float) -> Tensor:
        """The merged task vector at one piece; ``how`` and ``zero_sign`` as in :func:`combine`."""
        return scaled(combine(self._kept(deltas, piece), self._weight, how, zero_sign, self._majority), scale)

    def _elected(self, deltas: Sequence[Tensor], piece: Piece) -> Tensor:
        return bricks.elect_sign(weighted(self._kept(deltas, piece), self._weight))

    def _kept(self, deltas: Sequence[Tensor], piece: Piece) -> list[Tensor]:
        return [scaled(kept, by) for kept, by in zip(self._thin(deltas, piece), self._factors, strict=True)]


def _l1_factors(passes: Passes, thin: Thin) -> list[float]:
    """The 1-norm of each whole vector over that of what is kept; 1 where nothing is."""
    sizes: list[list[float]] = []
    for piece, deltas in placed(passes):
        sizes = sizes or [[0.0, 0.0] for _ in deltas]
        for size, delta, kept in zip(sizes, deltas, thin(deltas, piece), strict=True):
            size[0] += reductions.sum_abs(delta)
            size[1] += reductions.sum_abs(kept)
    return [whole / left if left > 0 else 1.0 for whole, left in sizes]
