"""The streaming executor: a plan in, a checkpoint folder out, in bounded memory.

Every piece is read, computed and written by one worker at offsets that are fixed beforehand, so the bytes of the
result depend neither on the number of workers nor on the size of the pieces.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from solera.context import Context
from solera.errors import OutputError
from solera.events import Logged
from solera.execution.card import write_companions
from solera.execution.computed import let_pass
from solera.execution.cuts import Cut, pieces, slice_of
from solera.execution.hands import Hand, Part, go_through, open_hands
from solera.execution.heap import kept_heap, trim
from solera.execution.identity import plan_key
from solera.execution.input_hashes import InputHashes
from solera.execution.journal import Journal
from solera.execution.nonfinite import Nonfinite
from solera.execution.output import Output
from solera.execution.plan import Plan
from solera.execution.prepare import look, prepare
from solera.execution.program import Place
from solera.execution.reading import Allow
from solera.execution.result import result_shards
from solera.execution.targets import Target
from solera.execution.workers import Workers
from solera.execution.writer import SHARD_BYTES, ShardWriter
from solera.tensors.specs import ITEM_SIZES

#: Bytes of an integer tensor that are copied at a time.
_COPY_BYTES = 4 << 20

#: Chunks a worker takes from the line at a time.
_RUN = 8

#: After a piece that took more than this, and was not played, free memory is given back to the system.
_TRIM_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _Work:
    """A run of pieces of one tensor; without a cut, the first look at it, or its copy."""

    target: Target
    start: int
    stop: int
    holds: int
    cut: Cut | None = None
    place: Place | None = None


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
        OutputError: It exists, cannot be written, is or holds one of the inputs, or the disk is full.
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
    key = plan_key(plan, shards, context.device)
    journal = Journal(key, hashes.to_plain(), len(shards), hashes.agree, allow_nonfinite)
    with Output(out, force=force, journal=journal, tell=partial(_tell, context)) as folder:
        _check_space(folder, plan.writes - sum((folder / name).stat().st_size for name in journal.finished))
        with context.reserve(plan.holds, f"merge {out.name}"):
            writer = ShardWriter(folder, shards, journal.finished, partial(_note, plan, hashes, journal))
            try:
                digests = {id_: journal.digests(id_) for id_ in plan.checkpoints}
                allow = _lenient(plan, context) if allow_nonfinite else None
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


def _note(plan: Plan, hashes: InputHashes, journal: Journal, file: Path) -> None:
    """Note a finished file, unless an input was written to while it was read for it."""
    for checkpoint in plan.checkpoints.values():
        checkpoint.verify()
    journal.add(file, hashes.fresh())


def _lenient(plan: Plan, context: Context) -> Nonfinite:
    """What warns of NaN and infinity instead of their ending the merge, in what views are computed from too."""
    allow = Nonfinite(partial(_tell, context))
    for view in plan.program.views.values():
        let_pass(view, allow)
    return allow


class _Executor:
    """One run of a plan."""

    def __init__(self, plan: Plan, writer: ShardWriter, context: Context, allow: Allow | None = None) -> None:
        self._plan = plan
        self._allow = allow
        self._writer = writer
        self._context = context
        self._hands = open_hands(plan, allow)
        self._states: dict[str, Any] = {}
        self._done = sum(target.nbytes for target in plan.targets if not writer.wants(target.stored_name))
        self._lock = threading.Lock()

    def run(self) -> None:
        plan = self._plan
        with kept_heap():
            with self._hands[0].at_work():
                self._states = prepare(plan.program, plan.targets, self._hands[0].load, self._context)
                self._hands[0].settle()
            budget, gangs = plan.device_budget or plan.memory_budget - plan.kept, len(self._hands)
            Workers(self._do, lambda work: work.holds, plan.workers, budget, self._context, gangs).run(self._items())

    def _items(self) -> Iterator[_Work]:
        """File by file, for one that is finished survives a kill; in a file tensor by tensor."""
        for target in sorted(self._plan.targets, key=lambda item: self._writer.place(item.stored_name)):
            if not self._writer.wants(target.stored_name):
                continue
            if not target.computed:
                yield _Work(target, 0, target.numel, _COPY_BYTES)
            elif self._plan.program.looks(target.name, target.depth):
                yield _Work(target, 0, target.numel, self._plan.look_bytes(target))
            elif len(self._hands) > 1:
                yield _Work(target, 0, target.numel, 0)  # a whole tensor goes to one device
            else:
                yield from self._runs(target, self._states)

    def _runs(self, target: Target, states: Mapping[str, Any]) -> Iterator[_Work]:
        plan = self._plan
        cut = plan.program.cut(target.name, target.depth)
        place = Place(plan.program, target.name, target.depth, states)
        for start, stop, _ in pieces(target.shape, cut, _RUN * plan.chunk):
            holds = plan.piece_bytes(max(min(plan.chunk, stop - start), slice_of(target.shape, cut)))
            yield _Work(target, start, stop, holds, cut, place)

    def _do(self, work: _Work, number: int) -> Sequence[_Work]:
        hand = self._hands[number]
        if not work.target.computed:
            self._copy(work.target)
        elif work.cut is None or work.place is None:
            with torch.no_grad(), hand.at_work():
                states = look(self._plan.program, work.target, hand.load, self._states, self._context)
                hand.settle()
            return tuple(self._runs(work.target, states))
        else:
            with hand.at_work():
                self._compute(work, work.cut, work.place, hand)
        with self._lock:
            self._done += (work.stop - work.start) * ITEM_SIZES[work.target.dtype]
            done = self._done
        self._context.progress(done, self._plan.writes, "B", work.target.name)
        return ()

    def _compute(self, work: _Work, cut: Cut, place: Place, hand: Hand) -> None:
        target = work.target
        go_through(hand, place, target, self._parts(work, cut), partial(self._writer.write, target.stored_name))
        if work.holds > _TRIM_BYTES and not self._plan.devices and place.tape is None:
            hand.load.forget()
            trim()

    def _parts(self, work: _Work, cut: Cut) -> Iterator[Part]:
        for part in pieces(work.target.shape, cut, self._plan.chunk, work.start, work.stop):
            self._context.check()
            yield part

    def _copy(self, target: Target) -> None:
        ref = self._plan.reference[target.name]
        step = _COPY_BYTES // ITEM_SIZES[ref.dtype]
        for start in range(0, ref.numel, step):
            self._context.check()
            stop = min(start + step, ref.numel)
            buffer = memoryview(bytearray((stop - start) * ITEM_SIZES[ref.dtype]))
            ref.read_into(buffer, start, stop)
            self._writer.write(target.stored_name, start * ITEM_SIZES[ref.dtype], buffer)


def _tell(context: Context, text: str) -> None:
    context.emit(Logged(text=text, level="warning"))


def check_output(plan: Plan, out: Path, *, force: bool = False) -> None:
    """See whether a result may be written there, before work is spent on it.

    Raises:
        OutputError: It exists and may not be replaced, or is or holds one of the inputs.
    """
    Output(out, force=force).check()
    place = out.expanduser().resolve()
    for checkpoint in plan.checkpoints.values():
        opened = () if checkpoint.path is None else (checkpoint.path,)
        for path in (found.resolve() for found in (*opened, *checkpoint.files)):
            if place in {path, *path.parents}:
                what = "is" if place == path else "holds"
                raise OutputError(
                    f"{out} {what} one of the inputs ({checkpoint.name}); choose another folder.", path=str(out)
                )


def _check_space(folder: Path, nbytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < nbytes:
        raise OutputError(
            f"The disk at {folder.parent} has {free / 1e9:,.1f} GB free; the result takes {nbytes / 1e9:,.1f} GB. Make "
            "room, or choose another folder or a smaller dtype.",
            free=free, needed=nbytes,
        )  # fmt: skip
