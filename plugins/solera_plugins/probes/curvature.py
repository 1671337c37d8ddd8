"""Lanczos: the ends of a symmetric matrix that is only known by its products with vectors, and its spectral measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

Product = Callable[[Tensor], Tensor]

#: A step shorter than this, relative to the matrix, says that the vectors span what the matrix maps into itself.
_BREAKDOWN = 1e-10


@dataclass(frozen=True, slots=True)
class Krylov:
    """An orthonormal basis in which the matrix is tridiagonal.

    Attributes:
        basis: Shape (steps, P), rows orthonormal.
        diagonal: Shape (steps,), float64.
        beside: Shape (steps - 1,), float64.
    """

    basis: Tensor
    diagonal: NDArray[np.float64]
    beside: NDArray[np.float64]

    def ritz(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ritz values in ascending order, shape (steps,), and their vectors in the basis as columns."""
        values, vectors = eigh_tridiagonal(self.diagonal, self.beside)
        return values, vectors

    def vector(self, inside: NDArray[np.float64]) -> Tensor:
        """A vector of the whole space, shape (P,), from its coordinates in the basis."""
        return torch.from_numpy(inside).to(self.basis) @ self.basis


def lanczos(product: Product, start: Tensor, steps: int, again: Callable[[int], Tensor]) -> Krylov:
    """Lanczos iteration with full reorthogonalisation, twice each step.

    Where the vectors close up among themselves before all steps are done, it goes on from a fresh direction, so that
    with as many steps as the matrix has rows every eigenvalue is found, equal ones as often as they are there.

    Args:
        product: The matrix times a vector of shape (P,).
        start: Where to begin, shape (P,), not zero.
        steps: At most P are done.
        again: Gives the n-th fresh direction, shape (P,).

    Returns:
        Basis and tridiagonal matrix.
    """
    steps = min(steps, start.numel())
    basis = torch.empty(steps, start.numel(), dtype=start.dtype, device=start.device)
    basis[0] = start / start.norm()
    diagonal, beside = np.zeros(steps), np.zeros(max(steps - 1, 0))
    largest = 0.0
    for step in range(steps):
        image = product(basis[step])
        diagonal[step] = float(basis[step].double() @ image.double())
        if step == steps - 1:
            break
        rest = _apart(image, basis[: step + 1])
        length = float(rest.norm())
        largest = max(largest, abs(diagonal[step]), length)
        if length <= _BREAKDOWN * max(largest, 1e-30):
            rest = _apart(again(step).to(start), basis[: step + 1])
            basis[step + 1] = rest / rest.norm()
        else:
            beside[step] = length
            basis[step + 1] = rest / length
    return Krylov(basis, diagonal, beside)


def _apart(vector: Tensor, basis: Tensor) -> Tensor:
    """What of a vector is orthogonal to the rows of a basis."""
    for _ in range(2):
        vector = vector - (basis @ vector) @ basis
    return vector
