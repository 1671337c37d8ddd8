"""Safetensors files, written tensor by tensor at offsets that are known before the first byte.

Nothing here calls fsync: a result survives the death of the process, not of the machine.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from solera.checkpoints.formats.safetensors import DTYPES
from solera.errors import InputError, NumericError, OutputError
from solera.execution.output import Output
from solera.tensors.specs import ITEM_SIZES, TensorSpec

#: Our dtype name -> the file's.
FILE_DTYPES = {ours: theirs for theirs, ours in DTYPES.items()}

#: A shard holds at most this many bytes unless told otherwise.
SHARD_BYTES = 5 * 10**9


@dataclass(frozen=True, slots=True)
class Shard:
    """One file before it is written.

    Attributes:
        file: Its name.
        header: Its first bytes: length, JSON, padding.
        offsets: Byte of the file at which each tensor begins.
        nbytes: Its size.
    """

    file: str
    header: bytes
    offsets: Mapping[str, int]
    nbytes: int


def lay_out(specs: Iterable[TensorSpec], metadata: Mapping[str, str], shard_bytes: int = SHARD_BYTES) -> list[Shard]:
    """Give every tensor its file and offset.

    Tensors are spread over shards in order of name; within a shard the wider dtypes come first, so that every tensor is
    aligned.

    Args:
        specs: The tensors; names are unique.
        metadata: Text for every header.
        shard_bytes: Most bytes of tensors in a file; a larger tensor has one to itself.

    Raises:
        InputError: A dtype has no name in the format, or ``shard_bytes`` is not positive.
    """
    if shard_bytes < 1:
        raise InputError(f"A shard must hold at least one byte, not {shard_bytes}.", shard_bytes=shard_bytes)
    groups: list[list[TensorSpec]] = [[]]
    held = 0
    for spec in sorted(specs, key=lambda item: item.name):
        if spec.dtype not in FILE_DTYPES:
            raise InputError(f"'{spec.name}' is {spec.dtype}, which safetensors files cannot hold.", tensor=spec.name)
        if groups[-1] and held + spec.nbytes > shard_bytes:
            groups.append([])
            held = 0
        groups[-1].append(spec)
        held += spec.nbytes
    count = len(groups)
    names = [
        "model.safetensors" if count == 1 else f"model-{i + 1:05d}-of-{count:05d}.safetensors" for i in range(count)
    ]
    return [_shard(name, group, metadata) for name, group in zip(names, groups, strict=True)]


def _shard(file: str, specs: Sequence[TensorSpec], metadata: Mapping[str, str]) -> Shard:
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    places: dict[str, int] = {}
    end = 0
    for spec in sorted(specs, key=lambda item: (-ITEM_SIZES[item.dtype], item.name)):
        places[spec.name] = end
        header[spec.name] = {
            "dtype": FILE_DTYPES[spec.dtype], "shape": list(spec.shape), "data_offsets": [end, end + spec.nbytes],
        }  # fmt: skip
        end += spec.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    return Shard(file, head, {name: len(head) + place for name, place in places.items()}, len(head) + end)


class ShardWriter:
    """The shards of one result, open for writing in any order.

    Thread rule: :meth:`write` may be called from any thread.

    Args:
        folder: Where; it exists.
        shards: From :func:`lay_out`.
        finished: Names of files that are there already and are left as they are.
        done: Called with each file when all of its tensors are written, by the thread that wrote the last byte.

    Raises:
        OutputError: A file cannot be made, or the disk is full.
    """

    def __init__(
        self,
        folder: Path,
        shards: Sequence[Shard],
        finished: Collection[str] = (),
        done: Callable[[Path], None] | None = None,
    ) -> None:
        self._folder = folder
        self._shards = shards
        self._finished = frozenset(finished)
        self._done = done
        self._places = {name: (i, offset) for i, shard in enumerate(shards) for name, offset in shard.offsets.items()}
        self._left = [shard.nbytes - len(shard.header) for shard in shards]
        self._lock = threading.Lock()
        self._files: dict[int, int] = {}
        try:
            for i, shard in enumerate(shards):
                if shard.file not in self._finished:
                    self._files[i] = os.open(folder / shard.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
                    os.ftruncate(self._files[i], shard.nbytes)
                    _put(self._files[i], memoryview(shard.header), 0)
        except OSError as error:
            self.close()
            raise output_error(error, folder) from error

    def place(self, name: str) -> tuple[int, int]:
        """Number of the file a tensor lies in, and its first byte there.

        Writing in this order finishes one file after the other, which keeps the most after a kill.
        """
        return self._places[name]

    def wants(self, name: str) -> bool:
        """Whether a tensor is still to be written: its file was not there before."""
        return self._places[name][0] in self._files

    def write(self, name: str, byte: int, data: memoryview | bytes) -> None:
        """Put bytes of a tensor in place.

        Args:
            name: The tensor.
            byte: Where in the tensor they begin.
            data: The bytes.

        Raises:
            OutputError: The disk is full, or refuses.
        """
        shard, offset = self._places[name]
        try:
            _put(self._files[shard], memoryview(data).cast("B"), offset + byte)
            with self._lock:
                self._left[shard] -= len(memoryview(data).cast("B"))
                complete = self._left[shard] == 0
            if complete and self._done is not None:
                self._done(self._folder / self._shards[shard].file)
        except OSError as error:
            raise output_error(error, self._folder) from error

    def rewrite_headers(self, shards: Sequence[Shard]) -> None:
        """Put other text into the headers, once what it tells is known.

        Args:
            shards: As before, but for the text in their headers, which must be as long.

        Raises:
            OutputError: The disk refuses.
        """
        assert [len(new.header) for new in shards] == [len(old.header) for old in self._shards]
        try:
            for shard in shards:
                with (self._folder / shard.file).open("r+b") as file:
                    file.write(shard.header)
        except OSError as error:
            raise output_error(error, self._folder) from error

    def close(self) -> None:
        """Close every file; harmless twice."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def write_index(self) -> None:
        """Write the index of several shards; nothing for a single one."""
        if len(self._shards) < 2:
            return
        total = sum(shard.nbytes - len(shard.header) for shard in self._shards)
        names = {name: shard.file for shard in self._shards for name in shard.offsets}
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(names.items()))}
        write_text(self._folder / "model.safetensors.index.json", json.dumps(index, indent=2) + "\n")


def write_checkpoint(
    tensors: Mapping[str, Tensor],
    out: str | Path,
    *,
    config: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    shard_bytes: int = SHARD_BYTES,
    force: bool = False,
) -> Path:
    """Write tensors from memory as a checkpoint folder, which appears all at once.

    Args:
        tensors: By name; any device. Names that share one tensor's memory, shape and strides are written once, and the
            others noted in the metadata (``alias: name``).
        out: The folder to make.
        config: Becomes config.json; none is written if None.
        metadata: Text for the files' headers.
        shard_bytes: Most bytes in one file.
        force: Replace a checkpoint that is already there.

    Returns:
        The folder.

    Raises:
        OutputError: It exists and ``force`` is off, or it cannot be written.
        NumericError: A tensor holds NaN or infinity.
    """
    from solera.checkpoints.memory import MemoryCheckpoint

    checkpoint = MemoryCheckpoint.from_state_dict(tensors)
    specs = [ref.spec for name, ref in checkpoint.items() if name not in checkpoint.ties]
    notes = {"format": "pt", **checkpoint.ties, **(metadata or {})}
    with Output(Path(out), force=force) as folder:
        writer = ShardWriter(folder, lay_out(specs, notes, shard_bytes))
        try:
            for spec in specs:
                _write_whole(writer, spec, tensors[spec.name])
        finally:
            writer.close()
        writer.write_index()
        if config is not None:
            write_text(folder / "config.json", json.dumps(dict(config), indent=2, ensure_ascii=False) + "\n")
    return Path(out)


def _write_whole(writer: ShardWriter, spec: TensorSpec, tensor: Tensor) -> None:
    import torch

    from solera.tensors.dtypes import check_finite

    flat = tensor.detach().reshape(-1).contiguous().cpu()
    try:
        check_finite(flat, spec.name)
    except NumericError as error:
        raise NumericError(f"Not written: {error}", **error.fields) from error
    if flat.numel():
        writer.write(spec.name, 0, flat.view(torch.uint8).numpy().data)


def write_text(path: Path, text: str) -> None:
    """Write a small text file.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise output_error(error, path) from error


def output_error(error: OSError, where: Path) -> OutputError:
    """An operating-system error as a sentence that says what to do."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        message = f"The disk is full: {where.parent} has no room for the rest of the result. Make room there."
    elif error.errno == errno.EFBIG:
        message = (
            f"A file in {where.parent} may not grow so large ({error.strerror}): the system or the disk limits the "
            "size of files. Raise the limit or choose another disk."
        )
    else:
        message = f"{where.parent} cannot be written ({error.strerror or error}). Choose another folder."
    return OutputError(message, path=str(where), errno=error.errno)


def _put(file: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written
