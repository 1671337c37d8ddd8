"""What a merge will cost and do, known before it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from solera.checkpoints.checkpoint import Checkpoint
from solera.errors import CapacityError
from solera.execution.prepare import PIECE
from solera.execution.program import Program, Step, compile_recipe
from solera.execution.targets import Target, find_ref, find_targets
from solera.methods.spec import MethodSpec
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.tensors.specs import ITEM_SIZES

#: Memory a merge may hold unless told otherwise.
MEMORY_BUDGET = 4 * 2**30

#: Elements of a chunk when memory is plenty: the pieces of a few models stay in a core's cache.
CHUNK = 2**18

#: Fewest elements worth a round of reading and writing.
_LEAST_CHUNK = 2**12

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
        reads: Bytes read from checkpoints; a method with a first pass reads its inputs again each time.
        holds: Most bytes held in memory at once.
        writes: Bytes of tensors written.
        chunk: Elements computed at a time; 0 when some method needs whole tensors.
        workers: Pieces in work at the same time.
        memory_budget: What ``holds`` was kept under.
        dropped: Names that some checkpoint has and the result has not.
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

    @property
    def reference(self) -> Checkpoint:
        """The checkpoint that lends names, dtypes, integer tensors and config."""
        return self.leaves[self.program.reference]

    @property
    def leaves(self) -> dict[str, Checkpoint]:
        """What is loaded, by node id: checkpoints, and views of some."""
        return self.program.leaves(self.checkpoints)

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
        }  # fmt: skip


def plan(
    recipe: Recipe,
    checkpoints: Mapping[str, Checkpoint],
    methods: Mapping[str, MethodSpec],
    *,
    numbers: Mapping[str, float] | None = None,
    dtype: str = "",
    memory_budget: int = MEMORY_BUDGET,
    threads: int = 0,
) -> Plan:
    """See what a recipe takes.

    Args:
        recipe: The recipe.
        checkpoints: The opened checkpoints by node id; headers are enough.
        methods: The registered methods.
        numbers: Values of free variables; those absent take their ``init``.
        dtype: Storage dtype instead of the recipe's own.
        memory_budget: Bytes that may be held.
        threads: Pieces to work on at a time; one per core (at most 8) if 0.

    Raises:
        FaultsError: The recipe has faults or the checkpoints do not fit each other.
        InputError: A variable is unknown or has no value.
        CapacityError: The budget is too small; the sentence has the numbers.
    """
    if dtype:
        recipe = replace(recipe, dtype=dtype)
    program = compile_recipe(recipe, methods, checkpoints, numbers)
    used = {node.id: checkpoints[node.id] for node in program.recipe.checkpoints}
    leaves = program.leaves(used)
    targets, ties = find_targets(leaves[program.reference], leaves, recipe.dtype)
    chunk, workers, holds = _fit(program, leaves, targets, memory_budget, threads or min(os.cpu_count() or 1, 8))
    kept = {target.name for target in targets} | set(ties)
    dropped = sorted({name for other in leaves.values() for name in other if name not in kept})
    return Plan(
        program, used, targets, ties, _reads(program, leaves, targets), holds, sum(target.nbytes for target in targets),
        chunk, workers, memory_budget, tuple(dropped),
    )  # fmt: skip


def _reads(program: Program, used: Mapping[str, Checkpoint], targets: tuple[Target, ...]) -> int:
    names = [target.name for target in targets if target.computed]
    size = {id_: sum(find_ref(checkpoint, name).nbytes for name in names) for id_, checkpoint in used.items()}
    copied = sum(target.nbytes for target in targets if not target.computed)
    once_more = sum(
        size[step.id] for prepared in program.prepared for step in program.ancestors(prepared) if step.id in size
    )
    return copied + sum(size.values()) + once_more


def piece_bytes(program: Program, used: Mapping[str, Checkpoint], numel: int) -> int:
    """Most bytes one worker holds while it computes a piece of ``numel`` elements."""
    widest = max((ITEM_SIZES[dtype] for checkpoint in used.values() for dtype in checkpoint.dtypes), default=4)
    live = peak = 0
    for step in program.steps:
        live += 1
        peak = max(peak, live + _own(step))
        live -= len(step.frees)
    buffers = len(used) * (4 + widest)  # a raw and a wide one per checkpoint, reused
    below = sum(checkpoint.held for checkpoint in used.values())
    return int(numel * ((buffers + 4 * peak + 8) * (_HOLES if program.whole else 1.0) + below))


def _own(step: Step) -> int:
    if isinstance(step.node, CheckpointNode):
        return 0
    if not isinstance(step.node, MethodNode):
        return 2
    assert step.spec is not None
    inputs = len(step.input_types)
    return (inputs + _SCRATCH + 2 * inputs) * (2 if step.spec.float64 else 1)


def _fit(
    program: Program, used: Mapping[str, Checkpoint], targets: tuple[Target, ...], budget: int, threads: int
) -> tuple[int, int, int]:
    """Chunk size (0 for whole tensors), workers, and bytes held."""
    largest = max((target.numel for target in targets if target.computed), default=0)
    per_element = piece_bytes(program, used, 1)
    first = per_element * min(PIECE, largest) if program.prepared else 0
    if program.whole:
        need = max(per_element * largest, first)
        if need > budget:
            name = max((t for t in targets if t.computed), key=lambda target: target.numel).name
            raise _too_small(program, budget, need, f"'{name}' of {largest:,} elements must be held whole")
        total = per_element * sum(sorted((t.numel for t in targets if t.computed), reverse=True)[:threads])
        return 0, threads, min(max(total, first), budget)
    least = max(per_element * min(_LEAST_CHUNK, max(largest, 1)), first)
    if least > budget:
        raise _too_small(program, budget, least, f"one piece of {len(used)} checkpoints must be held")
    chunk = CHUNK
    while chunk > _LEAST_CHUNK and per_element * chunk * threads > budget:
        if threads > 1 and per_element * chunk > budget // 2:
            threads -= 1
        else:
            chunk //= 2
    workers = max(1, min(threads, budget // max(per_element * chunk, 1)))
    return chunk, workers, max(per_element * min(chunk, largest) * workers, first)


def _too_small(program: Program, budget: int, need: int, why: str) -> CapacityError:
    what = f"recipe {program.recipe.name}" if program.recipe.name else "This recipe"
    return CapacityError(
        f"{what} needs {_mebibytes(need)} of memory ({why}); the budget is {_mebibytes(budget)}. Raise it with "
        "--memory-budget.",
        needed=need,
        budget=budget,
    )


def _mebibytes(nbytes: int) -> str:
    return f"{nbytes / 2**20:,.0f} MiB" if nbytes >= 10 * 2**20 else f"{nbytes / 2**20:.2g} MiB"
