"""A tensor of a checkpoint before it is read: what it is, and where its numbers come from."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from solera.checkpoints.source import Region
from solera.errors import InputError
from solera.tensors.specs import ITEM_SIZES, Kind, TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class Source(Protocol):
    """Where the elements of one tensor come from, in row-major order.

    Thread rule: ``read_into`` may be called from any thread.
    """

    @property
    def key(self) -> Hashable:
        """Two tensors of one dtype and shape with equal keys are one tensor under two names (a tie)."""
        ...

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        """Fill ``view`` with the bytes of elements ``start`` to ``stop``.

        Raises:
            ChangedError: The file changed after it was opened.
        """
        ...


@dataclass(frozen=True, slots=True)
class Extent:
    """Elements that lie one after another in a region of a file.

    Attributes:
        region: The run of bytes.
        start: Byte of the region at which the first element lies.
        itemsize: Bytes per element.
    """

    region: Region
    start: int
    itemsize: int

    @property
    def key(self) -> Hashable:
        """Where the elements lie."""
        return (self.region.key, self.start)

    @property
    def offset(self) -> int:
        """Byte of the file at which the first element lies."""
        return self.region.offset + self.start

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        """Fill ``view`` with the bytes of elements ``start`` to ``stop``. Raises as :meth:`SourceFile.read_into`."""
        self.region.read_into(view[: (stop - start) * self.itemsize], self.start + start * self.itemsize)


class TensorRef:
    """A tensor on disk (or in memory): its spec, and reads of its numbers.

    Thread rule: everything may be called from any thread.

    Attributes:
        spec: Name, shape and dtype.
        source: Where the numbers come from.
        stored_name: Its name in the file; differs from ``name`` under a view.
    """

    __slots__ = ("source", "spec", "stored_name")

    def __init__(self, spec: TensorSpec, source: Source, stored_name: str = "") -> None:
        self.spec = spec
        self.source = source
        self.stored_name = stored_name or spec.name

    def __repr__(self) -> str:
        return f"TensorRef({self.name!r}, {self.shape}, {self.dtype})"

    @property
    def name(self) -> str:
        """As in the checkpoint, after its view."""
        return self.spec.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes, outermost first."""
        return self.spec.shape

    @property
    def dtype(self) -> str:
        """``"float32"`` ..."""
        return self.spec.dtype

    @property
    def numel(self) -> int:
        """Number of elements."""
        return self.spec.numel

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return self.spec.nbytes

    @property
    def reads(self) -> int:
        """Bytes that a read of all elements takes from files: those of the elements, unless they are computed."""
        return int(getattr(self.source, "reads", self.nbytes))

    @property
    def kind(self) -> Kind:
        """Weight, statistic or counter."""
        return self.spec.kind

    @property
    def extent(self) -> Extent | None:
        """Where in which file the elements lie in order; None if they do not (strided, or in memory)."""
        return self.source if isinstance(self.source, Extent) else None

    def read_into(self, buffer: memoryview | Tensor, start: int = 0, stop: int | None = None) -> None:
        """Read elements of the flat (row-major) tensor, in its own dtype, into a buffer.

        Args:
            buffer: Writable and contiguous bytes on the CPU: a memoryview or a uint8 tensor, exactly
                ``(stop - start) * itemsize`` long.
            start: First element.
            stop: After the last element; the tensor's end if None.

        Raises:
            InputError: The range or the buffer's length does not fit.
            ChangedError: The file changed after it was opened.
            CheckpointError: It cannot be read.
        """
        stop = self.numel if stop is None else stop
        if not 0 <= start <= stop <= self.numel:
            raise InputError(f"'{self.name}' has {self.numel} elements; {start} to {stop} is not in it.")
        view = buffer if isinstance(buffer, memoryview) else buffer.numpy().data
        want = (stop - start) * ITEM_SIZES[self.dtype]
        if view.nbytes != want:
            raise InputError(f"The buffer for '{self.name}' holds {view.nbytes} bytes; {want} are wanted.")
        if want:
            self.source.read_into(view.cast("B"), start, stop)

    def read(self, start: int = 0, stop: int | None = None) -> Tensor:
        """Read elements into a new CPU tensor of the tensor's own dtype.

        Args:
            start: First element of the flat tensor.
            stop: After the last; the tensor's end if None.

        Returns:
            The tensor in its shape when read whole, else flat.

        Raises:
            InputError: The range is not in the tensor.
            ChangedError: The file changed after it was opened.
            CheckpointError: It cannot be read.
        """
        import torch

        from solera.tensors.dtypes import torch_dtype

        end = self.numel if stop is None else stop
        flat = torch.empty(max(end - start, 0), dtype=torch_dtype(self.dtype))
        self.read_into(flat.view(torch.uint8), start, end)
        return flat.view(self.shape) if (start, end) == (0, self.numel) else flat
