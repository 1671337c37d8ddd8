"""The job kind ``merge``: a recipe becomes a checkpoint on disk, and the project keeps where it came from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import FaultsError
from solera.workbench.bench import Bench
from solera.workbench.recorded import recipe_facts

if TYPE_CHECKING:
    from solera.jobs.context import JobContext


def merge_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Make a recipe's weights and write them.

    Args:
        bench: What jobs share.
        args: ``{"recipe": plain, "out": path}`` and, where wanted, ``"numbers"`` (variables), ``"dtype"``,
            ``"force"``, ``"memory_budget"`` (bytes).
        context: The job's.

    Returns:
        ``{"out", "run", "path", "plan": Plan.summary(), "summary"}``.
    """
    from solera.events import ArtifactMade
    from solera.execution.plan import MEMORY_BUDGET, plan
    from solera.execution.stream import check_output, execute
    from solera.runs.header import RunHeader, run_path
    from solera.runs.provenance import provenance
    from solera.runs.writer import RunWriter

    recipe = bench.inputs.recipe(args["recipe"])
    numbers = {str(name): float(value) for name, value in args.get("numbers", {}).items()}
    out, force = Path(args["out"]), bool(args.get("force", False))
    faults = bench.inputs.check(recipe)
    if faults:
        raise FaultsError(f"recipe {recipe.name or recipe.output}", faults)
    planned = plan(
        recipe, bench.inputs.checkpoints(recipe), bench.registry.methods,
        numbers=numbers, dtype=args.get("dtype", ""), threads=context.threads,
        memory_budget=args.get("memory_budget") or MEMORY_BUDGET,
    )  # fmt: skip
    check_output(planned, out, force=force)
    context.progress(0, None, "", "reading the checkpoints")
    fingerprints = bench.inputs.fingerprints(recipe, context)
    facts = recipe_facts(bench, recipe, fingerprints)
    header = RunHeader(
        kind="merge",
        title=f"{recipe.name or recipe.output} to {out.name}",
        experiment={"solera": 1, "kind": "merge", **args},
        provenance=provenance(
            device=context.device, threads=context.threads, numbers=numbers, plan=planned.summary(), **facts
        ),
    )
    with context.recording(RunWriter.create(run_path(bench.runs_folder, header.id), header)) as writer:
        execute(planned, out, context, force=force, fingerprints=fingerprints)
        context.emit(ArtifactMade(kind="checkpoint", path=str(out), title=out.name))
        writer.summary = f"wrote {out.name}"
    if bench.project is not None:
        lineage = {key: facts[key] for key in ("recipe", "semantic_hash", "inputs")}
        made = {**lineage, "numbers": numbers, "run": header.id, "created": time.time()}
        bench.project.library.record_made(out, made)
    return {
        "out": str(out),
        "run": header.id,
        "path": str(writer.path),
        "plan": planned.summary(),
        "summary": f"wrote {out}",
    }
