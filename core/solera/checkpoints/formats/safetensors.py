"""safetensors: a JSON header, then the tensors' bytes. Our own header parser, so that reads can be positioned."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.formats.format import OpenedFile, assemble
from solera.checkpoints.parts import Naming, find_parts, unique_object
from solera.checkpoints.source import Region, SourceFile, head_of
from solera.checkpoints.tensor_ref import Extent, TensorRef
from solera.errors import CheckpointError, UnsafeError
from solera.tensors.specs import ITEM_SIZES, TensorSpec

#: The library's own limit; a larger header is an attack on memory.
MAX_HEADER = 100_000_000

#: Name in the file -> our name. Sub-byte types (F4, F6_*) are packed and cannot be merged as they are.
DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8",
    "BOOL": "bool", "C64": "complex64",
}  # fmt: skip

_LFS = b"version https://git-lfs"


class SafetensorsFormat:
    """``*.safetensors``: one file, a folder with one, or shards with an index."""

    name = "safetensors"
    title = "safetensors"
    suffixes: tuple[str, ...] = (".safetensors",)

    _naming = Naming(suffixes=suffixes, standard=("model.safetensors",))

    def matches(self, path: Path) -> bool:
        """By name: the suffix of a file or index, or such a file in a folder. Else by the look of its first bytes."""
        if path.is_file():
            named = path.suffix.lower() in self.suffixes or self._naming.is_index(path)
            return named or head_of(path, 10)[8:] in {b'{"', b"{ ", b"{}", b"{\n"}
        return any(self._naming.in_folder(path))

    def open(self, path: Path) -> Checkpoint:
        """Open a file or folder; reads headers only.

        Raises:
            CheckpointError: Truncated, malformed, of an unknown dtype, a shard missing.
            UnsafeError: Overlapping tensors, a header over 100 MB, an index that leads out of its folder.
        """
        parts = find_parts(path, self._naming)
        return assemble(parts, [_open_file(file) for file in parts.files], self.name)


def _open_file(path: Path) -> OpenedFile:
    file = SourceFile(path)
    try:
        raw = _read_header(file)
        entries, metadata = _parse_header(path, raw)
        data = Region(file, 8 + len(raw), file.size - 8 - len(raw))
        tensors, extents = {}, []
        for name, entry in entries.items():
            spec, begin, end = _entry(path, name, entry)
            extents.append((begin, end, name))
            tensors[name] = TensorRef(spec, Extent(data, begin, ITEM_SIZES[spec.dtype]))
        _check_layout(path, extents, data.nbytes)
    finally:
        file.rest()
    return OpenedFile(file, tensors, hashlib.sha256(raw).hexdigest(), metadata)


def _read_header(file: SourceFile) -> bytes:
    if file.size == 0:
        raise CheckpointError(f"{file.path} is empty. Download or save it again.", path=str(file.path))
    head = file.read(0, min(file.size, 32))
    if head.startswith(_LFS):
        raise CheckpointError(
            f"{file.path} is a Git LFS pointer, not the weights. Run `git lfs pull` in its folder.", path=str(file.path)
        )
    length = int.from_bytes(head[:8], "little")
    if len(head) < 9 or head[8:9] != b"{":
        why = "it looks like a PyTorch file; rename it to end in .pt" if head.startswith(b"PK") else "it has no header"
        raise CheckpointError(f"{file.path} is not a safetensors file: {why}.", path=str(file.path))
    if length > MAX_HEADER:
        raise UnsafeError(
            f"{file.path} claims a header of {length:,} bytes; more than {MAX_HEADER:,} is refused.",
            path=str(file.path),
        )
    if 8 + length > file.size:
        raise _truncated(file.path, 8 + length, file.size)
    return file.read(8, length)


def _truncated(path: Path, wanted: int, got: int) -> CheckpointError:
    return CheckpointError(
        f"{path} is truncated: its header needs {wanted:,} bytes, the file has {got:,}. Download or copy it again.",
        path=str(path), wanted=wanted, got=got,
    )  # fmt: skip


def _parse_header(path: Path, raw: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=unique_object)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the header cannot be read: {error}.", path=str(path)) from None
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: the header is not a JSON object.", path=str(path))
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointError(f"{path}: '__metadata__' in the header should map text to text.", path=str(path))
    return header, metadata


def _entry(path: Path, name: str, entry: Mapping[str, Any]) -> tuple[TensorSpec, int, int]:
    """The spec of one tensor and its bytes' begin and end, checked against each other."""
    what = f"{path}: the header's entry for '{name}'"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{what} should have dtype, shape and data_offsets.", path=str(path), tensor=name)
    dtype = DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise CheckpointError(
            f"{what} has the dtype {entry['dtype']!r}, which Solera does not read. Convert the checkpoint to bfloat16 "
            "or float32 first.",
            path=str(path), tensor=name,
        )  # fmt: skip
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise CheckpointError(f"{what} has a malformed shape or malformed offsets.", path=str(path), tensor=name)
    begin, end = offsets
    want = math.prod(shape) * ITEM_SIZES[dtype]
    if end - begin != want:
        raise CheckpointError(
            f"{what}: {dtype} of shape {shape} needs {want} bytes, its offsets give {end - begin}.",
            path=str(path), tensor=name,
        )  # fmt: skip
    return TensorSpec(name, tuple(shape), dtype), begin, end


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)


def _check_layout(path: Path, extents: list[tuple[int, int, str]], nbytes: int) -> None:
    """Refuse tensors that overlap or lie beyond the file's end. Identical extents are ties; gaps are harmless."""
    before = (0, 0, "")
    for extent in sorted(extents):
        begin, end, name = extent
        if end > nbytes:
            raise _truncated(path, path.stat().st_size - nbytes + end, path.stat().st_size)
        if begin == end:
            continue
        if begin < before[1] and (begin, end) != before[:2]:
            raise UnsafeError(
                f"{path}: the tensors '{before[2]}' and '{name}' overlap in the file.", path=str(path), tensor=name
            )
        before = extent
