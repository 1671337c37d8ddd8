"""Every edit as a value: ``command.apply(document)`` gives the next document. Nothing here knows Qt or a file.

A command that does not fit its document raises :class:`~solera.errors.InputError` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from solera.documents.blends import SetInterpolation, SetSoup
from solera.documents.command import Batch, Command, Step, existing, index_of
from solera.documents.connections import Connect, Disconnect
from solera.documents.document import (
    AnyNode,
    Document,
    Interpolation,
    Position,
    SaveNode,
    TaskNode,
    replace_node,
)
from solera.documents.framing import SetComments, SetFrames, left_after, renamed_in
from solera.errors import InputError
from solera.params import Value
from solera.recipes.join import renamed_view
from solera.recipes.nodes import (
    AdapterNode,
    AlignedNode,
    CheckpointNode,
    MethodNode,
    StackNode,
    StatisticNode,
    SumNode,
    TokensNode,
)

__all__ = [
    "ALIGNED_FIELDS",
    "AddNodes",
    "Batch",
    "Command",
    "Connect",
    "Disconnect",
    "MoveNodes",
    "RemoveNodes",
    "RenameNode",
    "STATISTIC_FIELDS",
    "SetCheckpoint",
    "SetComments",
    "SetFrames",
    "SetCoefficient",
    "SetInterpolation",
    "SetNote",
    "SetParam",
    "SetRecipe",
    "SetSink",
    "SetSoup",
]


@dataclass(frozen=True, slots=True)
class AddNodes(Step):
    """Add nodes with their positions; their ids must be free (see ``Document.fresh_id``)."""

    nodes: tuple[AnyNode, ...]
    positions: Mapping[str, Position] = field(default_factory=dict)
    label: str = "Add node"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        taken = set(document.ids)
        for node in self.nodes:
            if node.id in taken:
                raise InputError(f"A node called '{node.id}' is already there.", node=node.id)
            taken.add(node.id)
        recipe_nodes = tuple(node for node in self.nodes if not isinstance(node, (SaveNode, TaskNode)))
        sinks = tuple(node for node in self.nodes if isinstance(node, (SaveNode, TaskNode)))
        return replace(
            document,
            recipe=replace(document.recipe, nodes=document.recipe.nodes + recipe_nodes),
            sinks=document.sinks + sinks,
            layout={**document.layout, **self.positions},
        )


@dataclass(frozen=True, slots=True)
class RemoveNodes(Step):
    """Remove nodes and every connection to them."""

    ids: tuple[str, ...]
    label: str = "Delete"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        for id_ in self.ids:
            existing(document, id_)
        gone = set(self.ids)
        recipe = document.recipe
        kept = tuple(_without(node, gone) for node in document.nodes if node.id not in gone)
        corners, soup = document.interpolation.corners, document.soup
        return replace(
            document,
            recipe=replace(
                recipe,
                nodes=tuple(node for node in kept if not isinstance(node, (SaveNode, TaskNode))),
                output="" if recipe.output in gone else recipe.output,
            ),
            sinks=tuple(node for node in kept if isinstance(node, (SaveNode, TaskNode))),
            layout={key: at for key, at in document.layout.items() if key not in gone},
            interpolation=Interpolation() if gone & set(corners) else document.interpolation,
            soup=soup.without(gone) if gone & set(soup.pool) else soup,
            frames=left_after(document.frames, gone),
        )


def _without(node: AnyNode, gone: set[str]) -> AnyNode:
    match node:
        case AdapterNode(base=base) if base in gone:
            return replace(node, base="")
        case AlignedNode(to=to) if to in gone:
            return replace(node, to="")
        case StatisticNode(model=model) if model in gone:
            return replace(node, model="")
        case MethodNode(inputs=inputs, base=base, statistics=statistics):
            return replace(
                node,
                inputs=tuple(name for name in inputs if name not in gone),
                base="" if base in gone else base,
                statistics=tuple(name for name in statistics if name not in gone),
            )
        case SumNode(terms=terms):
            return replace(node, terms=tuple(term for term in terms if term.node not in gone))
        case StackNode() | TokensNode():
            return renamed_view(node, lambda name: "" if name in gone else name)
        case SaveNode(source=source) | TaskNode(source=source) if source in gone:
            return replace(node, source="")
        case _:
            return node


#: What every statistic says beside the parameters of its kind, and what that is unless said.
STATISTIC_FIELDS: dict[str, Any] = {"task": "", "split": "train", "samples": 0, "seed": 0}


#: What an aligned checkpoint says of how it is aligned, and what that is unless said.
ALIGNED_FIELDS: dict[str, Any] = {"by": "weights", "task": "", "tries": 1, "seed": 0}


@dataclass(frozen=True, slots=True)
class SetParam:
    """Set a parameter of a method or statistic node, or reset it to its default with None.

    Of a statistic also ``task``, ``split``, ``samples`` and ``seed``; of an aligned checkpoint ``by``, ``task``,
    ``tries`` and ``seed``.
    """

    node: str
    name: str
    value: Value | None
    label: str = "Set parameter"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        node = existing(document, self.node)
        fields = STATISTIC_FIELDS if isinstance(node, StatisticNode) else {}
        fields = ALIGNED_FIELDS if isinstance(node, AlignedNode) else fields
        if isinstance(node, (StatisticNode, AlignedNode)) and self.name in fields:
            given: dict[str, Any] = {self.name: fields[self.name] if self.value is None else self.value}
            return replace_node(document, replace(node, **given))
        if not isinstance(node, (MethodNode, StatisticNode)):
            raise InputError(f"'{self.node}' has no parameters.", node=self.node)
        params = {key: value for key, value in node.params.items() if key != self.name}
        if self.value is not None:
            params[self.name] = self.value
        return replace_node(document, replace(node, params=params))

    def absorbs(self, later: Command) -> bool:
        """A spin or drag of the same parameter is one step."""
        return isinstance(later, SetParam) and (later.node, later.name) == (self.node, self.name)


@dataclass(frozen=True, slots=True)
class SetCoefficient:
    """Set the coefficient of a term of a sum."""

    node: str
    index: int
    value: Value
    label: str = "Set coefficient"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        node = existing(document, self.node)
        if not isinstance(node, SumNode):
            raise InputError(f"'{self.node}' is no sum.", node=self.node)
        index = index_of(node.terms, str(self.index), node.id)
        moved = replace(node.terms[index], coefficient=self.value)
        terms = (*node.terms[:index], moved, *node.terms[index + 1 :])
        return replace_node(document, replace(node, terms=terms))

    def absorbs(self, later: Command) -> bool:
        """A spin of the same coefficient is one step."""
        return isinstance(later, SetCoefficient) and (later.node, later.index) == (self.node, self.index)


@dataclass(frozen=True, slots=True)
class MoveNodes:
    """Put nodes somewhere else."""

    positions: Mapping[str, Position]
    label: str = "Move"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        for id_ in self.positions:
            existing(document, id_)
        return replace(document, layout={**document.layout, **self.positions})

    def absorbs(self, later: Command) -> bool:
        """Steps of one drag (or of the arrow keys) are one step."""
        return isinstance(later, MoveNodes) and set(later.positions) == set(self.positions)


@dataclass(frozen=True, slots=True)
class RenameNode(Step):
    """Give a node another id; every reference follows."""

    old: str
    new: str
    label: str = "Rename"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        existing(document, self.old)
        if not self.new.isidentifier():
            raise InputError(f"A node's name is letters, digits and underscores, not {self.new!r}.", name=self.new)
        if self.new in document.ids:
            raise InputError(f"A node called '{self.new}' is already there.", node=self.new)

        def name(id_: str) -> str:
            return self.new if id_ == self.old else id_

        nodes = tuple(_renamed(node, name) for node in document.nodes)
        recipe = document.recipe
        return replace(
            document,
            recipe=replace(
                recipe,
                nodes=tuple(node for node in nodes if not isinstance(node, (SaveNode, TaskNode))),
                output=name(recipe.output),
            ),
            sinks=tuple(node for node in nodes if isinstance(node, (SaveNode, TaskNode))),
            layout={name(key): at for key, at in document.layout.items()},
            interpolation=replace(document.interpolation, corners=tuple(map(name, document.interpolation.corners))),
            soup=replace(
                document.soup, pool=tuple(map(name, document.soup.pool)), pot=tuple(map(name, document.soup.pot))
            ),
            frames=renamed_in(document.frames, name),
        )


class _Namer(Protocol):
    def __call__(self, id_: str, /) -> str: ...


def _renamed(node: AnyNode, name: _Namer) -> AnyNode:
    match node:
        case AdapterNode():
            return replace(node, id=name(node.id), base=name(node.base))
        case AlignedNode():
            return replace(node, id=name(node.id), to=name(node.to))
        case StatisticNode():
            return replace(node, id=name(node.id), model=name(node.model))
        case CheckpointNode():
            return replace(node, id=name(node.id))
        case MethodNode():
            inputs, statistics = (tuple(map(name, names)) for names in (node.inputs, node.statistics))
            return replace(node, id=name(node.id), inputs=inputs, base=name(node.base), statistics=statistics)
        case SumNode():
            terms = tuple(replace(term, node=name(term.node)) for term in node.terms)
            return replace(node, id=name(node.id), terms=terms)
        case StackNode() | TokensNode():
            return replace(renamed_view(node, name), id=name(node.id))
        case SaveNode() | TaskNode():
            return replace(node, id=name(node.id), source=name(node.source))


@dataclass(frozen=True, slots=True)
class SetNote:
    """Set the note of a recipe node."""

    node: str
    note: str
    label: str = "Edit note"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        node = existing(document, self.node)
        if isinstance(node, (SaveNode, TaskNode)):
            raise InputError(f"'{self.node}' keeps no note.", node=self.node)
        return replace_node(document, replace(node, note=self.note))

    def absorbs(self, later: Command) -> bool:
        """Typing on is one step."""
        return isinstance(later, SetNote) and later.node == self.node


@dataclass(frozen=True, slots=True)
class SetCheckpoint(Step):
    """Point a checkpoint node at another source (relocate, swap)."""

    node: str
    source: str
    fingerprint: str = ""
    label: str = "Change checkpoint"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        node = existing(document, self.node)
        if not isinstance(node, CheckpointNode):
            raise InputError(f"'{self.node}' is no checkpoint.", node=self.node)
        return replace_node(document, replace(node, source=self.source, fingerprint=self.fingerprint))


@dataclass(frozen=True, slots=True)
class SetRecipe:
    """Set what belongs to the recipe as a whole; None leaves a field as it is."""

    output: str | None = None
    dtype: str | None = None
    name: str | None = None
    note: str | None = None
    label: str = "Change recipe"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        if self.output:
            existing(document, self.output)
        given = {key: value for key in ("output", "dtype", "name", "note") if (value := getattr(self, key)) is not None}
        return replace(document, recipe=replace(document.recipe, **given))

    def absorbs(self, later: Command) -> bool:
        """Changing the same fields again is one step."""
        return isinstance(later, SetRecipe) and _given(later) == _given(self) != {"output"}


def _given(command: SetRecipe) -> set[str]:
    return {key for key in ("output", "dtype", "name", "note") if getattr(command, key) is not None}


@dataclass(frozen=True, slots=True)
class SetSink(Step):
    """Replace a save or task node (its folder, dtype, task or split changed)."""

    sink: SaveNode | TaskNode
    label: str = "Change node"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        old = existing(document, self.sink.id)
        if type(old) is not type(self.sink):
            raise InputError(f"'{self.sink.id}' is another kind of node.", node=self.sink.id)
        return replace_node(document, self.sink)
