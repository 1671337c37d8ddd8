"""The recipe: a frozen graph of few kinds of node. Pure data; nothing here opens a file or knows a tensor.

Types (see :mod:`solera.recipes.types`): a checkpoint is *Weights*; a difference of Weights is a *Delta*; a method
takes Weights or Deltas, as it declares. A recipe may be incomplete or wrong (a canvas edits it in that state);
:mod:`solera.recipes.checks` reports every fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from solera.params import Value, Var, substitute, variables

ValueType = Literal["weights", "delta", "importance"]

#: Version of the YAML form.
RECIPE_VERSION = 1


@dataclass(frozen=True, slots=True)
class CheckpointNode:
    """Weights from disk (or from memory, in a script).

    Attributes:
        id: Unique in the recipe, an identifier; also its port name on a canvas.
        source: A path (absolute, or relative to the recipe's folder), ``"library:NAME"`` inside a project, or
            ``"memory:KEY"`` for tensors handed over by a script.
        fingerprint: Content hash it is expected to have (``"sha256-tree:..."``); empty if not pinned.
        strip: Prefix or container the declared view removes from names (``"module."``, ``"state_dict/"``).
        note: Free text.
    """

    id: str
    source: str
    fingerprint: str = ""
    strip: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class AdapterNode(CheckpointNode):
    """What an adapter adds to its base: a Delta of all the base's tensors, computed from the adapter's few.

    ``source`` is the adapter's folder; ``strip`` stays empty.

    Attributes:
        base: Id of the checkpoint node it changes; empty if not connected yet.
    """

    base: str = ""


@dataclass(frozen=True, slots=True)
class AlignedNode(CheckpointNode):
    """A checkpoint with its units where another's are; it computes the same. Weights like those in ``source``.

    Attributes:
        to: Id of the checkpoint node it is aligned to; empty if not connected yet.
        by: ``"weights"``, or ``"activations"`` on the data of a task.
        task: Name of that task.
        seed: Of the order in which weight matching visits groups of units.
        tries: How many orders are tried.
        hold: Globs over groups whose units stay where they are.
    """

    to: str = ""
    by: str = "weights"
    task: str = ""
    seed: int = 0
    tries: int = 1
    hold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatisticNode(CheckpointNode):
    """What data say of a model: an Importance, computed on a task's examples before whatever needs it.

    ``source`` and ``strip`` stay empty; ``fingerprint`` may pin the numbers.

    Attributes:
        model: Id of the node whose weights are looked at; empty if not connected yet.
        statistic: A name of :data:`solera.methods.statistics.STATISTICS`: ``"fisher"``, ``"gram"`` ...
        task: Name of the task whose examples are used.
        split: Which of its data.
        samples: How many examples, a fixed stratified part; 0 is all.
        seed: Of the part, and of what is drawn.
        params: Parameters of the kind; absent ones take its default.
    """

    model: str = ""
    statistic: str = ""
    task: str = ""
    split: str = "train"
    samples: int = 0
    seed: int = 0
    params: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Term:
    """One summand: ``coefficient * node``; the coefficient may be a variable or a curve."""

    node: str
    coefficient: Value = 1.0


@dataclass(frozen=True, slots=True)
class SumNode:
    """A linear combination.

    Weights whose numeric coefficients total 1 (plus any Deltas) give Weights; Weights that total 0, or Deltas
    alone, give a Delta. Anything else is refused.
    """

    id: str
    terms: tuple[Term, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class MethodNode:
    """A method applied to inputs.

    Attributes:
        id: Unique in the recipe.
        method: Registered name: ``"ties"``.
        inputs: Ids of the input nodes, in order.
        base: Id of the base; empty if none. With a base, a method that takes Deltas is given ``input - base`` for
            each Weights input and its result is added to the base (the *Weights form*); without, it takes Deltas
            and gives a Delta (the *Delta form*).
        params: Values by parameter name; absent ones take the method's default.
        note: Free text.
        statistics: Ids of statistic nodes, one for each input in their order, for a method that needs them.
    """

    id: str
    method: str
    inputs: tuple[str, ...] = ()
    base: str = ""
    params: Mapping[str, Value] = field(default_factory=dict)
    note: str = ""
    statistics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What a stack takes from one node.

    Attributes:
        node: Which.
        layers: First layer and the one after the last; None for whatever no other part gives.
        names: A glob over names of tensors: those are taken, layers or not.
    """

    node: str
    layers: tuple[int, int] | None = None
    names: str = ""


@dataclass(frozen=True, slots=True)
class StackNode:
    """Weights whose layers are chosen layers of others, numbered anew from 0.

    Tensors before the layers (embeddings) come from the first part with layers, those after them (final norm, head)
    from the last. Config and tokenizer are those of the first part that is not chosen by names; its number of layers is
    mended.

    Attributes:
        id: Unique in the recipe.
        parts: In the order of the result.
        layers: What stands before a layer's number (``"model.layers."``); empty is the longest numbered list.
        note: Free text.
    """

    id: str
    parts: tuple[Part, ...] = ()
    layers: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """Where the row of one token comes from, said outright.

    Attributes:
        node: The node that lends it; empty with ``zero``, or where the usual rule holds.
        token: Which of that node's tokens, as text or id; None for the same text.
        zero: Zeros.
        force: It replaces the row also of a node that has the token.
    """

    node: str = ""
    token: str | int | None = None
    zero: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class TokensNode:
    """Weights with embedding and head laid out anew for another vocabulary.

    A row a node lacks is that of the only node that has it, else the base's, else the mean of those that have it; zeros
    if none has.

    Attributes:
        id: Unique in the recipe.
        node: Whose weights.
        vocabulary: Id of the node whose tokenizer the result has, or ``"union"``: that of the first in ``among``, and
            what tokens the others have beside.
        among: Ids of the nodes that lend rows, in order.
        base: Id of the one of them whose rows go before the others'; empty if none.
        rows: Tokens whose rows are said outright; tokens that the vocabulary lacks are added to it.
        multiple: Rows are filled up to a multiple of this, with the mean of the others.
        note: Free text.
    """

    id: str
    node: str
    vocabulary: str
    among: tuple[str, ...] = ()
    rows: Mapping[str, TokenRow] = field(default_factory=dict)
    multiple: int = 1
    base: str = ""
    note: str = ""


#: The value of ``TokensNode.vocabulary`` that is no node.
UNION = "union"

Node = CheckpointNode | SumNode | MethodNode | StackNode | TokensNode

#: Nodes that show other weights under other names or in another layout, and compute nothing.
VIEWS = (StackNode, TokensNode)


def upstream(node: Node) -> tuple[str, ...]:
    """Ids a node depends on, in port order, without the empty ones."""
    match node:
        case AdapterNode(base=base):
            return (base,) if base else ()
        case AlignedNode(to=to):
            return (to,) if to else ()
        case StatisticNode(model=model):
            return (model,) if model else ()
        case CheckpointNode():
            return ()
        case SumNode(terms=terms):
            return tuple(term.node for term in terms if term.node)
        case MethodNode(inputs=inputs, base=base, statistics=statistics):
            return tuple(name for name in (base, *inputs, *statistics) if name)
        case StackNode(parts=parts):
            return tuple(part.node for part in parts if part.node)
        case TokensNode():
            return token_sources(node)


def operands(node: Node) -> tuple[str, ...]:
    """Ids of the nodes whose values a node is computed from, piece by piece; statistics and what is only fitted not."""
    if isinstance(node, MethodNode):
        return tuple(name for name in (node.base, *node.inputs) if name)
    return () if isinstance(node, CheckpointNode) else upstream(node)


def token_sources(node: TokensNode) -> tuple[str, ...]:
    """Ids of the nodes whose tokenizer or rows a node needs, its own first, each once."""
    vocabulary = () if node.vocabulary == UNION else (node.vocabulary,)
    lenders = (row.node for row in node.rows.values())
    return tuple(dict.fromkeys(name for name in (node.node, node.base, *node.among, *vocabulary, *lenders) if name))


def node_values(node: Node) -> Iterator[Value]:
    """Every parameter value a node holds."""
    match node:
        case SumNode(terms=terms):
            yield from (term.coefficient for term in terms)
        case MethodNode(params=params):
            yield from params.values()
        case _:
            return


@dataclass(frozen=True, slots=True)
class Recipe:
    """How new weights are made.

    Attributes:
        nodes: Every node, in the order a person wrote them.
        output: Id of the node that is the result; empty if none is chosen yet.
        dtype: Storage dtype of the result (``"bfloat16"``); empty keeps the base's (or first input's) per tensor.
        name: A short name for people.
        note: Free text.
        chat_template: How the result's tokenizer writes a conversation: ``"auto"`` (as most of the models), a name of
            :data:`solera.checkpoints.chat_templates.NAMED`, or Jinja; empty keeps the reference's.
    """

    nodes: tuple[Node, ...] = ()
    output: str = ""
    dtype: str = ""
    name: str = ""
    note: str = ""
    chat_template: str = ""

    def node(self, id_: str) -> Node:
        """The node with this id.

        Raises:
            KeyError: There is none.
        """
        for node in self.nodes:
            if node.id == id_:
                return node
        raise KeyError(id_)

    @property
    def variables(self) -> tuple[Var, ...]:
        """The free variables, each once, in order of first appearance."""
        seen: dict[str, Var] = {}
        for node in self.nodes:
            for value in node_values(node):
                for var in variables(value):
                    seen.setdefault(var.name, var)
        return tuple(seen.values())

    @property
    def checkpoints(self) -> tuple[CheckpointNode, ...]:
        """The checkpoint nodes, in order; adapters and statistics too, whose numbers are read as well."""
        return tuple(node for node in self.nodes if isinstance(node, CheckpointNode))

    def with_values(self, numbers: Mapping[str, float]) -> Recipe:
        """The recipe with these variables replaced by numbers."""
        return replace(self, nodes=tuple(_with_values(node, numbers) for node in self.nodes))


def _with_values(node: Node, numbers: Mapping[str, float]) -> Node:
    match node:
        case SumNode(terms=terms):
            return replace(
                node,
                terms=tuple(replace(term, coefficient=substitute(term.coefficient, numbers)) for term in terms),
            )
        case MethodNode(params=params):
            return replace(node, params={key: substitute(value, numbers) for key, value in params.items()})
        case _:
            return node
