"""The mouse on a recipe canvas: which gesture a press begins, what is hovered, what is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeyEvent, QMouseEvent

from solera_app.bridge.weakly import Weakly
from solera_app.canvases.gestures.around import MoveComment, MoveFrame
from solera_app.canvases.gestures.band import RubberBand
from solera_app.canvases.gestures.drop import DropLibrary
from solera_app.canvases.gestures.link import DragLink
from solera_app.canvases.gestures.move import MoveNodes
from solera_app.canvases.gestures.pan import Pan
from solera_app.canvases.gestures.stage import Gesture, Pointer
from solera_app.canvases.scene import Hit

if TYPE_CHECKING:
    from solera_app.canvases.recipe import RecipeCanvas

_LEFT, _MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton


class Hands:
    """Turns mouse events into gestures.

    Args:
        canvas: Whose events.
    """

    _canvas = Weakly["RecipeCanvas"]()

    def __init__(self, canvas: RecipeCanvas) -> None:
        self._canvas = canvas
        self._gesture: Gesture | None = None
        self._button = Qt.MouseButton.NoButton
        self._drop: DropLibrary | None = None
        self._space = False
        self._hovered: Hit | None = None
        self.by_keyboard = False

    @property
    def gesture(self) -> Gesture | None:
        """The gesture in progress."""
        return self._gesture

    def _pointer(self, view: QPointF, modifiers: Qt.KeyboardModifier) -> Pointer:
        at = self._canvas.viewportTransform().inverted()[0].map(view)
        return Pointer(at, view, self._canvas.camera.zoom, modifiers)

    def _hit(self, pointer: Pointer) -> Hit:
        return self._canvas.picture.hit(pointer.at, pointer.zoom)

    # --- buttons ---------------------------------------------------------------------------------------------------

    def press(self, event: QMouseEvent) -> None:
        """Begin the gesture that fits what is pressed."""
        self.by_keyboard = False
        event.accept()
        if self._gesture is not None:
            return
        pointer = self._pointer(event.position(), event.modifiers())
        if event.button() == _MIDDLE or (event.button() == _LEFT and self._space):
            self._begin(Pan(self._canvas, pointer), event.button())
            self._canvas.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
        elif event.button() == _LEFT:
            self._press_left(self._hit(pointer), pointer)

    def _press_left(self, hit: Hit, pointer: Pointer) -> None:
        canvas = self._canvas
        match hit.part:
            case "port" if canvas.picture.items_by_id[hit.node].port_face(hit.port).shape != "scores":
                self._begin(DragLink(canvas, hit, pointer), _LEFT)
            case "port" | "node" | "title" | "field":
                self._begin(MoveNodes(canvas, hit.node, pointer), _LEFT)
            case "edge":
                canvas.picture.choose((), link=hit.link)
            case "fold" if hit.frame is not None:
                canvas.grouping.fold(hit.frame)
            case "frame" if hit.frame is not None:
                self._begin(MoveFrame(canvas, hit.frame, pointer), _LEFT)
            case "comment" if hit.comment is not None:
                self._begin(MoveComment(canvas, hit.comment, pointer), _LEFT)
            case "remedy":
                canvas.remedyRequested.emit(hit.remedy)
            case _:
                self._begin(RubberBand(canvas, pointer), _LEFT)

    def _begin(self, gesture: Gesture, button: Qt.MouseButton) -> None:
        self._gesture, self._button = gesture, button
        self.hover(None)

    def move(self, event: QMouseEvent) -> None:
        """Go on with the gesture, or hover."""
        pointer = self._pointer(event.position(), event.modifiers())
        event.accept()
        if self._gesture is None:
            self.hover(self._hit(pointer))
        elif event.buttons() & self._button:
            self._gesture.move(pointer)
        else:  # the release went elsewhere
            self.cancel()

    def release(self, event: QMouseEvent) -> None:
        """End the gesture."""
        event.accept()
        if self._gesture is None or event.button() != self._button:
            return
        gesture, self._gesture = self._gesture, None
        gesture.release(self._pointer(event.position(), event.modifiers()))
        self._show_cursor()

    def double(self, event: QMouseEvent) -> None:
        """Edit a field or a title in place; open a node; on the ground, add one."""
        event.accept()
        if event.button() != _LEFT:
            return
        pointer = self._pointer(event.position(), event.modifiers())
        hit = self._hit(pointer)
        canvas = self._canvas
        match hit.part:
            case "field" if hit.field is not None:
                canvas.edit_field(hit.node, hit.field)
            case "title":
                canvas.edit_title(hit.node)
            case "node" | "port":
                canvas.openRequested.emit(hit.node)
            case "frame" if hit.frame is not None and hit.frame.collapsed:
                canvas.grouping.fold(hit.frame)
            case "frame" if hit.frame is not None:
                canvas.edit_frame(hit.frame)
            case "comment" if hit.comment is not None:
                canvas.edit_comment(hit.comment)
            case "void":
                canvas.open_quick_add(pointer.at)
            case _:
                pass

    def cancel(self) -> None:
        """Give up the gesture in progress."""
        if self._gesture is not None:
            gesture, self._gesture = self._gesture, None
            gesture.cancel()
            self._show_cursor()

    def point_out(self, view: QPointF) -> None:
        """Choose what a context menu is asked for, unless it is chosen already."""
        hit = self._hit(self._pointer(view, Qt.KeyboardModifier.NoModifier))
        picture = self._canvas.picture
        if hit.node and hit.node not in picture.chosen:
            picture.choose([hit.node])
        elif hit.part == "edge":
            picture.choose((), link=hit.link)
        elif hit.frame is not None and not set(hit.frame.members) <= set(picture.chosen):
            picture.choose(hit.frame.members)
        elif hit.comment is not None:
            picture.choose(())
            picture.around.choose_comment(hit.comment.id)
        elif hit.part == "void":
            picture.choose(())
            picture.around.choose_comment("")

    # --- hover and Space -------------------------------------------------------------------------------------------

    def hover(self, hit: Hit | None) -> None:
        """Mark what is under the pointer."""
        if hit == self._hovered:
            return
        picture = self._canvas.picture
        for what, on in ((self._hovered, False), (hit, True)):
            if what is None:
                continue
            if what.node in picture.items_by_id:
                picture.items_by_id[what.node].set_marks(hovered=on)
            if what.link is not None and (what.link.target, what.link.port) in picture.edges:
                picture.edges[(what.link.target, what.link.port)].set_marks(hovered=on)
        self._hovered = hit
        self._show_cursor()

    def _show_cursor(self) -> None:
        part = self._hovered.part if self._hovered is not None else "void"
        shapes = {
            "port": Qt.CursorShape.CrossCursor,
            "field": Qt.CursorShape.IBeamCursor,
            "remedy": Qt.CursorShape.PointingHandCursor,
            "fold": Qt.CursorShape.PointingHandCursor,
            "frame": Qt.CursorShape.SizeAllCursor,
            "comment": Qt.CursorShape.SizeAllCursor,
        }
        shape = Qt.CursorShape.OpenHandCursor if self._space else shapes.get(part, Qt.CursorShape.ArrowCursor)
        self._canvas.viewport().setCursor(shape)

    def key(self, event: QKeyEvent, *, pressed: bool) -> bool:
        """Space makes the left button pan, Escape gives up a gesture; returns whether the key was used."""
        if pressed:
            self.by_keyboard = True
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space = pressed
                self._show_cursor()
            return True
        if pressed and event.key() == Qt.Key.Key_Escape and self._gesture is not None:
            self.cancel()
            return True
        return False

    # --- drops -----------------------------------------------------------------------------------------------------

    def drag_enter(self, event: QDragEnterEvent) -> None:
        """Welcome library entries and files."""
        self._drop = DropLibrary(event.mimeData())
        if self._drop.welcome:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._canvas.say(self._drop.hint)
        else:
            event.ignore()

    def drag_move(self, event: QDragMoveEvent) -> None:
        """As it entered."""
        if self._drop is not None and self._drop.welcome:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
        else:
            event.ignore()

    def drag_leave(self) -> None:
        """Forget it."""
        self._drop = None
        self._canvas.say("")

    def drop(self, event: QDropEvent) -> None:
        """Add library entries here; hand files on."""
        drop, self._drop = DropLibrary(event.mimeData()), None
        if not drop.welcome:
            event.ignore()
            return
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        at = self._pointer(event.position(), Qt.KeyboardModifier.NoModifier).at
        if drop.entries:
            self._canvas.drop_entries(drop.entries, at)
        else:
            self._canvas.filesDropped.emit(drop.files, at)
