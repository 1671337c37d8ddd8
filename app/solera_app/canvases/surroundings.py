"""What stands around the nodes of a scene: frames, open or collapsed, and free comments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF

from solera.documents.document import Comment, Document, Frame, Position
from solera_app.bridge.weakly import Weakly
from solera_app.canvases.frame_item import FrameItem, FreeComment

if TYPE_CHECKING:
    from solera_app.canvases.scene import RecipeScene


class Surroundings:
    """Items for the frames and comments of a document.

    Args:
        scene: Where they stand.
    """

    _scene = Weakly["RecipeScene"]()

    def __init__(self, scene: RecipeScene) -> None:
        self._scene = scene
        self.frames: dict[str, FrameItem] = {}
        self.comments: dict[str, FreeComment] = {}
        self.chosen_comment = ""
        self._frame_of: dict[str, FrameItem] = {}

    def render(self, document: Document) -> None:
        """Show the frames and comments of a document; members of collapsed frames are hidden."""
        frames = {frame.id: frame for frame in document.frames}
        for id_ in [id_ for id_ in self.frames if id_ not in frames]:
            self._scene.removeItem(self.frames.pop(id_))
        for frame in frames.values():
            if frame.id not in self.frames:
                item = self.frames[frame.id] = FrameItem(frame)
                self._scene.addItem(item)
            self.frames[frame.id].frame = frame
        self._frame_of = {id_: self.frames[frame.id] for frame in frames.values() for id_ in frame.members}
        for id_, node in self._scene.items_by_id.items():
            node.setVisible(self.card_of(id_) is None)
        self.place()
        comments = {comment.id: comment for comment in document.comments}
        for id_ in [id_ for id_ in self.comments if id_ not in comments]:
            self._scene.removeItem(self.comments.pop(id_))
        for comment in comments.values():
            if comment.id not in self.comments:
                made = self.comments[comment.id] = FreeComment(comment)
                self._scene.addItem(made)
            elif self.comments[comment.id].comment != comment:
                self.comments[comment.id].set_comment(comment)
            elif (self.comments[comment.id].x(), self.comments[comment.id].y()) != comment.at:
                self.comments[comment.id].setPos(*comment.at)
        if self.chosen_comment not in self.comments:
            self.chosen_comment = ""

    def place(self) -> None:
        """Put every frame around its nodes, wherever they are shown now."""
        for item in self.frames.values():
            around = QRectF()
            for id_ in item.frame.members:
                if id_ in self._scene.items_by_id:
                    around = around.united(self._scene.items_by_id[id_].scene_rect())
            item.set_frame(item.frame, around)

    def card_of(self, id_: str) -> FrameItem | None:
        """The card that stands for a node; None if it is seen itself."""
        item = self._frame_of.get(id_)
        return item if item is not None and item.frame.collapsed else None

    def frame_of(self, id_: str) -> Frame | None:
        """The frame a node is in."""
        item = self._frame_of.get(id_)
        return item.frame if item is not None else None

    def mark(self, chosen: tuple[str, ...]) -> None:
        """Show which frames are wholly chosen."""
        for item in self.frames.values():
            item.set_chosen(bool(item.frame.members) and set(item.frame.members) <= set(chosen))

    def choose_comment(self, id_: str) -> None:
        """Choose a comment; empty for none."""
        self.chosen_comment = id_
        for name, item in self.comments.items():
            item.set_chosen(name == id_)

    def show_comment(self, id_: str, at: Position) -> None:
        """Show a comment elsewhere while it is dragged."""
        self.comments[id_].setPos(*at)

    def frame_at(self, at: QPointF) -> tuple[Frame, bool] | None:
        """The frame held at a point, and whether that is where it folds."""
        for item in self.frames.values():
            if item.fold.contains(at):
                return item.frame, True
            if item.grip.contains(at):
                return item.frame, False
        return None

    def comment_at(self, at: QPointF) -> Comment | None:
        """The comment at a point."""
        return next((item.comment for item in self.comments.values() if item.box.contains(at)), None)

    def bounds(self) -> QRectF:
        """The smallest box around all of them."""
        found = QRectF()
        for box in (*(item.box for item in self.frames.values()), *(item.box for item in self.comments.values())):
            found = found.united(box)
        return found
