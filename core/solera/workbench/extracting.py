"""The job kind ``extract``: what a model has beyond a base becomes a low-rank adapter on disk."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import FaultsError
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.workbench.bench import Bench

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint
    from solera.jobs.context import JobContext


def extract_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Extract an adapter.

    Args:
        bench: What jobs share.
        args: ``{"model": plain recipe, "base": source, "out": path, "wanted": fields of Wanted}`` and, where wanted,
            ``"force"``.
        context: The job's.

    Returns:
        ``{"out", "extracted": Extracted.summary(), "fingerprints", "seconds", "summary"}``.
    """
    from solera.checkpoints.fingerprint import fingerprint
    from solera.events import ArtifactMade
    from solera.execution.low_rank import Wanted, extract
    from solera.recipes.yaml import dump_recipe

    recipe = bench.inputs.recipe(args["model"])
    out = Path(args["out"])
    given = args["wanted"]
    wanted = Wanted(**{**given, "only": tuple(given.get("only", ())), "leave": tuple(given.get("leave", ()))})
    bench.inputs.refuse_adapter(args["base"])
    models = {"tuned": _opened(bench, recipe), "base": bench.inputs.open(args["base"])}
    began = time.perf_counter()
    prints = {role: fingerprint(model, cache=bench.inputs.cache, context=context) for role, model in models.items()}
    made = extract(
        models["tuned"], models["base"], out, wanted, context, force=bool(args.get("force", False)), fingerprints=prints
    )
    context.emit(ArtifactMade(kind="adapter", path=str(out), title=out.name))
    if bench.project is not None:
        inputs = {role: {"name": model.name, "fingerprint": prints[role]} for role, model in models.items()}
        lineage = {"recipe": dump_recipe(recipe), "inputs": inputs, "extracted": given, "created": time.time()}
        bench.project.library.record_made(out, lineage)
    return {
        "out": str(out),
        "extracted": made.summary(),
        "fingerprints": prints,
        "seconds": time.perf_counter() - began,
        "summary": f"wrote {out}, {100 * made.share:.1f} % of the squared change",
    }


def _opened(bench: Bench, recipe: Recipe) -> Checkpoint:
    """The model a recipe makes as a checkpoint; computed as it is read if it is none on disk."""
    faults = bench.inputs.check(recipe)
    if faults:
        raise FaultsError(f"recipe {recipe.name or recipe.output}", faults)
    checkpoints = bench.inputs.checkpoints(recipe)
    if isinstance(recipe.node(recipe.output), CheckpointNode):
        return checkpoints[recipe.output]
    from solera.execution.computed import ComputedCheckpoint
    from solera.execution.program import compile_recipe
    from solera.recipes.hashes import semantic_hash

    recipe = replace(recipe, dtype="float32")  # so that it is not rounded before it is compared
    program = compile_recipe(recipe, bench.registry.methods, checkpoints)
    key = semantic_hash(recipe, bench.registry.methods, {id_: id_ for id_ in checkpoints})
    return ComputedCheckpoint(program, {**checkpoints, **program.views}, key)
