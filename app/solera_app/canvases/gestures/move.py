"""Drag nodes; a press without a drag chooses."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from solera.documents.commands import MoveNodes as MoveCommand
from solera.documents.document import Position
from solera_app.canvases.arrange import snapped
from solera_app.canvases.gestures.stage import Pointer, Stage

_STILL = 4.0


class MoveNodes:
    """Moves the chosen nodes together, the pressed one on the grid of 8 px. The document learns of it once, at the end.

    Args:
        stage: The canvas.
        node: Id of the pressed node.
        pointer: Where it began.
    """

    def __init__(self, stage: Stage, node: str, pointer: Pointer) -> None:
        self._stage = stage
        self._node = node
        self._start = pointer.view
        self._from = pointer.at
        scene = stage.picture
        self._was_chosen = node in scene.chosen
        if not self._was_chosen:
            scene.choose([*scene.chosen, node] if pointer.adds else [node])
        else:
            scene.choose(scene.chosen)
        self._origin = scene.positions(scene.chosen)
        self._adds = pointer.adds
        self._moving = False

    def move(self, pointer: Pointer) -> None:
        """Show the nodes where they would be."""
        step = pointer.view - self._start
        if not self._moving and max(abs(step.x()), abs(step.y())) < _STILL:
            return
        self._moving = True
        self._stage.picture.place(self._targets(pointer.at))

    def _targets(self, at: QPointF) -> dict[str, Position]:
        x, y = self._origin[self._node]
        delta = at - self._from
        new_x, new_y = snapped(x + delta.x(), y + delta.y())
        return {id_: (old_x + new_x - x, old_y + new_y - y) for id_, (old_x, old_y) in self._origin.items()}

    def release(self, pointer: Pointer) -> None:
        """Make the move, or, without one, the choice."""
        if not self._moving:
            self._choose_one()
            return
        self._stage.settle()
        if not self._stage.do(MoveCommand(self._targets(pointer.at), label=_label(len(self._origin)))):
            self.cancel()
        self._stage.settle()

    def _choose_one(self) -> None:
        scene = self._stage.picture
        if self._was_chosen and self._adds:
            scene.choose([id_ for id_ in scene.chosen if id_ != self._node])
        elif self._was_chosen:
            scene.choose([self._node])

    def cancel(self) -> None:
        """Put them back."""
        self._stage.picture.place(self._origin)


def _label(count: int) -> str:
    return "Move node" if count == 1 else f"Move {count} nodes"
