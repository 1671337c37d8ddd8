"""A part of a document as a recipe of its own: some nodes with everything they are made of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from solera.documents.document import Document, SaveNode, TaskNode
from solera.errors import InputError
from solera.recipes.nodes import upstream


def part_of(document: Document, ids: Collection[str], name: str) -> Document:
    """The recipe of some nodes and of all they depend on, with their places.

    Its result is the one of the nodes that no other of them takes; the document's own result, if there are several.

    Args:
        document: The document.
        ids: Nodes of its recipe; save and task nodes are left out.
        name: What the part is called.

    Raises:
        InputError: None of the nodes makes weights, or several results are left open.
    """
    nodes = {node.id: node for node in document.recipe.nodes}
    chosen = [id_ for id_ in nodes if id_ in ids and not isinstance(nodes[id_], (SaveNode, TaskNode))]
    taken = {source for id_ in chosen for source in upstream(nodes[id_])}
    results = [id_ for id_ in chosen if id_ not in taken]
    if len(results) > 1 and document.recipe.output in results:
        results = [document.recipe.output]
    if len(results) != 1:
        said = f"{', '.join(results)} each end in it" if results else "nothing in it makes weights"
        raise InputError(
            f"A recipe has one result, and in '{name}' {said}. Connect them, or make one of them the output first.",
            nodes=results,
        )
    wanted, open_ = set[str](), list(results)
    while open_:
        id_ = open_.pop()
        if id_ in nodes and id_ not in wanted:
            wanted.add(id_)
            open_.extend(upstream(nodes[id_]))
    wanted |= set(chosen)
    kept = tuple(node for node in document.recipe.nodes if node.id in wanted)
    recipe = replace(document.recipe, nodes=kept, output=results[0], name=name, note="")
    return Document(recipe, layout={id_: at for id_, at in document.layout.items() if id_ in wanted})
