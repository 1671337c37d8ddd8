"""Nodes as JSON text on the clipboard: copied within a document, between documents, or out of a chat."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from solera.documents.commands import AddNodes
from solera.documents.document import AnyNode, Document, Position, SaveNode, TaskNode
from solera.errors import Fault, InputError
from solera.params import Param, ParamSpec, Value, decode, encode
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
from solera.recipes.plain_statistics import statistic_from_plain, statistic_to_plain
from solera.recipes.plain_views import (
    aligned_from_plain,
    aligned_to_plain,
    stack_from_plain,
    stack_to_plain,
    tokens_from_plain,
    tokens_to_plain,
)
from solera_app.canvases.faces import COEFFICIENT, Catalogue

VERSION = 1


def copied(document: Document, ids: Iterable[str], positions: Mapping[str, Position]) -> str:
    """The nodes as JSON text, with their places."""
    chosen = set(ids)
    nodes = [_plain(node) for node in document.nodes if node.id in chosen]
    places = {id_: list(positions[id_]) for id_ in positions if id_ in chosen}
    return json.dumps({"solera-nodes": VERSION, "nodes": nodes, "layout": places}, indent=1)


def _plain(node: AnyNode) -> dict[str, Any]:
    plain: dict[str, Any] = {"id": node.id}
    match node:
        case AdapterNode(source=source, fingerprint=fingerprint, note=note, base=base):
            plain |= {"kind": "adapter", "source": source, "fingerprint": fingerprint, "base": base, "note": note}
        case AlignedNode(note=note):
            plain |= {"kind": "align", **aligned_to_plain(node), "note": note}
        case StatisticNode(note=note):
            plain |= {"kind": "statistic", **statistic_to_plain(node), "note": note}
        case CheckpointNode(source=source, fingerprint=fingerprint, strip=strip, note=note):
            plain |= {"kind": "checkpoint", "source": source, "fingerprint": fingerprint, "strip": strip, "note": note}
        case SumNode(terms=terms, note=note):
            rows = [{"node": term.node, "coefficient": encode(term.coefficient)} for term in terms]
            plain |= {"kind": "sum", "terms": rows, "note": note}
        case MethodNode(method=method, inputs=inputs, base=base, params=params, note=note):
            values = {key: encode(value) for key, value in params.items()}
            plain |= {"kind": "method", "method": method, "inputs": list(inputs), "base": base}
            plain |= {"params": values, "note": note}
            plain |= {"statistics": list(node.statistics)} if node.statistics else {}
        case StackNode(note=note):
            plain |= {"kind": "stack", **stack_to_plain(node), "note": note}
        case TokensNode(note=note):
            plain |= {"kind": "tokens", **tokens_to_plain(node), "note": note}
        case SaveNode(source=source, folder=folder, dtype=dtype):
            plain |= {"kind": "save", "source": source, "folder": folder, "dtype": dtype}
        case TaskNode(source=source, task=task, split=split):
            plain |= {"kind": "task", "source": source, "task": task, "split": split}
    return plain


def pasted(text: str, document: Document, catalogue: Catalogue, at: Position | None = None) -> AddNodes:
    """The edit that adds the nodes of a clipboard text under new ids.

    Connections among them are kept; those to nodes outside are kept where the document has such a node.

    Args:
        text: What :func:`copied` wrote.
        document: Where they go.
        catalogue: Methods by name; their declarations read the parameters.
        at: Where the top left of them goes; None puts them a step beside where they were.

    Raises:
        InputError: The text holds no nodes, or one that cannot be read.
    """
    plain = _read(text)
    draft, names, nodes = document, dict[str, str](), list[AnyNode]()
    for entry in plain["nodes"]:
        try:
            node = _node(entry, catalogue)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"A node on the clipboard cannot be read: {error!s} is wrong or missing.") from error
        names[node.id] = draft.fresh_id(node.id)
        nodes.append(replace(node, id=names[node.id]))
        draft = AddNodes((nodes[-1],)).apply(draft)
    known = document.ids

    def name(id_: str) -> str:
        return names.get(id_, id_ if id_ in known else "")

    corners = list(plain["layout"].values())
    left, top = (min(x for x, _ in corners), min(y for _, y in corners)) if corners else (0.0, 0.0)
    dx, dy = (24.0, 24.0) if at is None else (at[0] - left, at[1] - top)
    places = {names[id_]: (x + dx, y + dy) for id_, (x, y) in plain["layout"].items() if id_ in names}
    what = "Paste node" if len(nodes) == 1 else f"Paste {len(nodes)} nodes"
    return AddNodes(tuple(_rewired(node, name) for node in nodes), places, label=what)


def _read(text: str) -> dict[str, Any]:
    try:
        plain = json.loads(text)
    except ValueError:
        plain = None
    if not isinstance(plain, dict) or plain.get("solera-nodes") != VERSION or not plain.get("nodes"):
        raise InputError("There are no nodes on the clipboard. Copy some on a canvas first.")
    layout = plain.get("layout")
    plain["layout"] = {
        str(id_): (float(place[0]), float(place[1]))
        for id_, place in (layout.items() if isinstance(layout, dict) else ())
        if isinstance(place, list) and len(place) == 2 and all(isinstance(part, (int, float)) for part in place)
    }
    return plain


def _node(plain: Mapping[str, Any], catalogue: Catalogue) -> AnyNode:
    id_, note = str(plain["id"]), str(plain.get("note", ""))
    match plain["kind"]:
        case "checkpoint":
            return CheckpointNode(
                id_, str(plain["source"]), str(plain.get("fingerprint", "")), str(plain.get("strip", "")), note
            )
        case "adapter":
            fingerprint, base = str(plain.get("fingerprint", "")), str(plain.get("base", ""))
            return AdapterNode(id_, str(plain["source"]), fingerprint, note=note, base=base)
        case "sum":
            terms = [Term(str(row["node"]), _value(row["coefficient"], COEFFICIENT)) for row in plain["terms"]]
            return SumNode(id_, tuple(terms), note)
        case "method":
            card = catalogue.get(plain["method"])
            specs = {spec.name: spec for spec in card.params} if card is not None else {}
            params = {key: _value(item, specs.get(key)) for key, item in plain.get("params", {}).items()}
            inputs = tuple(str(name) for name in plain.get("inputs", ()))
            measured = tuple(str(name) for name in plain.get("statistics", ()))
            base = str(plain.get("base", ""))
            return MethodNode(id_, str(plain["method"]), inputs, base, params, note, measured)
        case "statistic":
            told = {key: item for key, item in plain.items() if key not in {"id", "kind"}}
            return statistic_from_plain(id_, told, note, [])
        case "align":
            return aligned_from_plain(id_, plain, note, [])
        case "stack":
            return stack_from_plain(id_, plain, note, [])
        case "tokens":
            return tokens_from_plain(id_, plain, note, [])
        case "save":
            return SaveNode(
                id_, str(plain.get("source", "")), str(plain.get("folder", "")), str(plain.get("dtype", ""))
            )
        case "task":
            split = plain.get("split", "selection")
            if split not in {"train", "selection", "report"}:
                raise KeyError("split")
            return TaskNode(id_, str(plain.get("source", "")), str(plain.get("task", "")), split)
        case other:
            raise KeyError(f"kind {other!r}")


def _value(plain: Any, spec: ParamSpec | None) -> Value:
    """A parameter; without a declaration (a missing plugin) numbers and text are kept as they are."""
    if spec is None:
        if isinstance(plain, (bool, int, float, str)):
            return plain
        spec = ParamSpec("value", "float", param=Param(per_model=True))
    faults: list[Fault] = []
    value = decode(plain, spec, spec.name, faults)
    if value is None:
        raise InputError(faults[0].message if faults else f"'{spec.name}' cannot be read.")
    return value


def _rewired(node: AnyNode, name: Callable[[str], str]) -> AnyNode:
    match node:
        case AdapterNode(base=base):
            return replace(node, base=name(base) if base else "")
        case AlignedNode(to=to):
            return replace(node, to=name(to) if to else "")
        case MethodNode(inputs=inputs, base=base):
            kept = tuple(new for id_ in inputs if (new := name(id_)))
            measured = tuple(new for id_ in node.statistics if (new := name(id_)))
            return replace(node, inputs=kept, base=name(base) if base else "", statistics=measured)
        case StatisticNode(model=model):
            return replace(node, model=name(model) if model else "")
        case SumNode(terms=terms):
            return replace(node, terms=tuple(replace(term, node=new) for term in terms if (new := name(term.node))))
        case StackNode() | TokensNode():
            return renamed_view(node, name)
        case SaveNode(source=source) | TaskNode(source=source):
            return replace(node, source=name(source) if source else "")
        case _:
            return node
