"""What a gesture is told, and what it may ask of the canvas it happens on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, Qt

from solera.documents.commands import Command
from solera_app.canvases.scene import RecipeScene


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where the mouse is.

    Attributes:
        at: In the scene, px at 100 %.
        view: In the viewport, px.
        zoom: Screen px per scene px.
        modifiers: Keys held.
    """

    at: QPointF
    view: QPointF
    zoom: float = 1.0
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier

    @property
    def adds(self) -> bool:
        """Whether Shift or Ctrl is held: the choice grows instead of being replaced."""
        return bool(self.modifiers & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier))


@dataclass(frozen=True, slots=True)
class LooseEnd:
    """A link that was dropped where nothing is: one end is known.

    Attributes:
        node: Id of the node it hangs on.
        port: ``"out"`` when a target is missing, else the input port whose source is missing.
    """

    node: str
    port: str


class Gesture(Protocol):
    """One press, drag and release."""

    def move(self, pointer: Pointer) -> None:
        """The mouse moved with the button held."""
        ...

    def release(self, pointer: Pointer) -> None:
        """The button was released: do the edit."""
        ...

    def cancel(self) -> None:
        """Escape, or the window lost the mouse: leave everything as it was."""
        ...


class Stage(Protocol):
    """The canvas, as a gesture sees it."""

    @property
    def picture(self) -> RecipeScene:
        """The scene."""
        ...

    def do(self, command: Command) -> bool:
        """Do an edit; False (and a message) if the document refuses it."""
        ...

    def settle(self) -> None:
        """End a step of undo."""
        ...

    def say(self, text: str) -> None:
        """A hint in the status bar."""
        ...

    def refuse(self, text: str, view: QPointF) -> None:
        """A sentence beside the pointer; an empty one takes it away."""
        ...

    def pan(self, dx: float, dy: float) -> None:
        """Move the camera by viewport px."""
        ...

    def band(self, box: QRectF | None) -> None:
        """Show the box of a rubber band (scene px)."""
        ...

    def offer(self, at: QPointF, end: LooseEnd | None) -> None:
        """Open the quick-add menu for a place in the scene, with what fits a loose end."""
        ...
