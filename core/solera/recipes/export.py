"""A recipe as something else to take along: a script, a YAML file, a command line."""

from __future__ import annotations

import keyword
import shlex
from collections.abc import Mapping
from typing import Any

from solera.params import Curve, PerModel, Rules, Value, Var, encode
from solera.recipes.nodes import (
    AdapterNode,
    AlignedNode,
    CheckpointNode,
    MethodNode,
    Node,
    Part,
    Recipe,
    StackNode,
    StatisticNode,
    SumNode,
    Term,
    TokenRow,
    TokensNode,
)
from solera.recipes.order import ordered, reachable
from solera.recipes.plain_views import aligned_to_plain
from solera.recipes.yaml import dump_recipe


def as_yaml(recipe: Recipe) -> str:
    """The canonical YAML."""
    return dump_recipe(recipe)


def as_python(recipe: Recipe, out: str = "out") -> str:
    """A script that makes the same weights through ``import solera``.

    Args:
        recipe: A recipe without faults; nodes its output does not need are left out.
        out: The folder it saves to. A recipe with free variables is bound to values, not saved.
    """
    recipe = reachable(recipe)
    names = _names(recipe)
    lines = ["import solera", ""]
    for node in ordered(recipe):
        if node.note:
            lines += [f"# {line}" for line in node.note.splitlines()]
        lines.append(f"{names[node.id]} = {_expression(node, names)}")
    if recipe.output and not recipe.variables:
        dtype = f", dtype={recipe.dtype!r}" if recipe.dtype else ""
        lines.append(f"{names[recipe.output]}.save({out!r}{dtype})")
    return "\n".join(lines) + "\n"


def as_command(file: str, out: str, numbers: Mapping[str, float] | None = None, dtype: str = "") -> str:
    """The command line that makes the weights.

    Args:
        file: The recipe's file.
        out: The folder to make.
        numbers: Values of free variables.
        dtype: Storage dtype, if not the recipe's own.
    """
    words = ["solera", "merge", file, out]
    for name, value in (numbers or {}).items():
        words += ["--set", f"{name}={value!r}"]
    if dtype:
        words += ["--dtype", dtype]
    return shlex.join(words)


def _names(recipe: Recipe) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in recipe.nodes:
        name = node.id if node.id.isidentifier() else "node"
        while keyword.iskeyword(name) or name == "solera" or name in names.values():
            name += "_"
        names[node.id] = name
    return names


def _expression(node: Node, names: Mapping[str, str]) -> str:
    match node:
        case AdapterNode(source=source, base=base):
            return f"solera.open({source!r}, base={names[base]})"
        case AlignedNode(source=source, strip=strip):
            opened = f"solera.open({source!r}{f', strip={strip!r}' if strip else ''})"
            keys = ("by", "task", "seed", "tries", "hold")
            told = [f"{key}={value!r}" for key, value in aligned_to_plain(node).items() if key in keys]
            return f"solera.align({', '.join([opened, names[node.to], *told])})"
        case StatisticNode():
            arguments = [repr(node.statistic), names[node.model], repr(node.task)]
            arguments += [f"split={node.split!r}"] if node.split != "train" else []
            arguments += [f"{key}={getattr(node, key)!r}" for key in ("samples", "seed") if getattr(node, key)]
            arguments += [f"{key}={_literal(node.params[key])}" for key in sorted(node.params)]
            return f"solera.statistic({', '.join(arguments)})"
        case CheckpointNode(source=source, strip=strip):
            return f"solera.open({source!r}{f', strip={strip!r}' if strip else ''})"
        case SumNode(terms=terms):
            return _sum(terms, names)
        case MethodNode(method=method, inputs=inputs, base=base, params=params):
            arguments = [repr(method), f"[{', '.join(names[name] for name in inputs)}]"]
            arguments += [f"base={names[base]}"] if base else []
            measured = ", ".join(names[name] for name in node.statistics)
            arguments += [f"statistics=[{measured}]"] if measured else []
            arguments += [f"{key}={_literal(params[key])}" for key in sorted(params)]
            return f"solera.merge({', '.join(arguments)})"
        case StackNode(parts=parts, layers=layers):
            chosen = ", ".join(_part(part, names) for part in parts)
            return f"solera.stack([{chosen}]{f', layers={layers!r}' if layers else ''})"
        case TokensNode():
            return _tokens(node, names)


def _part(part: Part, names: Mapping[str, str]) -> str:
    if part.layers is None and not part.names:
        return names[part.node]
    return f"({names[part.node]}, {part.layers if part.layers else part.names!r})"


def _tokens(node: TokensNode, names: Mapping[str, str]) -> str:
    arguments = [names[node.node], names.get(node.vocabulary, repr(node.vocabulary))]
    arguments += [f"base={names[node.base]}"] if node.base else []
    arguments += [f"among=[{', '.join(names[name] for name in node.among)}]"] if node.among else []
    rows = ", ".join(f"{token!r}: {_row(row, names)}" for token, row in sorted(node.rows.items()))
    arguments += [f"rows={{{rows}}}"] if rows else []
    arguments += [f"multiple={node.multiple}"] if node.multiple != 1 else []
    return f"solera.tokens({', '.join(arguments)})"


def _row(row: TokenRow, names: Mapping[str, str]) -> str:
    given = [f"'node': {names[row.node]}"] if row.node else []
    given += [f"'token': {row.token!r}"] if row.token is not None else []
    given += [f"'{key}': True" for key in ("zero", "force") if getattr(row, key)]
    return f"{{{', '.join(given)}}}"


def _sum(terms: tuple[Term, ...], names: Mapping[str, str]) -> str:
    text = ""
    for term in terms:
        name, factor = names[term.node], term.coefficient
        negative = isinstance(factor, (int, float)) and factor < 0
        size: Any = -factor if negative and isinstance(factor, (int, float)) else factor
        product = name if size == 1 else f"{_literal(size)} * {name}"
        if not text:
            text = f"-1 * {name}" if negative and size == 1 else f"-{product}" if negative else product
        else:
            text += f" - {product}" if negative else f" + {product}"
    return text if len(terms) > 1 or "*" in text else f"1 * {text}"


def _literal(value: Value) -> str:
    match value:
        case Var(choices=choices) if choices:
            return repr(encode(value))
        case Var(name, low, high, init, log):
            given = {"low": low, "high": high, "init": init}
            words = [repr(name), *(f"{key}={item!r}" for key, item in given.items() if item is not None)]
            return f"solera.var({', '.join([*words, *(['log=True'] if log else [])])})"
        case PerModel(values):
            return f"[{', '.join(_literal(item) for item in values)}]"
        case Curve() | Rules():
            return repr(encode(value))
        case _:
            return repr(value)
