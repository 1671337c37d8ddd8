"""Dtypes by name, and the one cast that refuses to lose a finite number to infinity."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from solera.errors import InputError, NumericError
from solera.tensors.specs import ITEM_SIZES

_BY_NAME: dict[str, torch.dtype] = {name: getattr(torch, name) for name in ITEM_SIZES}
_BY_DTYPE: dict[torch.dtype, str] = {dtype: name for name, dtype in _BY_NAME.items()}


def torch_dtype(name: str) -> torch.dtype:
    """The torch dtype of this name (``"bfloat16"``).

    Raises:
        InputError: There is none.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise InputError(f"No dtype is called '{name}'; known: {', '.join(_BY_NAME)}.", dtype=name) from None


def dtype_name(dtype: torch.dtype) -> str:
    """The name of a torch dtype.

    Raises:
        InputError: It is one that checkpoints do not hold (quantised, sub-byte).
    """
    try:
        return _BY_DTYPE[dtype]
    except KeyError:
        raise InputError(f"Tensors of {dtype} cannot be held in a checkpoint.", dtype=str(dtype)) from None


def check_finite(tensor: Tensor, name: str, where: str = "") -> None:
    """Refuse NaN and infinity.

    Args:
        tensor: Any shape, any dtype; integers are always finite.
        name: Its name, for the sentence.
        where: What holds it (``"checkpoint math"``), for the sentence.

    Raises:
        NumericError: An element is NaN or infinite.
    """
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return
    # The smaller float types have no isfinite of their own.
    wide = tensor.float() if tensor.is_floating_point() and tensor.element_size() == 1 else tensor
    finite = torch.isfinite(wide)
    if bool(finite.all()):
        return
    bad = int(finite.numel() - int(finite.sum()))
    kind = "NaN" if bool(torch.isnan(wide).any()) else "infinite"
    place = f" of {where}" if where else ""
    raise NumericError(
        f"'{name}'{place} has {bad} of {tensor.numel()} elements that are {kind}. A merge would spread them; repair or "
        "replace that checkpoint.",
        tensor=name, where=where, count=bad,
    )  # fmt: skip


def cast(tensor: Tensor, dtype: str, name: str, *, allow_nonfinite: bool = False) -> Tensor:
    """Cast once, for output: round to nearest, ties to even.

    Args:
        tensor: Any shape, any dtype.
        dtype: Name of the dtype wanted.
        name: The tensor's name, for the sentence.
        allow_nonfinite: Let NaN and infinity of the input through.

    Returns:
        The tensor in that dtype; the same object if it has it already.

    Raises:
        NumericError: A finite value overflows, or (unless allowed) the input holds NaN or infinity.
        InputError: No dtype has this name.
    """
    target = torch_dtype(dtype)
    if not allow_nonfinite:
        check_finite(tensor, name)
    if tensor.dtype == target:
        return tensor
    if not target.is_floating_point:
        _check_integer_range(tensor, target, dtype, name)
        return tensor.to(target)
    result = tensor.to(target)
    _check_overflow(tensor, result, dtype, name)
    return result


def _check_overflow(tensor: Tensor, result: Tensor, dtype: str, name: str) -> None:
    limit = torch.finfo(result.dtype).max
    if result.element_size() == 1:
        # float8 types without infinity saturate or turn to NaN; so compare with half a step above the largest.
        wide = tensor.double()
        over = wide.abs() > limit + torch.finfo(result.dtype).eps * 2.0 ** math.floor(math.log2(limit)) / 2
    else:
        wide = tensor
        over = ~torch.isfinite(result)
    over &= torch.isfinite(wide)
    if bool(over.any()):
        largest = float(wide[over].abs().max())
        raise NumericError(
            f"'{name}' has values up to {largest:.4g}, which do not fit {dtype} (at most {limit:.4g}). Choose another "
            "dtype for the output, such as bfloat16 or float32.",
            tensor=name, dtype=dtype, largest=largest,
        )  # fmt: skip


def _check_integer_range(tensor: Tensor, target: torch.dtype, dtype: str, name: str) -> None:
    if target == torch.bool or target.is_complex or tensor.numel() == 0 or tensor.is_complex():
        return
    limits, values = torch.iinfo(target), tensor.double()
    low, high = float(values.min()), float(values.max())
    if low < limits.min or high > limits.max:
        raise NumericError(
            f"'{name}' has values from {low:.4g} to {high:.4g}, which do not fit {dtype}.", tensor=name, dtype=dtype
        )
