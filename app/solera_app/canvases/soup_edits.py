"""The edits of the soup canvas that touch more than the soup: models added to it, and the soup as a node. No Qt."""

from __future__ import annotations

from collections.abc import Sequence

from solera.documents.commands import AddNodes, Batch, Command, SetRecipe, SetSoup
from solera.documents.document import Document, Soup
from solera.params import PerModel
from solera.recipes.nodes import CheckpointNode, MethodNode
from solera_app.canvases.gestures.drop import LibraryEntry
from solera_app.plots.numerals import counted


def add_models(document: Document, entries: Sequence[LibraryEntry], *, into_pot: bool) -> Batch:
    """The edit that puts library entries on the pool, and into the pot; those that are no node yet become one.

    Args:
        document: The document.
        entries: Checkpoints.
        into_pot: Whether they go into the pot as well.
    """
    by_source = {node.source: node.id for node in document.recipe.checkpoints}
    draft, fresh, ids = document, list[CheckpointNode](), list[str]()
    for entry in entries:
        if entry.source not in by_source:
            node = CheckpointNode(draft.fresh_id(entry.name or entry.path.rsplit("/", 1)[-1]), entry.source)
            draft = AddNodes((node,)).apply(draft)
            fresh.append(node)
            by_source[entry.source] = node.id
        ids.append(by_source[entry.source])
    soup, wanted = document.soup, dict.fromkeys(ids)
    pool = (*soup.pool, *(id_ for id_ in wanted if id_ not in soup.pool))
    pot = (*soup.pot, *(id_ for id_ in wanted if into_pot and id_ not in soup.pot))
    commands: list[Command] = []
    if fresh:
        top = 100.0 * len(document.nodes)
        commands.append(AddNodes(tuple(fresh), {node.id: (0.0, top + 100 * i) for i, node in enumerate(fresh)}))
    commands.append(SetSoup(Soup(pool, pot, soup.shares if pot == soup.pot else ())))
    return Batch(tuple(commands), label=f"Add {counted(len(wanted), 'model')} to the {'pot' if into_pot else 'pool'}")


def use_in_recipe(document: Document, pot: Sequence[str], shares: Sequence[float] = ()) -> tuple[str, Batch]:
    """The edit that makes a soup a node, right of its models, and the recipe's result; and the node's id.

    Args:
        document: The document.
        pot: Ids of what is in.
        shares: One for each; empty for equal ones.
    """
    params = {"weight": PerModel(tuple(shares))} if shares else {}
    node = MethodNode(document.fresh_id("soup"), "linear", tuple(pot), params=params)
    places = [document.layout.get(id_, (0.0, 0.0)) for id_ in pot]
    at = (max(x for x, _ in places) + 280.0, sum(y for _, y in places) / len(places))
    commands = (AddNodes((node,), {node.id: at}), SetRecipe(output=node.id))
    return node.id, Batch(commands, label="Use soup in recipe")
