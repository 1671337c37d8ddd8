"""Every edit as a value: ``command.apply(document)`` gives the next document. Nothing here knows Qt or a file.

A command that does not fit its document raises :class:`~solera.errors.InputError` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from solera.documents.document import (
    AnyNode,
    Document,
    Interpolation,
    Position,
    SaveNode,
    TaskNode,
    replace_node,
)
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
    Term,
    TokensNode,
)


class Command(Protocol):
    """An edit.

    Attributes:
        label: What the undo menu says, verb first: ``"Connect math to TIES"``.
    """

    @property
    def label(self) -> str:
        """See above."""
        ...

    def apply(self, document: Document) -> Document:
        """The document after the edit.

        Raises:
            InputError: The edit does not fit the document.
        """
        ...

    def absorbs(self, later: Command) -> bool:
        """Whether ``later`` continues this edit (a drag, a spin), so that both are one step of undo."""
        ...


class _Step:
    """A command that stands for itself."""

    __slots__ = ()

    def absorbs(self, later: Command) -> bool:
        """Never."""
        return False


def _existing(document: Document, id_: str) -> AnyNode:
    try:
        return document.node(id_)
    except KeyError:
        raise InputError(f"There is no node '{id_}' in this document.", node=id_) from None


@dataclass(frozen=True, slots=True)
class AddNodes(_Step):
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
class RemoveNodes(_Step):
    """Remove nodes and every connection to them."""

    ids: tuple[str, ...]
    label: str = "Delete"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        for id_ in self.ids:
            _existing(document, id_)
        gone = set(self.ids)
        recipe = document.recipe
        kept = tuple(_without(node, gone) for node in document.nodes if node.id not in gone)
        corners = document.interpolation.corners
        return Document(
            recipe=replace(
                recipe,
                nodes=tuple(node for node in kept if not isinstance(node, (SaveNode, TaskNode))),
                output="" if recipe.output in gone else recipe.output,
            ),
            sinks=tuple(node for node in kept if isinstance(node, (SaveNode, TaskNode))),
            layout={key: at for key, at in document.layout.items() if key not in gone},
            interpolation=Interpolation() if gone & set(corners) else document.interpolation,
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


@dataclass(frozen=True, slots=True)
class Connect(_Step):
    """Connect ``source`` to a port of ``target``.

    Ports: ``"base"``, ``"input:3"``, ``"statistic:1"``, ``"model"``, ``"to"``, ``"term:0"``, ``"source"``;
    ``"input:+"``, ``"statistic:+"`` and ``"term:+"`` append.
    """

    source: str
    target: str
    port: str
    label: str = "Connect"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        _existing(document, self.source)
        node = _existing(document, self.target)
        return replace_node(document, _connected(node, self.port, self.source))


def _connected(node: AnyNode, port: str, source: str) -> AnyNode:
    kind, _, place = port.partition(":")
    match node, kind:
        case ((MethodNode() | AdapterNode()), "base"):
            return replace(node, base=source)
        case MethodNode(inputs=inputs), "input":
            return replace(node, inputs=_put(inputs, place, source, node.id))
        case MethodNode(statistics=statistics), "statistic":
            return replace(node, statistics=_put(statistics, place, source, node.id))
        case AlignedNode(), "to":
            return replace(node, to=source)
        case StatisticNode(), "model":
            return replace(node, model=source)
        case SumNode(terms=terms), "term":
            if place == "+" or int(place) == len(terms):
                return replace(node, terms=(*terms, Term(source)))
            index = _index(terms, place, node.id)
            moved = replace(terms[index], node=source)
            return replace(node, terms=(*terms[:index], moved, *terms[index + 1 :]))
        case StackNode(parts=parts), "part":
            index = _index(parts, place, node.id)
            return replace(node, parts=(*parts[:index], replace(parts[index], node=source), *parts[index + 1 :]))
        case ((SaveNode() | TaskNode()), "source"):
            return replace(node, source=source)
        case _:
            raise InputError(f"'{node.id}' has no port '{port}'.", node=node.id, port=port)


def _put(items: tuple[str, ...], place: str, item: str, owner: str) -> tuple[str, ...]:
    if place == "+" or int(place) == len(items):
        return (*items, item)
    index = _index(items, place, owner)
    return (*items[:index], item, *items[index + 1 :])


def _index(items: Sequence[object], place: str, owner: str) -> int:
    index = int(place)
    if not 0 <= index < len(items):
        raise InputError(f"'{owner}' has {len(items)} inputs, so there is none at {index}.", node=owner)
    return index


@dataclass(frozen=True, slots=True)
class Disconnect(_Step):
    """Free a port; an input or term port disappears and those below move up."""

    target: str
    port: str
    label: str = "Disconnect"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        node = _existing(document, self.target)
        kind, _, place = self.port.partition(":")
        changed: AnyNode
        match node, kind:
            case ((MethodNode() | AdapterNode()), "base"):
                changed = replace(node, base="")
            case MethodNode(inputs=inputs), "input":
                index = _index(inputs, place, node.id)
                changed = replace(node, inputs=inputs[:index] + inputs[index + 1 :])
            case MethodNode(statistics=statistics), "statistic":
                index = _index(statistics, place, node.id)
                changed = replace(node, statistics=statistics[:index] + statistics[index + 1 :])
            case AlignedNode(), "to":
                changed = replace(node, to="")
            case StatisticNode(), "model":
                changed = replace(node, model="")
            case SumNode(terms=terms), "term":
                index = _index(terms, place, node.id)
                changed = replace(node, terms=terms[:index] + terms[index + 1 :])
            case StackNode(parts=parts), "part":
                index = _index(parts, place, node.id)
                changed = replace(node, parts=parts[:index] + parts[index + 1 :])
            case ((SaveNode() | TaskNode()), "source"):
                changed = replace(node, source="")
            case _:
                raise InputError(f"'{node.id}' has no port '{self.port}'.", node=node.id, port=self.port)
        return replace_node(document, changed)


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
        node = _existing(document, self.node)
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
        node = _existing(document, self.node)
        if not isinstance(node, SumNode):
            raise InputError(f"'{self.node}' is no sum.", node=self.node)
        index = _index(node.terms, str(self.index), node.id)
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
            _existing(document, id_)
        return replace(document, layout={**document.layout, **self.positions})

    def absorbs(self, later: Command) -> bool:
        """Steps of one drag (or of the arrow keys) are one step."""
        return isinstance(later, MoveNodes) and set(later.positions) == set(self.positions)


@dataclass(frozen=True, slots=True)
class RenameNode(_Step):
    """Give a node another id; every reference follows."""

    old: str
    new: str
    label: str = "Rename"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        _existing(document, self.old)
        if not self.new.isidentifier():
            raise InputError(f"A node's name is letters, digits and underscores, not {self.new!r}.", name=self.new)
        if self.new in document.ids:
            raise InputError(f"A node called '{self.new}' is already there.", node=self.new)

        def name(id_: str) -> str:
            return self.new if id_ == self.old else id_

        nodes = tuple(_renamed(node, name) for node in document.nodes)
        recipe = document.recipe
        return Document(
            recipe=replace(
                recipe,
                nodes=tuple(node for node in nodes if not isinstance(node, (SaveNode, TaskNode))),
                output=name(recipe.output),
            ),
            sinks=tuple(node for node in nodes if isinstance(node, (SaveNode, TaskNode))),
            layout={name(key): at for key, at in document.layout.items()},
            interpolation=replace(document.interpolation, corners=tuple(map(name, document.interpolation.corners))),
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
        node = _existing(document, self.node)
        if isinstance(node, (SaveNode, TaskNode)):
            raise InputError(f"'{self.node}' keeps no note.", node=self.node)
        return replace_node(document, replace(node, note=self.note))

    def absorbs(self, later: Command) -> bool:
        """Typing on is one step."""
        return isinstance(later, SetNote) and later.node == self.node


@dataclass(frozen=True, slots=True)
class SetCheckpoint(_Step):
    """Point a checkpoint node at another source (relocate, swap)."""

    node: str
    source: str
    fingerprint: str = ""
    label: str = "Change checkpoint"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        node = _existing(document, self.node)
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
            _existing(document, self.output)
        given = {key: value for key in ("output", "dtype", "name", "note") if (value := getattr(self, key)) is not None}
        return replace(document, recipe=replace(document.recipe, **given))

    def absorbs(self, later: Command) -> bool:
        """Changing the same fields again is one step."""
        return isinstance(later, SetRecipe) and _given(later) == _given(self) != {"output"}


def _given(command: SetRecipe) -> set[str]:
    return {key for key in ("output", "dtype", "name", "note") if getattr(command, key) is not None}


@dataclass(frozen=True, slots=True)
class SetSink(_Step):
    """Replace a save or task node (its folder, dtype, task or split changed)."""

    sink: SaveNode | TaskNode
    label: str = "Change node"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        old = _existing(document, self.sink.id)
        if type(old) is not type(self.sink):
            raise InputError(f"'{self.sink.id}' is another kind of node.", node=self.sink.id)
        return replace_node(document, self.sink)


@dataclass(frozen=True, slots=True)
class SetInterpolation:
    """Choose corners and weights of the interpolation canvas."""

    interpolation: Interpolation
    label: str = "Move handle"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        corners, weights = self.interpolation.corners, self.interpolation.weights
        for id_ in corners:
            corner = _existing(document, id_)
            if not isinstance(corner, CheckpointNode) or isinstance(corner, AdapterNode):
                raise InputError(f"'{id_}' is no checkpoint, so it cannot be a corner.", node=id_)
        if len(weights) != len(corners) or (weights and abs(sum(weights) - 1) > 1e-6):
            raise InputError("The weights of the corners must total 1, one for each.", weights=list(weights))
        return replace(document, interpolation=self.interpolation)

    def absorbs(self, later: Command) -> bool:
        """A drag over the same corners is one step."""
        return isinstance(later, SetInterpolation) and later.interpolation.corners == self.interpolation.corners


@dataclass(frozen=True, slots=True)
class Batch(_Step):
    """Several edits as one step of undo."""

    commands: tuple[Command, ...]
    label: str = "Edit"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        for command in self.commands:
            document = command.apply(document)
        return document
