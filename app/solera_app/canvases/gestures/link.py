"""Drag a link: from an output to an input, from an input back to an output, or an existing link to another port."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF

from solera.documents.commands import Batch, Command, Connect, Disconnect
from solera.documents.document import Link
from solera.documents.links import Wiring
from solera_app.canvases.edge_item import LooseEdge
from solera_app.canvases.gestures.stage import LooseEnd, Pointer, Stage
from solera_app.canvases.scene import Hit


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the link would end: a port, and why not if it does not fit."""

    node: str
    port: str
    refusal: str | None


class DragLink:
    """Drags one end of a link.

    Fitting ports grow, the others fade; a refusal shows its sentence beside the pointer. Dropped on the ground it
    opens the quick-add menu with what fits; an existing link dropped on the ground is removed.

    Args:
        stage: The canvas.
        hit: The pressed port.
        pointer: Where it began.
    """

    def __init__(self, stage: Stage, hit: Hit, pointer: Pointer) -> None:
        self._stage = stage
        scene = stage.picture
        port = scene.items_by_id[hit.node].port_face(hit.port)
        self._old: Link | None = None
        document = scene.document
        if hit.port == "out":
            self._end = LooseEnd(hit.node, "out")
        elif port.source and port.source in scene.items_by_id:
            self._old = Link(port.source, hit.node, hit.port)
            self._end = LooseEnd(port.source, "out")
            document = Disconnect(hit.node, hit.port).apply(document)
        else:
            self._end = LooseEnd(hit.node, hit.port)
        self._wiring = Wiring(document, scene.catalogue)
        self._backwards = self._end.port != "out"
        item = scene.items_by_id[self._end.node]
        self._anchor = item.pos() + item.anatomy.port(self._end.port)
        self._shape = item.port_face(self._end.port).shape
        self._target: _Target | None = None
        self._edge = LooseEdge()
        self._started = False
        self._start = pointer.view

    # --- the drag -----------------------------------------------------------------------------------------------------

    def move(self, pointer: Pointer) -> None:
        """Draw the link to the pointer and say what would happen."""
        step = pointer.view - self._start
        if not self._started:
            if max(abs(step.x()), abs(step.y())) < 4:
                return
            self._begin()
        self._target = self._find(pointer)
        refusal = self._target.refusal if self._target is not None and self._target.refusal else ""
        end = pointer.at
        if self._target is not None and not refusal:
            item = self._stage.picture.items_by_id[self._target.node]
            end = item.pos() + item.anatomy.port(self._target.port)
        self._edge.set(self._anchor, end, self._shape, backwards=self._backwards, refusal=refusal)
        self._stage.refuse(refusal, pointer.view)

    def _begin(self) -> None:
        self._started = True
        scene = self._stage.picture
        scene.addItem(self._edge)
        if self._old is not None:
            scene.edges[(self._old.target, self._old.port)].setOpacity(0.25)
        for id_, item in scene.items_by_id.items():
            ports = (*item.face.inputs, *((item.face.output,) if item.face.output is not None else ()))
            fits = {port.name: self._refusal(id_, port.name) is None for port in ports}
            if id_ == self._end.node:
                fits[self._end.port] = True
            item.set_emphasis(fits)
        self._stage.say("Drop on a port to connect, or on the ground to add a node.")

    def _refusal(self, node: str, port: str) -> str | None:
        """Why the link cannot end there; an output cannot end at an output."""
        if self._backwards:
            if port != "out":
                return "Drag to an output: this end is an input already."
            return self._wiring.refusal(node, self._end.node, self._end.port)
        if port == "out":
            return "Drag to an input: this end is an output already."
        return self._wiring.refusal(self._end.node, node, port)

    def _find(self, pointer: Pointer) -> _Target | None:
        """The port under the pointer; on a node's body its first free port that fits."""
        hit = self._stage.picture.hit(pointer.at, pointer.zoom)
        if not hit.node or (hit.node, hit.port) == (self._end.node, self._end.port):
            return None
        if hit.part == "port":
            return _Target(hit.node, hit.port, self._refusal(hit.node, hit.port))
        face = self._stage.picture.items_by_id[hit.node].face
        names = ["out"] if self._backwards else [port.name for port in face.inputs if not port.filled]
        if self._backwards and face.output is None:
            return None
        answers = [_Target(hit.node, name, self._refusal(hit.node, name)) for name in names]
        return next((target for target in answers if target.refusal is None), answers[0] if answers else None)

    # --- its end ------------------------------------------------------------------------------------------------------

    def release(self, pointer: Pointer) -> None:
        """Connect, remove, or offer what fits."""
        self.move(pointer)
        target, started = self._target, self._started
        on_ground = self._stage.picture.hit(pointer.at, pointer.zoom).part in {"void", "edge"}
        self.cancel()
        if not started:
            return
        self._stage.say("")
        if target is not None:
            if target.refusal is None:
                self._connect(target)
            else:
                self._stage.say(target.refusal)
        elif self._old is not None and on_ground:
            self._stage.do(Disconnect(self._old.target, self._old.port, label=f"Disconnect {self._old.source}"))
        elif on_ground:
            self._stage.offer(pointer.at, self._end)

    def _connect(self, target: _Target) -> None:
        if self._backwards:
            self._stage.do(Connect(target.node, self._end.node, self._end.port, label=f"Connect {target.node}"))
            return
        connect: Command = Connect(self._end.node, target.node, target.port, label=f"Connect {self._end.node}")
        if self._old is None:
            self._stage.do(connect)
        elif (target.node, target.port) != (self._old.target, self._old.port):
            # Connecting first keeps the old port's number right: appending and replacing do not shift it.
            freed = Disconnect(self._old.target, self._old.port)
            self._stage.do(Batch((connect, freed), label=f"Move link of {self._end.node}"))

    def cancel(self) -> None:
        """Take the loose link away."""
        self._stage.refuse("", QPointF())
        if not self._started:
            return
        self._started = False
        scene = self._stage.picture
        scene.removeItem(self._edge)
        if self._old is not None and (self._old.target, self._old.port) in scene.edges:
            scene.edges[(self._old.target, self._old.port)].setOpacity(1.0)
        for item in scene.items_by_id.values():
            item.set_emphasis(None)
