"""What can be added to a document from the quick-add menu, and the edit that adds it. No Qt here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from solera.checkpoints.adapters.adapter import is_adapter
from solera.documents.commands import AddNodes, Batch, Command, Connect, RemoveNodes, SetRecipe
from solera.documents.document import AnyNode, Document, Position, SaveNode, TaskNode, links, ports
from solera.documents.links import Wiring, likely_base
from solera.methods.statistics import STATISTICS
from solera.recipes.nodes import AdapterNode, AlignedNode, CheckpointNode, MethodNode, StatisticNode, SumNode
from solera_app.canvases.faces import Catalogue

AdditionKind = Literal["checkpoint", "adapter", "aligned", "method", "statistic", "sum", "save", "task"]
SECTIONS: dict[AdditionKind, str] = {
    "checkpoint": "Checkpoints",
    "adapter": "Adapters",
    "aligned": "Aligned checkpoints",
    "method": "Methods",
    "statistic": "Statistics",
    "sum": "Arithmetic",
    "save": "Results",
    "task": "Results",
}


@dataclass(frozen=True, slots=True)
class Addition:
    """One line of the menu.

    Attributes:
        kind: What sort of node.
        name: The checkpoint's source, the method's or the task's name.
        title: What a person reads.
        detail: A few quiet words at the right, or the tooltip.
    """

    kind: AdditionKind
    name: str
    title: str
    detail: str = ""

    @property
    def section(self) -> str:
        """The heading it stands under."""
        return SECTIONS[self.kind]

    def matches(self, words: str) -> bool:
        """Whether every word typed occurs in it."""
        text = f"{self.title} {self.name} {self.detail} {self.section}".lower()
        return all(word in text for word in words.lower().split())


def additions(catalogue: Catalogue, library: Iterable[tuple[str, str]], tasks: Iterable[str]) -> list[Addition]:
    """Everything that can be added.

    Args:
        catalogue: Methods by name.
        library: (name, path) of each checkpoint and adapter.
        tasks: Names of the project's tasks.
    """
    found = [
        Addition("adapter" if is_adapter(path) else "checkpoint", f"library:{name}" if name else path, name or path)
        for name, path in library
    ]
    found += [
        Addition("aligned", one.name, f"{one.title} aligned", "Its units put where another model's are")
        for one in found
        if one.kind == "checkpoint"
    ]
    found += [Addition("method", name, card.title, card.summary) for name, card in catalogue.items()]
    found += [Addition("statistic", name, spec.title, spec.summary) for name, spec in STATISTICS.items()]
    found.append(Addition("sum", "sum", "Sum", "Each input times a coefficient"))
    found.append(Addition("save", "save", "Save", "Write the result as a checkpoint"))
    found += [Addition("task", name, name, "Score the result on this task") for name in tasks]
    return found


def new_node(document: Document, addition: Addition) -> AnyNode:
    """The node of an addition, with an unused id."""
    match addition.kind:
        case "checkpoint":
            return CheckpointNode(document.fresh_id(addition.title), addition.name)
        case "adapter":
            return AdapterNode(document.fresh_id(addition.title), addition.name, base=likely_base(document))
        case "aligned":
            return AlignedNode(document.fresh_id(addition.title), addition.name)
        case "method":
            return MethodNode(document.fresh_id(addition.name), addition.name)
        case "statistic":
            return StatisticNode(document.fresh_id(addition.name), "", statistic=addition.name)
        case "sum":
            return SumNode(document.fresh_id("sum"), ())
        case "save":
            return SaveNode(document.fresh_id("save"), folder=document.recipe.name or "merged")
        case "task":
            return TaskNode(document.fresh_id(addition.name), task=addition.name)


def aligned_command(document: Document, id_: str, to: str, at: Position) -> tuple[str, Command] | None:
    """The edit that puts a checkpoint aligned to another in its place, wherever it is merged, saved or scored.

    Args:
        document: With both checkpoints.
        id_: Whose units are moved.
        to: Where they go.
        at: Where the new node lies; the old one goes where nothing else uses it.

    Returns:
        The new node's id and the edit; None if one of them is no plain checkpoint.
    """
    model, reference = document.node(id_), document.node(to)
    if type(model) is not CheckpointNode or type(reference) is not CheckpointNode or not model.source:
        return None
    node = AlignedNode(document.fresh_id(f"{id_}_aligned"), model.source, strip=model.strip, to=to)
    steps: list[Command] = [AddNodes((node,), {node.id: at})]
    used = [link for link in links(document) if link.source == id_]
    moved = [link for link in used if isinstance(document.node(link.target), (MethodNode, SumNode, SaveNode, TaskNode))]
    steps += [Connect(node.id, link.target, link.port) for link in moved]
    if moved == used and document.recipe.output != id_:
        steps.append(RemoveNodes((id_,)))
    return node.id, Batch(tuple(steps), label=f"Align {id_} to {to}")


def joint(document: Document, catalogue: Catalogue, node: AnyNode, end: tuple[str, str]) -> Connect | None:
    """How a new node would be connected to a loose end; None if it cannot.

    Args:
        document: The document without the node.
        catalogue: Methods by name.
        node: The new node.
        end: (id, port) of the loose end; port ``"out"`` hangs on an output.
    """
    wiring = Wiring(AddNodes((node,)).apply(document), catalogue)
    owner, port = end
    if port != "out":
        return None if wiring.refusal(node.id, owner, port) else Connect(node.id, owner, port)
    for name in _free_ports(node, catalogue):
        if wiring.refusal(owner, node.id, name) is None:
            return Connect(owner, node.id, name)
    return None


def _free_ports(node: AnyNode, catalogue: Catalogue) -> Sequence[str]:
    match node:
        case MethodNode():
            card = catalogue.get(node.method)
            free = ["input:+", "base"] if card is not None and card.base != "none" else ["input:+"]
            return [*free, "statistic:+"] if card is not None and card.needs else free
        case SumNode():
            return ["term:+"]
        case _:
            return [name for name, _ in ports(node)]


def fitting(
    document: Document, catalogue: Catalogue, offered: Iterable[Addition], end: tuple[str, str]
) -> list[Addition]:
    """Of what is offered, what could be connected to a loose end."""
    return [one for one in offered if joint(document, catalogue, new_node(document, one), end) is not None]


def addition_command(
    document: Document, catalogue: Catalogue, addition: Addition, at: Position, end: tuple[str, str] | None = None
) -> tuple[str, Command]:
    """The edit that adds a node at ``at`` and connects it to a loose end, as one step of undo.

    The first method or sum of a document becomes its output: something must be, and it is the only candidate.

    Returns:
        The new node's id and the edit.
    """
    node = new_node(document, addition)
    steps: list[Command] = [AddNodes((node,), {node.id: at})]
    if end is not None and (connect := joint(document, catalogue, node, end)) is not None:
        steps.append(connect)
    if not document.recipe.output and isinstance(node, (MethodNode, SumNode)):
        steps.append(SetRecipe(output=node.id))
    return node.id, Batch(tuple(steps), label=f"Add {addition.title}")
