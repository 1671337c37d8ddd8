"""Which connections a document allows, and the sentence why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from solera.documents.document import AnyNode, Document, SaveNode, TaskNode, sources
from solera.recipes.nodes import CheckpointNode, MethodNode, SumNode

PortType = Literal["weights", "delta", "any"]


class MethodFacts(Protocol):
    """What a canvas must know of a method; a manifest entry and a MethodSpec both have it."""

    @property
    def title(self) -> str:
        """What a person reads."""
        ...

    @property
    def takes(self) -> str:
        """``"weights"``, ``"delta"`` or ``"any"``."""
        ...

    @property
    def base(self) -> str:
        """``"required"``, ``"optional"`` or ``"none"``."""
        ...

    @property
    def max_inputs(self) -> int | None:
        """How many inputs at most; None is any number."""
        ...


Methods = Mapping[str, MethodFacts]


def result_type(document: Document, id_: str, methods: Methods) -> PortType:
    """What a node's output is: Weights, a Delta, or still open (``"any"``) while its inputs are missing."""
    return _result(document, id_, methods, frozenset())


def _result(document: Document, id_: str, methods: Methods, above: frozenset[str]) -> PortType:
    if id_ in above or id_ not in document.ids:
        return "any"
    node = document.node(id_)
    above |= {id_}
    match node:
        case CheckpointNode():
            return "weights"
        case SumNode(terms=terms):
            numbers = [
                term.coefficient
                for term in terms
                if term.node and _result(document, term.node, methods, above) == "weights"
            ]
            if not numbers:
                return "delta" if terms else "any"
            total = sum(n for n in numbers if isinstance(n, (int, float)))
            return "weights" if abs(total - 1) < 1e-9 else "delta" if abs(total) < 1e-9 else "any"
        case MethodNode(method=method, base=base, inputs=inputs):
            facts = methods.get(method)
            takes = facts.takes if facts else "any"
            if base or takes == "weights":
                return "weights"
            kinds = {_result(document, name, methods, above) for name in inputs if name}
            if kinds == {"weights"}:
                return "weights"
            return "delta" if "delta" in kinds else "any"
        case _:
            return "any"


def port_type(document: Document, target: AnyNode, port: str, methods: Methods) -> PortType:
    """What a port accepts now: a method node with a base takes Weights at its inputs, without one Deltas."""
    if isinstance(target, (SaveNode, TaskNode)) or port == "base":
        return "weights"
    if isinstance(target, MethodNode):
        facts = methods.get(target.method)
        if facts is None or facts.takes == "any":
            return "any"
        if facts.takes == "weights":
            return "weights"
        return "any" if facts.base != "none" else "delta"
    return "any"


def refusal(document: Document, source: str, target: str, port: str, methods: Methods) -> str | None:
    """Why ``source`` cannot be connected to ``port`` of ``target``; None if it can.

    Args:
        document: The document.
        source: Id of the node whose output is dragged.
        target: Id of the node it is dropped on.
        port: ``"base"``, ``"input:+"``, ``"term:0"``, ``"source"`` ...
        methods: Registered methods by name.
    """
    if source == target:
        return "A node cannot feed itself."
    from_, to = document.node(source), document.node(target)
    if isinstance(from_, (SaveNode, TaskNode)):
        return "Save and task nodes have no weights to hand on."
    if isinstance(to, CheckpointNode):
        return "A checkpoint takes no input; it is read from disk."
    if _reaches(document, target, source):
        return f"That would go in a circle: '{source}' already depends on '{target}'."
    got = result_type(document, source, methods)
    wanted = port_type(document, to, port, methods)
    if isinstance(to, MethodNode):
        facts = methods.get(to.method)
        if port == "base" and facts is not None and facts.base == "none" and facts.takes != "delta":
            return f"{facts.title} takes no base."
        most = facts.max_inputs if facts is not None else None
        if facts is not None and most is not None and port == "input:+" and len(to.inputs) >= most:
            return f"{facts.title} takes {most} inputs; all are connected."
        if source in to.inputs and port.startswith("input"):
            return f"'{source}' is already an input here."
    if "any" in (got, wanted) or got == wanted:
        return None
    if wanted == "weights":
        return f"This port takes Weights, and '{source}' is a Delta; add it to its base first."
    return f"This port takes a Delta, and '{source}' is Weights; subtract its base first, or connect a base."


def _reaches(document: Document, start: str, goal: str) -> bool:
    """Whether ``goal`` depends on ``start``."""
    ids = document.ids
    open_, seen = [goal], set()
    while open_:
        id_ = open_.pop()
        if id_ == start:
            return True
        if id_ in seen or id_ not in ids:
            continue
        seen.add(id_)
        open_.extend(sources(document.node(id_)))
    return False
