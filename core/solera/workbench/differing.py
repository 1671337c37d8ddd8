"""The job kinds ``difference`` (two checkpoints, tensor by tensor) and ``fingerprint`` (content hashes of several)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.files import replace_text
from solera.workbench.bench import Bench

if TYPE_CHECKING:
    from solera.jobs.context import JobContext


def difference_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Compare two checkpoints and keep the table in the project's artifacts.

    Args:
        bench: What jobs share.
        args: ``{"a": source, "b": source}``.
        context: The job's.

    Returns:
        ``{"difference": Difference.to_plain(), "path", "summary"}``; the path is empty where nothing can be kept.
    """
    from solera.probes.difference import difference

    found = difference(bench.inputs.open(args["a"]), bench.inputs.open(args["b"]), context)
    plain, path = found.to_plain(), ""
    if bench.project is not None and not bench.project.read_only:
        file = bench.project.artifacts / "differences" / f"{_safe(found.a)}--{_safe(found.b)}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, json.dumps(plain, indent=1))
        path = str(file)
    total = found.total
    summary = (
        f"{found.b} is {total.relative:.3g} of the norm of {found.a} away; cosine {total.cosine:.6g}, "
        f"{100 * total.signs:.2f} % of signs agree"
    )
    return {"difference": plain, "path": path, "summary": summary}


def fingerprint_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Compute the content hash of checkpoints; what is known already is not read.

    Args:
        bench: What jobs share.
        args: ``{"sources": [source, ...]}``.
        context: The job's.

    Returns:
        ``{"fingerprints": {source: hash}, "failed": {source: why}, "summary"}``.
    """
    from solera.checkpoints.fingerprint import fingerprint
    from solera.errors import Cancelled, Interrupted, SoleraError

    found: dict[str, str] = {}
    failed: dict[str, str] = {}
    for source in args["sources"]:
        context.check()
        try:
            checkpoint = bench.inputs.open(source)
            found[source] = fingerprint(checkpoint, cache=bench.inputs.cache, context=context)
        except (Cancelled, Interrupted):
            raise
        except SoleraError as error:
            failed[source] = str(error)
            context.log(str(error), "warning")
    copies = len(found) - len(set(found.values()))
    summary = f"{len(found)} read, {copies} of them hold what another does" + (
        f"; {len(failed)} could not be read" if failed else ""
    )
    return {"fingerprints": found, "failed": failed, "summary": summary}


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in Path(name).name)
