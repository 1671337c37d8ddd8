"""Checkpoints' numbers as float32, checked: the one place where weights enter a computation."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from solera.checkpoints.checkpoint import Checkpoint
from solera.errors import NumericError
from solera.execution.targets import find_ref
from solera.kernels.codes import KINDS
from solera.kernels.tape import Rows
from solera.tensors.dtypes import cast, check_finite, torch_dtype

#: Takes an error about NaN or infinity that is not to end the work.
Allow = Callable[[NumericError], None]


class Reader:
    """Gives pieces of tensors as flat float32 in main memory.

    Thread rule: any thread; each thread has buffers of its own. What it returned is the caller's, to overwrite too,
    until the same thread asks for the same checkpoint again.

    Args:
        checkpoints: By node id.
        keep: Give new memory every time instead of reusing buffers.
        allow: Takes the error instead of its being raised, where NaN and infinity are let pass.
    """

    def __init__(
        self,
        checkpoints: Mapping[str, Checkpoint],
        *,
        keep: bool = False,
        allow: Allow | None = None,
    ) -> None:
        self._checkpoints = checkpoints
        self._keep = keep
        self._allow = allow
        self._sound: set[tuple[str, str]] = set()
        self._own = _Own()

    def __call__(self, id_: str, name: str, start: int, stop: int) -> Tensor:
        """Elements ``start`` to ``stop`` of a tensor.

        Raises:
            NumericError: One is NaN or infinite; tensor and checkpoint are named.
            MismatchError: The checkpoint has no such tensor.
            ChangedError: Its file changed.
        """
        checkpoint = self._checkpoints[id_]
        ref = find_ref(checkpoint, name)
        count, dtype = stop - start, ref.dtype
        wide, wide_bytes = self._buffer(id_, "float32", count)
        if dtype == "float32":
            ref.read_into(wide_bytes, start, stop)
        else:
            narrow, narrow_bytes = self._buffer("", dtype, count)
            ref.read_into(narrow_bytes, start, stop)
            wide.copy_(narrow)
            if dtype == "float64":
                self._let(_check_narrowing, narrow, wide, name, checkpoint.name)
        if (id_, name) not in self._sound and count and not _finite_sum(wide):
            self._let(check_finite, wide, name, f"checkpoint {checkpoint.name}")
        return wide

    def rows(self, ids: Sequence[str], name: str, start: int, stop: int) -> Rows | None:
        """The same elements of some checkpoints as they are stored, unchecked; None where no loop reads such numbers.

        They are good until the same thread asks again.

        Raises:
            MismatchError: A checkpoint has no such tensor.
            ChangedError: A file changed.
        """
        own = self._own
        rows = own.rows.get(len(ids))
        if rows is None:
            rows = own.rows[len(ids)] = Rows(len(ids))
        for number, id_ in enumerate(ids):
            ref = find_ref(self._checkpoints[id_], name)
            kind = KINDS.get(ref.dtype)
            if kind is None:
                return None
            numbers, data = self._buffer(id_, ref.dtype, stop - start)
            ref.read_into(data, start, stop)
            rows.put(number, kind, numbers.data_ptr())
        return rows

    def trust(self, id_: str, name: str) -> None:
        """A tensor was read to its end: the numbers in it are finite and need not be looked at again."""
        self._sound.add((id_, name))

    def _let(self, check: Callable[..., None], *arguments: object) -> None:
        try:
            check(*arguments)
        except NumericError as error:
            if self._allow is None:
                raise
            self._allow(error)

    def settle(self) -> None:
        """Nothing: what was read is checked. A reader that looks later does it here."""

    def forget(self) -> None:
        """Let go of the calling thread's buffers."""
        self._own.buffers.clear()

    def apart(self) -> Reader:
        """One more reader of the same checkpoints, with buffers of its own."""
        other = Reader(self._checkpoints, keep=self._keep, allow=self._allow)
        other._sound = self._sound
        return other

    def result(self, dtype: str, count: int) -> tuple[Tensor, memoryview]:
        """Memory for so many elements, good until the same thread asks again."""
        return self._buffer(" result", dtype, count)

    def _buffer(self, id_: str, dtype: str, count: int) -> tuple[Tensor, memoryview]:
        """So many elements, and their bytes."""
        if self._keep:
            return _with_bytes(torch.empty(count, dtype=torch_dtype(dtype)))
        buffers = self._own.buffers
        known = buffers.get((id_, dtype))
        if known is None or known.room < count:
            buffers.pop((id_, dtype), None)  # before there is another
            known = buffers[(id_, dtype)] = _Buffer(torch.empty(count, dtype=torch_dtype(dtype)))
        if known.count != count:  # pieces have one length but for the last one
            known.count, known.part = count, _with_bytes(known.all[:count])
        return known.part


class _Buffer:
    """Memory that is read into, and the part of it that was in use last."""

    __slots__ = ("all", "count", "part", "room")

    def __init__(self, tensor: Tensor) -> None:
        self.all = tensor
        self.count = self.room = tensor.numel()
        self.part = _with_bytes(tensor)


class _Own(threading.local):
    """What each thread has of its own: buffers, by checkpoint and dtype."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[str, str], _Buffer] = {}
        self.rows: dict[int, Rows] = {}


def _with_bytes(tensor: Tensor) -> tuple[Tensor, memoryview]:
    return tensor, tensor.view(torch.uint8).numpy().data


def check_finite_fast(tensor: Tensor, name: str, where: str = "") -> None:
    """Refuse NaN and infinity in a floating tensor, in one pass and no memory when there are none.

    Raises:
        NumericError: An element is NaN or infinite.
    """
    if tensor.numel() and not _finite_sum(tensor):
        check_finite(tensor, name, where)


def _finite_sum(tensor: Tensor) -> bool:
    """Whether the sum is finite: then every element is. Where large ones add up to infinity it is not, though."""
    return math.isfinite(tensor.sum(dtype=torch.float32 if tensor.dtype == torch.float16 else None).item())


def store(tensor: Tensor, dtype: str, name: str, allow: Allow | None = None) -> Tensor:
    """A float32 result in its storage dtype; as :func:`solera.tensors.dtypes.cast`, in one pass when all is well.

    Raises:
        NumericError: An element is NaN or infinite, or does not fit the dtype, and ``allow`` is None.
    """
    target = torch_dtype(dtype)
    if target.is_floating_point and target.itemsize > 1:
        stored = tensor.to(target)
        if _finite_sum(stored):  # what overflows is infinite now; smaller types saturate
            return stored
    try:
        check_result(tensor, name)
        return cast(tensor, dtype, name)
    except NumericError as error:
        if allow is None:
            raise
        allow(error)
        return tensor.to(target)


def check_result(tensor: Tensor, name: str, dtype: str = "float32, in which merges are computed") -> None:
    """Refuse NaN and infinity in what was computed: the inputs had none, so it overflowed.

    Raises:
        NumericError: An element is NaN or infinite.
    """
    if tensor.numel() == 0 or not tensor.is_floating_point():
        return
    low, high = torch.aminmax(tensor)  # NaN spreads through both
    if not bool(torch.isfinite(low) & torch.isfinite(high)):
        bad = tensor.numel() - int(torch.isfinite(tensor).sum())
        raise NumericError(
            f"The result overflows in '{name}': {bad} of {tensor.numel()} elements do not fit {dtype}. Choose smaller "
            "coefficients or another dtype; inspect --stats shows how large the inputs are there.",
            tensor=name, count=bad,
        )  # fmt: skip


def _check_narrowing(narrow: Tensor, wide: Tensor, name: str, where: str) -> None:
    lost = torch.isfinite(narrow) & ~torch.isfinite(wide)
    if bool(lost.any()):
        raise NumericError(
            f"'{name}' of checkpoint {where} has float64 values up to {float(narrow[lost].abs().max()):.4g}; they do "
            "not fit float32, in which merges are computed.",
            tensor=name, where=where,
        )  # fmt: skip
