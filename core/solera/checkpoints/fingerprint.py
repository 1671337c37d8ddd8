"""The content hash of a checkpoint: the same for the same named tensors, whatever file they lie in.

A tensor's digest is a tree of two levels: SHA-256 over the SHA-256 digests of its blocks of 2**18 bytes (row-major,
little-endian; the last one may be short), one after another. The fingerprint is SHA-256 over a line that names this
definition and one line a tensor, in the order of their names: name, dtype, shape and digest, as JSON. File format,
sharding, order, ties, metadata and config do not enter. Blocks may be hashed in any order, so whoever reads the whole
checkpoint anyway (a merge) gets the fingerprint from the same bytes: see :class:`Fingerprinting`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.tensor_ref import Source, TensorRef
from solera.context import Context
from solera.errors import ChangedError, InputError
from solera.files import replace_text
from solera.tensors.specs import ITEM_SIZES

#: What every fingerprint begins with: the definition it follows.
PREFIX = "sha256-tree:"

#: Bytes of a block. Part of the definition.
BLOCK = 1 << 18

#: Bytes read at a time.
CHUNK = 1 << 23

_FORM = re.compile(PREFIX + r"[0-9a-f]{64}")


def fingerprint(checkpoint: Checkpoint, *, cache: Path | None = None, context: Context) -> str:
    """The content hash of all tensors; reads everything once, unless it is in the cache.

    Args:
        checkpoint: What to hash; tied tensors are read once.
        cache: A folder for fingerprints already computed, one small file each, by identity; made if it is not there.
        context: Is asked whether to stop, and told how far it is, in bytes.

    Returns:
        :data:`PREFIX` and 64 hexadecimal digits.

    Raises:
        ChangedError: A file changed while it was read.
        Cancelled: The context said so.
    """
    known = known_fingerprint(checkpoint, cache) if cache is not None else ""
    if known:
        return known
    result = Fingerprinting(checkpoint).finish(context)
    if cache is not None:
        remember_fingerprint(checkpoint, cache, result)
    return result


def known_fingerprint(checkpoint: Checkpoint, cache: Path) -> str:
    """The content hash if it was computed before; empty if not. Reads no tensor."""
    # Weights in memory may change behind the same identity.
    if not checkpoint.files:
        return ""
    try:
        text = (cache / f"{checkpoint.identity()}.txt").read_text("ascii")
    except (OSError, ValueError):
        return ""
    return text if _FORM.fullmatch(text) else ""


def remember_fingerprint(checkpoint: Checkpoint, cache: Path, result: str) -> None:
    """Keep a fingerprint for :func:`known_fingerprint`; a cache that cannot be written only costs time."""
    if not checkpoint.files:
        return
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        replace_text(cache / f"{checkpoint.identity()}.txt", result)


def require_pinned(id_: str, pinned: str, found: str, checkpoint: Checkpoint) -> None:
    """See whether a checkpoint holds what a recipe pins it to.

    Args:
        id_: The recipe's node.
        pinned: The fingerprint it names; empty if none.
        found: The checkpoint's.
        checkpoint: What was opened.

    Raises:
        ChangedError: It holds something else.
        InputError: The recipe's fingerprint follows a definition that is not computed any more.
    """
    if pinned in {"", found}:
        return
    if not pinned.startswith(PREFIX):
        raise InputError(
            f"The recipe pins '{id_}' to {pinned}, which does not follow the definition of fingerprints in use "
            f"({PREFIX}...). If {checkpoint.path} is the right checkpoint, pin it to {found}.",
            node=id_, wanted=pinned, got=found,
        )  # fmt: skip
    raise ChangedError(
        f"The recipe pins '{id_}' to {pinned}, but {checkpoint.path} holds {found}. Point the node at the right "
        "checkpoint, or take the fingerprint out of the recipe.",
        node=id_, path=str(checkpoint.path), wanted=pinned, got=found,
    )  # fmt: skip


class Fingerprinting:
    """A fingerprint that grows with what is read of a checkpoint, in whatever order and pieces, by any threads.

    Args:
        checkpoint: What to hash.
        digests: Digests of tensors that were read before, as :meth:`fresh` gave them.
    """

    def __init__(self, checkpoint: Checkpoint, digests: Mapping[str, str] | None = None) -> None:
        self._checkpoint = checkpoint
        self._digests = dict(digests or {})
        # What is computed has the content of what it is computed from: its own bytes need no hashing.
        names = [] if checkpoint.origins else [name for name in checkpoint if name not in checkpoint.ties]
        self._trees = {name: _Tree(checkpoint[name].nbytes) for name in names if name not in self._digests}
        self._lock = Lock()

    def watched(self) -> Checkpoint:
        """The same checkpoint, whose reads are hashed as they are made."""
        if self._checkpoint.origins:
            return self._checkpoint
        return self._checkpoint.with_sources(self._watch)

    def fresh(self) -> dict[str, str]:
        """Digests of the tensors that were read to the end since the last call, by name."""
        done = {name: tree.digest() for name, tree in list(self._trees.items()) if tree.complete}
        with self._lock:
            self._digests |= done
            for name in done:
                self._trees.pop(name, None)
        return done

    def finish(self, context: Context) -> str:
        """Read what was not read yet; the fingerprint.

        Args:
            context: Is asked whether to stop, and told how far it is, in bytes.

        Raises:
            ChangedError: A file changed since the checkpoint was opened.
            Cancelled: The context said so.
        """
        if self._checkpoint.origins:
            parts = [Fingerprinting(origin).finish(context) for origin in self._checkpoint.origins]
            said = json.dumps(["solera-fingerprint", 2, self._checkpoint.salt, *parts])
            return f"{PREFIX}{hashlib.sha256(said.encode()).hexdigest()}"
        self._read_rest(context)
        self._checkpoint.verify()
        self.fresh()
        whole = hashlib.sha256((json.dumps(["solera-fingerprint", 2, BLOCK]) + "\n").encode())
        for name in sorted(self._checkpoint):
            spec = self._checkpoint[name].spec
            digest = self._digests[self._checkpoint.ties.get(name, name)]
            whole.update((json.dumps([name, spec.dtype, list(spec.shape), digest]) + "\n").encode())
        return f"{PREFIX}{whole.hexdigest()}"

    def _watch(self, ref: TensorRef) -> Source:
        tree = self._trees.get(self._checkpoint.ties.get(ref.name, ref.name))
        return _Watched(ref.source, tree, ITEM_SIZES[ref.dtype]) if tree is not None else ref.source

    def _read_rest(self, context: Context) -> None:
        pieces = [(name, start, stop) for name, tree in self._trees.items() for start, stop in tree.missing()]
        total, done, lock = sum(stop - start for _, start, stop in pieces), 0, Lock()

        def read(piece: tuple[str, int, int]) -> None:
            nonlocal done
            context.check()
            name, start, stop = piece
            ref = self._checkpoint[name]
            size = ITEM_SIZES[ref.dtype]
            view = memoryview(bytearray(stop - start))
            ref.read_into(view, start // size, stop // size)
            self._trees[name].take(start, view)
            with lock:
                done += stop - start
                context.progress(done, total, "B", "fingerprint")

        pool = ThreadPoolExecutor(context.threads or min(4, os.cpu_count() or 1), thread_name_prefix="fingerprint")
        try:
            for _ in pool.map(read, pieces):
                pass
        finally:
            pool.shutdown(cancel_futures=True)


class _Watched:
    """A source whose bytes are hashed when they are read."""

    __slots__ = ("_itemsize", "_source", "_tree")

    def __init__(self, source: Source, tree: _Tree, itemsize: int) -> None:
        self._source = source
        self._tree = tree
        self._itemsize = itemsize

    @property
    def key(self) -> Hashable:
        return self._source.key

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        self._source.read_into(view, start, stop)
        self._tree.take(start * self._itemsize, view)


class _Tree:
    """The digest of one tensor, from pieces that come in any order and may come twice. Safe from any thread."""

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._blocks: list[bytes] = [b""] * -(-nbytes // BLOCK)
        self._left = len(self._blocks)
        self._partial: dict[int, _Partial] = {}
        self._lock = Lock()

    @property
    def complete(self) -> bool:
        """Whether every byte was seen."""
        return self._left == 0

    def digest(self) -> str:
        """Of all blocks; only when complete."""
        return hashlib.sha256(b"".join(self._blocks)).hexdigest()

    def missing(self) -> Iterator[tuple[int, int]]:
        """Runs of bytes of blocks that are not complete, each at most :data:`CHUNK` long."""
        start = 0
        for i, block in enumerate([*self._blocks, b"end"]):
            if i == len(self._blocks) or block or (i * BLOCK - start) >= CHUNK:
                stop = min(i * BLOCK, self._nbytes)
                if stop > start:
                    yield start, stop
                start = (i + 1 if block else i) * BLOCK

    def take(self, start: int, data: memoryview) -> None:
        """Hash bytes that lie at ``start``."""
        while data:
            i, offset = divmod(start, BLOCK)
            size = min(BLOCK, self._nbytes - i * BLOCK)
            part = data[: size - offset]
            if not self._blocks[i]:
                if len(part) == size:
                    self._set(i, hashlib.sha256(part).digest())
                else:
                    self._take_part(i, offset, part, size)
            data, start = data[len(part) :], start + len(part)

    def _take_part(self, i: int, offset: int, part: memoryview, size: int) -> None:
        with self._lock:
            partial = self._partial.setdefault(i, _Partial())
            partial.take(offset, part)
            if partial.seen < size:
                return
        self._set(i, partial.hasher.digest())

    def _set(self, i: int, digest: bytes) -> None:
        with self._lock:
            self._partial.pop(i, None)
            if not self._blocks[i]:
                self._blocks[i] = digest
                self._left -= 1


class _Partial:
    """A block that comes in parts; those that come too early wait as copies."""

    def __init__(self) -> None:
        self.hasher = hashlib.sha256()
        self.seen = 0
        self._early: dict[int, bytes] = {}

    def take(self, offset: int, part: memoryview) -> None:
        if offset > self.seen:
            if len(part) > len(self._early.get(offset, b"")):
                self._early[offset] = bytes(part)
            return
        new = part[self.seen - offset :]
        self.hasher.update(new)
        self.seen += len(new)
        while ready := [at for at in self._early if at <= self.seen]:
            for at in ready:
                rest = self._early.pop(at)[self.seen - at :]
                self.hasher.update(rest)
                self.seen += len(rest)
