"""A checkpoint: a read-only mapping from names to tensors that are read only when asked."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from solera.checkpoints.parts import allowed_roots, is_within
from solera.checkpoints.source import SourceFile
from solera.checkpoints.tensor_ref import Source, TensorRef
from solera.errors import CheckpointError

#: Files beside the weights that belong to a model and are carried over to what is made from it. Never code.
CARRIED = (
    "config.json", "generation_config.json", "tokenizer*.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "*.spm", "spiece.model", "sentencepiece*.model",
    "preprocessor_config.json", "processor_config.json", "chat_template.json", "chat_template.jinja",
)  # fmt: skip

#: A config.json larger than this is none.
MAX_CONFIG = 16_000_000


class Checkpoint(Mapping[str, TensorRef]):
    """Weights on disk, opened lazily: names, shapes and dtypes at once, a tensor only when asked.

    Iteration is in file order. Thread rule: everything but :meth:`close` may be called from any thread.

    Attributes:
        name: What a person calls it: the folder's or file's name.
        path: What was opened; None for weights in memory.
        format: Name of the format: ``"safetensors"``, ``"torch"``, ``"memory"``.
        folder: Where config and tokenizer lie; None if there is no such place.
        metadata: Text the file holds beside the tensors.
        strip: The declared view: what was removed from the front of names; empty if nothing was.
        container: The container of a nested file that holds the model (``"state_dict/"``), as its format guesses it;
            what :func:`open_checkpoint` looks into unless told otherwise.
        notes: Sentences for a person about what was left out.
        origins: What its numbers are computed from, if they lie in no file; its content hash is made of theirs.
        salt: What else decides those numbers.
        whole: Whether reading a part of a tensor costs as much as reading all of it.
        held: Bytes of memory that reading takes for each element of the tensor being read.
        gathered: Bytes that reading takes besides: what must be known of a tensor before any element of it is.
        kept: Bytes that stay in memory from one read to another, whoever reads.
        generated: Files beside the weights that go before those in the folder: text, a file to copy, or None for one
            that is left out.

    Args:
        digest: Hash of the headers, part of the identity.
        tensors: The tensors by name, in file order.
        files: The files they lie in.
    """

    origins: tuple[Checkpoint, ...] = ()
    salt: str = ""
    whole: bool = False
    held: int = 0
    gathered: int = 0
    kept: int = 0
    generated: Mapping[str, str | Path | None] = MappingProxyType({})

    def __init__(
        self,
        name: str,
        tensors: Mapping[str, TensorRef],
        *,
        format: str,
        digest: str,
        path: Path | None = None,
        files: Sequence[SourceFile] = (),
        folder: Path | None = None,
        metadata: Mapping[str, str] | None = None,
        strip: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.path = path
        self.format = format
        self.folder = folder
        self.metadata = dict(metadata or {})
        self.strip = strip
        self.container = ""
        self.notes = tuple(notes)
        self._tensors = dict(tensors)
        self._files = tuple(files)
        self._digest = digest

    def __getitem__(self, name: str) -> TensorRef:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    # A checkpoint is a thing with an identity, not a value: two opened from one file are two.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"Checkpoint({self.name!r}, {len(self)} tensors, {self.format})"

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files the tensors lie in."""
        return tuple(file.path for file in self._files)

    @cached_property
    def ties(self) -> dict[str, str]:
        """Names that are another name for the same numbers -> the first name, in file order, that has them."""
        first: dict[Hashable, str] = {}
        ties = {}
        for name, ref in self._tensors.items():
            if ref.numel == 0:
                continue
            canonical = first.setdefault((ref.source.key, ref.dtype, ref.shape), name)
            if canonical != name:
                ties[name] = canonical
        return ties

    @cached_property
    def numel(self) -> int:
        """Number of parameters and buffer elements; tied ones once."""
        return sum(ref.numel for name, ref in self._tensors.items() if name not in self.ties)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of all tensors; tied ones once."""
        return sum(ref.nbytes for name, ref in self._tensors.items() if name not in self.ties)

    @cached_property
    def dtypes(self) -> dict[str, int]:
        """Number of elements by dtype, the most frequent first; tied ones once."""
        counts: dict[str, int] = {}
        for name, ref in self._tensors.items():
            if name not in self.ties:
                counts[ref.dtype] = counts.get(ref.dtype, 0) + ref.numel
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @cached_property
    def config(self) -> dict[str, Any]:
        """What config.json beside the weights says; empty if there is none.

        Raises:
            CheckpointError: It is there, but is no JSON object.
        """
        file = self.folder / "config.json" if self.folder else None
        if file is None or not file.is_file():
            return {}
        try:
            if file.stat().st_size > MAX_CONFIG:
                raise CheckpointError(f"{file} is larger than any config is ({MAX_CONFIG:,} bytes).", path=str(file))
            config = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"{file} cannot be read as JSON: {error}.", path=str(file)) from None
        if not isinstance(config, dict):
            raise CheckpointError(f"{file} should hold a JSON object, not {type(config).__name__}.", path=str(file))
        return config

    def identity(self) -> str:
        """What guards local caches and resumption: header digest, sizes, times and inodes. Instant; reads nothing."""
        hasher = hashlib.sha256(f"{self.format}\0{self.strip}\0{self._digest}".encode())
        for file in self._files:
            stamp = file.identity
            hasher.update(f"\0{file.path.name}\0{stamp.inode}\0{stamp.size}\0{stamp.mtime_ns}".encode())
        return hasher.hexdigest()

    def verify(self) -> None:
        """See whether the files are still those that were opened.

        Raises:
            ChangedError: One was written to, replaced or removed.
        """
        for file in self._files:
            file.verify()

    def extra_files(self) -> tuple[Path, ...]:
        """Config, generation config, tokenizer and the like beside the weights, by name.

        Never code, and no links that lead out of the checkpoint's folder: they might carry off a private file.
        """
        if self.folder is None or not self.folder.is_dir():
            return ()
        roots = allowed_roots(self.folder.resolve())
        named = (e for e in sorted(self.folder.iterdir()) if any(fnmatchcase(e.name, pattern) for pattern in CARRIED))
        return tuple(entry for entry in named if entry.is_file() and is_within(entry.resolve(), roots))

    def close(self) -> None:
        """Give the files back; later reads raise. Not while another thread reads."""
        for file in self._files:
            file.close()

    def with_sources(self, source: Callable[[TensorRef], Source]) -> Checkpoint:
        """The same checkpoint with its numbers read from elsewhere, or observed; shares the open files with this one.

        Args:
            source: Gives each tensor's new source; tensors that were tied must stay so.
        """
        twin = copy.copy(self)
        twin._tensors = {n: TensorRef(ref.spec, source(ref), ref.stored_name) for n, ref in self._tensors.items()}
        return twin

    def with_tensors(self, tensors: Mapping[str, TensorRef], strip: str, notes: Sequence[str] = ()) -> Checkpoint:
        """The same checkpoint under a view; shares the open files with this one."""
        return Checkpoint(
            self.name, tensors, format=self.format, digest=self._digest, path=self.path, files=self._files,
            folder=self.folder, metadata=self.metadata, strip=strip, notes=(*self.notes, *notes),
        )  # fmt: skip
