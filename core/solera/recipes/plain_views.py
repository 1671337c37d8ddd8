"""Stacks of layers, layouts of tokens and aligned checkpoints as plain data and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solera.errors import Fault
from solera.recipes.nodes import AlignedNode, Part, StackNode, TokenRow, TokensNode

STACK_KEYS = ("stack", "list", "note")
ALIGNED_KEYS = ("align", "to", "by", "task", "seed", "tries", "hold", "fingerprint", "strip", "note")
TOKENS_KEYS = ("tokens", "vocabulary", "base", "among", "rows", "multiple", "note")


def stack_to_plain(node: StackNode) -> dict[str, Any]:
    """``{"stack": [{"node", "layers"}, ...], "list"}``."""
    plain: dict[str, Any] = {"stack": [_part_to_plain(part) for part in node.parts]}
    return {**plain, "list": node.layers} if node.layers else plain


def _part_to_plain(part: Part) -> dict[str, Any]:
    plain: dict[str, Any] = {"node": part.node}
    if part.layers is not None:
        plain["layers"] = list(part.layers)
    return {**plain, "names": part.names} if part.names else plain


def stack_from_plain(id_: str, entry: Mapping[Any, Any], note: str, faults: list[Fault]) -> StackNode:
    """The inverse of :func:`stack_to_plain`; faults of form are appended."""
    place = f"nodes.{id_}"
    plain, layers = entry["stack"], entry.get("list", "")
    if not isinstance(layers, str):
        faults.append(Fault("recipe.text", f"{place}.list", f"'list' is text such as 'model.layers.', not {layers!r}."))
        layers = ""
    if not isinstance(plain, (list, tuple)):
        message = f"'stack' is a list of parts such as {{node: a, layers: [0, 8]}}, not {plain!r}."
        faults.append(Fault("recipe.stack", f"{place}.stack", message))
        return StackNode(id_, (), layers, note)
    parts = [_part(part, f"{place}.stack[{i}]", faults) for i, part in enumerate(plain)]
    return StackNode(id_, tuple(part for part in parts if part is not None), layers, note)


def _part(plain: Any, place: str, faults: list[Fault]) -> Part | None:
    if isinstance(plain, str):
        return Part(plain)
    if not isinstance(plain, Mapping) or not set(plain) <= {"node", "layers", "names"} or "node" not in plain:
        faults.append(Fault("recipe.stack", place, "A part is {node: NAME, layers: [FIRST, AFTER_THE_LAST]}."))
        return None
    layers, names = plain.get("layers"), plain.get("names", "")
    if layers is not None:
        numbers = isinstance(layers, (list, tuple)) and all(type(number) is int for number in layers)
        if not numbers or len(layers) != 2 or not 0 <= layers[0] < layers[1]:
            message = f"'layers' is [first, one after the last], such as [0, 8], not {layers!r}."
            faults.append(Fault("recipe.stack", f"{place}.layers", message))
            return None
    return Part(str(plain["node"]), None if layers is None else (layers[0], layers[1]), str(names))


def aligned_to_plain(node: AlignedNode) -> dict[str, Any]:
    """``{"align": SOURCE, "to": NODE, "by", "task", "seed", "tries", "hold"}``, what is usual left out."""
    plain: dict[str, Any] = {"align": node.source, "to": node.to}
    usual = AlignedNode(node.id, node.source)
    keys = ("by", "task", "seed", "tries", "hold", "fingerprint", "strip")
    changed = {key: getattr(node, key) for key in keys if getattr(node, key) != getattr(usual, key)}
    return {**plain, **changed, **({"hold": list(node.hold)} if node.hold else {})}


def aligned_from_plain(id_: str, entry: Mapping[Any, Any], note: str, faults: list[Fault]) -> AlignedNode:
    """The inverse of :func:`aligned_to_plain`; faults of form are appended."""
    found: dict[str, Any] = {}
    for key in ALIGNED_KEYS[:-1]:
        value = entry.get(key)
        if key in ("seed", "tries"):
            good, wanted = type(value) is int, "a whole number"
        elif key == "hold":
            good = isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
            wanted = "a list of names of groups"
        else:
            good, wanted = isinstance(value, str), "text"
        if good:
            found[key] = tuple(value) if key == "hold" and value is not None else value
        elif key in entry:
            faults.append(Fault("recipe.align", f"nodes.{id_}.{key}", f"'{key}' is {wanted}, not {value!r}."))
    return AlignedNode(id_, found.pop("align", ""), note=note, **found)


def tokens_to_plain(node: TokensNode) -> dict[str, Any]:
    """``{"tokens": NODE, "vocabulary", "base", "among", "rows", "multiple"}``, what is usual left out."""
    plain: dict[str, Any] = {"tokens": node.node, "vocabulary": node.vocabulary}
    if node.base:
        plain["base"] = node.base
    if node.among:
        plain["among"] = list(node.among)
    if node.rows:
        plain["rows"] = {token: _row_to_plain(row) for token, row in sorted(node.rows.items())}
    return {**plain, "multiple": node.multiple} if node.multiple != 1 else plain


def _row_to_plain(row: TokenRow) -> dict[str, Any]:
    plain: dict[str, Any] = {"node": row.node} if row.node else {}
    if row.token is not None:
        plain["token"] = row.token
    for key in ("zero", "force"):
        if getattr(row, key):
            plain[key] = True
    return plain


def tokens_from_plain(id_: str, entry: Mapping[Any, Any], note: str, faults: list[Fault]) -> TokensNode:
    """The inverse of :func:`tokens_to_plain`; faults of form are appended."""
    place = f"nodes.{id_}"
    node, vocabulary = entry["tokens"], entry.get("vocabulary", "")
    for key, value in (("tokens", node), ("vocabulary", vocabulary)):
        if not isinstance(value, str) or not value:
            message = f"'{key}' is the name of a node{', or union' if key == 'vocabulary' else ''}; got {value!r}."
            faults.append(Fault("recipe.tokens", f"{place}.{key}", message))
    among = entry.get("among", [])
    if not isinstance(among, (list, tuple)) or not all(isinstance(item, str) for item in among):
        faults.append(Fault("recipe.tokens", f"{place}.among", f"'among' is a list of node names, not {among!r}."))
        among = []
    rows = entry.get("rows", {})
    if not isinstance(rows, Mapping):
        faults.append(Fault("recipe.tokens", f"{place}.rows", f"'rows' is a mapping of tokens to rows, not {rows!r}."))
        rows = {}
    multiple = entry.get("multiple", 1)
    if type(multiple) is not int or multiple < 1:
        faults.append(Fault("recipe.tokens", f"{place}.multiple", f"'multiple' is a whole number, not {multiple!r}."))
        multiple = 1
    found = {str(token): _row(row, f"{place}.rows.{token}", faults) for token, row in rows.items()}
    base = str(entry.get("base") or "")
    return TokensNode(id_, str(node), str(vocabulary), tuple(among), found, multiple, base, note)


def _row(plain: Any, place: str, faults: list[Fault]) -> TokenRow:
    keys = {"node", "token", "zero", "force"}
    if not isinstance(plain, Mapping) or not set(plain) <= keys:
        message = "A row is {node: NAME, token: TEXT_OR_ID} or {zero: true}, perhaps with {force: true}."
        faults.append(Fault("recipe.tokens", place, message))
        return TokenRow()
    token = plain.get("token")
    return TokenRow(
        str(plain.get("node", "")),
        token if isinstance(token, (str, int)) else None,
        bool(plain.get("zero", False)),
        bool(plain.get("force", False)),
    )
