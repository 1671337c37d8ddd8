"""The scene: a rendering of a document. It compares what it shows with what is, and changes only the difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from PySide6.QtCore import QObject, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QGraphicsScene

from solera.documents.document import Comment, Document, Frame, Link, Position, links
from solera.documents.links import Wiring
from solera.errors import Fault
from solera_app.canvases.anatomy import PORT_HIT
from solera_app.canvases.arrange import arranged
from solera_app.canvases.crowd import Blocks, Hairlines
from solera_app.canvases.dots import draw_dots
from solera_app.canvases.edge_item import CROWD, EdgeItem
from solera_app.canvases.faces import Catalogue, Face, FieldFace, faces
from solera_app.canvases.node_item import NodeItem, Status
from solera_app.canvases.note_item import CommentItem, FaultItem, Remedy
from solera_app.canvases.surroundings import Surroundings

_UNDER = 6.0
#: Room around the nodes that the scene indexes.
_MARGIN = 4000.0
#: Faults are shown instead of these; a running job is shown instead of a fault.
_QUIET = {"idle", "queued", "done", "stale"}


@dataclass(frozen=True, slots=True)
class Hit:
    """What is under the pointer.

    Attributes:
        part: Which part.
        node: Id of the node, or empty.
        port: Name of the port, when a port.
        field: The field, when a field.
        link: The connection, when an edge.
        remedy: The link in a fault note.
        frame: The frame, by its band or card, or where it folds.
        comment: The free comment.
    """

    part: Literal["void", "node", "title", "port", "field", "edge", "remedy", "frame", "fold", "comment"]
    node: str = ""
    port: str = ""
    field: FieldFace | None = None
    link: Link | None = None
    remedy: Remedy | None = None
    frame: Frame | None = None
    comment: Comment | None = None


class RecipeScene(QGraphicsScene):
    """Items for the nodes and connections of a document.

    Args:
        catalogue: Methods by name.
        parent: Qt parent.
    """

    #: Ids of the chosen nodes.
    chosen_changed = Signal(list)
    #: Something moved or changed its state: overlays repaint.
    picture_changed = Signal()

    def __init__(self, catalogue: Catalogue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.catalogue = catalogue
        self.document = Document()
        self.items_by_id: dict[str, NodeItem] = {}
        self.edges: dict[tuple[str, str], EdgeItem] = {}
        self._edges_of: dict[str, list[EdgeItem]] = {}
        self._status: dict[str, Status] = {}
        self._faults: dict[str, list[Fault]] = {}
        self._notes: dict[str, FaultItem] = {}
        self._comments: dict[str, CommentItem] = {}
        self._chosen: tuple[str, ...] = ()
        self._chosen_link: Link | None = None
        self.around = Surroundings(self)
        self._hairlines, self._blocks = Hairlines(self.edges), Blocks(self.items_by_id)
        self.addItem(self._hairlines)
        self.addItem(self._blocks)

    # --- document to items ------------------------------------------------------------------------------------------

    def render_document(self, document: Document) -> None:
        """Show a document: add, change and remove items so that the scene is its picture."""
        self.document = document
        shown = faces(document, self.catalogue)
        for id_ in [id_ for id_ in self.items_by_id if id_ not in shown]:
            self._drop_node(id_)
        places = arranged(document, shown)
        for id_, face in shown.items():
            self._show_node(id_, face, places[id_])
        self.around.render(document)
        self._show_edges(document, shown)
        self._fit_index()
        self._renew_crowd()
        kept = tuple(id_ for id_ in self._chosen if id_ in shown)
        gone = self._chosen_link is not None and self._chosen_link not in links(document)
        if kept != self._chosen or gone:
            self.choose(kept, link=None if gone else self._chosen_link)
        self.picture_changed.emit()

    def _show_node(self, id_: str, face: Face, at: Position) -> None:
        item = self.items_by_id.get(id_)
        if item is None:
            item = NodeItem(face)
            item.set_status(self._shown_status(id_))
            item.setPos(*at)
            self.addItem(item)
            self.items_by_id[id_] = item
        else:
            if item.face != face:
                item.set_face(face)
            if (item.x(), item.y()) != at:
                item.setPos(*at)
        self._hang(id_)

    def _drop_node(self, id_: str) -> None:
        self.removeItem(self.items_by_id.pop(id_))
        self._notes.pop(id_, None)
        self._comments.pop(id_, None)
        self._faults.pop(id_, None)
        self._status.pop(id_, None)

    def _show_edges(self, document: Document, shown: Mapping[str, Face]) -> None:
        wanted = {(link.target, link.port): link for link in links(document) if link.source in shown}
        for key in [key for key, edge in self.edges.items() if wanted.get(key) != edge.link]:
            self.removeItem(self.edges.pop(key))
        self._edges_of = {}
        for key, link in wanted.items():
            edge = self.edges.get(key)
            if edge is None:
                edge = EdgeItem(link)
                self.edges[key] = edge
                self._place_edge(edge)
                self.addItem(edge)
            else:
                self._place_edge(edge)
            edge.crowded = len(wanted) > CROWD
            self._edges_of.setdefault(link.source, []).append(edge)
            self._edges_of.setdefault(link.target, []).append(edge)

    def _place_edge(self, edge: EdgeItem) -> None:
        source, target = self.items_by_id[edge.link.source], self.items_by_id[edge.link.target]
        from_, to = self.around.card_of(edge.link.source), self.around.card_of(edge.link.target)
        within = from_ is not None and from_ is to
        if within or edge.link.port not in target.anatomy.inputs or source.anatomy.output is None:
            edge.setVisible(False)
            return
        edge.setVisible(True)
        start = from_.outlet if from_ is not None else source.pos() + source.anatomy.output
        end = to.inlet if to is not None else target.pos() + target.anatomy.inputs[edge.link.port]
        edge.set_ends(start, end)
        output = source.face.output
        if edge.set_look(output.shape if output is not None else "weights", waits=self._waits(source, target)):
            self._hairlines.recolour()

    @staticmethod
    def _waits(source: NodeItem, target: NodeItem) -> bool:
        """Whether the value an edge carries is still to be made; what was saved or scored, there was."""
        if source.face.kind in {"checkpoint", "adapter"}:
            return source.state == "missing"
        return source.state != "done" and not (target.face.kind in {"save", "task"} and target.state == "done")

    @property
    def far(self) -> bool:
        """Whether nodes are blocks: so far away that no text can be read."""
        return self._blocks.isVisible()

    @far.setter
    def far(self, far: bool) -> None:
        if far != self.far:
            self._blocks.setVisible(far)
            self._renew_crowd()

    @contextmanager
    def on_paper(self) -> Iterator[None]:
        """While it is drawn elsewhere than on a screen: every node draws itself, and nothing kept is used."""
        far, self.far = self.far, False
        for item in self.items_by_id.values():
            item.setCacheMode(NodeItem.CacheMode.NoCache)
        yield
        for item in self.items_by_id.values():
            item.setCacheMode(NodeItem.KEPT)
        self.far = far

    def _renew_crowd(self) -> None:
        self._hairlines.renew()
        self._blocks.renew(self.nodes_rect())
        for item in self.items_by_id.values():
            item.setFlag(NodeItem.GraphicsItemFlag.ItemHasNoContents, self.far)

    def _fit_index(self) -> None:
        bounds = self.nodes_rect()
        if not self.sceneRect().contains(bounds) or self.sceneRect().isNull():
            self.setSceneRect(bounds.adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN))

    def _hang(self, id_: str) -> None:
        """Put fault note and comment below a node."""
        item = self.items_by_id[id_]
        y = item.anatomy.height + _UNDER
        note = self._notes.get(id_)
        if note is not None:
            note.setPos(0, y)
            y += note.height + _UNDER
        comment = self._comments.get(id_)
        if item.face.note and comment is None:
            comment = self._comments[id_] = CommentItem(item)
        if comment is not None:
            if not item.face.note:
                self.removeItem(self._comments.pop(id_))
            else:
                comment.set_text(item.face.note)
                comment.setPos(0, y + 2 * _UNDER)

    # --- state ------------------------------------------------------------------------------------------------------

    def set_status(self, id_: str, **changes: object) -> None:
        """Change the status of a node; unknown ids are remembered until the node appears."""
        self._status[id_] = replace(self._status.get(id_, Status()), **changes)  # type: ignore[arg-type]
        self._refresh(id_)

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """Show these faults at their nodes, and no others."""
        found: dict[str, list[Fault]] = {}
        for fault in faults:
            if (id_ := self.node_of(fault)) is not None:
                found.setdefault(id_, []).append(fault)
        touched = set(found) | set(self._faults)
        self._faults = found
        for id_ in touched:
            self._refresh(id_)

    def node_of(self, fault: Fault) -> str | None:
        """Id of the node a fault is about; None when it is about the recipe as a whole."""
        place = fault.place.removeprefix("nodes.").removeprefix("sinks.")
        for candidate in (fault.fields.get("node"), place, place.partition(".")[0], place.partition("[")[0]):
            if candidate in self.items_by_id:
                return str(candidate)
        return None

    def _shown_status(self, id_: str) -> Status:
        status = self._status.get(id_, Status())
        if id_ in self._faults and status.state in _QUIET:
            return replace(status, state="fault", progress=None)
        return status

    def _refresh(self, id_: str) -> None:
        item = self.items_by_id.get(id_)
        if item is None:
            return
        item.set_status(self._shown_status(id_))
        note, faults = self._notes.get(id_), self._faults.get(id_)
        if faults:
            if note is None:
                note = self._notes[id_] = FaultItem(item)
            note.set_faults(faults)
        elif note is not None:
            self.removeItem(self._notes.pop(id_))
        self._hang(id_)
        for edge in self._edges_of.get(id_, ()):
            self._place_edge(edge)
        self._blocks.recolour()
        self.picture_changed.emit()

    def flow(self, offset: float) -> int:
        """Shift the dashes of the edges that feed or leave running nodes; returns how many there are."""
        moving = [
            edge for edge in self.edges.values() if edge.waits and self.items_by_id[edge.link.source].state == "running"
        ]
        for edge in moving:
            edge.set_flow(-offset)
        return len(moving)

    # --- choice and places ------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> tuple[str, ...]:
        """Ids of the chosen nodes, in the order they were chosen."""
        return self._chosen

    @property
    def chosen_link(self) -> Link | None:
        """The chosen connection."""
        return self._chosen_link

    def choose(self, ids: Sequence[str], *, link: Link | None = None) -> None:
        """Choose these nodes, or one connection."""
        before = self._chosen
        self._chosen = tuple(dict.fromkeys(id_ for id_ in ids if id_ in self.items_by_id))
        for id_ in set(before) | set(self._chosen):
            if id_ in self.items_by_id:
                item = self.items_by_id[id_]
                item.set_marks(chosen=id_ in self._chosen)
                item.setZValue(1 if id_ in self._chosen else 0)
        self._chosen_link = link
        self._blocks.recolour()
        self.around.mark(self._chosen)
        if self._chosen or link is not None:
            self.around.choose_comment("")
        for edge in self.edges.values():
            if edge.chosen != (edge.link == link):
                edge.set_marks(chosen=edge.link == link)
        if before != self._chosen:
            self.chosen_changed.emit(list(self._chosen))

    def place(self, positions: Mapping[str, Position]) -> None:
        """Show nodes elsewhere while they are dragged; the document decides when the drag ends."""
        for id_, at in positions.items():
            self.items_by_id[id_].setPos(*at)
        self.around.place()
        for id_ in positions:
            for edge in self._edges_of.get(id_, ()):
                self._place_edge(edge)
        self._renew_crowd()
        self.picture_changed.emit()

    def positions(self, ids: Iterable[str]) -> dict[str, Position]:
        """Where nodes are shown."""
        return {id_: (self.items_by_id[id_].x(), self.items_by_id[id_].y()) for id_ in ids}

    def nodes_rect(self) -> QRectF:
        """The smallest box around everything that is seen; null without any."""
        bounds = self.around.bounds()
        for item in self.items_by_id.values():
            if item.isVisible():
                bounds = bounds.united(item.scene_rect())
        return bounds

    def nodes_in(self, box: QRectF) -> list[str]:
        """Ids of the nodes that a box touches."""
        cards = [item for item in self.around.frames.values() if item.frame.collapsed and item.box.intersects(box)]
        behind = [id_ for card in cards for id_ in card.frame.members]
        seen = [id_ for id_, item in self.items_by_id.items() if item.isVisible()]
        return [*(id_ for id_ in seen if self.items_by_id[id_].scene_rect().intersects(box)), *behind]

    def wiring(self) -> Wiring:
        """The connections of the document shown."""
        return Wiring(self.document, self.catalogue)

    def hit(self, at: QPointF, zoom: float = 1.0) -> Hit:
        """What is at a scene point; hit boxes keep their size on the screen when the zoom is below 1."""
        reach = PORT_HIT / 2 / min(max(zoom, 0.25), 1.0)
        near = QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach)
        found = self.items(near, Qt.ItemSelectionMode.IntersectsItemBoundingRect)
        nodes = [item for item in found if isinstance(item, NodeItem)]
        for node in nodes:
            if port := node.port_at(at - node.pos(), reach):
                return Hit("port", node.face.id, port)
        for note in found:
            if isinstance(note, FaultItem) and (remedy := note.remedy_at(note.mapFromScene(at))) is not None:
                return Hit("remedy", remedy=remedy)
        for node in nodes:
            if node.scene_rect().contains(at):
                inside = at - node.pos()
                if (field := node.field_at(inside)) is not None:
                    return Hit("field", node.face.id, field=field)
                part: Literal["title", "node"] = "title" if node.anatomy.title.contains(inside) else "node"
                return Hit(part, node.face.id)
        if (comment := self.around.comment_at(at)) is not None:
            return Hit("comment", comment=comment)
        held = self.around.frame_at(at)
        if held is not None:
            return Hit("fold" if held[1] else "frame", frame=held[0])
        for edge in found:
            if isinstance(edge, EdgeItem) and edge.hit(at):
                return Hit("edge", link=edge.link)
        return Hit("void")

    # --- ground -----------------------------------------------------------------------------------------------------

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:  # noqa: D102
        draw_dots(painter, rect)
