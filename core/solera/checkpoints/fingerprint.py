"""The content hash of a checkpoint: the same for the same named tensors, whatever file they lie in.

SHA-256 over one line a tensor, in the order of their names: name, dtype, shape and the SHA-256 of its bytes (row-major,
little-endian), as JSON. File format, sharding, order, ties, metadata and config do not enter.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.tensor_ref import TensorRef
from solera.context import Context
from solera.tensors.specs import ITEM_SIZES

#: Bytes read at a time.
CHUNK = 1 << 23

_FORM = re.compile(r"sha256:[0-9a-f]{64}")


def fingerprint(checkpoint: Checkpoint, *, cache: Path | None = None, context: Context) -> str:
    """The content hash of all tensors; reads everything once, unless it is in the cache.

    Args:
        checkpoint: What to hash; tied tensors are read once.
        cache: A folder for fingerprints already computed, one small file each, by identity; made if it is not there.
        context: Is asked whether to stop, and told how far it is, in bytes.

    Returns:
        ``"sha256:"`` and 64 hexadecimal digits.

    Raises:
        ChangedError: A file changed while it was read.
        Cancelled: The context said so.
    """
    # Weights in memory may change behind the same identity.
    place = cache / f"{checkpoint.identity()}.txt" if cache is not None and checkpoint.files else None
    known = _recall(place)
    if known:
        return known
    digests = _digests(checkpoint, context)
    checkpoint.verify()
    whole = hashlib.sha256()
    for name in sorted(checkpoint):
        spec = checkpoint[name].spec
        digest = digests[checkpoint.ties.get(name, name)]
        whole.update((json.dumps([name, spec.dtype, list(spec.shape), digest]) + "\n").encode())
    result = f"sha256:{whole.hexdigest()}"
    _remember(place, result)
    return result


def known_fingerprint(checkpoint: Checkpoint, cache: Path) -> str:
    """The content hash if it was computed before; empty if not. Reads no tensor."""
    return _recall(cache / f"{checkpoint.identity()}.txt") if checkpoint.files else ""


def _digests(checkpoint: Checkpoint, context: Context) -> dict[str, str]:
    """The hash of every tensor's bytes, by name; tied ones under their first name only."""
    names = [name for name in checkpoint if name not in checkpoint.ties]
    lock, done = Lock(), 0

    def advance(count: int) -> None:
        nonlocal done
        context.check()
        with lock:
            done += count
            context.progress(done, checkpoint.nbytes, "B", "fingerprint")

    workers = context.threads or min(4, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fingerprint")
    try:
        digests = pool.map(lambda name: _digest(checkpoint[name], advance), names)
        return dict(zip(names, digests, strict=True))
    finally:
        pool.shutdown(cancel_futures=True)


def _digest(ref: TensorRef, advance: Callable[[int], None]) -> str:
    hasher = hashlib.sha256()
    itemsize = ITEM_SIZES[ref.dtype]
    step = CHUNK // itemsize
    buffer = memoryview(bytearray(min(step, ref.numel) * itemsize))
    for start in range(0, ref.numel, step):
        stop = min(start + step, ref.numel)
        piece = buffer[: (stop - start) * itemsize]
        ref.read_into(piece, start, stop)
        hasher.update(piece)
        advance(piece.nbytes)
    return hasher.hexdigest()


def _recall(place: Path | None) -> str:
    if place is None:
        return ""
    try:
        text = place.read_text("ascii")
    except (OSError, ValueError):
        return ""
    return text if _FORM.fullmatch(text) else ""


def _remember(place: Path | None, result: str) -> None:
    """Keep it; a cache that cannot be written only costs time."""
    if place is None:
        return
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=".")
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(result)
        os.replace(temporary, place)
