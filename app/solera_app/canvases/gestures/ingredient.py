"""Carry a model into the pot of a soup, or out of it."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QPointF

#: How far the pointer moves before a press becomes a drag, px.
START = 6.0


class PotStage(Protocol):
    """The soup canvas, as the gesture sees it."""

    def over_pot(self, px: QPointF) -> bool:
        """Whether a place on the canvas is over the pot."""
        ...

    def name_of(self, id_: str) -> str:
        """What a model is called."""
        ...

    def carry(self, id_: str, px: QPointF | None) -> None:
        """Show a model under the pointer; None takes it away."""
        ...

    def choose(self, id_: str) -> None:
        """Select a model."""
        ...

    def put(self, id_: str, *, inside: bool) -> None:
        """Ask for a model to be in the pot, or out of it."""
        ...

    def say(self, text: str) -> None:
        """A hint in the status bar."""
        ...


class MoveIngredient:
    """Takes a model where the pointer goes; a press without a drag selects it, Escape leaves it where it was.

    Args:
        stage: The canvas.
        id_: The model's id.
        inside: Whether it is in the pot.
        px: Where it was pressed.
    """

    def __init__(self, stage: PotStage, id_: str, *, inside: bool, px: QPointF) -> None:
        self._stage, self._id, self._inside = stage, id_, inside
        self._pressed = px
        self._moving = False

    def move(self, px: QPointF) -> None:
        """Follow the pointer."""
        if not self._moving and (px - self._pressed).manhattanLength() < START:
            return
        self._moving = True
        self._stage.carry(self._id, px)
        name, over = self._stage.name_of(self._id), self._stage.over_pot(px)
        if self._inside:
            self._stage.say(f"Release outside the pot to take {name} out." if over else f"Release to take {name} out.")
        else:
            self._stage.say(f"Release to put {name} in." if over else f"Drag {name} into the pot.")

    def release(self, px: QPointF) -> None:
        """Put it where it was let go."""
        if not self._moving:
            self._stage.choose(self._id)
            return
        self._stage.carry(self._id, None)
        over = self._stage.over_pot(px)
        if over != self._inside:
            self._stage.put(self._id, inside=over)

    def cancel(self) -> None:
        """Leave it where it was."""
        self._stage.carry(self._id, None)
        self._stage.say("")
