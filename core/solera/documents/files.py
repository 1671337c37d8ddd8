"""A document on disk: the recipe as YAML, and a sidecar for what the recipe must not know.

``blend.yaml`` holds the recipe and nothing else; ``blend.layout.json`` beside it holds positions, save and task
nodes, frames, comments, the interpolation and the soup. Either may be missing or older than the other; what does not
fit is dropped with a fault, never the rest.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.documents.document import Comment, Document, Frame, Interpolation, SaveNode, Sink, Soup, TaskNode
from solera.errors import Fault, FaultsError, NotFoundError, OutputError
from solera.files import replace_text
from solera.recipes.nodes import AdapterNode
from solera.recipes.plain import from_plain, to_plain
from solera.recipes.yaml import dump_recipe, parse_recipe

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec

#: Version of the sidecar and of the journal.
LAYOUT_VERSION = 1

_SINKS: dict[str, type[SaveNode] | type[TaskNode]] = {"save": SaveNode, "task": TaskNode}


def layout_path(path: Path) -> Path:
    """The sidecar of a recipe file."""
    return path.with_name(f"{path.stem}.layout.json")


def layout_to_plain(document: Document) -> dict[str, Any]:
    """What the recipe must not know, as plain data."""
    return {
        "solera_layout": LAYOUT_VERSION,
        "positions": {key: [round(x, 2), round(y, 2)] for key, (x, y) in sorted(document.layout.items())},
        "sinks": [{"kind": "save" if isinstance(s, SaveNode) else "task", **asdict(s)} for s in document.sinks],
        "interpolation": {
            "corners": list(document.interpolation.corners),
            "weights": list(document.interpolation.weights),
        },
        "frames": [{**asdict(frame), "members": list(frame.members)} for frame in document.frames],
        "comments": [{**asdict(comment), "at": list(comment.at)} for comment in document.comments],
        "soup": {key: list(value) for key, value in asdict(document.soup).items()},
    }


def with_layout(document: Document, plain: Mapping[str, Any], faults: list[Fault]) -> Document:
    """The document with a sidecar's content; what names nodes that are not there is left out.

    Args:
        document: The recipe alone.
        plain: What :func:`layout_to_plain` made.
        faults: Anything malformed is told here.
    """
    try:
        sinks: list[Sink] = []
        taken = set(document.ids)
        for entry in plain.get("sinks", []):
            facts = dict(entry)
            sink = _SINKS[facts.pop("kind")](**facts)
            if sink.id not in taken:
                taken.add(sink.id)
                sinks.append(sink if sink.source in document.ids else type(sink)(**{**asdict(sink), "source": ""}))
        layout = {str(key): (float(x), float(y)) for key, (x, y) in plain.get("positions", {}).items() if key in taken}
        state = plain.get("interpolation", {})
        corners, weights = tuple(state.get("corners", ())), tuple(float(w) for w in state.get("weights", ()))
        if not set(corners) <= document.ids or len(corners) != len(weights):
            corners, weights = (), ()
        return Document(
            document.recipe,
            tuple(sinks),
            layout,
            Interpolation(corners, weights),
            _soup(plain.get("soup", {}), document),
            _frames(plain.get("frames", ()), taken),
            tuple(
                Comment(str(entry["id"]), str(entry["text"]), (float(entry["at"][0]), float(entry["at"][1])))
                for entry in plain.get("comments", ())
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        faults.append(
            Fault("layout.form", "layout", f"The layout could not be read ({error}); the nodes are placed anew.")
        )
        return document


def _soup(plain: Mapping[str, Any], document: Document) -> Soup:
    """The soup of a sidecar; models that are not there are left out of it."""
    pool, pot = (tuple(map(str, plain.get(key, ()))) for key in ("pool", "pot"))
    shares = tuple(float(share) for share in plain.get("shares", ()))
    known = {node.id for node in document.recipe.checkpoints if not isinstance(node, AdapterNode)}
    soup = Soup(pool, pot, shares if len(shares) == len(pot) else ()).without({*pool, *pot} - known)
    return soup if set(soup.pot) <= set(soup.pool) else Soup(soup.pool)


def _frames(plain: Iterable[Mapping[str, Any]], known: Collection[str]) -> tuple[Frame, ...]:
    """The frames of a sidecar, without nodes that are not there or are in a frame already."""
    frames: list[Frame] = []
    free = set(known)
    for entry in plain:
        members = tuple(id_ for id_ in map(str, entry["members"]) if id_ in free)
        free -= set(members)
        if members:
            frames.append(Frame(str(entry["id"]), str(entry["title"]), members, bool(entry.get("collapsed", False))))
    return tuple(frames)


def load_document(path: Path, methods: Mapping[str, MethodSpec]) -> tuple[Document, tuple[Fault, ...]]:
    """A recipe file and its sidecar as a document, with every fault of the two.

    A recipe with faults still opens: what could be read is there, so that a canvas can show and mend it.

    Raises:
        NotFoundError: There is no such file.
        FaultsError: The file is not text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"There is no recipe at {path}.", path=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise FaultsError(f"recipe {path.name}", [Fault("recipe.read", "", f"It cannot be read: {error}.")]) from error
    recipe, found = parse_recipe(text, methods)
    faults = list(found)
    document = Document(recipe)
    sidecar = layout_path(path)
    if sidecar.exists():
        try:
            document = with_layout(document, json.loads(sidecar.read_text(encoding="utf-8")), faults)
        except (OSError, ValueError) as error:
            faults.append(Fault("layout.read", "layout", f"{sidecar.name} cannot be read ({error}); placed anew."))
    return document, tuple(faults)


def save_document(document: Document, path: Path) -> None:
    """Write recipe and sidecar, each by an atomic rename: a crash leaves the old file or the new one.

    Raises:
        OutputError: The folder is not writable or the disk is full; the old files are untouched.
    """
    write_text(path, dump_recipe(document.recipe))
    write_text(layout_path(path), json.dumps(layout_to_plain(document), indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a small text file, synced before it takes the old one's place.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        replace_text(path, text, sync=True)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Choose another folder or make room.",
            path=str(path),
        ) from error


def document_to_plain(document: Document) -> dict[str, Any]:
    """The whole document as one piece of plain data, for the journal and the clipboard."""
    return {"recipe": to_plain(document.recipe), "layout": layout_to_plain(document)}


def document_from_plain(plain: Mapping[str, Any], methods: Mapping[str, MethodSpec], faults: list[Fault]) -> Document:
    """The inverse of :func:`document_to_plain`."""
    recipe = from_plain(plain.get("recipe", {}), methods, faults)
    return with_layout(Document(recipe), plain.get("layout", {}), faults)
