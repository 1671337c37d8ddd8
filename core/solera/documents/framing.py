"""Edits of what stands around nodes on a canvas: frames that group them, and comments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from solera.documents.command import Command, Step
from solera.documents.document import Comment, Document, Frame
from solera.errors import InputError


@dataclass(frozen=True, slots=True)
class SetFrames(Step):
    """Replace the frames: one was added, renamed, collapsed or taken away."""

    frames: tuple[Frame, ...]
    label: str = "Change frame"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        members = [id_ for frame in self.frames for id_ in frame.members]
        for id_ in members:
            if id_ not in document.ids:
                raise InputError(f"There is no node '{id_}' in this document, so no frame can hold it.", node=id_)
        for id_ in members:
            if members.count(id_) > 1:
                raise InputError(f"'{id_}' would be in two frames; take it out of one first.", node=id_)
        if len({frame.id for frame in self.frames}) < len(self.frames) or not all(f.members for f in self.frames):
            raise InputError("Each frame has an id of its own and holds a node at least.")
        return replace(document, frames=self.frames)


@dataclass(frozen=True, slots=True)
class SetComments:
    """Replace the comments: one was added, moved, written over or taken away."""

    comments: tuple[Comment, ...]
    label: str = "Edit comment"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        if len({comment.id for comment in self.comments}) < len(self.comments):
            raise InputError("Each comment has an id of its own.")
        return replace(document, comments=self.comments)

    def absorbs(self, later: Command) -> bool:
        """Steps of one drag are one step."""
        return isinstance(later, SetComments) and later.label == self.label == "Move comment"


def framed(document: Document, ids: Iterable[str], title: str) -> SetFrames:
    """The edit that puts nodes into a new frame; they leave the ones they are in.

    Raises:
        InputError: There are none.
    """
    members = tuple(dict.fromkeys(ids))
    if not members:
        raise InputError("Choose the nodes that shall be in the frame first.")
    taken = {frame.id for frame in document.frames}
    id_ = next(f"frame_{n}" for n in range(1, len(taken) + 2) if f"frame_{n}" not in taken)
    kept = left_after(document.frames, members)
    return SetFrames((*kept, Frame(id_, title, members)), label=f"Frame {len(members)} nodes")


def changed(document: Document, frame: Frame, label: str) -> SetFrames:
    """The edit that puts a frame in place of the one with its id."""
    return SetFrames(tuple(frame if old.id == frame.id else old for old in document.frames), label=label)


def left_after(frames: Iterable[Frame], gone: Collection[str]) -> tuple[Frame, ...]:
    """The frames without some nodes; a frame that held nothing else goes too."""
    kept = (replace(frame, members=tuple(id_ for id_ in frame.members if id_ not in gone)) for frame in frames)
    return tuple(frame for frame in kept if frame.members)


def renamed_in(frames: Iterable[Frame], name: Callable[[str], str]) -> tuple[Frame, ...]:
    """The frames with their members' new names."""
    return tuple(replace(frame, members=tuple(map(name, frame.members))) for frame in frames)
