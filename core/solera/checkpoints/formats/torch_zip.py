"""torch.save's zip files (.pt, .pth, .bin, .ckpt), read without executing anything in them.

The archive holds a pickle of the structure and one STORED (uncompressed) member a storage. Only the directory and the
pickle are read on opening; a tensor is read from its place in its member.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.formats.format import OpenedFile, assemble
from solera.checkpoints.formats.pickles import MAX_PICKLE, PickleReader
from solera.checkpoints.formats.strided import Strided
from solera.checkpoints.formats.torch_tensors import ALLOWED, StoredTensor, Walk, load_storage
from solera.checkpoints.parts import Naming, find_parts
from solera.checkpoints.source import Region, SourceFile, head_of
from solera.checkpoints.tensor_ref import Extent, Source, TensorRef
from solera.checkpoints.views import default_container
from solera.errors import CheckpointError, UnsafeError
from solera.tensors.specs import ITEM_SIZES, TensorSpec

_LOCAL_HEADER = b"PK\x03\x04"
_LFS = b"version https://git-lfs"


class TorchZipFormat:
    """``torch.save`` files since PyTorch 1.6: one, a folder with one, or shards with an index."""

    name = "torch"
    title = "PyTorch"
    suffixes: tuple[str, ...] = (".pt", ".pth", ".bin", ".ckpt")

    _naming = Naming(
        suffixes=suffixes,
        standard=("pytorch_model.bin",),
        ignored=("optimizer", "scheduler", "scaler", "rng_state", "training_args"),
    )

    def matches(self, path: Path) -> bool:
        """By name: the suffix of a file or index, or such a file in a folder. Else by the look of its first bytes."""
        if path.is_file():
            named = path.suffix.lower() in self.suffixes or self._naming.is_index(path)
            return named or head_of(path, 4) == _LOCAL_HEADER
        return any(self._naming.in_folder(path))

    def open(self, path: Path) -> Checkpoint:
        """Open a file or folder; names of nested containers are joined by ``/``.

        Raises:
            CheckpointError: Truncated, malformed, of the old format, a TorchScript program, a shard missing.
            UnsafeError: Compressed or overlapping members, an index that leads out of its folder.
        """
        parts = find_parts(path, self._naming)
        checkpoint = assemble(parts, [_open_file(file) for file in parts.files], self.name)
        checkpoint.container = default_container(checkpoint)
        return checkpoint


class Member(Region):
    """A STORED member of a zip archive. Where its bytes begin is looked up at the first read.

    Args:
        file: The archive.
        name: The member's name.
        header: Byte at which its local header begins.
        nbytes: How long it is.
        limit: Byte it must not reach beyond: where the next member or the directory begins.
    """

    def __init__(self, file: SourceFile, name: str, header: int, nbytes: int, limit: int) -> None:
        super().__init__(file, -1, nbytes)
        self.name = name
        self.header = header
        self._limit = limit

    @property
    def key(self) -> Hashable:
        """Equal for the same member of the same file."""
        return (str(self.file.path), self.name)

    @property
    def offset(self) -> int:
        """Byte of the file at which the member's bytes begin.

        Raises:
            UnsafeError: Its local header contradicts the directory.
            ChangedError: The file changed after it was opened.
        """
        if self._offset < 0:
            head = self.file.read(self.header, 30)
            name_length, extra_length = struct.unpack("<HH", head[26:30])
            offset = self.header + 30 + name_length + extra_length
            agrees = head.startswith(_LOCAL_HEADER) and struct.unpack("<H", head[8:10])[0] == zipfile.ZIP_STORED
            if not agrees or offset + self.nbytes > self._limit:
                raise _unsafe(self.file.path, f"the member '{self.name}' is not where the directory says")
            self._offset = offset
        return self._offset

    def content(self) -> bytes:
        """All of it."""
        buffer = bytearray(self.nbytes)
        self.read_into(memoryview(buffer), 0)
        return bytes(buffer)


def _open_file(path: Path) -> OpenedFile:
    file = SourceFile(path)
    try:
        members = _members(file)
        root = _root(path, members)
        _check_byte_order(path, members.get(f"{root}/byteorder"))
        pickle = members[f"{root}/data.pkl"]
        if pickle.nbytes > MAX_PICKLE:
            raise _unsafe(path, f"its pickle has {pickle.nbytes:,} bytes")
        data = pickle.content()
        try:
            walk = Walk(PickleReader(ALLOWED, load_storage).read(data), len(data))
            tensors = {
                name: TensorRef(TensorSpec(name, tensor.shape, tensor.dtype), _source(file, root, tensor, members))
                for name, tensor in walk.tensors.items()
            }
        except CheckpointError as error:
            raise type(error)(f"{path} cannot be read as a checkpoint. {error}", path=str(path)) from None
    finally:
        file.rest()
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors by name.", path=str(path))
    directory = "\0".join(f"{member.name}:{member.header}:{member.nbytes}" for member in members.values())
    digest = hashlib.sha256(data + directory.encode()).hexdigest()
    return OpenedFile(file, tensors, digest, walk.texts, _notes(walk.noted))


def _notes(noted: Sequence[str]) -> tuple[str, ...]:
    if not noted:
        return ()
    shown = ", ".join(noted[:3]) + (" ..." if len(noted) > 3 else "")
    return (f"{len(noted)} tensors of special kinds (quantised, sparse ...) were left out: {shown}.",)


def _unsafe(path: Path, why: str) -> UnsafeError:
    return UnsafeError(f"{path} is refused: {why}. torch.save does not write such files.", path=str(path))


def _members(file: SourceFile) -> dict[str, Member]:
    """The archive's directory, every entry checked.

    Raises:
        CheckpointError: It is not a zip archive, or a truncated one.
        UnsafeError: A member is compressed, encrypted, named like a path out of the archive, or overlaps another.
    """
    path = file.path
    _check_start(file)
    try:
        with zipfile.ZipFile(path) as archive:
            infos, end = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, struct.error, MemoryError):
        raise CheckpointError(
            f"{path} is truncated or damaged: it begins as a PyTorch file, but the directory at its end cannot be "
            "read. Download or save it again.",
            path=str(path),
        ) from None
    members: dict[str, Member] = {}
    following = end
    for info in sorted(infos, key=lambda info: info.header_offset, reverse=True):
        _check_entry(path, info)
        least = info.header_offset + 30 + len(info.filename.encode()) + info.file_size
        if info.header_offset < 0 or least > following:
            raise _unsafe(path, f"the member '{info.filename}' overlaps another")
        if info.filename in members:
            raise _unsafe(path, f"two members are called '{info.filename}'")
        members[info.filename] = Member(file, info.filename, info.header_offset, info.file_size, following)
        following = info.header_offset
    return members


def _check_entry(path: Path, info: zipfile.ZipInfo) -> None:
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise _unsafe(path, f"the member '{info.filename}' is compressed")
    if info.flag_bits & 1:
        raise _unsafe(path, f"the member '{info.filename}' is encrypted")
    parts = PurePosixPath(info.filename).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in info.filename:
        raise _unsafe(path, f"the member '{info.filename}' is named like a path out of the archive")


def _check_start(file: SourceFile) -> None:
    """Refuse, each with its own sentence, what is not a zip archive."""
    path = file.path
    head = file.read(0, min(file.size, 64))
    if head.startswith(_LOCAL_HEADER):
        return
    if not head:
        why = "is empty. Download or save it again"
    elif head.startswith(_LFS):
        why = "is a Git LFS pointer, not the weights. Run `git lfs pull` in its folder"
    elif head.startswith(b"\x80") or b"ustar" in file.read(0, min(file.size, 512)):
        why = (
            "is in PyTorch's old format (before 1.6), which can only be read by running it. If you trust it, convert "
            "it once: torch.save(torch.load('old.pt', weights_only=True), 'new.pt')"
        )
    else:
        why = "is not a PyTorch file: it is no zip archive"
    raise CheckpointError(f"{path} {why}.", path=str(path))


def _root(path: Path, members: Mapping[str, Member]) -> str:
    """The folder in the archive that everything lies in."""
    roots = {name.partition("/")[0] for name in members}
    if any(f"{root}/constants.pkl" in members or f"{root}/code" in members for root in roots) or any(
        "/code/" in name for name in members
    ):
        raise CheckpointError(
            f"{path} is a TorchScript program, not a checkpoint. Save its weights instead: "
            "torch.save(torch.jit.load('program.pt').state_dict(), 'weights.pt').",
            path=str(path),
        )
    found = [root for root in roots if f"{root}/data.pkl" in members]
    if not found:
        raise CheckpointError(f"{path} is a zip archive, but not one that torch.save wrote.", path=str(path))
    if len(roots) > 1:
        raise _unsafe(path, f"its members lie in several folders ({', '.join(sorted(roots)[:3])})")
    return found[0]


def _check_byte_order(path: Path, member: Member | None) -> None:
    if member is not None and (member.nbytes > 16 or member.content().strip() != b"little"):
        raise CheckpointError(
            f"{path} was written on a big-endian machine. Load and save it again on a little-endian one.",
            path=str(path),
        )


def _source(file: SourceFile, root: str, tensor: StoredTensor, members: Mapping[str, Member]) -> Source:
    """Where a tensor's elements lie."""
    itemsize = ITEM_SIZES[tensor.dtype]
    if tensor.span == 0:
        return Extent(Region(file, 0, 0), 0, itemsize)
    storage = tensor.storage
    member = members.get(f"{root}/data/{storage.key}")
    if member is None:
        raise CheckpointError(f"The storage '{storage.key}' is missing from the archive.")
    if storage.nbytes > member.nbytes:
        raise CheckpointError(
            f"The storage '{storage.key}' should have {storage.nbytes:,} bytes; the archive holds {member.nbytes:,}."
        )
    start = tensor.offset * itemsize
    if tensor.contiguous:
        return Extent(member, start, itemsize)
    strided = Strided(member, start, itemsize, tensor.shape, tensor.strides)
    if strided.nbytes > file.size:
        raise UnsafeError(f"A tensor of {strided.nbytes:,} bytes repeats the few that are in the file.")
    return strided
