"""Arithmetic on recipes: what ``math - base`` and ``base + 0.8 * delta`` mean in a script.

Each function takes recipes (their outputs are the operands) and gives a new one. Nothing is refused here: number x
weights is written down as it stands, for it may become part of a sum that totals 1; types are checked when the recipe
is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from solera.errors import InputError
from solera.params import Value
from solera.recipes.join import join, unused
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
    Term,
    TokensNode,
    ValueType,
)
from solera.recipes.order import by_id, ordered, reachable
from solera.recipes.types import TOTAL_TOLERANCE, total_of


def leaf(source: str, name: str = "", *, fingerprint: str = "", strip: str = "") -> Recipe:
    """A recipe that is one checkpoint.

    Args:
        source: A path, ``"library:NAME"`` or ``"memory:KEY"``.
        name: What its node is called; made of the source's last part unless given.
        fingerprint: Content hash it is expected to have.
        strip: The declared view on its names.
    """
    id_ = identifier(name or re.split(r"[/:\\]", source.rstrip("/"))[-1])
    return Recipe((CheckpointNode(id_, source, fingerprint, strip),), id_)


def adapter(source: str, base: Recipe, name: str = "", *, fingerprint: str = "") -> Recipe:
    """A recipe that is what an adapter adds to its base.

    Args:
        source: The adapter's folder, or ``"library:NAME"``.
        base: A recipe that is one checkpoint.
        name: What its node is called; made of the source's last part unless given.
        fingerprint: Content hash it is expected to have.
    """
    nodes, (foot,) = join([base])
    wanted = identifier(name or re.split(r"[/:\\]", source.rstrip("/"))[-1])
    id_ = unused(wanted, [node.id for node in nodes])
    return Recipe((*nodes, AdapterNode(id_, source, fingerprint, base=foot)), id_)


def statistic(
    kind: str,
    model: Recipe,
    task: str,
    *,
    split: str = "train",
    samples: int = 0,
    seed: int = 0,
    params: Mapping[str, Value] | None = None,
) -> Recipe:
    """A recipe that is what data say of a model.

    Args:
        kind: A name of :data:`solera.methods.statistics.STATISTICS`.
        model: Weights without free variables.
        task: Whose examples.
        split: Which of its data.
        samples: How many; 0 is all.
        seed: Of a part of the examples, and of what is drawn.
        params: Of the kind.
    """
    nodes, (measured,) = join([model])
    id_ = unused(identifier(f"{kind}_{measured}"), [node.id for node in nodes])
    node = StatisticNode(
        id_, "", model=measured, statistic=kind, task=task, split=split, samples=samples, seed=seed,
        params=dict(params or {}),
    )  # fmt: skip
    return Recipe((*nodes, node), id_)


def align(model: Recipe, to: Recipe, rule: AlignedNode, name: str = "") -> Recipe:
    """A recipe that is one checkpoint aligned to another.

    Args:
        model: A recipe that is one checkpoint: what is permuted.
        to: A recipe that is one checkpoint.
        rule: How; its id, source and connection are not looked at.
        name: What its node is called; ``"..._aligned"`` unless given.

    Raises:
        InputError: One of them is computed.
    """
    ends = [by_id(each).get(each.output) for each in (model, to)]
    for end in ends:
        if type(end) is not CheckpointNode:
            what = end.id if end is not None else "nothing"
            raise InputError(f"Checkpoints are aligned to each other; '{what}' is computed. Save it first.")
    nodes, (foot,) = join([to])
    own = ends[0]
    assert isinstance(own, CheckpointNode)
    id_ = unused(identifier(name or f"{own.id}_aligned"), [node.id for node in nodes])
    made = replace(rule, id=id_, source=own.source, strip=own.strip, fingerprint="", to=foot)
    return Recipe((*nodes, made), id_)


def add(a: Recipe, b: Recipe) -> Recipe:
    """``a + b``."""
    return _sum([(1.0, a), (1.0, b)])


def sub(a: Recipe, b: Recipe) -> Recipe:
    """``a - b``; for two weights a delta whose origin is ``b``."""
    return _sum([(1.0, a), (-1.0, b)])


def scale(factor: Value, a: Recipe) -> Recipe:
    """``factor * a``; the factor may be a variable."""
    return _sum([(factor, a)])


def apply(
    method: str,
    inputs: Sequence[Recipe],
    base: Recipe | None = None,
    params: Mapping[str, Value] | None = None,
    name: str = "",
    statistics: Sequence[Recipe] = (),
) -> Recipe:
    """A method on recipes.

    Args:
        method: Its registered name.
        inputs: In order.
        base: The base, if any.
        params: Values by parameter name.
        name: What the node is called; the method's name unless given.
        statistics: What data say of each input, for a method that needs it; see :func:`statistic`.
    """
    nodes, ids = join([*inputs, *statistics, *([base] if base is not None else [])])
    id_ = unused(identifier(name or method), [node.id for node in nodes])
    foot = ids[-1] if base is not None else ""
    measured = ids[len(inputs) : len(inputs) + len(statistics)]
    node = MethodNode(id_, method, ids[: len(inputs)], foot, dict(params or {}), statistics=measured)
    return Recipe((*nodes, node), id_)


def kinds(recipe: Recipe) -> dict[str, ValueType]:
    """The types of nodes told without knowing any method: open sums (number x weights) are absent."""
    found: dict[str, ValueType] = {}
    for node in ordered(recipe):
        kind = _kind(node, found)
        if kind is not None:
            found[node.id] = kind
    return found


def identifier(text: str) -> str:
    """The text as a node's name: letters, digits and underscores, not beginning with a digit."""
    name = re.sub(r"\W+", "_", text.rpartition(".")[0] if text.endswith((".safetensors", ".pt", ".bin")) else text)
    name = name.strip("_") or "model"
    return f"model_{name}" if name[0].isdigit() else name


def _kind(node: Node, found: Mapping[str, ValueType]) -> ValueType | None:
    match node:
        case AdapterNode():
            return "delta"
        case StatisticNode():
            return "importance"
        case CheckpointNode() | StackNode() | TokensNode():
            return "weights"
        case MethodNode(inputs=inputs, base=base):
            return "weights" if base else found.get(inputs[0]) if inputs else None
        case SumNode(terms=terms):
            if any(term.node not in found for term in terms):
                return None
            weights = [term.coefficient for term in terms if found[term.node] == "weights"]
            numbers = [float(item) for item in weights if isinstance(item, (int, float))]
            if len(numbers) < len(weights):
                return None
            total = total_of(numbers)
            if not weights or abs(total) <= TOTAL_TOLERANCE:
                return "delta"
            return "weights" if abs(total - 1) <= TOTAL_TOLERANCE else None


def _sum(operands: Sequence[tuple[Value, Recipe]]) -> Recipe:
    nodes, ids = join([recipe for _, recipe in operands])
    graph = Recipe(nodes, ids[0])
    known, types = by_id(graph), kinds(graph)
    terms: list[Term] = []
    for (factor, _), id_ in zip(operands, ids, strict=True):
        terms += _terms(factor, known[id_], types)
    merged = _merged(terms)
    wanted = f"{merged[0].node}_delta" if [t.coefficient for t in merged] == [1.0, -1.0] else "sum"
    kept = reachable(Recipe((*nodes, SumNode("", merged)), "")).nodes[:-1]
    id_ = unused(wanted, [node.id for node in kept])
    return Recipe((*kept, SumNode(id_, merged)), id_)


def _terms(factor: Value, node: Node, types: Mapping[str, ValueType]) -> list[Term]:
    """An operand as terms: a scaled value is taken apart, an open sum too; what has a type stays a node."""
    if not isinstance(node, SumNode) or (len(node.terms) > 1 and node.id in types):
        return [Term(node.id, factor)]
    products = [_times(factor, term.coefficient) for term in node.terms]
    if any(product is None for product in products):
        return [Term(node.id, factor)]
    return [Term(term.node, product) for term, product in zip(node.terms, products, strict=True) if product is not None]


def _times(a: Value, b: Value) -> Value | None:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return float(a) * float(b)
    return b if a == 1.0 else a if b == 1.0 else None


def _merged(terms: Sequence[Term]) -> tuple[Term, ...]:
    """Numeric terms of one node put together."""
    found: dict[tuple[str, int], Term] = {}
    for i, term in enumerate(terms):
        number = isinstance(term.coefficient, (int, float))
        key = (term.node, -1 if number else i)
        first = found.get(key)
        if first is None:
            found[key] = term
        else:
            found[key] = Term(term.node, float(first.coefficient) + float(term.coefficient))  # type: ignore[arg-type]
    return tuple(found.values())
