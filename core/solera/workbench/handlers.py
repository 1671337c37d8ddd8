"""Which function does which kind of job. Each is imported when the first job of its kind runs."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import Cancelled, Interrupted
from solera.workbench.bench import Bench

if TYPE_CHECKING:
    from solera.jobs.context import JobContext
    from solera.jobs.running import Handler
    from solera.workbench.apart import Home

#: Kind -> ``"module:function"``; each takes the bench, the job's arguments and its context.
HANDLERS = {
    "merge": "solera.workbench.merging:merge_job",
    "extract": "solera.workbench.extracting:extract_job",
    "explore": "solera.workbench.exploring:explore_job",
    "evaluate": "solera.workbench.comparing:compare_job",
    "compare": "solera.workbench.comparing:compare_job",
    "demo": "solera.workbench.examples:demo_job",
    "statistic": "solera.workbench.statistics:statistic_job",
    "align": "solera.workbench.alignment:align_job",
    "zip": "solera.workbench.zipping:zip_job",
    "rescale": "solera.workbench.rescaling:rescale_job",
    "connect": "solera.workbench.connecting:connect_job",
    "probe": "solera.workbench.probing:probe_job",
    "difference": "solera.workbench.differing:difference_job",
    "fingerprint": "solera.workbench.differing:fingerprint_job",
}

#: Kinds that may run in a process of their own; see :mod:`solera.workbench.apart`.
APART = frozenset({"merge", "explore", "evaluate", "compare", "probe"})


def handlers(bench: Bench, home: Home | None = None) -> dict[str, Handler]:
    """The handlers of a queue.

    Args:
        bench: What jobs share.
        home: How a process sets up the same bench; None keeps all jobs in threads.
    """
    return {kind: partial(_do, kind, bench, home) for kind in HANDLERS}


def run_handler(kind: str, bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any] | None:
    """Do a job here and now."""
    module, _, name = HANDLERS[kind].partition(":")
    result: dict[str, Any] | None = getattr(importlib.import_module(module), name)(bench, args, context)
    return result


def _do(kind: str, bench: Bench, home: Home | None, args: dict[str, Any], context: JobContext) -> dict[str, Any] | None:
    from solera.execution.output import Output
    from solera.workbench.apart import process_handler, reason_for_process, travels

    reason = reason_for_process(bench, kind, args) if kind in APART and home is not None else ""
    if home is None or not reason or not travels(bench, args):
        return run_handler(kind, bench, args, context)
    context.log(f"This job runs in a process of its own, for {reason}.", "debug")
    handler, there = process_handler(kind, home, args)
    try:
        return handler(there, context)
    except Interrupted:
        raise
    except Cancelled:
        if kind == "merge":
            Output(Path(args["out"])).discard()  # it may have been killed before it could
        raise
