"""The tensors in the structure of a torch pickle: what their calls mean, and under which names they lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from solera.checkpoints.formats.pickles import Global, Inert
from solera.errors import CheckpointError
from solera.tensors.specs import ITEM_SIZES

#: Deeper containers, or longer names, than any checkpoint has.
MAX_DEPTH = 40
MAX_NAME = 4096

_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "UntypedStorage": "uint8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of elements in the file that tensors are views of.

    Attributes:
        key: Its name in the file: ``"0"``.
        dtype: Of its elements; uint8 when it is untyped.
        numel: How many.
    """

    key: str
    dtype: str
    numel: int

    @property
    def nbytes(self) -> int:
        """Bytes."""
        return self.numel * ITEM_SIZES[self.dtype]


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A tensor as a view of a storage.

    Attributes:
        storage: What it is a view of.
        dtype: Of the tensor.
        offset: Of its first element in the storage, in elements of ``dtype``.
        shape: Sizes.
        strides: Steps between neighbours along each dimension, in elements.
    """

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie one after another, in row-major order."""
        step = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != step:
                return math.prod(self.shape) == 0
            step *= size
        return True

    @property
    def span(self) -> int:
        """Elements from the first to the last one, both included; 0 if there are none."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))


def load_storage(reference: Any) -> Storage:
    """What a persistent id of a torch pickle stands for.

    Raises:
        CheckpointError: It is not a storage.
    """
    match reference:
        case ("storage", Global(module="torch" | "torch.storage", name=name), str(key), _, int(numel)) if (
            name in _STORAGES and 0 <= numel < 2**63
        ):
            return Storage(key, _STORAGES[name], numel)
        case ("storage", Global() as kind, *_):
            raise CheckpointError(f"Tensors in a {kind} cannot be read.")
    raise CheckpointError("The pickle refers to something that is not a storage.")


def _sizes(value: Any) -> tuple[int, ...]:
    if isinstance(value, (tuple, list)) and all(type(item) is int and 0 <= item < 2**63 for item in value):
        return tuple(value)
    raise CheckpointError(f"A tensor's sizes or strides are malformed: {value!r:.80}.")


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, dtype: str = "", flags: Any = None) -> StoredTensor:
    shape, strides = _sizes(size), _sizes(stride)
    (first,) = _sizes((offset,))
    if not isinstance(storage, Storage) or len(shape) != len(strides):
        raise CheckpointError("A tensor in the pickle is malformed.")
    if isinstance(flags, dict) and any(flags.get(bit) for bit in ("conj", "neg")):
        raise CheckpointError("A tensor is stored as a lazy conjugate or negative; save it after `.resolve_conj()`.")
    tensor = StoredTensor(storage, dtype or storage.dtype, first, shape, strides)
    if (first + tensor.span) * ITEM_SIZES[tensor.dtype] > storage.nbytes and tensor.span:
        raise CheckpointError(f"A tensor of shape {shape} reaches beyond its storage of {storage.nbytes:,} bytes.")
    return tensor


def _rebuild_v2(
    storage: Any, offset: Any, size: Any, stride: Any, _grad: Any = None, _hooks: Any = None, flags: Any = None
) -> StoredTensor:
    return _tensor(storage, offset, size, stride, flags=flags)


def _rebuild_v3(
    storage: Any, offset: Any, size: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any, flags: Any = None
) -> StoredTensor:
    if not isinstance(dtype, Global) or dtype.module != "torch" or dtype.name not in ITEM_SIZES:
        raise CheckpointError(f"Tensors of dtype {dtype} cannot be read.")
    return _tensor(storage, offset, size, stride, dtype.name, flags)


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


def _rebuild_from_type(function: Any, _type: Any, args: Any, _state: Any) -> Any:
    """A tensor subclass is read as the plain tensor it was made from."""
    rebuild = ALLOWED.get(function) if isinstance(function, Global) else None
    if rebuild is None or not isinstance(args, tuple):
        return Inert(function, args if isinstance(args, tuple) else ())
    return rebuild(*args)


#: The calls that are understood; every other one is only noted.
ALLOWED: dict[Global, Callable[..., Any]] = {
    Global("torch._utils", "_rebuild_tensor"): _tensor,
    Global("torch._utils", "_rebuild_tensor_v2"): _rebuild_v2,
    Global("torch._utils", "_rebuild_tensor_v3"): _rebuild_v3,
    Global("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    Global("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter,
    Global("torch._tensor", "_rebuild_from_type_v2"): _rebuild_from_type,
    Global("torch", "Size"): lambda sizes=(): tuple(sizes),
    Global("builtins", "set"): lambda items=(): tuple(items),
    Global("__builtin__", "set"): lambda items=(): tuple(items),
}


class Walk:
    """Goes through a structure once and collects what is in it.

    Args:
        root: What the pickle describes.
        nbytes: Length of the pickle. A structure with much more in it than the pickle has bytes shares parts with
            itself again and again, to exhaust memory, and is refused.

    Attributes:
        tensors: Tensors by name; containers are joined by ``/``, parts of a pickled module by dots.
        texts: Plain values at the root by name, as text.
        noted: Names of tensors that cannot be read (quantised, sparse ...).
    """

    def __init__(self, root: Any, nbytes: int) -> None:
        self.tensors: dict[str, StoredTensor] = {}
        self.texts: dict[str, str] = {}
        self.noted: list[str] = []
        self._left = 10_000 + 4 * nbytes
        self._visit("", root, 0, frozenset())

    def _visit(self, name: str, value: Any, depth: int, above: frozenset[int]) -> None:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH or len(name) > MAX_NAME:
            raise CheckpointError("It holds more, or more deeply nested, containers than a checkpoint has.")
        if isinstance(value, StoredTensor):
            self._keep(name or "tensor", value)
        elif isinstance(value, (str, int, float)):
            if depth == 1 and not (isinstance(value, int) and value.bit_length() > 1000):
                self.texts[name] = str(value)[:1000]
        elif id(value) not in above:
            inside = above | {id(value)}
            for part, child in self._children(name, value):
                self._visit(part, child, depth + 1, inside)

    def _keep(self, name: str, tensor: StoredTensor) -> None:
        if name in self.tensors:
            raise CheckpointError(f"Two tensors would both be called '{name}'.")
        self.tensors[name] = tensor

    def _children(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        prefix = name + "/" if name else ""
        if isinstance(value, dict):
            yield from ((f"{prefix}{key}", child) for key, child in value.items() if isinstance(key, (str, int)))
        elif isinstance(value, (list, tuple)):
            yield from ((f"{prefix}{index}", child) for index, child in enumerate(value))
        elif isinstance(value, Inert):
            if _is_module(value):
                yield from _module_children(prefix, value)
                return
            if isinstance(value.what, Global) and value.what.name.startswith("_rebuild"):
                self.noted.append(name)
            yield from ((f"{prefix}{key}", child) for key, child in value.items.items() if isinstance(key, (str, int)))


def _is_module(value: Any) -> bool:
    return isinstance(value, Inert) and isinstance(value.state, dict) and isinstance(value.state.get("_modules"), dict)


def _module_children(prefix: str, module: Inert) -> Iterator[tuple[str, Any]]:
    """The entries of the state dict of a module that was pickled whole; no class of it is ever imported."""
    state = module.state
    transient = state.get("_non_persistent_buffers_set")
    skipped = transient if isinstance(transient, (set, list, tuple)) else ()
    for part in ("_parameters", "_buffers"):
        held = state.get(part)
        for key, child in held.items() if isinstance(held, dict) else ():
            if isinstance(child, (StoredTensor, Inert)) and key not in skipped:
                yield f"{prefix}{key}", child
    for key, child in state["_modules"].items():
        if _is_module(child):
            yield from _module_children(f"{prefix}{key}.", child)
