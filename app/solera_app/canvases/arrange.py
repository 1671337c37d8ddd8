"""Places for nodes: in columns by what they depend on, for those that have none or for all; and edges in line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from solera.documents.document import Document, Position, ports, sources
from solera_app.canvases.anatomy import GRID, SNAP, WIDTH, anatomy
from solera_app.canvases.faces import Face

COLUMN = WIDTH + 80
_GAP = 24.0
#: Room above the first node of a frame (its title) and below the last.
_FRAME_TOP, _FRAME_END = 40.0, 20.0

Side = Literal["left", "right", "top", "bottom", "centre", "middle", "down", "across"]

#: Side -> what the menu calls it.
SIDES: dict[Side, str] = {
    "left": "Line up left edges", "centre": "Line up centres", "right": "Line up right edges", "top": "Line up tops",
    "middle": "Line up middles", "bottom": "Line up bottoms",
    "down": "Space out downwards", "across": "Space out across",
}  # fmt: skip


def snapped(x: float, y: float) -> Position:
    """The nearest point of the fine grid."""
    return (round(x / SNAP) * SNAP, round(y / SNAP) * SNAP)


def arranged(document: Document, faces: Mapping[str, Face]) -> dict[str, Position]:
    """Where every node stands: as the layout says, the rest in columns clear of what is placed.

    Args:
        document: The document.
        faces: The face of every node; its height decides how far the next one stands below.
    """
    placed = {id_: at for id_, at in document.layout.items() if id_ in faces}
    waiting = [node for node in document.nodes if node.id not in placed]
    if not waiting:
        return placed
    depths = _depths(document)
    bottoms: dict[int, float] = {}
    for id_, (x, y) in placed.items():
        column = round(x / COLUMN)
        bottoms[column] = max(bottoms.get(column, 0.0), y + _height(faces[id_]) + _GAP)
    for node in waiting:
        column = depths[node.id]
        y = bottoms.get(column, GRID)
        placed[node.id] = snapped(GRID + column * COLUMN, y)
        bottoms[column] = y + _height(faces[node.id]) + _GAP
    return placed


def in_line(boxes: Mapping[str, tuple[float, float, float, float]], side: Side) -> dict[str, Position]:
    """Where nodes go to stand in line, or at even distances.

    Args:
        boxes: Left, top, width and height of each.
        side: What is made equal; ``"down"`` and ``"across"`` make the gaps equal, the outer two staying.
    """
    left = min(x for x, _, _, _ in boxes.values())
    right = max(x + w for x, _, w, _ in boxes.values())
    top = min(y for _, y, _, _ in boxes.values())
    bottom = max(y + h for _, y, _, h in boxes.values())
    if side in ("down", "across"):
        return _spaced(boxes, side, (bottom - top) if side == "down" else (right - left))
    found = {}
    for id_, (x, y, width, height) in boxes.items():
        match side:
            case "left":
                at = (left, y)
            case "right":
                at = (right - width, y)
            case "centre":
                at = ((left + right - width) / 2, y)
            case "top":
                at = (x, top)
            case "bottom":
                at = (x, bottom - height)
            case _:
                at = (x, (top + bottom - height) / 2)
        found[id_] = at
    return found


def _spaced(boxes: Mapping[str, tuple[float, float, float, float]], side: Side, extent: float) -> dict[str, Position]:
    down = side == "down"
    order = sorted(boxes, key=lambda id_: boxes[id_][1 if down else 0])
    sizes = {id_: boxes[id_][3 if down else 2] for id_ in order}
    gap = (extent - sum(sizes.values())) / max(len(order) - 1, 1)
    at = boxes[order[0]][1 if down else 0]
    found = {}
    for id_ in order:
        x, y, _, _ = boxes[id_]
        found[id_] = (x, at) if down else (at, y)
        at += sizes[id_] + gap
    return found


def layered(document: Document, faces: Mapping[str, Face], ids: Collection[str] = ()) -> dict[str, Position]:
    """Columns from left to right, so that every connection goes to the right and few of them cross.

    A node stands right of all it depends on (longest path), its place in the column is the mean of those it is
    connected to (swept forth and back), and nodes of one frame stay together. Sugiyama et al. 1981.

    Args:
        document: The document.
        faces: The face of every node; its height decides how far the next one stands below.
        ids: Only these, around where they are now; all of them if empty.
    """
    chosen = [node for node in document.nodes if not ids or node.id in ids]
    depths = _depths(document)
    first = min((depths[node.id] for node in chosen), default=0)
    columns: dict[int, list[str]] = {}
    for node in chosen:
        columns.setdefault(depths[node.id] - first, []).append(node.id)
    _sweep(document, columns)
    frames = {id_: frame.id for frame in document.frames for id_ in frame.members}
    tall = {column: _stack(names, faces, frames) for column, names in columns.items()}
    most = max((height for _, height in tall.values()), default=0.0)
    left, top = GRID, GRID
    known = [document.layout[id_] for id_ in ids if id_ in document.layout]
    if known:
        left, top = min(x for x, _ in known), min(y for _, y in known)
    found = {}
    for column, (places, height) in tall.items():
        for id_, y in places.items():
            found[id_] = snapped(left + column * COLUMN, top + (most - height) / 2 + y)
    return found


def _sweep(document: Document, columns: dict[int, list[str]]) -> None:
    """Order each column by the mean place of its neighbours, forth and back; of ports, the higher one pulls up."""
    joined: dict[str, list[tuple[str, float]]] = {node.id: [] for node in document.nodes}
    for node in document.nodes:
        fed = [(place, source) for place, (_, source) in enumerate(ports(node)) if source in joined]
        for place, source in fed:
            joined[node.id].append((source, 0.0))
            joined[source].append((node.id, place / (len(fed) + 1)))
    frames = {id_: frame.id for frame in document.frames for id_ in frame.members}
    for turn in range(4):
        back = bool(turn % 2)
        for column in sorted(columns, reverse=back):
            rank = {id_: (i, len(names)) for names in columns.values() for i, id_ in enumerate(names)}
            beside = [names for other, names in columns.items() if (other > column if back else other < column)]
            near = {id_ for names in beside for id_ in names}
            wishes = {id_: _wish(id_, joined[id_], near, rank) for id_ in columns[column]}
            shared: dict[str, list[float]] = {}
            for id_, value in wishes.items():
                shared.setdefault(frames.get(id_, id_), []).append(value)
            group = {name: (sum(values) / len(values), place) for place, (name, values) in enumerate(shared.items())}
            places = {id_: (*group[frames.get(id_, id_)], wishes[id_], rank[id_][0]) for id_ in wishes}
            columns[column].sort(key=places.__getitem__)


def _wish(
    id_: str, joined: list[tuple[str, float]], near: Collection[str], rank: Mapping[str, tuple[int, int]]
) -> float:
    """Where a node would like to be in its column, from 0 at the top to 1: the mean of those it is connected to."""
    found = [(rank[name][0] + offset) / rank[name][1] for name, offset in joined if name in near]
    return sum(found) / len(found) if found else rank[id_][0] / rank[id_][1]


def _stack(names: list[str], faces: Mapping[str, Face], frames: Mapping[str, str]) -> tuple[dict[str, float], float]:
    """The top of each node of a column, and the column's height."""
    places: dict[str, float] = {}
    y, before = 0.0, ""
    for id_ in names:
        frame = frames.get(id_, "")
        if frame != before:
            y += (_FRAME_END if before else 0.0) + (_FRAME_TOP if frame else 0.0)
        before = frame
        places[id_] = y
        y += _height(faces[id_]) + _GAP
    return places, y


def _height(face: Face) -> float:
    return anatomy(face, max(face.preview.count("\n") + 1, 1)).height


def _depths(document: Document) -> dict[str, int]:
    """Longest way from a node without inputs; nodes of a circle count as if they had none."""
    nodes = {node.id: node for node in document.nodes}
    depths: dict[str, int] = {}
    for start in nodes:
        stack, entered = [start], set[str]()
        while stack:
            id_ = stack[-1]
            feeds = [name for name in sources(nodes[id_]) if name in nodes]
            waits = [name for name in feeds if name not in depths and name not in entered]
            if waits and id_ not in depths:
                entered.add(id_)
                stack.extend(waits)
                continue
            stack.pop()
            depths.setdefault(id_, 1 + max((depths.get(name, -1) for name in feeds), default=-1))
    return depths
