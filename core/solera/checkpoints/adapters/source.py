"""The numbers of an adapted tensor, computed when they are read: rows of the base, rows of the change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Literal

from solera.checkpoints.adapters.change import BLOCK, Change, Formula, Rows, as_matrix
from solera.checkpoints.tensor_ref import TensorRef
from solera.tensors.specs import ITEM_SIZES

if TYPE_CHECKING:
    from torch import Tensor

#: What is read: the change alone, or the weights with it.
Mode = Literal["delta", "weights"]

#: Bytes of adapters' factors that are kept in memory for the next read.
KEPT_BYTES = 64 << 20


class Formulas:
    """The loaded formulas of an adapter: those used last are kept, up to :data:`KEPT_BYTES`. Any thread."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[Hashable, tuple[Formula, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, change: Change, rows: Rows) -> Formula:
        """The formula of a change, loaded once while it is kept."""
        with self._lock:
            found = self._loaded.get(key)
            if found is None:
                found = self._loaded[key] = (change.load(rows), change.nbytes)
            self._loaded.move_to_end(key)
            while len(self._loaded) > 1 and sum(nbytes for _, nbytes in self._loaded.values()) > KEPT_BYTES:
                self._loaded.popitem(last=False)
            return found[0]


class Adapted:
    """The elements of a tensor that an adapter changes.

    Computed in float32, in blocks of rows on a fixed grid, so that the numbers do not depend on the range that is read;
    memory is that of a few blocks. Matrix products promise equal bits at a fixed number of torch threads only.

    Args:
        base: The base's tensor; lends shape and name.
        change: How it changes; None if ``full`` says all.
        full: Tensor that stands in the base's place before the change.
        mode: Whether the change or the weights are read.
        dtype: What is read is of this dtype.
        formulas: Where loaded formulas are kept.
        key: Equal for equal numbers of one adapter on one base.
    """

    def __init__(
        self, base: TensorRef, change: Change | None, full: TensorRef | None, mode: Mode, dtype: str,
        formulas: Formulas, key: Hashable,
    ) -> None:  # fmt: skip
        self._base = base
        self._weight = full or base
        self._replaced = full is not None
        self._change = change
        self._mode = mode
        self._dtype = dtype
        self._formulas = formulas
        self._key = key
        self._rows, self._columns = as_matrix(base.shape)

    @property
    def key(self) -> Hashable:
        """Tells tensors apart: the adapter's, the base's, and what is read of them."""
        return (self._key, self._mode, self._dtype)

    @property
    def reads(self) -> int:
        """Bytes of the factors, and of the base's tensor where the numbers depend on it."""
        added = self._change is not None and self._change.additive and not self._replaced
        factors = self._change.nbytes if self._change is not None else 0
        if added and self._mode == "delta":
            return factors
        both = self._replaced and self._mode == "delta"
        return factors + self._weight.nbytes + (self._base.nbytes if both else 0)

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        """Compute elements ``start`` to ``stop``.

        Raises:
            ChangedError: A file of the base or of the adapter changed.
            NumericError: A weight does not fit the dtype.
        """
        import torch

        from solera.tensors.dtypes import cast, torch_dtype

        out = torch.frombuffer(view, dtype=torch_dtype(self._dtype))
        columns = max(self._columns, 1)
        step = max(BLOCK // columns, 1)
        with torch.no_grad():
            for block in range(start // columns // step, -(-stop // columns // step)):
                first, last = block * step, min((block + 1) * step, self._rows)
                low, high = max(start, first * columns), min(stop, last * columns)
                if low >= high:
                    continue
                values = self._values(first, last).reshape(-1)[low - first * columns : high - first * columns]
                if self._dtype != "float32":
                    values = cast(values, self._dtype, self._base.name, allow_nonfinite=True)
                out[low - start : high - start].copy_(values)

    def _values(self, first: int, last: int) -> Tensor:
        """Rows of what is read, float32."""
        formula = self._formula
        made = formula(first, last, self._new) if formula else None
        added = self._change is not None and self._change.additive
        if self._mode == "weights":
            if made is None:
                return self._new(first, last)
            return made.add_(self._new(first, last)) if added else made
        if added and not self._replaced:
            assert made is not None
            return made
        if made is None:
            made = self._new(first, last)
        elif added:
            made.add_(self._new(first, last))
        return made.sub_(self._old(first, last))

    @property
    def _formula(self) -> Formula | None:
        return None if self._change is None else self._formulas.get(self._key, self._change, self._new)

    def _new(self, first: int, last: int) -> Tensor:
        """Rows of what the change is made to: the base's, or what stands in its place."""
        return self._read(self._weight, first, last)

    def _old(self, first: int, last: int) -> Tensor:
        return self._read(self._base, first, last)

    def _read(self, ref: TensorRef, first: int, last: int) -> Tensor:
        flat = ref.read(first * self._columns, last * self._columns).reshape(last - first, self._columns)
        return flat.float()


class Nothing:
    """The change of a tensor that an adapter leaves alone: zeros.

    Args:
        key: Of the base's tensor, so that ties stay ties.
    """

    reads = 0

    def __init__(self, key: Hashable) -> None:
        self._key = key

    @property
    def key(self) -> Hashable:
        """That of the base's tensor, marked."""
        return ("unchanged", self._key)

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        """Fill with zeros."""
        view[:] = bytes((stop - start) * ITEM_SIZES["float32"])
