"""How an adapter changes one tensor: a formula that gives the change, or the new weights, of any run of rows.

A tensor is seen as a matrix here: its first dimension are the rows, all others together the columns; a vector has one
column, so that a row is an element. Formulas work on rows, so that no tensor is ever held whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from solera.checkpoints.adapters.adapter import Adapter
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

#: ``rows(first, last)`` -> the base's rows, float32, (last - first, columns); not to be changed.
Rows = Callable[[int, int], "Tensor"]

#: ``formula(first, last, rows)`` -> what the change declares, float32, (last - first, columns), new memory.
Formula = Callable[[int, int, Rows], "Tensor"]

#: Elements of a tensor that are computed at a time. Pieces lie on a fixed grid of rows, so that what is computed does
#: not depend on which range was asked for.
BLOCK = 2**16


class Change(Protocol):
    """How one tensor is changed.

    Thread rule: a formula that was loaded may be called from any thread.

    Attributes:
        additive: Whether the formula gives what is added to the weights; else it gives the new weights.
        nbytes: Memory a loaded formula holds.
    """

    @property
    def additive(self) -> bool:
        """Whether the formula gives what is added."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes that :meth:`load` keeps in memory."""
        ...

    def load(self, rows: Rows) -> Formula:
        """Read what the formula needs of the adapter.

        Args:
            rows: The base's rows, for a formula that must have seen all of them.
        """
        ...


@dataclass(frozen=True)
class Site:
    """A module of an adapter beside the base's tensors.

    Attributes:
        adapter: The adapter.
        module: Its name in the adapter.
        parts: Its parameters.
        weight: Shape of the base's weight.
        bias: Shape of the base's bias; None if it has none.
    """

    adapter: Adapter
    module: str
    parts: Mapping[str, TensorRef]
    weight: tuple[int, ...]
    bias: tuple[int, ...] | None

    def part(self, name: str) -> TensorRef:
        """A parameter the kind cannot do without.

        Raises:
            MismatchError: It is missing.
        """
        if name in self.parts:
            return self.parts[name]
        raise MismatchError(
            f"The adapter {self.adapter.name} lacks '{name}' of the module '{self.module}'; it has "
            f"{', '.join(self.parts) or 'nothing'}.",
            module=self.module, parameter=name,
        )  # fmt: skip

    def expect(self, name: str, *shape: int) -> TensorRef:
        """A parameter that must have this shape.

        Raises:
            MismatchError: It is missing, or has another.
        """
        ref = self.part(name)
        if ref.shape != shape:
            raise self.misfit(name, list(shape))
        return ref

    def misfit(self, name: str, wanted: object) -> MismatchError:
        """The error for a parameter of a shape that does not fit."""
        return MismatchError(
            f"'{self.module}.{name}' of the adapter {self.adapter.name} has the shape {list(self.parts[name].shape)}; "
            f"for the base's weight of shape {list(self.weight)} it should be {wanted}.",
            module=self.module, parameter=name, got=list(self.parts[name].shape), weight=list(self.weight),
        )  # fmt: skip

    @property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns of the base's weight."""
        return as_matrix(self.weight)


#: ``kind(site)`` -> the changes of a module's tensors, by their last name (``"weight"``, ``"bias"``).
Kind = Callable[[Site], dict[str, Change]]


def as_matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a tensor of this shape."""
    return (shape[0], math.prod(shape[1:])) if shape else (1, 1)


def read_float(ref: TensorRef) -> Tensor:
    """A whole tensor of the adapter as float32."""
    tensor = ref.read()
    return tensor.float()


def float_bytes(*refs: TensorRef) -> int:
    """Memory that tensors take as float32."""
    return 4 * sum(ref.numel for ref in refs)


@dataclass(frozen=True)
class Added:
    """A vector that is added: ``b' = b + scale * v``.

    Attributes:
        vector: As long as the base's.
        scale: Its factor.
    """

    vector: TensorRef
    scale: float
    additive: bool = True

    @property
    def nbytes(self) -> int:
        """Bytes of the vector."""
        return float_bytes(self.vector)

    def load(self, rows: Rows) -> Formula:
        """Read the vector."""
        vector = read_float(self.vector).reshape(-1, 1) * self.scale
        return lambda first, last, _: vector[first:last].clone()
