"""A recipe as plain data and back: the form that YAML, run files and documents share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from solera.errors import Fault, suggestion
from solera.params import ParamSpec, Value, decode, encode
from solera.recipes.checks import COEFFICIENT
from solera.recipes.nodes import (
    RECIPE_VERSION,
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
)
from solera.recipes.order import find_method, node_fault
from solera.recipes.plain_statistics import statistic_from_plain, statistic_to_plain
from solera.recipes.plain_views import (
    ALIGNED_KEYS,
    STACK_KEYS,
    TOKENS_KEYS,
    aligned_from_plain,
    aligned_to_plain,
    stack_from_plain,
    stack_to_plain,
    tokens_from_plain,
    tokens_to_plain,
)

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec

_ENDS = ("output", "dtype", "chat_template")
_KEYS = ("solera", "name", "note", "nodes", *_ENDS)
_CHECKPOINT_KEYS = ("checkpoint", "fingerprint", "strip", "note")
_ADAPTER_KEYS = ("adapter", "base", "fingerprint", "note")
_SUM_KEYS = ("sum", "note")
_METHOD_KEYS = ("method", "base", "inputs", "statistics", "note")
_KINDS = ("checkpoint", "adapter", "sum", "method", "stack", "tokens", "statistic", "align")


def to_plain(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain data, keys in canonical order, what is empty left out."""
    plain: dict[str, Any] = {"solera": RECIPE_VERSION}
    for key in ("name", "note"):
        if getattr(recipe, key):
            plain[key] = getattr(recipe, key)
    plain["nodes"] = {node.id: _node_to_plain(node) for node in recipe.nodes}
    for key in _ENDS:
        if getattr(recipe, key):
            plain[key] = getattr(recipe, key)
    return plain


def _node_to_plain(node: Node) -> dict[str, Any]:
    plain: dict[str, Any]
    match node:
        case AdapterNode():
            plain = {"adapter": node.source, "base": node.base}
            plain |= {"fingerprint": node.fingerprint} if node.fingerprint else {}
        case AlignedNode():
            plain = aligned_to_plain(node)
        case StatisticNode():
            plain = statistic_to_plain(node)
        case CheckpointNode():
            plain = {"checkpoint": node.source}
            plain |= {key: getattr(node, key) for key in ("fingerprint", "strip") if getattr(node, key)}
        case SumNode():
            plain = {"sum": [_term_to_plain(term) for term in node.terms]}
        case MethodNode():
            plain = {"method": node.method}
            if node.base:
                plain["base"] = node.base
            plain["inputs"] = list(node.inputs)
            plain |= {"statistics": list(node.statistics)} if node.statistics else {}
            plain |= {key: encode(node.params[key]) for key in sorted(node.params)}
        case StackNode():
            plain = stack_to_plain(node)
        case TokensNode():
            plain = tokens_to_plain(node)
    return {**plain, "note": node.note} if node.note else plain


def _term_to_plain(term: Term) -> dict[str, Any]:
    return {"node": term.node} if term.coefficient == 1.0 else {"times": encode(term.coefficient), "node": term.node}


def from_plain(plain: Any, methods: Mapping[str, MethodSpec], faults: list[Fault]) -> Recipe:
    """Plain data as a recipe; every fault of form is appended.

    A node of an unknown method is kept with all its parameters, so that nothing is lost while a plugin is missing.

    Args:
        plain: What was read.
        methods: The registered methods.
        faults: Where faults go; wiring and types are the business of :func:`solera.recipes.checks.check`.
    """
    if not isinstance(plain, Mapping):
        faults.append(Fault("recipe.form", "", f"A recipe is a mapping with 'nodes' and 'output', not {_kind(plain)}."))
        return Recipe()
    if "merge_method" in plain and "solera" not in plain:
        message = "This is a configuration of mergekit; 'solera check FILE --show-recipe' gives it in Solera's form."
        faults.append(Fault("recipe.form", "merge_method", message))
        return Recipe()
    _unknown(plain, _KEYS, "", faults)
    version = plain.get("solera")
    if version != RECIPE_VERSION or isinstance(version, bool):
        got = "is missing" if version is None else f"is {version!r}"
        message = f"The version 'solera:' {got}; this Solera reads version {RECIPE_VERSION}."
        faults.append(Fault("recipe.version", "solera", message, ("write 'solera: 1' at the top",)))
    entries = plain.get("nodes")
    if not isinstance(entries, Mapping):
        faults.append(Fault("recipe.nodes", "nodes", f"'nodes' is a mapping of names to nodes, not {_kind(entries)}."))
        entries = {}
    nodes = (_node(str(id_), entry, methods, faults) for id_, entry in entries.items())
    return Recipe(
        nodes=tuple(node for node in nodes if node is not None),
        **{key: _text(plain, key, key, faults) for key in (*_ENDS, "name", "note")},
    )


def _node(id_: str, entry: Any, methods: Mapping[str, MethodSpec], faults: list[Fault]) -> Node | None:
    if not isinstance(entry, Mapping):
        faults.append(node_fault("recipe.node", id_, "", f"A node is a mapping, not {_kind(entry)}."))
        return None
    kinds = [key for key in _KINDS if key in entry]
    if len(kinds) != 1:
        got = " and ".join(f"'{key}'" for key in kinds) or f"{', '.join(map(str, entry)) or 'nothing'}"
        message = f"A node has exactly one of {', '.join(map(repr, _KINDS))}; this one has {got}."
        faults.append(node_fault("recipe.node", id_, "", message))
        return None
    place = f"nodes.{id_}"
    note = _text(entry, "note", f"{place}.note", faults)
    match kinds[0]:
        case "checkpoint":
            _unknown(entry, _CHECKPOINT_KEYS, place, faults)
            source, fingerprint, strip = (
                _text(entry, key, f"{place}.{key}", faults) for key in ("checkpoint", "fingerprint", "strip")
            )
            return CheckpointNode(id_, source, fingerprint, strip, note)
        case "adapter":
            _unknown(entry, _ADAPTER_KEYS, place, faults)
            source, base, fingerprint = (
                _text(entry, key, f"{place}.{key}", faults) for key in ("adapter", "base", "fingerprint")
            )
            return AdapterNode(id_, source, fingerprint, note=note, base=base)
        case "align":
            _unknown(entry, ALIGNED_KEYS, place, faults)
            return aligned_from_plain(id_, entry, note, faults)
        case "sum":
            _unknown(entry, _SUM_KEYS, place, faults)
            return SumNode(id_, _terms(entry["sum"], f"{place}.sum", faults), note)
        case "stack":
            _unknown(entry, STACK_KEYS, place, faults)
            return stack_from_plain(id_, entry, note, faults)
        case "tokens":
            _unknown(entry, TOKENS_KEYS, place, faults)
            return tokens_from_plain(id_, entry, note, faults)
        case "statistic":
            return statistic_from_plain(id_, entry, note, faults)
        case _:
            return _method(id_, entry, note, methods, faults)


def _terms(plain: Any, place: str, faults: list[Fault]) -> tuple[Term, ...]:
    if not isinstance(plain, (list, tuple)):
        faults.append(
            Fault("recipe.sum", place, f"'sum' is a list of terms like {{times: 0.5, node: a}}, not {plain!r}.")
        )
        return ()
    terms: list[Term] = []
    for i, entry in enumerate(plain):
        here = f"{place}[{i}]"
        if isinstance(entry, str):
            terms.append(Term(entry))
        elif not isinstance(entry, Mapping) or "node" not in entry:
            faults.append(Fault("recipe.term", here, "A term is {times: NUMBER, node: NAME}; 'times' may be left out."))
        else:
            _unknown(entry, ("times", "node"), here, faults)
            times = decode(entry.get("times", 1.0), COEFFICIENT, f"{here}.times", faults)
            terms.append(Term(_text(entry, "node", f"{here}.node", faults), 1.0 if times is None else times))
    return tuple(terms)


def _method(
    id_: str, entry: Mapping[Any, Any], note: str, methods: Mapping[str, MethodSpec], faults: list[Fault]
) -> MethodNode:
    place = f"nodes.{id_}"
    name = _text(entry, "method", f"{place}.method", faults)
    base = _text(entry, "base", f"{place}.base", faults)
    inputs, statistics = (_names(entry, key, place, faults) for key in ("inputs", "statistics"))
    method = find_method(methods, MethodNode(id_, name))
    specs = {spec.name: spec for spec in method.params} if method else None
    params: dict[str, Value] = {}
    for key, plain in entry.items():
        if key in _METHOD_KEYS:
            continue
        spec = _loose(str(key), plain) if specs is None else specs.get(key)
        if spec is None:
            message = f"'{name}' has no parameter '{key}'.{suggestion(str(key), [*(specs or ()), *_METHOD_KEYS])}"
            faults.append(node_fault("param.unknown-key", id_, str(key), message))
            continue
        value = decode(plain, spec, f"{place}.{key}", faults)
        if value is not None:
            params[str(key)] = value
    return MethodNode(id_, name, inputs, base, params, note, statistics)


def _names(entry: Mapping[Any, Any], key: str, place: str, faults: list[Fault]) -> tuple[str, ...]:
    names = entry.get(key, [])
    if isinstance(names, (list, tuple)) and all(isinstance(item, str) for item in names):
        return tuple(names)
    faults.append(Fault(f"recipe.{key}", f"{place}.{key}", f"'{key}' is a list of node names, not {names!r}."))
    return ()


def _loose(name: str, plain: Any) -> ParamSpec:
    """A declaration that fits what is there: parameters of a method that is not installed are kept as they are."""
    from solera.params import Param

    sample = plain
    while isinstance(sample, (list, tuple, Mapping)):
        if isinstance(sample, Mapping):
            sample = sample.get("otherwise", 0.0) if "rules" in sample else 0.0
        else:
            sample = sample[0] if sample else 0.0
    kind = "bool" if isinstance(sample, bool) else "str" if isinstance(sample, str) else "float"
    return ParamSpec(name, kind, param=Param(per_model=True))  # type: ignore[arg-type]


def _text(plain: Mapping[Any, Any], key: str, place: str, faults: list[Fault]) -> str:
    value = plain.get(key, "")
    if isinstance(value, str):
        return value
    faults.append(
        Fault("recipe.text", place, f"'{key}' is text, not {value!r}; put it in quotes if it looks like a number.")
    )
    return ""


def _unknown(plain: Mapping[Any, Any], known: tuple[str, ...], place: str, faults: list[Fault]) -> None:
    for key in plain:
        if key not in known:
            where = f"{place}.{key}" if place else str(key)
            message = f"'{key}' is not known here; known: {', '.join(known)}.{suggestion(str(key), known)}"
            faults.append(Fault("recipe.unknown-key", where, message))


def _kind(plain: Any) -> str:
    return "nothing" if plain is None else f"a {type(plain).__name__}"
