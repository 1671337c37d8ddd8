"""Which function does which kind of job. Each is imported when the first job of its kind runs."""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING, Any

from solera.workbench.bench import Bench

if TYPE_CHECKING:
    from solera.jobs.context import JobContext
    from solera.jobs.running import Handler

#: Kind -> ``"module:function"``; each takes the bench, the job's arguments and its context.
HANDLERS = {
    "merge": "solera.workbench.merging:merge_job",
    "extract": "solera.workbench.extracting:extract_job",
    "explore": "solera.workbench.exploring:explore_job",
    "evaluate": "solera.workbench.comparing:compare_job",
    "compare": "solera.workbench.comparing:compare_job",
    "demo": "solera.workbench.examples:demo_job",
}


def handlers(bench: Bench) -> dict[str, Handler]:
    """The handlers of a queue."""
    return {kind: partial(_do, target, bench) for kind, target in HANDLERS.items()}


def _do(target: str, bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any] | None:
    module, _, name = target.partition(":")
    result: dict[str, Any] | None = getattr(importlib.import_module(module), name)(bench, args, context)
    return result
