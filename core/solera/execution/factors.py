"""A matrix as a product of two thin ones: the leading singular triples, by the cheaper of two ways.

Small matrices, and ranks near the full one, are decomposed through the Gram matrix of their shorter side. Others by
subspace iteration on a random start (Halko, Martinsson and Tropp 2011, https://arxiv.org/abs/0909.4061), which is
repeated until the share it holds no longer grows. Both in float64; equal bytes at fixed threads and device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from solera.tensors import hashing

#: Shorter sides up to this are decomposed exactly.
EXACT_SIDE = 512

#: Directions followed beyond those wanted.
_SPARE = 16

#: Directions first followed when only a share is wanted.
_FIRST = 64

#: Growth of the share held, relative to itself, at which the iteration stops; and most rounds of it.
_STILL, _ROUNDS = 1e-4, 12

#: Elements that are brought to float64 at a time.
_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True)
class Factors:
    """``matrix ~ up @ down``, both with the square roots of the singular values.

    Attributes:
        up: (rows, rank), float64.
        down: (rank, columns), float64.
        kept: Sum of the squared singular values kept.
        total: Sum of all: the squared Frobenius norm.
    """

    up: Tensor
    down: Tensor
    kept: float
    total: float

    @property
    def rank(self) -> int:
        """Number of singular triples."""
        return self.up.shape[1]


def factorise(
    matrix: Tensor, name: str, *, rank: int = 0, energy: float = 0.0, check: Callable[[], None] = lambda: None
) -> Factors | None:
    """The leading singular triples of a matrix.

    Args:
        matrix: (m, n), finite, float32.
        name: Decides the random start.
        rank: How many at most; 0 for no limit.
        energy: Share of the squared norm to hold, from 0 to 1; 0 takes ``rank`` of them.
        check: Called between steps; raises to stop.

    Returns:
        None for a matrix of zeros.
    """
    total = squared_norm(matrix)
    if total == 0.0:
        return None
    side = min(matrix.shape)
    most = min(rank, side) if rank else side
    follow = min(most, _FIRST) if energy else most
    while side > EXACT_SIDE and follow * 4 < side:
        left = _subspace(matrix, min(follow + _SPARE, side), follow, name, check)
        found = _cut(matrix, left, most, energy, total)
        if not energy or found.rank < follow or follow == most:
            return found
        follow = min(follow * 2, most)
    return _cut(matrix, _exact(matrix), most, energy, total)


def _cut(matrix: Tensor, left: Tensor, most: int, energy: float, total: float) -> Factors:
    """The triples within an orthonormal basis of columns (or of rows, of a tall matrix), cut to what is wanted."""
    tall = matrix.shape[0] > matrix.shape[1]
    across = _times_transposed(matrix, left) if not tall else _times(matrix, left)  # (longer side, basis)
    values, vectors = torch.linalg.eigh(across.T @ across)
    values, vectors = values.flip(0).clamp_min(0.0), vectors.flip(1)
    count = most
    if energy:
        reached = values.cumsum(0) >= energy * total * (1 - 1e-12)
        count = min(most, int(reached.int().argmax()) + 1 if bool(reached.any()) else len(values))
    count = max(min(count, int((values > 0).sum())), 1)
    short = left @ vectors[:, :count]
    long = across @ vectors[:, :count]
    roots = values[:count].sqrt().sqrt()  # of the singular values
    # A factorisation leaves the sign of each direction open: the largest entry is made positive.
    largest = short.gather(0, short.abs().argmax(0, keepdim=True))
    signs = torch.where(largest < 0, -1.0, 1.0).to(short.dtype)
    short, long = short * signs * roots, long * signs / roots
    up, down = (long, short.T) if tall else (short, long.T)
    return Factors(up.contiguous(), down.contiguous(), float(values[:count].sum()), total)


def _exact(matrix: Tensor) -> Tensor:
    """All left singular vectors of the shorter side, the leading first."""
    short = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    gram = torch.zeros(short.shape[0], short.shape[0], dtype=torch.float64, device=matrix.device)
    step = max(_CHUNK // max(short.shape[0], 1), 1)
    for start in range(0, short.shape[1], step):
        piece = short[:, start : start + step].double()
        gram += piece @ piece.T
    vectors: Tensor = torch.linalg.eigh(gram).eigenvectors
    return vectors.flip(1)


def _subspace(matrix: Tensor, count: int, wanted: int, name: str, check: Callable[[], None]) -> Tensor:
    """An orthonormal basis of the shorter side that holds nearly all the leading directions do."""
    tall = matrix.shape[0] > matrix.shape[1]
    forth, back = (_times_transposed, _times) if tall else (_times, _times_transposed)
    longer = max(matrix.shape)
    start = hashing.normal(0, name, 0, 0, longer * count).view(longer, count).double().to(matrix.device)
    basis: Tensor = torch.linalg.qr(forth(matrix, start)).Q
    held = 0.0
    for _ in range(_ROUNDS):
        check()
        across = back(matrix, basis)
        now = float(torch.linalg.eigvalsh(across.T @ across)[-wanted:].sum())
        if now - held <= _STILL * now:
            break
        held = now
        basis = torch.linalg.qr(forth(matrix, torch.linalg.qr(across).Q)).Q
    return basis


def _times(matrix: Tensor, other: Tensor) -> Tensor:
    """``matrix @ other`` in float64, a few rows at a time."""
    step = max(_CHUNK // max(matrix.shape[1], 1), 1)
    return torch.cat([matrix[i : i + step].double() @ other for i in range(0, matrix.shape[0], step)])


def _times_transposed(matrix: Tensor, other: Tensor) -> Tensor:
    """``matrix.T @ other`` in float64, a few rows at a time."""
    step = max(_CHUNK // max(matrix.shape[1], 1), 1)
    made = torch.zeros(matrix.shape[1], other.shape[1], dtype=torch.float64, device=matrix.device)
    for i in range(0, matrix.shape[0], step):
        made += matrix[i : i + step].double().T @ other[i : i + step]
    return made


def squared_norm(tensor: Tensor) -> float:
    """The sum of all squares, in float64, a piece at a time."""
    flat = tensor.reshape(-1)
    return sum(float(flat[i : i + _CHUNK].double().square().sum()) for i in range(0, flat.numel(), _CHUNK))
