"""What a merge will cost and do, known before it starts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from solera.checkpoints.checkpoint import Checkpoint
from solera.errors import CapacityError
from solera.execution.cuts import PIECE, slice_of
from solera.execution.devices import Device
from solera.execution.program import Program, compile_recipe
from solera.execution.staging import LEAST_WINDOW, SLOTS, WINDOW
from solera.execution.step import Step
from solera.execution.targets import Target, find_ref, find_targets
from solera.kernels.codes import KINDS
from solera.kernels.tape import playable
from solera.methods.spec import MethodSpec
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.tensors.specs import FLOATING, ITEM_SIZES

#: Memory a merge may hold unless told otherwise; more only where a method needs whole tensors, and one does not fit.
MEMORY_BUDGET = 2**29

#: Elements of a chunk when memory is plenty: the pieces of a few models stay in a core's cache.
CHUNK = 2**17

#: Fewest elements worth a round of reading and writing.
_LEAST_CHUNK = 2**12

#: Elements of a chunk that a loop plays: none of it is held wide, so that more pays for a call.
LOOP_CHUNK = 2**19

#: Elements of a chunk on a device with memory to spare: a call there is worth some megabytes.
DEVICE_CHUNK = 2**24

#: Threads that feed one device: while one waits for a method's answer the others read and write.
DEVICE_WORKERS = 4

#: Tensors a method holds for itself beside its inputs and result, in units of its input.
_SCRATCH = 4

#: What whole tensors take beyond their bytes: the allocator's holes between them.
_HOLES = 1.25


@dataclass(frozen=True)
class Plan:
    """A merge before it runs.

    Attributes:
        program: The recipe, ready to run.
        checkpoints: The opened checkpoints it needs, by node id.
        targets: The tensors of the result, in the reference's order.
        ties: Alias -> the name it is stored under.
        reads: Bytes read from checkpoints; a method with a first pass over the model reads its inputs twice. What is
            read again of the tensor at hand is not counted: the system has just read it.
        holds: Most bytes held in main memory at once.
        writes: Bytes of tensors written.
        chunk: Elements computed at a time, but where a method needs whole slices or tensors.
        workers: Pieces in work at the same time.
        memory_budget: What ``holds`` was kept under.
        dropped: Names that some checkpoint has and the result has not.
        devices: What computes, where it is not the CPU; ``workers`` are divided among them.
        device_holds: Most bytes held on each of them at once.
        device_budget: What that was kept under: of what is free, a share.
        window: Bytes of one window through which they are copied to.
        kept: Bytes of main memory that first passes over the model gather, and that reads keep, to be held to the end.
    """

    program: Program
    checkpoints: Mapping[str, Checkpoint]
    targets: tuple[Target, ...]
    ties: Mapping[str, str]
    reads: int
    holds: int
    writes: int
    chunk: int
    workers: int
    memory_budget: int
    dropped: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    device_holds: int = 0
    device_budget: int = 0
    window: int = WINDOW
    kept: int = 0

    @property
    def reference(self) -> Checkpoint:
        """The checkpoint that lends names, dtypes, integer tensors and config."""
        return self.leaves[self.program.reference]

    @property
    def leaves(self) -> dict[str, Checkpoint]:
        """What is loaded, by node id: checkpoints, and views of some."""
        return self.program.leaves(self.checkpoints)

    def piece_bytes(self, numel: int) -> int:
        """Most bytes one worker holds while it computes a piece of so many elements."""
        return piece_bytes(self.program, self.leaves, numel, staged=bool(self.devices))

    def look_bytes(self, target: Target) -> int:
        """Most bytes one worker holds while a method looks at a whole tensor in a first pass."""
        return look_bytes(self.program, self.leaves, target, staged=bool(self.devices))

    def summary(self) -> dict[str, Any]:
        """JSON-ready, for ``check``, ``--dry-run`` and the window."""
        computed = [target for target in self.targets if target.computed]
        cast = [target for target in computed if target.dtype != target.source_dtype]
        counts: dict[str, int] = {}
        casts: dict[str, int] = {}
        for target in self.targets:
            counts[target.dtype] = counts.get(target.dtype, 0) + target.numel
        for target in cast:
            change = f"{target.source_dtype} to {target.dtype}"
            casts[change] = casts.get(change, 0) + 1
        return {
            "reads": self.reads, "holds": self.holds, "writes": self.writes, "memory_budget": self.memory_budget,
            "tensors": len(self.targets), "parameters": sum(target.numel for target in self.targets), "dtypes": counts,
            "computed": len(computed), "copied": [target.name for target in self.targets if not target.computed],
            "cast": len(cast), "casts": casts, "tied": dict(self.ties), "dropped": list(self.dropped),
            "first_passes": [step.id for step in self.program.prepared],
            "inputs": {id_: checkpoint.name for id_, checkpoint in self.checkpoints.items()},
            "reference": self.program.reference, "chunk": self.chunk, "workers": self.workers,
            "devices": [device.name for device in self.devices], "device_holds": self.device_holds,
            "device_budget": self.device_budget,
        }  # fmt: skip


def plan(
    recipe: Recipe,
    checkpoints: Mapping[str, Checkpoint],
    methods: Mapping[str, MethodSpec],
    *,
    numbers: Mapping[str, float] | None = None,
    dtype: str = "",
    memory_budget: int = 0,
    threads: int = 0,
    devices: Sequence[Device] = (),
) -> Plan:
    """See what a recipe takes.

    Args:
        recipe: The recipe.
        checkpoints: The opened checkpoints by node id; headers are enough.
        methods: The registered methods.
        numbers: Values of free variables; those absent take their ``init``.
        dtype: Storage dtype instead of the recipe's own.
        memory_budget: Bytes that may be held. 0 is :data:`MEMORY_BUDGET`, or what the largest tensor takes where a
            method needs it whole, up to half of the machine's memory.
        threads: Pieces to work on at a time; one per core (at most 8) if 0.
        devices: What computes instead of the CPU; several share the tensors.

    Raises:
        FaultsError: The recipe has faults or the checkpoints do not fit each other.
        InputError: A variable is unknown or has no value.
        CapacityError: The budget, or a device's memory, is too small; the sentence has the numbers.
    """
    if dtype:
        recipe = replace(recipe, dtype=dtype)
    program = compile_recipe(recipe, methods, checkpoints, numbers)
    used = {node.id: checkpoints[node.id] for node in program.recipe.checkpoints}
    leaves = program.leaves(used)
    targets, ties = find_targets(leaves[program.reference], leaves, recipe.dtype)
    fit = _Fit(program, leaves, tuple(target for target in targets if target.computed), staged=bool(devices))
    threads = threads or min(os.cpu_count() or 1, 8)
    place = _on_devices(fit, devices, threads, memory_budget) if devices else _here(fit, memory_budget, threads)
    kept = {target.name for target in targets} | set(ties)
    dropped = sorted({name for other in leaves.values() for name in other if name not in kept})
    return Plan(
        program, used, targets, ties, _reads(program, leaves, targets), writes=sum(t.nbytes for t in targets),
        dropped=tuple(dropped), **place,
    )  # fmt: skip


def _here(fit: _Fit, memory_budget: int, threads: int) -> dict[str, Any]:
    """How the CPU does it: fields of the plan."""
    budget = memory_budget or min(max(fit.least, MEMORY_BUDGET), max(_physical() // 2, MEMORY_BUDGET))
    chunk = LOOP_CHUNK if _is_taped(fit.program, fit.used) else CHUNK
    while chunk > CHUNK and fit.each(chunk) * threads > budget - fit.kept:
        chunk //= 2
    chunk, workers, holds = fit.within(budget, threads, chunk)
    return {"chunk": chunk, "workers": workers, "holds": holds, "memory_budget": budget, "kept": fit.kept}


def _is_taped(program: Program, used: Mapping[str, Checkpoint]) -> bool:
    """Whether loops will most probably play it: each method has a tape, and loops can read what is stored."""
    taped = all(step.spec is None or (step.spec.tape is not None and not step.spec.float64) for step in program.steps)
    return taped and playable() and all(set(other.dtypes) & FLOATING <= set(KINDS) for other in used.values())


def _on_devices(fit: _Fit, devices: Sequence[Device], threads: int, memory_budget: int) -> dict[str, Any]:
    """How devices do it: fields of the plan. In main memory there are the windows, and what first passes gather."""
    each = max(1, min(threads // len(devices), DEVICE_WORKERS))
    free = {device.name: device.free() for device in devices}
    name = min(free, key=free.__getitem__)
    chunk, each, on_device = fit.within(free[name], each, DEVICE_CHUNK, name)
    workers, budget = each * len(devices), memory_budget or MEMORY_BUDGET
    gathered = workers * fit.gathered + fit.first_gathered
    room = (budget - gathered) // (workers * 2 * SLOTS)
    window = max(min(room, WINDOW), LEAST_WINDOW) // 16 * 16
    holds = workers * 2 * SLOTS * window + gathered
    if holds > budget:
        raise _too_small(fit.program, budget, holds, f"windows for the copies of {workers} workers")
    return {
        "chunk": chunk, "workers": workers, "holds": holds, "memory_budget": budget, "devices": tuple(devices),
        "device_holds": on_device, "device_budget": free[name], "window": window,
    }  # fmt: skip


def _reads(program: Program, used: Mapping[str, Checkpoint], targets: tuple[Target, ...]) -> int:
    names = [target.name for target in targets if target.computed]
    size = {
        id_: sum(find_ref(checkpoint, name).reads for name in names)
        for id_, checkpoint in used.items()
        if id_ not in program.statistics
    }
    measured = sum(ref.nbytes for checkpoint in program.statistics.values() for ref in checkpoint.values())
    copied = sum(target.nbytes for target in targets if not target.computed)
    once_more = sum(
        size[step.id] for prepared in program.prepared for step in program.ancestors(prepared) if step.id in size
    )
    return copied + sum(size.values()) + once_more + measured


def piece_bytes(program: Program, used: Mapping[str, Checkpoint], numel: int, *, staged: bool = False) -> int:
    """Most bytes one worker holds while it computes a piece of ``numel`` elements; staged: on its device."""
    gathered = sum(checkpoint.gathered for checkpoint in used.values())
    return int(numel * element_bytes(program, used, staged=staged)) + gathered


def element_bytes(program: Program, used: Mapping[str, Checkpoint], *, staged: bool = False) -> float:
    """What each element of a piece takes of :func:`piece_bytes`."""
    widest = max((ITEM_SIZES[dtype] for checkpoint in used.values() for dtype in checkpoint.dtypes), default=4)
    live = peak = 0
    for step in program.steps:
        live += 1
        peak = max(peak, live + _own(step))
        live -= len(step.frees)
    # A raw and a wide one per checkpoint, reused; on a device one more raw one, and a result on its way back.
    buffers = len(used) * (4 + widest) + ((len(used) * widest + 8) if staged else 0)
    below = sum(checkpoint.held for checkpoint in used.values())
    return (buffers + 4 * peak + 8) * (_HOLES if program.whole else 1.0) + below


def _own(step: Step) -> int:
    if isinstance(step.node, CheckpointNode):
        return 0
    if not isinstance(step.node, MethodNode):
        return 2
    assert step.spec is not None
    inputs = len(step.input_types)
    return (inputs + _SCRATCH + 2 * inputs) * (2 if step.spec.float64 else 1)


def look_bytes(
    program: Program, used: Mapping[str, Checkpoint], target: Target, *, staged: bool = False
) -> int:  # fmt: skip
    """What a first pass over one tensor holds: its buffers, and what it gathers (in main memory, if staged)."""
    piece = max(min(PIECE, target.numel), slice_of(target.shape, program.cut(target.name, target.depth)))
    return piece_bytes(program, used, piece, staged=staged) + (0 if staged else _gathered(program, target))


def _gathered(program: Program, target: Target) -> int:
    """What the first passes over one tensor gather, for all methods that look at it."""
    sites = [(step, step.site(target.name, target.depth)) for step in program.steps]
    sizes, numbers = {target.name: target.numel}, program.numbers
    return sum(step.gathered(site, sizes, numbers) for step, site in sites if step.needs_look(site, numbers))


def model_gathered(program: Program, targets: Iterable[Target]) -> int:
    """What the first passes over the model gather."""
    sizes = {target.name: target.numel for target in targets if target.computed}
    return sum(step.gathered(step.model_site, sizes, program.numbers) for step in program.prepared)


class _Fit:
    """How a merge fits a budget: of main memory, or (staged) of a device's."""

    def __init__(
        self, program: Program, used: Mapping[str, Checkpoint], targets: tuple[Target, ...], *, staged: bool = False
    ) -> None:
        self.program = program
        self._staged = staged
        self.used = used
        cuts = {target.name: program.cut(target.name, target.depth) for target in targets}
        self._pieces = {target.name: slice_of(target.shape, cuts[target.name]) for target in targets}
        self._largest = max((target.numel for target in targets), default=0)
        looked_at = [target for target in targets if program.looks(target.name, target.depth)]
        self._look = max((look_bytes(program, used, target, staged=staged) for target in looked_at), default=0)
        self.gathered = max((_gathered(program, target) for target in looked_at), default=0)
        self._statistics = _whole_statistics(program) if program.whole else 0
        self.first_gathered = model_gathered(program, targets) + sum(checkpoint.kept for checkpoint in used.values())
        self._first = self._bytes(min(PIECE, self._largest)) if program.prepared else 0

    @property
    def kept(self) -> int:
        """What first passes over the model gather and reads keep, beside the pieces; on a device nothing."""
        return 0 if self._staged else self.first_gathered

    @property
    def least(self) -> int:
        """Fewest bytes with which the merge can be done."""
        return self.kept + max(self.each(min(_LEAST_CHUNK, self._largest)), self._first)

    def each(self, chunk: int) -> int:
        """What one worker holds at most; a method may look at a tensor again while it computes a piece."""
        piece = max(min(chunk, self._largest), *self._pieces.values(), 0)
        return self._bytes(piece) + self._look + self._statistics

    def _bytes(self, numel: int) -> int:
        return piece_bytes(self.program, self.used, numel, staged=self._staged)

    def within(self, budget: int, threads: int, chunk: int = 0, device: str = "") -> tuple[int, int, int]:
        """Chunk size, workers, and bytes held.

        Args:
            budget: Bytes there are.
            threads: Most workers.
            chunk: Largest chunk; :data:`CHUNK` if 0.
            device: Whose bytes they are; main memory's if empty.

        Raises:
            CapacityError: The budget is too small.
        """
        if self.least > budget:
            raise _too_small(self.program, budget, self.least, self._why(), device)
        together = max(self._pieces.values(), default=0)
        chunk, room = chunk or CHUNK, budget - self.kept
        while chunk > _LEAST_CHUNK and chunk > together and self.each(chunk) * threads > room:
            if threads > 1 and self.each(chunk) > room // 2:
                threads -= 1
            else:
                chunk //= 2
        if together > chunk:  # large pieces wait for each other; small ones need not
            return chunk, threads, min(self.kept + max(self.each(chunk) * threads, self._first), budget)
        workers = max(1, min(threads, room // max(self.each(chunk), 1)))
        return chunk, workers, self.kept + max(self.each(chunk) * workers, self._first)

    def _why(self) -> str:
        if self.kept > self.least // 2:
            return f"first passes over the model and adapters keep {_mebibytes(self.kept)}"
        name = max(self._pieces, key=self._pieces.__getitem__, default="")
        if name and self._pieces[name] > _LEAST_CHUNK // 2:
            return f"'{name}' needs {self._pieces[name]:,} elements held together"
        return f"one piece of {len(self.used)} checkpoints must be held"


def _physical() -> int:
    """Bytes of memory the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * MEMORY_BUDGET


def _whole_statistics(program: Program) -> int:
    """Bytes of the largest statistics of one tensor, which are held whole: read, and as float64."""
    return sum(
        12 * max((ref.numel for ref in checkpoint.values()), default=0) for checkpoint in program.statistics.values()
    )


def _too_small(program: Program, budget: int, need: int, why: str, device: str = "") -> CapacityError:
    what = f"recipe {program.recipe.name}" if program.recipe.name else "This recipe"
    if device:
        return CapacityError(
            f"{what} needs {_mebibytes(need)} of memory of {device} ({why}); {_mebibytes(budget)} may be taken there. "
            "End what else runs on it, or merge on the CPU with --device cpu.",
            needed=need, budget=budget, device=device,
        )  # fmt: skip
    return CapacityError(
        f"{what} needs {_mebibytes(need)} of memory ({why}); the budget is {_mebibytes(budget)}. Raise it with "
        "--memory-budget.",
        needed=need,
        budget=budget,
    )


def _mebibytes(nbytes: int) -> str:
    return f"{nbytes / 2**20:,.0f} MiB" if nbytes >= 10 * 2**20 else f"{nbytes / 2**20:.2g} MiB"
