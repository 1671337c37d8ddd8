"""Elements of a file that do not lie one after another: views that torch.save kept as views."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from solera.checkpoints.source import Region


@dataclass(frozen=True, slots=True, eq=False)
class Strided:
    """A strided, non-empty view of a region.

    A read takes in the whole span of the outermost rows it touches: for a transposed matrix that is nearly all of it.

    Attributes:
        region: The run of bytes.
        start: Byte of the region at which the first element lies.
        itemsize: Bytes per element.
        shape: Sizes; at least one dimension.
        strides: Steps between neighbours along each dimension, in elements, from 0.
    """

    region: Region
    start: int
    itemsize: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def key(self) -> Hashable:
        """Where the elements lie."""
        return (self.region.key, self.start, self.strides)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return math.prod(self.shape) * self.itemsize

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        """Fill ``view`` with the bytes of elements ``start`` to ``stop``. Raises as :meth:`SourceFile.read_into`."""
        inner = math.prod(self.shape[1:])
        first, last = start // inner, -(-stop // inner)
        shape = (last - first, *self.shape[1:])
        span = 1 + sum((size - 1) * stride for size, stride in zip(shape, self.strides, strict=True))
        raw = np.empty(span * self.itemsize, dtype=np.uint8)
        self.region.read_into(raw.data, self.start + first * self.strides[0] * self.itemsize)
        rows = np.lib.stride_tricks.as_strided(
            raw.view(f"V{self.itemsize}"), shape, [stride * self.itemsize for stride in self.strides], writeable=False
        )
        piece = rows.reshape(-1)[start - first * inner : stop - first * inner]
        view[:] = np.ascontiguousarray(piece).view(np.uint8).data
