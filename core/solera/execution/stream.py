"""The streaming executor: a plan in, a checkpoint folder out, in bounded memory.

Every piece is read, computed and written by one worker at offsets that are fixed beforehand, so the bytes of the
result depend neither on the number of workers nor on the size of the pieces.
"""

from __future__ import annotations

import ctypes
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from solera.context import Context
from solera.errors import OutputError
from solera.events import Logged
from solera.execution.card import write_companions
from solera.execution.identity import plan_key
from solera.execution.input_hashes import InputHashes
from solera.execution.journal import Journal
from solera.execution.nonfinite import Nonfinite
from solera.execution.output import Output
from solera.execution.plan import Plan, piece_bytes
from solera.execution.prepare import prepare
from solera.execution.reading import Allow, Reader, store
from solera.execution.result import result_shards
from solera.execution.targets import Target
from solera.execution.writer import SHARD_BYTES, ShardWriter
from solera.methods.spec import Piece
from solera.tensors.specs import ITEM_SIZES

#: Bytes of an integer tensor that are copied at a time.
_COPY_BYTES = 4 << 20

#: After a whole tensor that took more than this, free memory is given back to the system.
_TRIM_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class _Work:
    """A piece of a tensor."""

    target: Target
    start: int
    stop: int
    holds: int


def execute(
    plan: Plan,
    out: str | Path,
    context: Context,
    *,
    force: bool = False,
    shard_bytes: int = SHARD_BYTES,
    recipe_text: str = "",
    fingerprints: Mapping[str, str] | None = None,
    learned: dict[str, str] | None = None,
    allow_nonfinite: bool = False,
) -> Path:
    """Make the result of a plan.

    Args:
        plan: What :func:`solera.execution.plan.plan` found.
        out: The folder to make; it appears when it is complete.
        context: Asked whether to stop at every piece; told the progress in bytes.
        force: Replace a checkpoint folder that is there.
        shard_bytes: Most bytes of tensors in one file.
        recipe_text: The recipe as written, for the model card.
        fingerprints: Content hashes of the inputs by node id, where they are known; the others are made from what the
            merge reads.
        learned: Filled with the content hash of every input.
        allow_nonfinite: Let NaN and infinity in inputs and results pass, with a warning, instead of failing.

    Returns:
        The folder.

    Raises:
        OutputError: It exists, cannot be written, is one of the inputs, or the disk is full.
        NumericError: A weight is NaN or infinite, or a result does not fit its dtype; the tensor is named.
        ChangedError: An input changed while it was read.
        Cancelled: The context said so. Nothing is left behind, unless the program is ending (Interrupted).

    When it is killed, or fails for want of room, its finished files are kept beside the result; the same call goes on
    after them and gives the same bytes.
    """
    out = Path(out)
    check_output(plan, out, force=force)
    hashes = InputHashes(plan, fingerprints or {}, context)
    shards = result_shards(plan, hashes.so_far, shard_bytes)
    journal = Journal(plan_key(plan, shards, context.device), hashes.to_plain(), len(shards), hashes.agree)
    with Output(out, force=force, journal=journal, tell=partial(_tell, context)) as folder:
        _check_space(folder, plan.writes - sum((folder / name).stat().st_size for name in journal.finished))
        with context.reserve(plan.holds, f"merge {out.name}"):
            writer = ShardWriter(folder, shards, journal.finished, lambda file: journal.add(file, hashes.fresh()))
            try:
                digests = {id_: journal.digests(id_) for id_ in plan.checkpoints}
                allow = Nonfinite(partial(_tell, context)) if allow_nonfinite else None
                _Executor(hashes.watched(digests), writer, context, allow).run()
            finally:
                writer.close()
        found = hashes.finish()
        writer.rewrite_headers(result_shards(plan, found, shard_bytes))
        writer.write_index()
        write_companions(plan, folder, found, recipe_text)
        for checkpoint in plan.checkpoints.values():
            checkpoint.verify()
    if learned is not None:
        learned.update(found)
    return out


class _Executor:
    """One run of a plan."""

    def __init__(self, plan: Plan, writer: ShardWriter, context: Context, allow: Allow | None = None) -> None:
        self._plan = plan
        self._allow = allow
        self._writer = writer
        self._context = context
        # Buffers are reused for chunks, which are small; whole tensors give their memory back.
        self._load = Reader(plan.leaves, context.device, keep=plan.chunk == 0, allow=allow)
        self._states: dict[str, Any] = {}
        self._done = sum(target.nbytes for target in plan.targets if not writer.wants(target.stored_name))
        self._lock = threading.Lock()

    def run(self) -> None:
        plan = self._plan
        self._states = prepare(plan.program, plan.targets, self._load, self._context)
        items: Iterable[_Work] = self._items()
        if plan.chunk == 0:
            items = sorted(items, key=lambda work: (self._writer.order(work.target.stored_name), -work.holds))
        _in_parallel(self._do, items, plan.workers, plan.memory_budget, self._context)

    def _items(self) -> Iterator[_Work]:
        plan = self._plan
        wanted = [target for target in plan.targets if self._writer.wants(target.stored_name)]
        # File by file: one that is finished survives a kill.
        for target in sorted(wanted, key=lambda item: self._writer.order(item.stored_name)):
            if not target.computed:
                yield _Work(target, 0, target.numel, _COPY_BYTES)
                continue
            size = plan.chunk or max(target.numel, 1)
            for start in range(0, target.numel, size):
                stop = min(start + size, target.numel)
                yield _Work(target, start, stop, piece_bytes(plan.program, plan.leaves, stop - start))

    def _do(self, work: _Work) -> None:
        if work.target.computed:
            self._compute(work)
        else:
            self._copy(work.target)
        if self._plan.chunk == 0 and work.holds > _TRIM_BYTES:
            _trim()
        with self._lock:
            self._done += (work.stop - work.start) * ITEM_SIZES[work.target.dtype]
            done = self._done
        self._context.progress(done, self._plan.writes, "B", work.target.name)

    def _compute(self, work: _Work) -> None:
        target = work.target
        shape = target.shape if self._plan.chunk == 0 else None
        piece = Piece(target.name, work.start)
        with torch.no_grad():
            result = self._plan.program.evaluate(self._load, piece, work.stop, shape, target.depth, self._states)
            stored = store(result, target.dtype, target.name, self._allow).reshape(-1).contiguous().cpu()
        data = stored.view(torch.uint8).numpy().data
        self._writer.write(target.stored_name, work.start * ITEM_SIZES[target.dtype], data)

    def _copy(self, target: Target) -> None:
        ref = self._plan.reference[target.name]
        step = _COPY_BYTES // ITEM_SIZES[ref.dtype]
        for start in range(0, ref.numel, step):
            self._context.check()
            stop = min(start + step, ref.numel)
            buffer = memoryview(bytearray((stop - start) * ITEM_SIZES[ref.dtype]))
            ref.read_into(buffer, start, stop)
            self._writer.write(target.stored_name, start * ITEM_SIZES[ref.dtype], buffer)


def _trim() -> None:
    """Give free memory back to the system: else each worker's part of the heap keeps its own largest piece for ever."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc only
        trim(0)


def _in_parallel(
    do: Callable[[_Work], None], items: Iterable[_Work], workers: int, budget: int, context: Context
) -> None:
    """Work on the items with some threads while they fit the budget together; the first failure stops all."""
    pending: dict[Future[None], int] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="solera-merge") as pool:
        try:
            for work in items:
                context.check()
                while pending and (sum(pending.values()) + work.holds > budget or len(pending) >= 2 * workers):
                    _settle(pending, context)
                pending[pool.submit(do, work)] = work.holds
            while pending:
                _settle(pending, context)
        finally:
            for future in pending:
                future.cancel()


def _settle(pending: dict[Future[None], int], context: Context) -> None:
    """Wait a moment for work to be done; raises what it raised, and when asked to stop."""
    done, _ = wait(pending, timeout=0.05, return_when=FIRST_COMPLETED)
    for future in done:
        del pending[future]
        future.result()
    context.check()


def _tell(context: Context, text: str) -> None:
    context.emit(Logged(text=text, level="warning"))


def check_output(plan: Plan, out: Path, *, force: bool = False) -> None:
    """See whether a result may be written there, before work is spent on it.

    Raises:
        OutputError: It exists and may not be replaced, or is one of the inputs.
    """
    Output(out, force=force).check()
    place = out.expanduser().resolve()
    for checkpoint in plan.checkpoints.values():
        if checkpoint.path is not None and place == Path(checkpoint.path).resolve():
            raise OutputError(f"{out} is one of the inputs ({checkpoint.name}); choose another folder.", path=str(out))


def _check_space(folder: Path, nbytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < nbytes:
        raise OutputError(
            f"The disk at {folder.parent} has {free / 1e9:,.1f} GB free; the result takes {nbytes / 1e9:,.1f} GB. Make "
            "room, or choose another folder or a smaller dtype.",
            free=free, needed=nbytes,
        )  # fmt: skip
