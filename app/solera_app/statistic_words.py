"""What a statistic costs, in the words of its node and of the inspector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solera_app.words import duration, size_short


def statistic_short(cost: Mapping[str, Any]) -> str:
    """One line under a node: ``"300 examples · about 12 s"``, or that it was computed.

    Args:
        cost: One of :meth:`solera.workbench.Workbench.statistics`.
    """
    if cost["ready"]:
        return "Computed"
    examples = f"{cost['examples']:,} examples"
    return examples if cost["seconds"] is None else f"{examples} · about {duration(cost['seconds'])}"


def statistic_facts(cost: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Titles and texts for the inspector."""
    if cost["ready"]:
        return [("Computed", "yes, and kept"), ("File", str(cost["path"]))]
    known = cost["seconds"] is not None
    return [
        ("Computed", "before what needs it"), ("Examples", f"{cost['examples']:,}"), ("Each takes", cost["passes"]),
        ("Holds", f"at most {size_short(cost['holds'])}"),
        ("Time", f"about {duration(cost['seconds'])}" if known else f"not known: {cost['basis']}"),
    ]  # fmt: skip
