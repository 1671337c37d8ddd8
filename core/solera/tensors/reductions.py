"""Sums whose bytes depend on nothing but the numbers: not on threads, chunks or budgets.

torch's own sums and dot products change with the number of threads. Here a flat tensor is cut into fixed blocks of
:data:`BLOCK` elements, each added up in float64 by one thread, and the blocks' sums are added in index order.

On a CPU a block is added up by NumPy's pairwise sum. Inner products of float32 are made by a loop of our own; those of
other dtypes, and where there are no loops, in rows of :data:`ROW` elements by the library's dot product: by one thread,
and the same on every machine of one instruction set. On other devices a block is
padded with zeros and added by a fixed tree: the first half to the second, again and again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from solera.errors import InputError
from solera.kernels import tape

#: Elements in a block. Part of the promise of equal bytes: changing it changes results.
BLOCK = 2**17

#: Elements of one call of the dot product: fewer than a library gives to several threads.
ROW = 2**12


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
    for start in range(0, flats[0].numel(), BLOCK):
        # Copies, for the function may overwrite them.
        values = function(*[flat[start : start + BLOCK].to(torch.float64, copy=True) for flat in flats])
        if values.device.type == "cpu":
            partials.append(float(np.add.reduce(values.contiguous().numpy())))
        else:
            partials.append(float(_tree(torch.nn.functional.pad(values, (0, BLOCK - values.numel())).view(1, BLOCK))))
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
    flat = x.detach().reshape(-1)
    if flat.dtype == torch.float32 and flat.device.type == "cpu" and tape.playable():
        flat, total = flat.contiguous(), 0.0
        for start in range(0, flat.numel(), BLOCK):
            block = flat[start : start + BLOCK]
            total += tape.size(block.data_ptr(), block.numel()) or 0.0
        return total
    return reduce_sum(flat.abs())  # in the dtype it has: half of the bytes of float64


def dot(x: Tensor, y: Tensor) -> float:
    """Sum of products of two tensors of one shape; 0 for empty ones.

    Raises:
        InputError: The shapes differ.
    """
    gram = Gram(2, pairs=[(0, 1)])
    gram.add([x, y])
    return gram.total(0, 1)


def norm(x: Tensor) -> float:
    """Euclidean norm over all elements; 0 if empty."""
    gram = Gram(1)
    gram.add([x])
    return math.sqrt(gram.total(0, 0))


class Gram:
    """Inner products of some vectors that arrive in pieces.

    Pieces in index order give what the whole vectors give, if all but the last are multiples of :data:`BLOCK` long.

    Args:
        count: How many vectors.
        pairs: Which products, ``(i, j)`` with i at most j; all of them if None.
    """

    def __init__(self, count: int, pairs: Sequence[tuple[int, int]] | None = None) -> None:
        self._count = count
        every = [(i, j) for j in range(count) for i in range(j + 1)]
        self._totals = dict.fromkeys(every if pairs is None else pairs, 0.0)

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Take the next piece of every vector: any shape and dtype, one device.

        Raises:
            InputError: The shapes differ.
        """
        if len({tensor.shape for tensor in tensors}) != 1:
            raise InputError(f"Tensors of one shape are wanted, not {[tuple(tensor.shape) for tensor in tensors]}.")
        flats = [tensor.detach().reshape(-1) for tensor in tensors]
        for start in range(0, flats[0].numel(), BLOCK):
            blocks = [flat[start : start + BLOCK] for flat in flats]
            if all(block.dtype == torch.float32 and block.device.type == "cpu" for block in blocks):
                wide = [block.contiguous() for block in blocks]
            else:
                wide = [block.to(torch.float64) for block in blocks]
            for i, j in self._totals:
                self._totals[i, j] += _block_dot(wide[i], wide[j])

    def total(self, i: int, j: int) -> float:
        """The inner product of two of the vectors so far."""
        return self._totals[min(i, j), max(i, j)]

    @property
    def products(self) -> list[list[float]]:
        """All inner products so far, a symmetric list of lists."""
        return [[self.total(i, j) for j in range(self._count)] for i in range(self._count)]


def _block_dot(x: Tensor, y: Tensor) -> float:
    """The inner product of two blocks in float64: they are that, or float32 on a CPU."""
    if x.dtype == torch.float32:
        found = tape.dot(x.data_ptr(), y.data_ptr(), x.numel())
        if found is not None:
            return found
        x, y = x.double(), y.double()
    if x.device.type != "cpu":
        return float(_tree(torch.nn.functional.pad(x * y, (0, BLOCK - x.numel())).view(1, BLOCK)))
    a, b = x.numpy(), y.numpy()
    whole = a.size // ROW * ROW
    total = float(np.add.reduce(np.vecdot(a[:whole].reshape(-1, ROW), b[:whole].reshape(-1, ROW))))
    return total + float(np.dot(a[whole:], b[whole:]))
