"""Places for nodes that have none: in columns by what they depend on, in the order of the document."""

from __future__ import annotations

from collections.abc import Mapping

from solera.documents.document import Document, Position, sources
from solera_app.canvases.anatomy import GRID, SNAP, WIDTH, anatomy
from solera_app.canvases.faces import Face

COLUMN = WIDTH + 80
_GAP = 24.0


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
