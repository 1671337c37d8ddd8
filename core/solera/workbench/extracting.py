"""The job kind ``extract``: what a model has beyond a base becomes a low-rank adapter on disk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.workbench.bench import Bench
from solera.workbench.opened import opened

if TYPE_CHECKING:
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
    models = {"tuned": opened(recipe, bench.inputs), "base": bench.inputs.open(args["base"])}
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
