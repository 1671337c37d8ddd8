"""Edits that connect nodes and part them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from solera.documents.command import Step, existing, index_of
from solera.documents.document import AnyNode, Document, SaveNode, TaskNode, replace_node
from solera.errors import InputError
from solera.recipes.nodes import AdapterNode, AlignedNode, MethodNode, StackNode, StatisticNode, SumNode, Term


@dataclass(frozen=True, slots=True)
class Connect(Step):
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
        existing(document, self.source)
        node = existing(document, self.target)
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
            index = index_of(terms, place, node.id)
            moved = replace(terms[index], node=source)
            return replace(node, terms=(*terms[:index], moved, *terms[index + 1 :]))
        case StackNode(parts=parts), "part":
            index = index_of(parts, place, node.id)
            return replace(node, parts=(*parts[:index], replace(parts[index], node=source), *parts[index + 1 :]))
        case ((SaveNode() | TaskNode()), "source"):
            return replace(node, source=source)
        case _:
            raise InputError(f"'{node.id}' has no port '{port}'.", node=node.id, port=port)


def _put(items: tuple[str, ...], place: str, item: str, owner: str) -> tuple[str, ...]:
    if place == "+" or int(place) == len(items):
        return (*items, item)
    index = index_of(items, place, owner)
    return (*items[:index], item, *items[index + 1 :])


@dataclass(frozen=True, slots=True)
class Disconnect(Step):
    """Free a port; an input or term port disappears and those below move up."""

    target: str
    port: str
    label: str = "Disconnect"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        node = existing(document, self.target)
        kind, _, place = self.port.partition(":")
        changed: AnyNode
        match node, kind:
            case ((MethodNode() | AdapterNode()), "base"):
                changed = replace(node, base="")
            case MethodNode(inputs=inputs), "input":
                index = index_of(inputs, place, node.id)
                changed = replace(node, inputs=inputs[:index] + inputs[index + 1 :])
            case MethodNode(statistics=statistics), "statistic":
                index = index_of(statistics, place, node.id)
                changed = replace(node, statistics=statistics[:index] + statistics[index + 1 :])
            case AlignedNode(), "to":
                changed = replace(node, to="")
            case StatisticNode(), "model":
                changed = replace(node, model="")
            case SumNode(terms=terms), "term":
                index = index_of(terms, place, node.id)
                changed = replace(node, terms=terms[:index] + terms[index + 1 :])
            case StackNode(parts=parts), "part":
                index = index_of(parts, place, node.id)
                changed = replace(node, parts=parts[:index] + parts[index + 1 :])
            case ((SaveNode() | TaskNode()), "source"):
                changed = replace(node, source="")
            case _:
                raise InputError(f"'{node.id}' has no port '{self.port}'.", node=node.id, port=self.port)
        return replace_node(document, changed)
