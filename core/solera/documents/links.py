"""Which connections a document allows, and the sentence why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from solera.documents.document import AnyNode, Document, SaveNode, TaskNode, sources
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
from solera.recipes.types import TOTAL_TOLERANCE

PortType = Literal["weights", "delta", "importance", "any"]


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
    def gives(self) -> str:
        """``"same"`` as it takes, or ``"delta"``."""
        ...

    @property
    def base(self) -> str:
        """``"required"``, ``"optional"`` or ``"none"``."""
        ...

    @property
    def max_inputs(self) -> int | None:
        """How many inputs at most; None is any number."""
        ...

    @property
    def needs(self) -> str:
        """The kind of statistic it needs of each input; empty if none."""
        ...


Methods = Mapping[str, MethodFacts]


class Wiring:
    """The connections of one document, read once: asked often while a canvas paints and while a link is dragged.

    Args:
        document: The document.
        methods: Registered methods by name.
    """

    def __init__(self, document: Document, methods: Methods) -> None:
        self._methods = methods
        self._nodes = {node.id: node for node in document.nodes}
        self._results: dict[str, PortType] = {}
        self._above: dict[str, frozenset[str]] = {}

    def sources(self, id_: str) -> tuple[str, ...]:
        """Ids a node depends on directly; those that exist."""
        return tuple(name for name in sources(self._nodes[id_]) if name in self._nodes)

    def above(self, id_: str) -> frozenset[str]:
        """Ids a node depends on, directly or not."""
        if id_ not in self._above:
            seen: set[str] = set()
            open_ = list(self.sources(id_))
            while open_:
                name = open_.pop()
                if name not in seen:
                    seen.add(name)
                    open_.extend(self.sources(name))
            self._above[id_] = frozenset(seen)
        return self._above[id_]

    def result(self, id_: str) -> PortType:
        """What a node's output is; see :func:`result_type`."""
        if id_ in self._results:
            return self._results[id_]
        if id_ not in self._nodes:
            return "any"
        stack, entered = [id_], set[str]()
        while stack:
            name = stack[-1]
            waits = [source for source in self.sources(name) if source not in self._results and source not in entered]
            if waits and name not in self._results:
                entered.add(name)
                stack.extend(waits)
                continue
            stack.pop()
            if name not in self._results:
                self._results[name] = self._infer(self._nodes[name])
        return self._results[id_]

    def _infer(self, node: AnyNode) -> PortType:
        match node:
            case AdapterNode():
                return "delta"
            case StatisticNode():
                return "importance"
            case CheckpointNode() | StackNode() | TokensNode():
                return "weights"
            case SumNode(terms=terms):
                kinds = [self._results.get(term.node, "any") for term in terms]
                if not kinds or "any" in kinds:
                    return "any"
                numbers = [term.coefficient for term, kind in zip(terms, kinds, strict=True) if kind == "weights"]
                known = [number for number in numbers if isinstance(number, (int, float))]
                if len(known) < len(numbers):
                    return "any"  # refused where the recipe is checked
                if not numbers or abs(sum(known)) <= TOTAL_TOLERANCE:
                    return "delta"
                return "weights" if abs(sum(known) - 1) <= TOTAL_TOLERANCE else "any"
            case MethodNode(method=method, base=base, inputs=inputs):
                facts = self._methods.get(method)
                takes = facts.takes if facts else "any"
                if facts and facts.gives == "delta":
                    return "delta"
                if base or takes == "weights":
                    return "weights"
                fed = {self._results.get(name, "any") for name in inputs if name}
                if fed == {"weights"}:
                    return "weights"
                return "delta" if "delta" in fed else "any"
            case _:
                return "any"

    def wanted(self, target: str, port: str) -> PortType:
        """What a port accepts now; see :func:`port_type`."""
        node = self._nodes[target]
        if port.startswith("statistic:"):
            return "importance"
        if isinstance(node, (SaveNode, TaskNode, StackNode, TokensNode, StatisticNode, AlignedNode)) or port == "base":
            return "weights"
        if isinstance(node, MethodNode):
            facts = self._methods.get(node.method)
            if facts is None:
                return "any"
            if facts.takes == "any":
                return "any" if node.base else self._of_the_others(node, port)
            if facts.takes == "weights":
                return "weights"
            if facts.base == "none":
                return "delta"
            return "any" if node.base else self._of_the_others(node, port)
        return "any"

    def _of_the_others(self, node: MethodNode, port: str) -> PortType:
        """What the other inputs are, if they agree: weights and deltas are not taken together."""
        place = port.partition(":")[2]
        others = {self.result(name) for i, name in enumerate(node.inputs) if name and str(i) != place} - {"any"}
        return others.pop() if len(others) == 1 else "any"

    def refusal(self, source: str, target: str, port: str) -> str | None:
        """Why a connection is refused; see :func:`refusal`."""
        if source == target:
            return "A node cannot feed itself."
        from_, to = self._nodes[source], self._nodes[target]
        if isinstance(from_, (SaveNode, TaskNode)):
            return "Save and task nodes have no weights to hand on."
        if isinstance(to, AdapterNode):
            if isinstance(from_, CheckpointNode) and not isinstance(from_, AdapterNode):
                return None
            return "The base of an adapter is a checkpoint: the model it was trained on."
        if isinstance(to, AlignedNode):
            return None if type(from_) is CheckpointNode else "A checkpoint is aligned to another one on disk."
        if isinstance(to, CheckpointNode) and not isinstance(to, StatisticNode):
            return "A checkpoint takes no input; it is read from disk."
        if isinstance(to, TokensNode):
            return "Which models lend a vocabulary is said in the recipe's file."
        if target in self.above(source):
            return f"That would go in a circle: '{source}' already depends on '{target}'."
        if isinstance(to, MethodNode):
            facts = self._methods.get(to.method)
            if port == "base" and facts is not None and facts.base == "none":
                return f"{facts.title} takes no base."
            most = facts.max_inputs if facts is not None else None
            if facts is not None and most is not None and port == "input:+" and len(to.inputs) >= most:
                return f"{facts.title} takes {most} inputs; all are connected."
            if isinstance(from_, StatisticNode) and facts is not None and facts.needs not in {"", from_.statistic}:
                return f"{facts.title} needs the statistic '{facts.needs}'; '{source}' is '{from_.statistic}'."
            if port == "statistic:+" and to.inputs and len(to.statistics) >= len(to.inputs):
                return "Each input has its statistic; connect a further input first."
            if source in to.inputs and port.startswith("input"):
                return f"'{source}' is already an input here."
        got, wanted = self.result(source), self.wanted(target, port)
        if "importance" in (got, wanted) and got != wanted and got != "any":
            if got == "importance":
                return f"'{source}' is an Importance, which only a method's statistics take."
            return f"This port takes a statistic, not {'Weights' if got == 'weights' else 'a Delta'}."
        if "any" in (got, wanted) or got == wanted:
            return None
        if wanted == "weights":
            return f"This port takes Weights, and '{source}' is a Delta; add it to its base first."
        return f"This port takes a Delta, and '{source}' is Weights; subtract its base first, or connect a base."


def likely_base(document: Document) -> str:
    """Id of the checkpoint that a new adapter most likely changes: the base of the others, or the only checkpoint.

    Empty where that is not clear.
    """
    nodes = document.recipe.nodes
    used = {node.base for node in nodes if isinstance(node, (MethodNode, AdapterNode)) and node.base}
    made = (AdapterNode, StatisticNode)
    alone = {node.id for node in nodes if isinstance(node, CheckpointNode) and not isinstance(node, made)}
    found = (used & alone) or alone
    return found.pop() if len(found) == 1 else ""


def result_type(document: Document, id_: str, methods: Methods) -> PortType:
    """What a node's output is: Weights, a Delta, or still open (``"any"``) while its inputs are missing."""
    return Wiring(document, methods).result(id_)


def port_type(document: Document, target: AnyNode, port: str, methods: Methods) -> PortType:
    """What a port accepts now: a method node with a base takes Weights at its inputs, without one Deltas."""
    return Wiring(document, methods).wanted(target.id, port)


def refusal(document: Document, source: str, target: str, port: str, methods: Methods) -> str | None:
    """Why ``source`` cannot be connected to ``port`` of ``target``; None if it can.

    Args:
        document: The document.
        source: Id of the node whose output is dragged.
        target: Id of the node it is dropped on.
        port: ``"base"``, ``"input:+"``, ``"term:0"``, ``"source"`` ...
        methods: Registered methods by name.
    """
    return Wiring(document, methods).refusal(source, target, port)
