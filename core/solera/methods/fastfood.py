"""Fastfood: a random map from few coordinates to all weights that takes n log n operations and no matrix.

Le, Sarlos and Smola 2013 (arXiv 1408.3060), as used for intrinsic dimension by Li et al. 2018 (arXiv 1804.08838):
``y = (H G Pi H B x)[:D] / (sqrt(L |G|^2) sqrt(D / L))`` with L the next power of two, H the unnormalised Hadamard
matrix, B signs, Pi a permutation, G normal numbers. A column has length 1 if D = L, and on average else; the cosine of
two columns varies by about ``sqrt(2 / L)``, sqrt(2) times as much as for a dense Gaussian map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from solera.errors import InputError
from solera.tensors import hashing


@dataclass(frozen=True, slots=True)
class Fastfood:
    """The map from any number of coordinates to ``numel`` weights.

    Attributes:
        signs: B, shape (L,), 1 or -1.
        order: Pi, shape (L,), int64: ``(Pi z)[i] = z[order[i]]``.
        gains: G, shape (L,).
        numel: D, how many weights there are.
    """

    signs: Tensor
    order: Tensor
    gains: Tensor
    numel: int

    @staticmethod
    def drawn(numel: int, seed: int) -> Fastfood:
        """The map that a seed stands for; the same on every machine.

        Args:
            numel: How many weights.
            seed: Any integer.
        """
        length = padded(numel)
        signs = torch.where(hashing.uniform(seed, "fastfood.signs", 0, 0, length) < 0.5, -1.0, 1.0).double()
        order = hashing.bits(seed, "fastfood.order", 0, 0, length).argsort(stable=True)
        return Fastfood(signs, order, hashing.normal(seed, "fastfood.gains", 0, 0, length).double(), numel)

    def project(self, x: Tensor) -> Tensor:
        """The weights of coordinates.

        Args:
            x: Shape (d,), d at most L.

        Returns:
            Shape (numel,), of the dtype of the gains.

        Raises:
            InputError: There are more coordinates than weights.
        """
        length = len(self.signs)
        if len(x) > length:
            raise InputError(f"A subspace of {self.numel} weights has at most {length} coordinates, not {len(x)}.")
        z = torch.zeros(length, dtype=self.gains.dtype, device=self.gains.device)
        z[: len(x)] = x.to(z.dtype)
        mixed = hadamard(z * self.signs)[self.order] * self.gains
        scale = math.sqrt(length * float(self.gains.square().sum())) * math.sqrt(self.numel / length)
        return hadamard(mixed)[: self.numel] / scale


def padded(numel: int) -> int:
    """The next power of two."""
    return 1 << max(numel - 1, 0).bit_length()


def hadamard(x: Tensor) -> Tensor:
    """``H x`` for the unnormalised Hadamard matrix in natural order.

    Args:
        x: Shape (n,), n a power of two; not changed.
    """
    count, width = len(x), 1
    out = x.clone()
    while width < count:
        pairs = out.view(-1, 2, width)
        out = torch.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], dim=1).view(-1)
        width *= 2
    return out
