"""What the keys and the menu of a recipe canvas do with frames, comments and places. Each is one command."""

from __future__ import annotations

from dataclasses import replace

from solera.documents.commands import MoveNodes, SetComments, SetFrames
from solera.documents.document import Comment, Document, Frame, Position
from solera.documents.framing import changed, framed, left_after
from solera.errors import InputError
from solera_app.bridge.weakly import Weakly
from solera_app.canvases.arrange import SIDES, Side, in_line, layered, snapped
from solera_app.canvases.gestures.stage import Stage


class Grouping:
    """Edits around what is chosen.

    Args:
        stage: The canvas.
    """

    _stage = Weakly[Stage]()

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    @property
    def _document(self) -> Document:
        return self._stage.picture.document

    @property
    def chosen_frames(self) -> list[Frame]:
        """The frames that hold a chosen node."""
        around = self._stage.picture.around
        found = (around.frame_of(id_) for id_ in self._stage.picture.chosen)
        return list({frame.id: frame for frame in found if frame is not None}.values())

    def frame(self) -> Frame | None:
        """Put the chosen nodes into a frame of their own; returns it."""
        scene = self._stage.picture
        title = "Group" if len(scene.chosen) != 1 else scene.items_by_id[scene.chosen[0]].face.title
        try:
            command = framed(self._document, scene.chosen, title)
        except InputError as error:
            self._stage.say(str(error))
            return None
        return command.frames[-1] if self._stage.do(command) else None

    def unframe(self) -> None:
        """Take the frames of the chosen nodes away; the nodes stay."""
        gone = {frame.id for frame in self.chosen_frames}
        if gone:
            kept = tuple(frame for frame in self._document.frames if frame.id not in gone)
            self._stage.do(SetFrames(kept, label="Take frame away"))

    def leave(self) -> None:
        """Take the chosen nodes out of their frames."""
        kept = left_after(self._document.frames, self._stage.picture.chosen)
        if kept != self._document.frames:
            self._stage.do(SetFrames(kept, label="Take out of frame"))

    def fold(self, frame: Frame | None = None) -> None:
        """Collapse a frame into one node, or open it again; by default that of the chosen nodes."""
        frames = [frame] if frame is not None else self.chosen_frames
        for one in frames:
            what = "Open" if one.collapsed else "Collapse"
            self._stage.do(changed(self._document, replace(one, collapsed=not one.collapsed), f"{what} {one.title}"))

    def rename(self, frame: Frame, title: str) -> str:
        """Give a frame another title; returns the sentence of a refusal."""
        if title.strip() and title.strip() != frame.title:
            self._stage.do(changed(self._document, replace(frame, title=title.strip()), "Rename frame"))
        return ""

    # --- comments ----------------------------------------------------------------------------------------------------

    def add_comment(self, at: Position) -> Comment | None:
        """A new comment with its top left at a place; returns it."""
        taken = {comment.id for comment in self._document.comments}
        id_ = next(f"comment_{n}" for n in range(1, len(taken) + 2) if f"comment_{n}" not in taken)
        made = Comment(id_, "Comment", snapped(*at))
        return made if self._stage.do(SetComments((*self._document.comments, made), label="Add comment")) else None

    def write(self, comment: Comment, text: str) -> str:
        """Write over a comment; an empty one goes. Returns the sentence of a refusal."""
        others = self._document.comments
        if not text.strip():
            self.drop_comment(comment.id)
        elif text.strip() != comment.text:
            written = replace(comment, text=text.strip())
            self._stage.do(SetComments(tuple(written if c.id == comment.id else c for c in others)))
        return ""

    def drop_comment(self, id_: str) -> None:
        """Take a comment away."""
        kept = tuple(comment for comment in self._document.comments if comment.id != id_)
        self._stage.do(SetComments(kept, label="Delete comment"))

    # --- places ------------------------------------------------------------------------------------------------------

    def line_up(self, side: Side) -> None:
        """Put the chosen nodes in line, or at even distances."""
        scene = self._stage.picture
        if len(scene.chosen) < (3 if side in ("down", "across") else 2):
            self._stage.say(f"{SIDES[side]} takes more nodes: choose them with a box or with Shift.")
            return
        rects = {id_: scene.items_by_id[id_].scene_rect() for id_ in scene.chosen}
        boxes = {id_: (rect.x(), rect.y(), rect.width(), rect.height()) for id_, rect in rects.items()}
        self._stage.do(MoveNodes(in_line(boxes, side), label=SIDES[side]))

    def lay_out(self) -> None:
        """Put the chosen nodes, or all, into columns from left to right."""
        scene = self._stage.picture
        faces = {id_: item.face for id_, item in scene.items_by_id.items()}
        ids = scene.chosen if len(scene.chosen) > 1 else ()
        if faces:
            shown = replace(self._document, layout={**self._document.layout, **scene.positions(faces)})
            self._stage.do(MoveNodes(layered(shown, faces, ids), label="Lay out"))
