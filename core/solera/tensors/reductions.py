"""Sums whose bytes depend on nothing but the numbers: not on threads, chunks, vector width or device.

torch's own sums and dot products change with the number of threads. Here a flat tensor is cut into fixed blocks of
:data:`BLOCK` elements (the last one padded with zeros); each block is added up in float64 by a fixed tree of
element-wise additions (the first half to the second, again and again), which every device rounds alike; and the
blocks' sums are added in index order.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from solera.errors import InputError

#: Elements in a block. Part of the promise of equal bytes: changing it changes results.
BLOCK = 2**17

#: Blocks that are worked on at a time; does not change results.
_AT_ONCE = 4


def block_partials(function: Callable[..., Tensor], *tensors: Tensor) -> list[float]:
    """The sums of ``function`` over each block of the flat tensors, in index order.

    Pieces of a longer tensor, cut at multiples of :data:`BLOCK`, give pieces of its list.

    Args:
        function: Element-wise, with zero for zeros; is given float64 tensors of one shape and gives one.
        *tensors: Real, of one shape, on one device, any dtype; an empty one gives an empty list.

    Raises:
        InputError: The shapes differ.
    """
    if len({tensor.shape for tensor in tensors}) != 1:
        raise InputError(f"Tensors of one shape are wanted, not {[tuple(tensor.shape) for tensor in tensors]}.")
    flats = [tensor.detach().reshape(-1) for tensor in tensors]
    partials: list[float] = []
    for start in range(0, flats[0].numel(), BLOCK * _AT_ONCE):
        # Copies, for they are overwritten.
        pieces = [flat[start : start + BLOCK * _AT_ONCE].to(torch.float64, copy=True) for flat in flats]
        values = function(*pieces)
        rest = -values.numel() % BLOCK
        if rest:
            values = torch.nn.functional.pad(values, (0, rest))
        partials += _tree(values.view(-1, BLOCK)).tolist()
    return partials


def _tree(values: Tensor) -> Tensor:
    """Row sums of a (rows, power of two) tensor, by halving; overwrites it."""
    width = values.shape[1]
    while width > 1:
        width //= 2
        values[:, :width].add_(values[:, width : 2 * width])
    return values[:, 0]


def block_sum(function: Callable[..., Tensor], *tensors: Tensor) -> float:
    """The sum of ``function`` over all elements; 0 for empty tensors. See :func:`block_partials`."""
    total = 0.0
    for partial in block_partials(function, *tensors):
        total += partial
    return total


def reduce_sum(x: Tensor) -> float:
    """Sum of the elements (any shape); 0 if empty, NaN if one is NaN."""
    return block_sum(lambda a: a, x)


def sum_abs(x: Tensor) -> float:
    """Sum of absolute values (the 1-norm)."""
    return block_sum(torch.abs, x)


def dot(x: Tensor, y: Tensor) -> float:
    """Sum of products of two tensors of one shape.

    Raises:
        InputError: The shapes differ.
    """
    return block_sum(torch.mul, x, y)


def norm(x: Tensor) -> float:
    """Euclidean norm over all elements; 0 if empty."""
    return math.sqrt(block_sum(torch.square, x))
