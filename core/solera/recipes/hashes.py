"""Two hashes of a recipe: what is written, and what it makes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from solera.errors import InputError
from solera.params import PerModel, Value, encode
from solera.recipes.nodes import (
    AdapterNode,
    CheckpointNode,
    MethodNode,
    Node,
    Recipe,
    StackNode,
    StatisticNode,
    SumNode,
    TokensNode,
)
from solera.recipes.order import ordered, reachable
from solera.recipes.yaml import dump_recipe

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec


def textual_hash(recipe: Recipe) -> str:
    """SHA-256 of the canonical text: changes with every visible change, names and notes too."""
    return _digest(dump_recipe(recipe).encode())


def semantic_hash(recipe: Recipe, methods: Mapping[str, MethodSpec], fingerprints: Mapping[str, str]) -> str:
    """SHA-256 of what decides the resulting numbers; the key of caches and artifacts.

    Counted: the contents of the checkpoints and statistics and the views on them, methods with their versions (those of
    plugins outside Solera also with their code) and every parameter (defaults filled in), coefficients, the names of
    free variables, the order of inputs, the output dtype. Not counted: names of nodes, notes, paths, bounds of
    variables, nodes the output does not need.

    Args:
        recipe: A recipe without faults.
        methods: The registered methods.
        fingerprints: Content hash of each checkpoint and statistic, by node id; of a layout of tokens, that of its
            tokenizers.

    Raises:
        InputError: The fingerprint of a checkpoint or a method is missing.
    """
    hashes: dict[str, str] = {}
    for node in ordered(reachable(recipe)):
        hashes[node.id] = _digest(_canonical(_meaning(node, hashes, methods, fingerprints)))
    plain = {"output": hashes.get(recipe.output, ""), "dtype": recipe.dtype}
    return _digest(_canonical(plain))


def _meaning(
    node: Node, hashes: Mapping[str, str], methods: Mapping[str, MethodSpec], fingerprints: Mapping[str, str]
) -> list[Any]:
    match node:
        case CheckpointNode():
            if node.id not in fingerprints:
                raise InputError(f"The fingerprint of the checkpoint '{node.id}' is missing.", node=node.id)
            if isinstance(node, AdapterNode):
                return ["adapter", fingerprints[node.id], hashes[node.base]]
            if isinstance(node, StatisticNode):
                return ["statistic", fingerprints[node.id]]
            return ["checkpoint", fingerprints[node.id], node.strip]
        case SumNode():
            return ["sum", [[_value(term.coefficient), hashes[term.node]] for term in node.terms]]
        case MethodNode():
            if node.method not in methods:
                raise InputError(f"No method is called '{node.method}'.", method=node.method)
            spec = methods[node.method]
            params = {param.name: _value(_filled(node, param.name, param.default)) for param in spec.params}
            inputs = [hashes[name] for name in node.inputs]
            made_by = [spec.version, spec.source] if spec.source else [spec.version]
            measured = [[hashes[name] for name in node.statistics]] if node.statistics else []
            return ["method", node.method, *made_by, hashes.get(node.base, ""), inputs, params, *measured]
        case StackNode(parts=parts):
            return ["stack", node.layers, [[hashes[part.node], part.layers, part.names] for part in parts]]
        case TokensNode():
            rows = {
                token: [hashes.get(row.node, ""), row.token, row.zero, row.force] for token, row in node.rows.items()
            }
            vocabulary = hashes.get(node.vocabulary, node.vocabulary)
            tokenizers = fingerprints.get(node.id, "")
            lenders = [hashes[name] for name in node.among]
            return [
                "tokens",
                hashes[node.node],
                vocabulary,
                tokenizers,
                lenders,
                rows,
                node.multiple,
                hashes.get(node.base, ""),
            ]


def _filled(node: MethodNode, name: str, default: Any) -> Value | None:
    if name in node.params:
        return node.params[name]
    return PerModel(default) if isinstance(default, tuple) else default


def _value(value: Value | None) -> Any:
    """Plain data without what does not change numbers: variables by name only, a list of equals as one."""
    plain = encode(value) if value is not None else None
    return _bare(plain)


def _bare(plain: Any) -> Any:
    match plain:
        case {"var": name, "choices": choices}:
            return {"var": name, "choices": [str(item) for item in choices]}
        case {"var": name}:
            return {"var": name}
        case dict():
            return {key: _bare(item) for key, item in plain.items()}
        case [first, *rest] if all(item == first for item in rest):
            return _bare(first)
        case list():
            return [_bare(item) for item in plain]
        case int() if not isinstance(plain, bool):
            return float(plain)
        case _:
            return plain


def _canonical(plain: Any) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
