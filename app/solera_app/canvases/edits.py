"""What the keys and the context menu of a recipe canvas do to the chosen nodes. Each is one command."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication

from solera.documents.commands import (
    Batch,
    Command,
    Connect,
    Disconnect,
    MoveNodes,
    RemoveNodes,
    RenameNode,
    SetCoefficient,
    SetComments,
    SetNote,
    SetParam,
    SetRecipe,
    SetSink,
)
from solera.documents.document import AnyNode, Document, Position, SaveNode, TaskNode
from solera.errors import InputError
from solera.params import Value, Var
from solera.recipes.nodes import AlignedNode, CheckpointNode, MethodNode, StatisticNode
from solera_app.bridge.weakly import Weakly
from solera_app.canvases.additions import aligned_command
from solera_app.canvases.anatomy import SNAP
from solera_app.canvases.clipboard import copied, pasted
from solera_app.canvases.faces import FieldFace
from solera_app.canvases.field_editor import parse_field
from solera_app.canvases.gestures.stage import Stage
from solera_app.docks.fields import search_bounds


class Edits:
    """Edits on what is chosen.

    Args:
        stage: The canvas.
    """

    _stage = Weakly[Stage]()

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    @property
    def _document(self) -> Document:
        return self._stage.picture.document

    def _node(self, id_: str) -> AnyNode | None:
        """The node of this id; None where it was taken away while a person typed something of it."""
        return next((node for node in self._document.nodes if node.id == id_), None)

    def delete(self) -> None:
        """Remove the chosen nodes, connection or comment."""
        scene = self._stage.picture
        if scene.chosen:
            what = scene.chosen[0] if len(scene.chosen) == 1 else f"{len(scene.chosen)} nodes"
            self._stage.do(RemoveNodes(scene.chosen, label=f"Delete {what}"))
        elif (link := scene.chosen_link) is not None:
            self._stage.do(Disconnect(link.target, link.port, label=f"Disconnect {link.source}"))
        elif gone := scene.around.chosen_comment:
            kept = tuple(comment for comment in self._document.comments if comment.id != gone)
            self._stage.do(SetComments(kept, label="Delete comment"))

    def copy(self) -> bool:
        """Put the chosen nodes on the clipboard; False without any."""
        scene = self._stage.picture
        if not scene.chosen:
            return False
        QGuiApplication.clipboard().setText(copied(self._document, scene.chosen, scene.positions(scene.chosen)))
        return True

    def cut(self) -> None:
        """Copy and delete."""
        if self.copy():
            self.delete()

    def paste(self, at: Position | None = None) -> None:
        """Add what the clipboard holds and choose it."""
        self._add(QGuiApplication.clipboard().text(), at)

    def duplicate(self) -> None:
        """Copies of the chosen nodes beside them, without touching the clipboard."""
        scene = self._stage.picture
        if scene.chosen:
            self._add(copied(self._document, scene.chosen, scene.positions(scene.chosen)), None)

    def _add(self, text: str, at: Position | None) -> None:
        scene = self._stage.picture
        try:
            command = pasted(text, self._document, scene.catalogue, at)
        except InputError as error:
            self._stage.say(str(error))
            return
        if self._stage.do(command):
            scene.choose([node.id for node in command.nodes])

    def nudge(self, right: int, down: int) -> None:
        """Move the chosen nodes by steps of the grid; a row of them is one step of undo."""
        scene = self._stage.picture
        if scene.chosen:
            places = scene.positions(scene.chosen)
            moved = {id_: (x + right * SNAP, y + down * SNAP) for id_, (x, y) in places.items()}
            self._stage.do(MoveNodes(moved, label="Move"))

    def connect_chosen(self) -> None:
        """Connect the two chosen nodes: from the one chosen first, or the other way when only that fits."""
        scene = self._stage.picture
        if len(scene.chosen) != 2:
            self._stage.say("C connects two nodes: choose exactly two, the source first.")
            return
        first, second = scene.chosen
        refusals: list[str] = []
        for source, target in ((first, second), (second, first)):
            command, refusal = self._joined(source, target)
            if command is not None:
                self._stage.do(command)
                return
            # What a node with inputs says is to the point; a checkpoint only says that it has none.
            refusals.insert(0 if scene.items_by_id[target].face.inputs else len(refusals), refusal)
        self._stage.say(refusals[0])

    def align_chosen(self) -> None:
        """Put the second of two chosen checkpoints in line with the first: its units where the first's are."""
        scene = self._stage.picture
        to, id_ = scene.chosen[:2]
        below = max(item.sceneBoundingRect().bottom() for item in scene.items_by_id.values())
        at = (scene.positions([id_])[id_][0], (below // SNAP + 2) * SNAP)
        made = aligned_command(self._document, id_, to, at)
        if made is None:
            self._stage.say("Two checkpoints can be aligned: choose the one that stays first, then the other.")
        elif self._stage.do(made[1]):
            scene.choose([made[0]])

    def _joined(self, source: str, target: str) -> tuple[Command | None, str]:
        """The edit that connects two nodes at the first free port that fits, or the sentence why none does."""
        wiring = self._stage.picture.wiring()
        face = self._stage.picture.items_by_id[target].face
        said = ""
        for port in [port.name for port in face.inputs if not port.filled] or ["source"]:
            refusal = wiring.refusal(source, target, port)
            if refusal is None and any(port == shown.name for shown in face.inputs if not shown.filled):
                return Connect(source, target, port, label=f"Connect {source}"), ""
            said = said or refusal or f"Every input of '{target}' is connected."
        return None, said

    def make_output(self) -> None:
        """Make the chosen node the recipe's result."""
        scene = self._stage.picture
        if len(scene.chosen) == 1 and not isinstance(self._document.node(scene.chosen[0]), (SaveNode, TaskNode)):
            self._stage.do(SetRecipe(output=scene.chosen[0], label=f"Make {scene.chosen[0]} the output"))
        else:
            self._stage.say("Choose one node that makes weights; save and task nodes have none to hand on.")

    def rename(self, id_: str, title: str) -> str:
        """Give a node another name; returns the sentence of a refusal.

        A task node takes the task's name, a save node its folder, every other node its id.
        """
        node, title = self._node(id_), title.strip()
        if node is None or not title or title in {id_, self._stage.picture.items_by_id[id_].face.title}:
            return ""
        if not title.isidentifier() or (title != id_ and title in self._document.ids):
            title = self._document.fresh_id(title)
        if isinstance(node, CheckpointNode) and title == id_:
            return ""
        return "" if self._stage.do(RenameNode(id_, title, label=f"Rename {id_}")) else "That name cannot be used."

    def set_field(self, id_: str, field: FieldFace, text: str) -> str:
        """Set a parameter or a coefficient from typed text; returns the sentence of a refusal."""
        value, refusal = parse_field(text, field)
        if value is None or value == field.value:
            if refusal:
                self._stage.say(refusal)
            return refusal
        self._stage.settle()
        if field.name.startswith("term:"):
            index = int(field.name.removeprefix("term:"))
            self._stage.do(SetCoefficient(id_, index, value, label=f"Set {field.label}"))
        elif isinstance(self._node(id_), (MethodNode, StatisticNode, AlignedNode)):
            self._stage.do(SetParam(id_, field.name, value, label=f"Set {field.label.lower()}"))
        self._stage.settle()
        return ""

    def search_over(self, id_: str, field: FieldFace) -> None:
        """Make a number a search variable with its declared bounds, or a search variable a number again."""
        value: Value
        place = field.name.removeprefix("term:")
        if isinstance(field.value, Var):
            value = field.value.init if field.value.init is not None else field.value.low or 0.0
        else:
            number = float(field.value) if isinstance(field.value, (int, float)) else 0.0
            name = f"{id_}_c{place}" if place != field.name else f"{id_}_{field.name}"
            value = Var(name, *search_bounds(field.spec), number, field.spec.param.log)
        self._stage.settle()
        label = f"{'Stop searching' if isinstance(field.value, Var) else 'Search over'} {field.label.lower()}"
        if place != field.name:
            self._stage.do(SetCoefficient(id_, int(place), value, label=label))
        else:
            self._stage.do(SetParam(id_, field.name, value, label=label))
        self._stage.settle()

    def set_folder(self, id_: str, text: str) -> str:
        """Set the folder a save node writes; returns the sentence of a refusal."""
        node, folder = self._node(id_), text.strip()
        if isinstance(node, SaveNode) and folder and folder != node.folder:
            saved = SaveNode(node.id, node.source, folder, node.dtype)
            self._stage.do(SetSink(saved, label="Change folder"))
        return ""

    def set_note(self, id_: str, text: str) -> str:
        """Set the person's note on a node; returns the sentence of a refusal."""
        node = self._node(id_)
        if node is not None and not isinstance(node, (SaveNode, TaskNode)):
            self._stage.settle()
            self._stage.do(SetNote(id_, text.strip()))
            self._stage.settle()
        return ""

    def detach(self) -> None:
        """Free the chosen nodes of every connection, as one step."""
        scene = self._stage.picture
        ends = [
            Disconnect(edge.link.target, edge.link.port)
            for edge in scene.edges.values()
            if edge.link.source in scene.chosen or edge.link.target in scene.chosen
        ]
        # The highest port first: freeing one moves those below it up.
        ends.sort(key=lambda end: (end.target, _number(end.port)), reverse=True)
        if ends:
            self._stage.do(Batch(tuple(ends), label="Disconnect"))


def _number(port: str) -> int:
    place = port.partition(":")[2]
    return int(place) if place.isdigit() else -1
