"""The steps merging methods are made of: with them, a variant of a method is ten lines.

Tensors are real, of one shape where there are several, and never changed. What adds up many numbers does so by
:mod:`solera.tensors.reductions`, so that bytes do not depend on threads; what decomposes matrices is float64 and equal
only to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from solera.errors import InputError, NumericError
from solera.kernels.tape import Tape, TapeValue, rank
from solera.methods.spec import LoopPasses, Passes, Piece
from solera.tensors import hashing, reductions, selection


def trim(delta: Tensor, density: float) -> Tensor:
    """Keep the ``floor(density * n)`` largest magnitudes (at least one, none at 0), of equal ones the first; else 0.

    Args:
        delta: float32, any shape; an empty one stays empty.
        density: Share kept, from 0 to 1.

    Raises:
        NumericError: NaN is in it.
    """
    count = max(int(delta.numel() * density), 1) if density > 0 else 0
    return masked(delta, selection.top_k_mask(delta.abs(), count))


def elect_sign(deltas: Sequence[Tensor]) -> Tensor:
    """The sign of the sum at each coordinate: -1, 0 or 1."""
    return deltas[0].sign() if len(deltas) == 1 else _total(deltas).sign_()


def disjoint_mean(deltas: Sequence[Tensor], signs: Tensor, weights: Sequence[float] | None = None) -> Tensor:
    """The mean of those entries that have the elected sign; 0 where none has.

    Args:
        deltas: One or more, each already multiplied by its weight.
        signs: -1, 0 or 1, from :func:`elect_sign`.
        weights: What the mean is divided by is the sum of these over the entries that agree; ones if None.
    """
    total = shares = None
    weights = weights or [1.0] * len(deltas)
    for delta, weight in zip(deltas, weights, strict=True):
        size = (delta * signs).clamp_min_(0.0)
        share = size.sign()
        if weight != 1.0:
            share.mul_(weight)
        total = size if total is None else total.add_(size)
        shares = share if shares is None else shares.add_(share)
    assert total is not None
    assert shares is not None
    if min(weights) > 0:
        shares.clamp_min_(min(weights))  # more than this, or 0 where the total is 0, too
    else:
        shares.add_(equal(shares, 0.0))
    return total.div_(shares).mul_(signs)


def masked(x: Tensor, mask: Tensor) -> Tensor:
    """The numbers where a mask is true, else 0: a new tensor.

    (On the CPU their bits are blanked out, which takes a tenth of the time of :func:`torch.where`.)

    Args:
        x: Floating, any shape; of a number that is not kept nothing is left, be it NaN.
        mask: bool, of that shape, on the same device.
    """
    if x.requires_grad or x.device.type != "cpu":
        return torch.where(mask, x, 0.0)
    words = _WORDS[x.element_size()]
    blank = mask.view(torch.int8).to(words).neg_()  # all bits, or none
    return blank.bitwise_and_(x.view(words)).view(x.dtype)


#: Integers of as many bytes.
_WORDS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def equal(x: Tensor, value: float) -> Tensor:
    """1 where an element equals the number, else 0: of the dtype of ``x``.

    (As numbers, for arithmetic with them is several times as fast as with masks.)
    """
    return torch.eq(x, value, out=torch.empty_like(x))


def more(x: Tensor, value: float | Tensor) -> Tensor:
    """1 where an element is more than the number, or the other tensor's; else 0: of the dtype of ``x``."""
    return torch.gt(x, value, out=torch.empty_like(x))


def less(x: Tensor, value: float | Tensor) -> Tensor:
    """1 where an element is less than the number, or the other tensor's; else 0: of the dtype of ``x``."""
    return torch.lt(x, value, out=torch.empty_like(x))


def random_keep(
    shape: Sequence[int], keep: float | Tensor, seed: int, piece: Piece | None, model: int,
    device: torch.device | str | None = None,
) -> Tensor:  # fmt: skip
    """As :func:`random_mask`, as numbers: float32, 1 where kept, else 0."""
    return as_numbers(random_mask(shape, keep, seed, piece, model, device))


def as_numbers(mask: Tensor) -> Tensor:
    """1 where a mask is true, else 0: float32; torch's own conversion of bool takes five times as long."""
    return mask.view(torch.uint8).float()


def random_mask(
    shape: Sequence[int], keep: float | Tensor, seed: int, piece: Piece | None, model: int,
    device: torch.device | str | None = None,
) -> Tensor:  # fmt: skip
    """Which elements are kept, each with its own probability: a pure function of seed, tensor name, model and index.

    Args:
        shape: Of the result.
        keep: Probability, one number or a float32 tensor of that shape.
        seed: Any integer.
        piece: Which part of the model this is; None is a tensor without a name.
        model: Which of several models.
        device: Where to make it, the same there; where ``keep`` is if None, for a number the CPU.

    Returns:
        bool.
    """
    name, start = (piece.name, piece.start) if piece else ("", 0)
    count = torch.Size(shape).numel()
    where = torch.device(device or (keep.device if isinstance(keep, Tensor) else "cpu"))
    if not isinstance(keep, Tensor) and where.type == "cpu":
        return hashing.chosen(seed, name, model, start, count, keep).view(torch.Size(shape))
    return hashing.uniform(seed, name, model, start, count, where).view(torch.Size(shape)) < keep


def random_thin(tape: Tape, value: TapeValue, keep: float, seed: int, name: str, model: int) -> TapeValue:
    """A value of a tape where :func:`random_mask` of the tensor is true, else 0; arguments as there.

    Only for tensors of fewer than 2^32 elements.
    """
    return tape.thin(value, hashing.words(seed, name, model), hashing.bound(keep))


def rescale_l1(kept: Tensor, whole: Tensor) -> Tensor:
    """The kept entries, scaled so that their absolute values total those of the whole; 0 stays 0."""
    left = reductions.sum_abs(kept)
    return kept * (reductions.sum_abs(whole) / left) if left > 0 else kept


def gram(tensors: Sequence[Tensor]) -> list[list[float]]:
    """All inner products, as flat vectors: a symmetric list of lists in float64."""
    products = reductions.Gram(len(tensors))
    products.add(tensors)
    return products.products


def gram_over(passes: Passes) -> list[list[float]]:
    """All inner products of the inputs of a method, gathered in one pass; as :func:`gram` of whole tensors."""
    found = passes.products() if isinstance(passes, LoopPasses) else None
    if found is not None:
        return found
    products: reductions.Gram | None = None
    for _, tensors in passes:
        products = products or reductions.Gram(len(tensors))
        products.add(tensors)
    return products.products if products else []


def by_rank(sizes: Tensor, table: Tensor) -> Tensor:
    """For each number what a table says of its rank in its row, 0 the smallest; of equal numbers the first ranks lower.

    Args:
        sizes: Non-negative float32, (rows, columns).
        table: float32, (columns,), on the same device.

    Returns:
        float32, of the shape of ``sizes``.
    """
    rows, columns = sizes.shape
    sizes, table = sizes.contiguous(), table.contiguous()
    ranked = torch.empty_like(sizes)
    if sizes.device.type == "cpu" and rank(sizes.data_ptr(), rows, columns, table.data_ptr(), ranked.data_ptr()):
        return ranked
    # Magnitude and column in one integer: sorting these is several times as fast as finding the order of magnitudes.
    keys = (sizes.view(torch.int32).long() << 32) | torch.arange(columns, device=sizes.device)
    keys = torch.from_numpy(np.sort(keys.numpy(), axis=1)) if keys.device.type == "cpu" else keys.sort(dim=1).values
    return ranked.scatter_(1, keys & 0xFFFFFFFF, table.expand(keys.shape))


def truncated_svd(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """The leading singular triples of a matrix.

    Args:
        matrix: (m, n), finite.
        rank: How many, cut to what there is.

    Returns:
        float64 ``U`` (m, k), ``S`` (k,) in falling order, ``Vh`` (k, n).

    Raises:
        InputError: It is not a matrix.
        NumericError: NaN or infinity is in it.
    """
    if matrix.dim() != 2:
        raise InputError(f"A matrix is wanted, not a tensor of shape {tuple(matrix.shape)}.")
    if not bool(matrix.isfinite().all()):
        raise NumericError("A matrix with NaN or infinity has no singular values.")
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    return left[:, :rank], values[:rank], right[:rank]


def polar(matrix: Tensor, floor: float = 1e-10) -> Tensor:
    """The nearest matrix with orthonormal columns (or rows), as far as the matrix says which.

    Directions whose singular value is below ``floor`` times the largest are left out: the nearest is not unique there,
    and a library's choice would be arbitrary. An all-zero or empty matrix gives zeros.

    Returns:
        float64, of the same shape.
    """
    if not matrix.numel():
        return matrix.double()
    left, values, right = truncated_svd(matrix, min(matrix.shape))
    sure = values > floor * max(float(values[0]), torch.finfo(torch.float64).tiny)
    return left[:, sure] @ right[sure]


def _total(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of two or more, in order."""
    total = tensors[0] + tensors[1]
    for tensor in tensors[2:]:
        total += tensor
    return total
