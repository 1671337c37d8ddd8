"""What decides the bytes of a result, as one key: whether finished files of an earlier attempt are of the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import torch

from solera.execution.plan import Plan
from solera.execution.writer import Shard
from solera.recipes.hashes import semantic_hash

#: Goes up whenever the executor gives other bytes for the same plan.
ENGINE = 2


def plan_key(plan: Plan, shards: Sequence[Shard], device: str) -> str:
    """SHA-256 of everything but the contents of the inputs.

    Counted are the recipe's meaning with the versions of its methods, the values of its variables, names, dtypes,
    shapes and places of the tensors to be written, and what the arithmetic is done by: torch's version, the kind of
    device, the instruction set; and the number of threads where a method promises equal bytes only for that.

    Args:
        plan: The merge.
        shards: Where its tensors lie.
        device: torch device.
    """
    program = plan.program
    meaning = semantic_hash(program.recipe, program.methods, {id_: id_ for id_ in plan.checkpoints})
    loose = any(spec.promise != "bytes" for spec in program.methods.values())
    told = [
        ENGINE,
        meaning,
        program.reference,
        dict(program.numbers),
        {id_: view.salt for id_, view in program.views.items()},
        [[shard.file, shard.nbytes, dict(shard.offsets)] for shard in shards],
        [[t.name, t.stored_name, t.dtype, t.source_dtype, list(t.shape), t.computed] for t in plan.targets],
        [torch.__version__, *_arithmetic(device), torch.get_num_threads() if loose else 0],
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _arithmetic(device: str) -> tuple[str, str]:
    kind = torch.device(device).type
    if kind == "cuda":
        return kind, torch.cuda.get_device_name(device)
    return kind, torch.backends.cpu.get_cpu_capability()
