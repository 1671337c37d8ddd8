"""Drag the handle of an interpolation."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QPointF

Weights = tuple[float, ...]


class HandleStage(Protocol):
    """The interpolation canvas, as the gesture sees it."""

    @property
    def weights(self) -> Weights:
        """Where the handle is."""
        ...

    def handle_px(self) -> QPointF:
        """Where it is drawn, px."""
        ...

    def weights_at(self, px: QPointF) -> Weights:
        """Weights of a pixel."""
        ...

    def drag_to(self, weights: Weights) -> None:
        """Show the handle there and tell that it moves."""
        ...

    def drop_at(self, weights: Weights) -> None:
        """Show the handle there and tell that it was released."""
        ...


class DragHandle:
    """Moves the handle by its grip; Escape puts it back.

    Args:
        stage: The canvas.
        px: Where it was gripped.
    """

    def __init__(self, stage: HandleStage, px: QPointF) -> None:
        self._stage = stage
        self._grip = px - stage.handle_px()
        self._before = stage.weights

    def move(self, px: QPointF) -> None:
        """Follow the pointer."""
        self._stage.drag_to(self._stage.weights_at(px - self._grip))

    def release(self, px: QPointF) -> None:
        """Leave it here; a press without a drag leaves it where it was."""
        moved = self._stage.weights
        if (px - self._grip - self._stage.handle_px()).manhattanLength() >= 1:
            moved = self._stage.weights_at(px - self._grip)
        self._stage.drop_at(moved)

    def cancel(self) -> None:
        """Put it back."""
        self._stage.drop_at(self._before)
