"""The suites that every plugin passes, ours among them; for authors: ``assert check_plugin(folder) == []``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from solera.testing.conformance_explorers import explorer_complaints
from solera.testing.conformance_formats import architecture_complaints, format_complaints
from solera.testing.conformance_methods import method_complaints
from solera.testing.conformance_probes import probe_complaints
from solera.testing.conformance_tasks import task_complaints

#: Kind -> its suite: an object in, sentences about what is wrong out.
SUITES: dict[str, Callable[[Any], list[str]]] = {
    "method": method_complaints,
    "explorer": explorer_complaints,
    "task": task_complaints,
    "probe": probe_complaints,
    "format": format_complaints,
    "architecture": architecture_complaints,
}


def conformance(kind: str, loaded: Any) -> list[str]:
    """What is wrong with a contribution; empty if it conforms, or if its kind has no suite."""
    suite = SUITES.get(kind)
    return suite(loaded) if suite else []


def check_plugin(folder: str | Path) -> list[str]:
    """Everything that is wrong with a plugin, as sentences; empty if it conforms.

    Args:
        folder: Where its ``plugin.toml`` is.
    """
    from solera.extend.check import check_plugin as faults_of

    return [str(fault) for fault in faults_of(Path(folder))]
