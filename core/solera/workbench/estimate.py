"""What a job will take, told before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from solera.errors import CapacityError, SoleraError
from solera.jobs.lanes import device_of, devices_of
from solera.workbench.bench import Bench

if TYPE_CHECKING:
    from solera.jobs.job import Job
    from solera.jobs.ledger import MemoryLedger


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job will take.

    Attributes:
        reads, holds, writes: Bytes; 0 where nothing can be told.
        seconds: By former merges of its kind on this machine, or by how long a point took in a former run like it;
            None if there were none.
        refusal: Why it cannot be made in the memory there is, with numbers; empty if it can, or if that is not known.
        points: How many will be scored; None where none are, or only the scores will tell.
    """

    reads: int = 0
    holds: int = 0
    writes: int = 0
    seconds: float | None = None
    refusal: str = ""
    points: int | None = None


def estimate(bench: Bench, job: Job, ledger: MemoryLedger, threads: int = 0) -> Estimate:
    """What a merge, an exploration, an evaluation or a comparison will take; of other jobs nothing is told.

    Reads headers only, and of former runs how long a point took.

    Args:
        bench: What jobs share.
        job: In the queue.
        ledger: Whose budget it must fit into.
        threads: As in the settings.
    """
    from solera.execution.devices import open_devices
    from solera.execution.plan import plan
    from solera.workbench.merging import rates

    if job.spec.kind in {"explore", "evaluate", "compare"}:
        return _scoring(bench, job, ledger)
    if job.spec.kind != "merge":
        return Estimate()
    args, lanes = job.spec.args, job.spec.lanes
    try:
        recipe = bench.inputs.recipe(args["recipe"])
        planned = plan(
            recipe, bench.inputs.checkpoints(recipe), bench.registry.methods,
            numbers={str(name): float(value) for name, value in args.get("numbers", {}).items()},
            dtype=args.get("dtype", ""), threads=threads, memory_budget=args.get("memory_budget") or 0,
            devices=open_devices(devices_of(lanes)),
        )  # fmt: skip
        hashes = set(bench.inputs.known_fingerprints(planned.program.recipe)) != set(planned.checkpoints)
    except CapacityError as error:
        return Estimate(refusal=str(error))
    except SoleraError:
        return Estimate()  # the job itself says what is wrong with it
    known = rates().expected(planned, device_of(lanes), hashes=hashes)
    return Estimate(planned.reads, planned.holds, planned.writes, known.seconds if known is not None else None)


def _scoring(bench: Bench, job: Job, ledger: MemoryLedger) -> Estimate:
    from solera.workbench.scoring_cost import scoring_cost

    try:
        cost = scoring_cost(bench, job.spec.args["experiment"])
        ledger.check(cost.holds, f"'{job.spec.title}'")
    except CapacityError as error:
        return Estimate(refusal=str(error))
    except SoleraError:
        return Estimate()  # the job itself says what is wrong with it
    return Estimate(cost.reads, cost.holds, 0, cost.seconds, points=cost.points)
