"""Drag a frame with all its nodes, or a free comment."""

from __future__ import annotations

from dataclasses import replace

from solera.documents.commands import SetComments
from solera.documents.document import Comment, Frame, Position
from solera_app.canvases.arrange import snapped
from solera_app.canvases.gestures.move import MoveNodes
from solera_app.canvases.gestures.stage import Pointer, Stage

_STILL = 4.0


class MoveFrame(MoveNodes):
    """Moves the nodes of a frame; a press without a drag chooses them all.

    Args:
        stage: The canvas.
        frame: The frame that was pressed.
        pointer: Where it began.
    """

    def __init__(self, stage: Stage, frame: Frame, pointer: Pointer) -> None:
        self._members = frame.members
        before = stage.picture.chosen
        if not set(frame.members) <= set(before):
            stage.picture.choose([*before, *frame.members] if pointer.adds else frame.members)
        super().__init__(stage, frame.members[0], pointer)

    def _choose_one(self) -> None:
        self._stage.picture.choose(self._members)


class MoveComment:
    """Moves a comment on the grid; a press without a drag chooses it.

    Args:
        stage: The canvas.
        comment: The comment that was pressed.
        pointer: Where it began.
    """

    def __init__(self, stage: Stage, comment: Comment, pointer: Pointer) -> None:
        self._stage, self._comment = stage, comment
        self._start, self._from = pointer.view, pointer.at
        self._moving = False
        stage.picture.choose(())
        stage.picture.around.choose_comment(comment.id)

    def _target(self, pointer: Pointer) -> Position:
        step = pointer.at - self._from
        return snapped(self._comment.at[0] + step.x(), self._comment.at[1] + step.y())

    def move(self, pointer: Pointer) -> None:
        """Show it where it would be."""
        step = pointer.view - self._start
        if self._moving or max(abs(step.x()), abs(step.y())) >= _STILL:
            self._moving = True
            self._stage.picture.around.show_comment(self._comment.id, self._target(pointer))

    def release(self, pointer: Pointer) -> None:
        """Leave it there."""
        if not self._moving:
            return
        moved = replace(self._comment, at=self._target(pointer))
        comments = self._stage.picture.document.comments
        self._stage.settle()
        self._stage.do(SetComments(tuple(moved if c.id == moved.id else c for c in comments), label="Move comment"))
        self._stage.settle()

    def cancel(self) -> None:
        """Put it back."""
        self._stage.picture.around.show_comment(self._comment.id, self._comment.at)
