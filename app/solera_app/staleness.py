"""Which nodes of a document show a result that another plugin, or another code of it, would make anew."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from solera.recipes.nodes import MethodNode, upstream
from solera.recipes.order import ordered

if TYPE_CHECKING:
    from solera.documents.document import Document
    from solera.extend.registry import Contributions


def touched(document: Document, methods: Contributions, changed: Collection[str]) -> set[str]:
    """Ids of the nodes and sinks that depend on a method of a plugin that changed or is gone.

    Args:
        document: Nodes and what stands at their ends.
        methods: The methods now registered.
        changed: Names of plugins.
    """
    found: set[str] = set()
    for node in ordered(document.recipe):
        plugin = methods.plugin(node.method) if isinstance(node, MethodNode) else None
        gone = isinstance(node, MethodNode) and node.method not in methods
        if gone or (plugin is not None and plugin.name in changed) or found & set(upstream(node)):
            found.add(node.id)
    return found | {sink.id for sink in document.sinks if sink.source in found}
