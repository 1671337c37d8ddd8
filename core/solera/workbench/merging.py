"""The job kind ``merge``: a recipe becomes a checkpoint on disk, and the project keeps where it came from."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import ChangedError, FaultsError
from solera.settings import cache_folder
from solera.workbench.artifacts import Artifacts, artifact_key, copy_artifact
from solera.workbench.bench import Bench
from solera.workbench.rates import Rates
from solera.workbench.recorded import recipe_facts

if TYPE_CHECKING:
    from solera.execution.plan import Plan
    from solera.jobs.context import JobContext
    from solera.recipes.nodes import Recipe


@dataclass(frozen=True, slots=True)
class _Merge:
    """A merge before it runs."""

    recipe: Recipe
    plan: Plan
    out: Path
    force: bool
    shard_bytes: int
    known: Mapping[str, str]
    allow_nonfinite: bool


def merge_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Make a recipe's weights and write them.

    Args:
        bench: What jobs share.
        args: ``{"recipe": plain, "out": path}`` and, where wanted, ``"numbers"`` (variables), ``"dtype"``,
            ``"force"``, ``"memory_budget"`` (bytes), ``"shard_bytes"``, ``"allow_nonfinite"``.
        context: The job's.

    Returns:
        ``{"out", "run", "path", "plan": Plan.summary(), "fingerprints", "reused", "seconds", "summary"}``.
    """
    from solera.events import ArtifactMade
    from solera.execution.stream import check_output
    from solera.runs.header import RunHeader, run_path
    from solera.runs.provenance import provenance
    from solera.runs.writer import RunWriter

    merge = _planned(bench, args, context)
    check_output(merge.plan, merge.out, force=merge.force)
    facts = recipe_facts(bench, merge.recipe, merge.known)
    numbers = dict(merge.plan.program.numbers)
    header = RunHeader(
        kind="merge",
        title=f"{merge.recipe.name or merge.recipe.output} to {merge.out.name}",
        experiment={"solera": 1, "kind": "merge", **args},
        provenance=provenance(
            device=context.device, threads=context.threads, numbers=numbers, plan=merge.plan.summary(), **facts
        ),
    )
    began = time.perf_counter()
    with context.recording(RunWriter.create(run_path(bench.runs_folder, header.id), header)) as writer:
        found, reused = _make(bench, merge, context)
        if set(found) - set(merge.known):
            facts = recipe_facts(bench, merge.recipe, found)
            for id_ in found:
                context.log(f"{id_} holds {found[id_]}.", "debug")
        context.emit(ArtifactMade(kind="checkpoint", path=str(merge.out), title=merge.out.name))
        writer.summary = f"{'copied' if reused else 'wrote'} {merge.out.name}"
    if bench.project is not None:
        lineage = {key: facts[key] for key in ("recipe", "semantic_hash", "inputs")}
        made = {**lineage, "numbers": numbers, "run": header.id, "created": time.time()}
        bench.project.library.record_made(merge.out, made)
    return {
        "out": str(merge.out),
        "run": header.id,
        "path": str(writer.path),
        "plan": merge.plan.summary(),
        "fingerprints": found,
        "reused": reused,
        "seconds": time.perf_counter() - began,
        "summary": f"{'copied' if reused else 'wrote'} {merge.out}",
    }


def rates() -> Rates:
    """How fast merges were on this machine."""
    return Rates(cache_folder() / "rates.json")


def _planned(bench: Bench, args: dict[str, Any], context: JobContext) -> _Merge:
    from solera.execution.devices import open_devices
    from solera.execution.plan import plan
    from solera.execution.writer import SHARD_BYTES

    recipe = bench.inputs.recipe(args["recipe"])
    faults = bench.inputs.check(recipe)
    if faults:
        raise FaultsError(f"recipe {recipe.name or recipe.output}", faults)
    bench.inputs.measure(recipe, context)
    planned = plan(
        recipe, bench.inputs.checkpoints(recipe), bench.registry.methods,
        numbers={str(name): float(value) for name, value in args.get("numbers", {}).items()},
        dtype=args.get("dtype", ""), threads=context.threads,
        memory_budget=args.get("memory_budget") or 0, devices=open_devices(context.devices),
    )  # fmt: skip
    return _Merge(
        recipe, planned, Path(args["out"]), bool(args.get("force", False)), args.get("shard_bytes") or SHARD_BYTES,
        bench.inputs.known_fingerprints(recipe), bool(args.get("allow_nonfinite", False)),
    )  # fmt: skip


def _make(bench: Bench, merge: _Merge, context: JobContext) -> tuple[dict[str, str], bool]:
    """Make the result or copy an equal one; the fingerprints of all inputs, and whether it was copied."""
    shelf = Artifacts(bench.project.artifacts / "merges") if bench.project and not bench.project.read_only else None
    if shelf is not None and set(merge.known) == set(merge.plan.checkpoints):
        key = artifact_key(merge.plan, merge.known, context.device, merge.shard_bytes)
        earlier = shelf.find(key)
        if earlier is not None and earlier != merge.out:
            how = copy_artifact(merge.plan, earlier, merge.out, context, fingerprints=merge.known, force=merge.force)
            context.log(f"{earlier} has these weights already; they were taken from there, {how}.")
            shelf.record(key, merge.out)
            return dict(merge.known), True
    found = _execute(bench, merge, context)
    bench.inputs.remember_fingerprints(merge.recipe, found)
    if shelf is not None and not merge.allow_nonfinite:
        shelf.record(artifact_key(merge.plan, found, context.device, merge.shard_bytes), merge.out)
    return found, False


def _execute(bench: Bench, merge: _Merge, context: JobContext) -> dict[str, str]:
    """Run the plan; once more where an input's times changed under it but not what it holds."""
    from solera.execution.output import Output
    from solera.execution.stream import execute

    learned: dict[str, str] = {}
    run = partial(
        execute, out=merge.out, context=context, force=merge.force, shard_bytes=merge.shard_bytes,
        fingerprints=merge.known, learned=learned, allow_nonfinite=merge.allow_nonfinite,
    )  # fmt: skip
    whole = not Output(merge.out).folder.exists()  # a merge that is gone on with says nothing of the rate
    began = time.perf_counter()
    try:
        run(merge.plan)
    except ChangedError as error:
        opened = bench.inputs.checkpoints(merge.recipe)  # opens anew what changed
        if opened == merge.plan.checkpoints or set(merge.known) != set(opened):
            raise
        if bench.inputs.fingerprints(merge.recipe, context) != dict(merge.known):
            raise
        context.log(f"{error.message} It holds what it held, by its fingerprint; the merge goes on.", "warning")
        run(replace(merge.plan, checkpoints=opened))
        whole = False
    if whole:
        hashes = set(merge.known) != set(merge.plan.checkpoints)
        rates().remember(merge.plan, context.device, time.perf_counter() - began, hashes=hashes)
    return learned
