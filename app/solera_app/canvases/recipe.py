"""The recipe canvas: a node graph that renders a document and edits it through commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QMenu, QWidget

from solera.documents.commands import Command
from solera.documents.document import Comment, Document, Frame, SaveNode
from solera.documents.history import History
from solera.errors import Fault, InputError
from solera_app.canvases.additions import Addition, addition_command, additions, fitting
from solera_app.canvases.anatomy import HEADER, ROW, WIDTH
from solera_app.canvases.arrange import snapped
from solera_app.canvases.edits import Edits
from solera_app.canvases.faces import Catalogue, FieldFace
from solera_app.canvases.field_editor import FieldEditor, choices_of, text_field
from solera_app.canvases.gestures.drop import LibraryEntry, add_checkpoints, entry_of
from solera_app.canvases.gestures.stage import LooseEnd
from solera_app.canvases.grouping import Grouping
from solera_app.canvases.hands import Hands
from solera_app.canvases.hints import hint_for
from solera_app.canvases.keys import action_for
from solera_app.canvases.menu import choice_menu, context_menu
from solera_app.canvases.node_item import NodeState
from solera_app.canvases.picture import save_picture
from solera_app.canvases.quick_add import QuickAdd
from solera_app.canvases.recipe_view import RecipeView
from solera_app.canvases.scene import RecipeScene


class RecipeCanvas(RecipeView):
    """Shows the document of a history and edits it.

    Args:
        history: Holder of the document; the canvas listens to it and never changes an item without it.
        catalogue: Methods by name (specs or manifest entries).
        parent: Qt parent.
    """

    edits: Edits
    grouping: Grouping
    #: Ids of the chosen nodes.
    selectionChanged = Signal(list)
    #: Ctrl+Enter, or Run recipe in the menu.
    runRequested: Signal = Signal()
    #: A node was opened (double click, Enter): its id.
    openRequested = Signal(str)
    #: A hint for the status bar.
    message = Signal(str)
    #: Files from a file manager, and where in the scene; see :meth:`add_checkpoints`.
    filesDropped = Signal(list, QPointF)
    #: A link of a fault note was pressed: a :class:`~solera_app.canvases.note_item.Remedy`.
    remedyRequested = Signal(object)
    #: A frame (:class:`~solera.documents.document.Frame`) is to be saved as a recipe.
    saveFrameRequested = Signal(object)
    #: A recipe file is to be inserted at a place in the scene.
    insertRequested = Signal(QPointF)

    def __init__(self, history: History, catalogue: Catalogue, parent: QWidget | None = None) -> None:
        super().__init__(RecipeScene(catalogue), parent)
        self._picture.setParent(self)
        self._history = history
        self.edits, self.grouping = Edits(self), Grouping(self)
        self.hands = Hands(self)
        self._library: list[tuple[str, str]] = []
        self._tasks: list[str] = []
        self._picture.chosen_changed.connect(self._chosen_changed)
        listening = self._listening = [history.subscribe(self._document_changed)]
        self.destroyed.connect(lambda: listening.pop()())
        self._picture.render_document(history.document)

    # --- what the window calls -----------------------------------------------------------------------------------

    @property
    def selection(self) -> list[str]:
        """Ids of the chosen nodes."""
        return list(self._picture.chosen)

    def select(self, ids: Sequence[str]) -> None:
        """Choose nodes."""
        self._picture.choose(ids)

    def set_history(self, history: History) -> None:
        """Show another document."""
        self._listening.pop()()
        self._listening.append(history.subscribe(self._document_changed))
        self._history = history
        self._picture.render_document(history.document)
        self.fit()

    def set_library(self, entries: Iterable[Any]) -> None:
        """What the quick-add menu offers: anything with ``name`` and ``path`` (attributes or keys)."""
        self._library = [(found.name, found.path) for found in map(entry_of, entries)]

    def set_tasks(self, names: Iterable[str]) -> None:
        """Tasks the quick-add menu offers."""
        self._tasks = list(names)

    def set_catalogue(self, catalogue: Catalogue) -> None:
        """Methods by name, after a plugin was enabled or disabled."""
        self._picture.catalogue = catalogue
        self._picture.render_document(self._history.document)

    def set_node_state(self, id_: str, state: NodeState, progress: float | None = None, text: str = "") -> None:
        """Show what a job says of a node.

        Args:
            id_: The node; remembered if it is not there yet.
            state: One of the states of the look.
            progress: From 0 to 1 while running; None when unknown.
            text: A line under the preview (``"Scored at density 0.30"``).
        """
        self._picture.set_status(id_, state=state, progress=progress, text=text)

    def set_preview(self, id_: str, text: str) -> None:
        """Show lines under a node's ports: tensors, size, time; for a task ``"Accuracy<TAB>68.5 ± 1.3 %"`` first."""
        self._picture.set_status(id_, preview=text)

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """Show these faults at their nodes, and no others."""
        self._picture.set_faults(faults)

    def export(self, kind: str, path: Path) -> Path:
        """Write the whole recipe as a picture.

        Args:
            kind: ``"png"`` or ``"svg"``.
            path: Where.

        Raises:
            OutputError: The file cannot be written.
            InputError: The kind is not known, or there is nothing to show.
        """
        return save_picture(self._picture, kind, path)

    def add_checkpoints(self, entries: Iterable[Any], at: QPointF) -> None:
        """Add checkpoint nodes for library entries (see :meth:`set_library`) at a scene point."""
        found = [entry_of(entry) for entry in entries]
        if found:
            self.drop_entries(found, at)

    # --- the stage of gestures -----------------------------------------------------------------------------------

    def do(self, command: Command) -> bool:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        try:
            self._history.do(command)
        except InputError as error:
            self.say(str(error))
            return False
        return True

    def settle(self) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self._history.settle()

    def say(self, text: str) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self.message.emit(text)

    def offer(self, at: QPointF, end: LooseEnd | None) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self.open_quick_add(at, end)

    # --- adding ----------------------------------------------------------------------------------------------------

    def open_quick_add(self, at: QPointF | None = None, end: LooseEnd | None = None) -> QuickAdd:
        """Open the quick-add menu for a place (the pointer's, or the middle), with what fits a loose end."""
        place = at if at is not None else self.pointer_place()
        offered = additions(self._picture.catalogue, self._library, self._tasks)
        loose = (end.node, end.port) if end is not None else None
        if loose is not None:
            offered = fitting(self._history.document, self._picture.catalogue, offered, loose)
        hint = "Add checkpoint, method or result" if end is None else f"Add and connect to {end.node}"
        backwards = end is not None and end.port != "out"

        def take(addition: Addition) -> None:
            corner = self._corner(place, loose, backwards=backwards)
            id_, command = addition_command(self._history.document, self._picture.catalogue, addition, corner, loose)
            if self.do(command):
                self._picture.choose([id_])
                self.setFocus(Qt.FocusReason.PopupFocusReason)

        menu = QuickAdd(offered, take, hint, self)
        menu.open_at(self.viewport().mapToGlobal(self.mapFromScene(place)))
        return menu

    def _corner(self, at: QPointF, end: tuple[str, str] | None, *, backwards: bool) -> tuple[float, float]:
        """Top left of a new node: its port under the place where a link was dropped."""
        if end is None:
            return snapped(at.x() - WIDTH / 2, at.y() - HEADER / 2)
        return snapped(at.x() - (WIDTH if backwards else 0), at.y() - HEADER - ROW / 2)

    def drop_entries(self, entries: Sequence[LibraryEntry], at: QPointF) -> None:
        """Add checkpoint nodes, the first one's header at a scene point, and choose them."""
        command = add_checkpoints(self._history.document, entries, (at.x() - WIDTH / 2, at.y() - HEADER / 2))
        if self.do(command):
            self._picture.choose([node.id for node in command.nodes])

    # --- editing in place ------------------------------------------------------------------------------------------

    def edit_field(self, id_: str, field: FieldFace) -> FieldEditor | None:
        """Type over a parameter field, or choose from its menu; not while the node's job runs.

        Rules by tensor name are the inspector's.
        """
        item = self._picture.items_by_id[id_]
        if item.state == "running":
            self.say(f"{field.label} is locked while the job of {item.face.title} runs.")
            return None
        if field.form == "rules" or item.face.missing:
            self.openRequested.emit(id_)
            return None
        box = item.anatomy.fields[field.name].translated(item.pos())
        if field.form == "value" and (choices := choices_of(field)):
            corner = self.on_screen(box).bottomLeft().toPoint()
            choice_menu(self, field, choices, lambda text: self.edits.set_field(id_, field, text)).popup(
                self.viewport().mapToGlobal(corner)
            )
            return None
        return FieldEditor(field, lambda text: self.edits.set_field(id_, field, text), self.on_screen(box), self)

    def edit_title(self, id_: str) -> FieldEditor:
        """Type over a node's title (a save node's folder)."""
        item = self._picture.items_by_id[id_]
        node = self._history.document.node(id_)
        box = self.on_screen(item.anatomy.title.translated(item.pos()))
        if isinstance(node, SaveNode):
            return FieldEditor(text_field("folder", node.folder), lambda t: self.edits.set_folder(id_, t), box, self)
        name = text_field("name", item.face.title)
        return FieldEditor(name, lambda text: self.edits.rename(id_, text), box, self)

    def edit_note(self, id_: str) -> FieldEditor:
        """Type the note of a node, below it."""
        item = self._picture.items_by_id[id_]
        box = item.anatomy.rect.translated(item.pos() + QPointF(0, item.anatomy.height / 2 + 18))
        note = text_field("note", item.face.note)
        return FieldEditor(note, lambda text: self.edits.set_note(id_, text), self.on_screen(box), self)

    def edit_frame(self, frame: Frame) -> FieldEditor:
        """Type over a frame's title."""
        box = self.on_screen(self._picture.around.frames[frame.id].grip.adjusted(8, 2, -32, -2))
        name = text_field("title", frame.title)
        return FieldEditor(name, lambda text: self.grouping.rename(frame, text), box, self)

    def edit_comment(self, comment: Comment) -> FieldEditor:
        """Type over a comment."""
        box = self.on_screen(self._picture.around.comments[comment.id].box)
        return FieldEditor(
            text_field("comment", comment.text), lambda text: self.grouping.write(comment, text), box, self
        )

    def new_frame(self) -> None:
        """Frame the chosen nodes and ask for a title."""
        frame = self.grouping.frame()
        if frame is not None:
            self.edit_frame(frame)

    def new_comment(self, at: QPointF | None = None) -> None:
        """Add a comment at a place (the pointer's, or the middle) and begin to write."""
        place = at if at is not None else self.pointer_place()
        comment = self.grouping.add_comment((place.x(), place.y()))
        if comment is not None:
            self._picture.choose(())
            self._picture.around.choose_comment(comment.id)
            self.edit_comment(comment)

    # --- what changes ----------------------------------------------------------------------------------------------

    def _document_changed(self, document: Document) -> None:
        self.hands.cancel()
        self._picture.render_document(document)

    def _chosen_changed(self, ids: list[str]) -> None:
        self.say(hint_for(self._picture))
        self.setAccessibleDescription(hint_for(self._picture))
        self.selectionChanged.emit(ids)

    # --- keys and menu ---------------------------------------------------------------------------------------------

    def knows(self, event: QKeyEvent) -> bool:
        """See :class:`~solera_app.canvases.recipe_view.RecipeView`."""
        return action_for(event) is not None

    def act(self, event: QKeyEvent) -> bool:
        """See :class:`~solera_app.canvases.recipe_view.RecipeView`."""
        action = action_for(event)
        if action is not None:
            action(self)
        return action is not None

    def menu_at(self, at: QPointF) -> QMenu | None:
        """See :class:`~solera_app.canvases.recipe_view.RecipeView`."""
        return context_menu(self, at)
