"""What methods on singular values share: which tensors they are for, and what becomes of the others."""

from __future__ import annotations

from fnmatch import fnmatchcase

from torch import Tensor

from solera.api import Piece
from solera_plugins.merging.sums import weighted_sum

#: Said alike by every such method.
SKIP_HELP = "Matrices of these names are averaged, as vectors and kernels are."


def spectral(delta: Tensor, piece: Piece | None, skip: str) -> bool:
    """Whether a tensor is treated as a matrix: two axes, not empty, and not skipped by name."""
    return delta.dim() == 2 and delta.numel() > 0 and not (piece and fnmatchcase(piece.name, skip))


def average(deltas: list[Tensor]) -> Tensor:
    """The plain mean, for all other tensors."""
    return weighted_sum(deltas, [1.0 / len(deltas)] * len(deltas))
