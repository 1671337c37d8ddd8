"""The document the canvases edit: a recipe, where its nodes stand, and what is done with its results. Frozen.

The recipe (and its hashes) knows nothing of layout, save nodes, task nodes, the interpolation canvas or the soup
canvas, frames and comments: those live here, beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from solera.recipes.nodes import (
    AdapterNode,
    AlignedNode,
    CheckpointNode,
    MethodNode,
    Node,
    Recipe,
    StackNode,
    StatisticNode,
    SumNode,
    TokensNode,
    upstream,
)

Position = tuple[float, float]
Split = Literal["train", "selection", "report"]


@dataclass(frozen=True, slots=True)
class SaveNode:
    """Writes what arrives as a checkpoint.

    Attributes:
        id: Unique in the document. source: Id of the node whose weights are written; empty while unconnected.
        folder: Name of the output folder (inside the project's outputs) or an absolute path.
        dtype: Storage dtype; empty takes the recipe's.
    """

    id: str
    source: str = ""
    folder: str = ""
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class TaskNode:
    """Scores what arrives on a task of the project.

    Attributes:
        id: Unique in the document. source: Id of the node that is scored. task: The task's name in the project.
        split: Which data.
    """

    id: str
    source: str = ""
    task: str = ""
    split: Split = "selection"


Sink = SaveNode | TaskNode
AnyNode = Node | Sink


@dataclass(frozen=True, slots=True)
class Interpolation:
    """What the interpolation canvas shows.

    Attributes:
        corners: Ids of checkpoint nodes, two for a line, three for a triangle, more for a polygon.
        weights: One per corner, total 1; may leave the segment or triangle (extrapolation).
    """

    corners: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Soup:
    """What the soup canvas shows.

    Attributes:
        pool: Ids of checkpoint nodes that a soup may be made of, in the order they were added.
        pot: Those of them that are in, in the order they were taken.
        shares: One for each in the pot, up to a common factor; empty where all are equal.
    """

    pool: tuple[str, ...] = ()
    pot: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()

    def without(self, ids: Collection[str]) -> Soup:
        """The soup with some models taken off the pool and out of the pot; what is left there has equal shares."""
        pool, pot = (tuple(id_ for id_ in kept if id_ not in ids) for kept in (self.pool, self.pot))
        return Soup(pool, pot, self.shares if pot == self.pot else ())


@dataclass(frozen=True, slots=True)
class Frame:
    """Nodes that belong together: a box around them on the canvas, or one node in their place.

    Attributes:
        id: Unique among the frames.
        title: What a person reads.
        members: Ids of its nodes; a node is in one frame at most.
        collapsed: Whether one node stands for them.
    """

    id: str
    title: str
    members: tuple[str, ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Comment:
    """A note that stands on the canvas by itself.

    Attributes:
        id: Unique among the comments.
        text: What it says.
        at: Its top left corner, px.
    """

    id: str
    text: str
    at: Position = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Document:
    """A recipe with its layout, its sinks and its interpolation.

    Attributes:
        recipe: The recipe; may be incomplete while it is edited.
        sinks: Save and task nodes.
        layout: Scene position of each node, in px; a node without one is placed by the canvas.
        interpolation: State of the interpolation canvas.
        soup: State of the soup canvas.
        frames: Groups of nodes.
        comments: Notes on the canvas.
    """

    recipe: Recipe = field(default_factory=Recipe)
    sinks: tuple[Sink, ...] = ()
    layout: Mapping[str, Position] = field(default_factory=dict)
    interpolation: Interpolation = Interpolation()
    soup: Soup = Soup()
    frames: tuple[Frame, ...] = ()
    comments: tuple[Comment, ...] = ()

    @property
    def nodes(self) -> tuple[AnyNode, ...]:
        """Every node, the recipe's first."""
        return (*self.recipe.nodes, *self.sinks)

    @property
    def ids(self) -> frozenset[str]:
        """Every id in use."""
        return frozenset(node.id for node in self.nodes)

    def node(self, id_: str) -> AnyNode:
        """The node with this id.

        Raises:
            KeyError: There is none.
        """
        for node in self.nodes:
            if node.id == id_:
                return node
        raise KeyError(id_)

    def fresh_id(self, wish: str) -> str:
        """An unused id made from a wish: letters, digits and underscores, numbered if taken."""
        stem = "".join(c if c.isalnum() else "_" for c in wish).strip("_").lower() or "node"
        stem = f"n{stem}" if stem[0].isdigit() else stem
        taken = self.ids
        if stem not in taken:
            return stem
        number = 2
        while f"{stem}_{number}" in taken:
            number += 1
        return f"{stem}_{number}"


@dataclass(frozen=True, slots=True)
class Link:
    """A connection: the result of ``source`` arrives at ``port`` of ``target``."""

    source: str
    target: str
    port: str


def links(document: Document) -> tuple[Link, ...]:
    """Every connection of a document, in drawing order."""
    return tuple(Link(source, node.id, port) for node in document.nodes for port, source in ports(node) if source)


def ports(node: AnyNode) -> tuple[tuple[str, str], ...]:
    """The input ports of a node and what each is connected to (empty if free), top to bottom.

    Names: ``"base"``, ``"input:0"`` ..., ``"statistic:0"`` ... (of a method), ``"model"`` (of a statistic), ``"to"``
    (of an aligned checkpoint), ``"term:0"`` ..., ``"part:0"`` ... (of a stack), ``"model:0"`` ... (of a layout
    of tokens), ``"source"``.
    """
    match node:
        case AdapterNode(base=base):
            return (("base", base),)
        case AlignedNode(to=to):
            return (("to", to),)
        case StatisticNode(model=model):
            return (("model", model),)
        case CheckpointNode():
            return ()
        case MethodNode(base=base, inputs=inputs, statistics=statistics):
            measured = ((f"statistic:{i}", name) for i, name in enumerate(statistics))
            return (("base", base), *((f"input:{i}", name) for i, name in enumerate(inputs)), *measured)
        case SumNode(terms=terms):
            return tuple((f"term:{i}", term.node) for i, term in enumerate(terms))
        case StackNode(parts=parts):
            return tuple((f"part:{i}", part.node) for i, part in enumerate(parts))
        case TokensNode():
            return tuple((f"model:{i}", name) for i, name in enumerate(upstream(node)))
        case SaveNode(source=source) | TaskNode(source=source):
            return (("source", source),)


def sources(node: AnyNode) -> tuple[str, ...]:
    """Ids a node depends on."""
    if isinstance(node, (SaveNode, TaskNode)):
        return (node.source,) if node.source else ()
    return upstream(node)


def replace_node(document: Document, node: AnyNode) -> Document:
    """The document with the node of the same id replaced."""
    if isinstance(node, (SaveNode, TaskNode)):
        return replace(document, sinks=tuple(node if old.id == node.id else old for old in document.sinks))
    nodes = tuple(node if old.id == node.id else old for old in document.recipe.nodes)
    return replace(document, recipe=replace(document.recipe, nodes=nodes))
