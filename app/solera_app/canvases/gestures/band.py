"""Draw a box on the ground to choose the nodes that it touches."""

from __future__ import annotations

from PySide6.QtCore import QRectF

from solera_app.canvases.gestures.stage import Pointer, Stage

_STILL = 4.0


class RubberBand:
    """Chooses what a box touches; with Shift or Ctrl it adds to the choice. A click without a drag chooses nothing.

    Args:
        stage: The canvas.
        pointer: Where it began.
    """

    def __init__(self, stage: Stage, pointer: Pointer) -> None:
        self._stage = stage
        self._start = pointer.at
        self._before = stage.picture.chosen
        self._kept = self._before if pointer.adds else ()
        self._link = stage.picture.chosen_link

    def move(self, pointer: Pointer) -> None:
        """Grow the box and choose what it touches."""
        box = QRectF(self._start, pointer.at).normalized()
        if max(box.width(), box.height()) * pointer.zoom < _STILL:
            return
        self._stage.band(box)
        self._stage.picture.choose([*self._kept, *self._stage.picture.nodes_in(box)])

    def release(self, pointer: Pointer) -> None:
        """End the box."""
        self.move(pointer)
        self._stage.band(None)
        box = QRectF(self._start, pointer.at).normalized()
        if max(box.width(), box.height()) * pointer.zoom < _STILL:
            self._stage.picture.choose(self._kept)

    def cancel(self) -> None:
        """Choose again what was chosen before."""
        self._stage.band(None)
        self._stage.picture.choose(self._before, link=self._link)
