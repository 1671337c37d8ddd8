"""What is known of a tensor before any of its numbers is read. No torch here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

#: Every dtype we can name -> bytes per element. Names are torch's and NumPy's own.
ITEM_SIZES: dict[str, int] = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1,
    "bool": 1, "complex64": 8, "complex128": 16,
}  # fmt: skip

#: The dtypes that hold weights one may average.
FLOATING: frozenset[str] = frozenset(name for name in ITEM_SIZES if name.startswith(("float", "bfloat")))

Kind = Literal["weight", "statistic", "counter"]


def kind_of(name: str, dtype: str) -> Kind:
    """What a tensor is for, told from its name and dtype.

    ``"counter"``: not floating (positions, masks, ``num_batches_tracked``), or a table that follows from the config
    (``inv_freq`` of rotary embeddings): copied from the base, never averaged. ``"statistic"``: running mean or variance
    of a normalisation layer. ``"weight"``: the rest.
    """
    leaf = name.rpartition(".")[2]
    if dtype not in FLOATING or leaf == "inv_freq":
        return "counter"
    return "statistic" if leaf in {"running_mean", "running_var"} else "weight"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape and dtype of a tensor.

    Attributes:
        name: As in the checkpoint (after its declared view).
        shape: Sizes, outermost first; ``()`` for a scalar.
        dtype: A key of :data:`ITEM_SIZES`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def numel(self) -> int:
        """Number of elements; 1 for a scalar, 0 if any size is 0."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, unpadded."""
        return self.numel * ITEM_SIZES[self.dtype]

    @property
    def kind(self) -> Kind:
        """What the tensor is for; see :func:`kind_of`."""
        return kind_of(self.name, self.dtype)
