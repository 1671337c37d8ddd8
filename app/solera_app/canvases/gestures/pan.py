"""Drag the ground: middle button, or Space and the left one."""

from __future__ import annotations

from solera_app.canvases.gestures.stage import Pointer, Stage


class Pan:
    """Moves the camera with the mouse.

    Args:
        stage: The canvas.
        pointer: Where it began.
    """

    def __init__(self, stage: Stage, pointer: Pointer) -> None:
        self._stage = stage
        self._last = pointer.view
        self._start = pointer.view

    def move(self, pointer: Pointer) -> None:
        """Keep the point of the scene under the pointer."""
        step = pointer.view - self._last
        self._last = pointer.view
        self._stage.pan(-step.x(), -step.y())

    def release(self, pointer: Pointer) -> None:
        """Nothing is left to do."""

    def cancel(self) -> None:
        """Go back to where it began."""
        back = self._start - self._last
        self._stage.pan(-back.x(), -back.y())
