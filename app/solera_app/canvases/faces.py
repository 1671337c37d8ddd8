"""What a recipe canvas shows of each node: plain data made from the document. No Qt here, so it is tested without.

The canvas compares faces to know what to repaint; a face holds everything a node paints except its state and its
preview, which come from jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, Protocol

from solera.documents.document import AnyNode, Document, SaveNode, TaskNode
from solera.documents.links import Wiring
from solera.methods.forms import form_words
from solera.methods.statistics import STATISTICS
from solera.params import Curve, Param, ParamSpec, PerModel, Rules, Value, Var
from solera.recipes.nodes import (
    AdapterNode,
    AlignedNode,
    CheckpointNode,
    MethodNode,
    Part,
    StackNode,
    StatisticNode,
    SumNode,
    TokensNode,
    upstream,
)

Kind = Literal["checkpoint", "adapter", "statistic", "sum", "method", "save", "task"]
PortShape = Literal["weights", "delta", "importance", "scores", "any"]
FieldForm = Literal["value", "variable", "curve", "rules", "per-model"]

#: At most this many parameter fields on a node; the inspector shows all.
FIELDS_SHOWN = 4
#: How a term's coefficient is declared.
COEFFICIENT = ParamSpec("coefficient", "float", default=1.0, param=Param(help="How much of this term is added."))

_ICONS: dict[Kind, str] = {
    "checkpoint": "checkpoint",
    "adapter": "adapter",
    "statistic": "probe",
    "sum": "add",
    "method": "merge",
    "save": "save",
    "task": "task",
}
_TYPE_WORDS: dict[PortShape, str] = {
    "weights": "Weights", "delta": "Delta", "importance": "Importance", "scores": "Scores", "any": "Input",
}  # fmt: skip

#: How what a statistic says beside the parameters of its kind is declared.
STATISTIC_PARAMS = (
    ParamSpec("task", "str", "", param=Param(help="Whose examples are looked at.")),
    ParamSpec("split", "choice", "train", choices=("train", "selection", "report"), param=Param(help="Which data.")),
    ParamSpec("samples", "int", 0, param=Param(0, help="How many examples; 0 is all.")),
    ParamSpec("seed", "int", 0, param=Param(help="Of a part of the examples, and of what is drawn.")),
)

#: How what an aligned checkpoint says is declared.
ALIGNED_PARAMS = (
    ParamSpec(
        "by", "choice", "weights", choices=("weights", "activations"),
        param=Param(help="What is compared: weights, or activations on a task's data."),
    ),
    ParamSpec("task", "str", "", param=Param(help="Whose data the networks see, to compare activations.")),
    ParamSpec("tries", "int", 1, param=Param(1, help="How many orders of visits are tried; the best is kept.")),
    ParamSpec("seed", "int", 0, param=Param(help="Of the orders in which groups of units are visited.")),
)  # fmt: skip


class Titled(Protocol):
    """What has a title."""

    @property
    def title(self) -> str: ...  # noqa: D102


class MethodCard(Protocol):
    """What a canvas reads of a method: a manifest entry and a MethodSpec both have it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def takes(self) -> str: ...  # noqa: D102
    @property
    def gives(self) -> str: ...  # noqa: D102
    @property
    def base(self) -> str: ...  # noqa: D102
    @property
    def min_inputs(self) -> int: ...  # noqa: D102
    @property
    def max_inputs(self) -> int | None: ...  # noqa: D102
    @property
    def params(self) -> Sequence[ParamSpec]: ...  # noqa: D102
    @property
    def summary(self) -> str: ...  # noqa: D102
    @property
    def paper(self) -> str: ...  # noqa: D102
    @property
    def needs(self) -> str: ...  # noqa: D102
    @property
    def promise(self) -> str: ...  # noqa: D102


Catalogue = Mapping[str, MethodCard]


@dataclass(frozen=True, slots=True)
class PortFace:
    """A port of a node.

    Attributes:
        name: As in :class:`~solera.documents.commands.Connect` (``"base"``, ``"input:0"``, ``"input:+"``); the output
            is ``"out"``.
        label: Beside it; empty for the output of a checkpoint.
        shape: Type of what flows, which decides shape and colour.
        source: Id of the node connected to an input; empty if free.
        filled: Whether anything is connected.
    """

    name: str
    label: str
    shape: PortShape
    source: str = ""
    filled: bool = False


@dataclass(frozen=True, slots=True)
class FieldFace:
    """A parameter field of a node.

    Attributes:
        name: The parameter, or ``"term:2"`` for a coefficient.
        label: Left of the field.
        text: In the field.
        form: Which form the value has.
        spec: How the parameter is declared.
        value: What the recipe says; the default if it says nothing.
    """

    name: str
    label: str
    text: str
    form: FieldForm
    spec: ParamSpec
    value: Value | None


@dataclass(frozen=True, slots=True)
class Face:
    """Everything a node shows.

    Attributes:
        id: The node's id.
        kind: Which kind; decides the icon.
        title: In the header.
        tag: At the right of the header while the node is idle: ``"base"``, ``"output"``, the method's title.
        inputs: Input ports, top to bottom.
        output: The output port; None for a save node.
        fields: Parameter fields.
        preview: Lines shown until a job or the library tells more.
        note: The person's note on it.
        about: One or two sentences for the tooltip.
        missing: Whether its plugin is not there.
        is_output: Whether it is the recipe's result.
    """

    id: str
    kind: Kind
    title: str
    tag: str = ""
    inputs: tuple[PortFace, ...] = ()
    output: PortFace | None = None
    fields: tuple[FieldFace, ...] = ()
    preview: str = ""
    note: str = ""
    about: str = ""
    missing: bool = False
    is_output: bool = False

    @property
    def icon(self) -> str:
        """Name of the kind's icon."""
        return "broken-link" if self.missing else _ICONS[self.kind]


def faces(document: Document, catalogue: Catalogue) -> dict[str, Face]:
    """The face of every node, in drawing order."""
    wiring = Wiring(document, catalogue)
    fed = {source for node in document.nodes for source in wiring.sources(node.id)}
    bases = {node.base for node in document.recipe.nodes if isinstance(node, (MethodNode, AdapterNode))}
    titles = {node.id: title_of(node, catalogue) for node in document.nodes}
    made: dict[str, Face] = {}
    for node in document.nodes:
        output = node.id == document.recipe.output
        match node:
            case AdapterNode():
                made[node.id] = _adapter_face(node, titles, node.id in fed, output)
            case AlignedNode():
                made[node.id] = _aligned_face(node, titles, node.id in fed, output)
            case StatisticNode():
                made[node.id] = _statistic_face(node, titles, node.id in fed, output)
            case CheckpointNode():
                tag = "output" if output else "base" if node.id in bases else ""
                port = PortFace("out", "", "weights", filled=node.id in fed)
                about = f"Checkpoint {node.source}" if node.source else "Checkpoint without a source"
                made[node.id] = Face(
                    node.id, "checkpoint", titles[node.id], tag, (), port, (), source_line(node.source), node.note,
                    about, is_output=output,
                )  # fmt: skip
            case SumNode():
                made[node.id] = _sum_face(node, titles, wiring, node.id in fed, output)
            case StackNode() | TokensNode():
                made[node.id] = _view_face(node, titles, node.id in fed, output)
            case MethodNode():
                made[node.id] = _method_face(node, titles, wiring, catalogue, node.id in fed, output)
            case SaveNode():
                ports = (PortFace("source", node.folder or "Weights", "weights", node.source, bool(node.source)),)
                about = "Writes what arrives as a checkpoint folder."
                made[node.id] = Face(node.id, "save", titles[node.id], "", ports, None, (), node.dtype, "", about)
            case TaskNode():
                ports = (PortFace("source", node.task or "Weights", "weights", node.source, bool(node.source)),)
                scores = PortFace("out", "no score", "scores")
                made[node.id] = Face(
                    node.id, "task", titles[node.id], "", ports, scores, (), f"{node.split} split", "",
                    f"Scores what arrives on {node.task or 'a task'}, {node.split} split.",
                )  # fmt: skip
    return made


def _adapter_face(node: AdapterNode, titles: Mapping[str, str], fed: bool, output: bool) -> Face:
    port = PortFace("base", titles.get(node.base, node.base) or "Base", "weights", node.base, bool(node.base))
    about = f"Adapter {node.source}: what it adds to its base." if node.source else "Adapter without a source"
    return Face(
        node.id, "adapter", titles[node.id], "", (port,), _out("delta", fed, output), (), source_line(node.source),
        node.note, about, is_output=output,
    )  # fmt: skip


def _aligned_face(node: AlignedNode, titles: Mapping[str, str], fed: bool, output: bool) -> Face:
    port = PortFace("to", titles.get(node.to, node.to) or "Model it is aligned to", "weights", node.to, bool(node.to))
    about = f"Checkpoint {node.source} with its units where another's are, found by {node.by}."
    standing = aligned_values(node)
    shown = ALIGNED_PARAMS[:2] if node.by == "activations" else (ALIGNED_PARAMS[0], ALIGNED_PARAMS[2])
    fields = tuple(_field(row.name, row.title, row, standing[row.name]) for row in shown)
    return Face(
        node.id, "checkpoint", titles[node.id], "output" if output else "aligned", (port,),
        _out("weights", fed, output), fields, source_line(node.source), node.note, about, is_output=output,
    )  # fmt: skip


def aligned_values(node: AlignedNode) -> dict[str, Value]:
    """How a checkpoint is aligned, by name."""
    return {"by": node.by, "task": node.task, "tries": node.tries, "seed": node.seed}


def _statistic_face(node: StatisticNode, titles: Mapping[str, str], fed: bool, output: bool) -> Face:
    port = PortFace("model", titles.get(node.model, node.model) or "Model", "weights", node.model, bool(node.model))
    spec = STATISTICS.get(node.statistic)
    standing = statistic_values(node)
    fields = tuple(_field(row.name, row.title, row, standing[row.name]) for row in STATISTIC_PARAMS[:3])
    title = titles[node.id]
    tag = spec.title if spec is not None and not title.startswith(spec.title) else ""
    about = f"{spec.title}. {spec.summary}" if spec is not None else f"No statistic is called '{node.statistic}'."
    return Face(
        node.id, "statistic", title, tag, (port,), _out("importance", fed, output), fields, "", node.note, about,
        missing=spec is None, is_output=output,
    )  # fmt: skip


def statistic_values(node: StatisticNode) -> dict[str, Value]:
    """What a statistic says, by name of its parameter."""
    return {"task": node.task, "split": node.split, "samples": node.samples, "seed": node.seed, **node.params}


def _sum_face(node: SumNode, titles: Mapping[str, str], wiring: Wiring, fed: bool, output: bool) -> Face:
    ports = [
        PortFace(
            f"term:{i}", titles.get(term.node, term.node), _shape(wiring.result(term.node)), term.node, bool(term.node)
        )
        for i, term in enumerate(node.terms)
    ]
    ports.append(PortFace("term:+", "Term" if len(ports) < 2 else "Term, optional", "any"))
    fields = tuple(
        _field(f"term:{i}", f"× {titles.get(term.node, term.node)}", COEFFICIENT, term.coefficient)
        for i, term in enumerate(node.terms)
    )
    kind = _shape(wiring.result(node.id))
    return Face(
        node.id, "sum", titles[node.id], "", tuple(ports), _out(kind, fed, output), fields, "", node.note,
        "A sum of its inputs, each times its coefficient.", is_output=output,
    )  # fmt: skip


def _view_face(node: StackNode | TokensNode, titles: Mapping[str, str], fed: bool, output: bool) -> Face:
    """A stack of layers says at each port which layers it takes; neither kind is edited on a canvas."""
    if isinstance(node, StackNode):
        rows = [(f"part:{i}", part.node, _chosen(part)) for i, part in enumerate(node.parts)]
        about = "Layers chosen from its inputs, numbered anew."
    else:
        rows = [(f"model:{i}", name, "") for i, name in enumerate(upstream(node))]
        about = "The first input's weights with embedding and head laid out for another vocabulary."
    ports = tuple(
        PortFace(port, f"{titles.get(name, name)}{label}", "weights", name, bool(name)) for port, name, label in rows
    )
    foot = f"vocabulary: {node.vocabulary}" if isinstance(node, TokensNode) else ""
    return Face(
        node.id, "sum", titles[node.id], "", ports, _out("weights", fed, output), (), foot, node.note, about,
        is_output=output,
    )  # fmt: skip


def _chosen(part: Part) -> str:
    if part.layers is None:
        return f", {part.names}" if part.names else ""
    return f", layers {part.layers[0]}–{part.layers[1] - 1}"


def _method_face(
    node: MethodNode, titles: Mapping[str, str], wiring: Wiring, catalogue: Catalogue, fed: bool, output: bool
) -> Face:
    card = catalogue.get(node.method)
    ports: list[PortFace] = []
    if node.base or (card is not None and card.base != "none"):
        required = card is not None and card.base == "required"
        ports.append(
            PortFace(
                "base", "Base" if node.base or required else "Base, optional", "weights", node.base, bool(node.base)
            )
        )
    for i, name in enumerate(node.inputs):
        kind = _shape(wiring.result(name)) if name else _shape(wiring.wanted(node.id, f"input:{i}"))
        ports.append(PortFace(f"input:{i}", titles.get(name, name) or "Input", kind, name, bool(name)))
    if card is None or card.max_inputs is None or len(node.inputs) < card.max_inputs:
        kind = _shape(wiring.wanted(node.id, "input:+"))
        optional = card is not None and len(node.inputs) >= card.min_inputs
        ports.append(PortFace("input:+", _TYPE_WORDS[kind] + (", optional" if optional else ""), kind))
    ports += _statistic_ports(node, titles, card)
    about = f"No plugin offers '{node.method}'."
    if card is not None:
        told = (f"{card.title}.", card.summary, form_words(card), f"{card.paper}." if card.paper else "")
        about = " ".join(word for word in told if word)
    title = titles[node.id]
    tag = card.title if card is not None and card.title != title and not title.startswith(card.title) else ""
    return Face(
        node.id, "method", title, tag, tuple(ports), _out(_shape(wiring.result(node.id)), fed, output),
        _fields(node, card), "", node.note, about, missing=card is None, is_output=output,
    )  # fmt: skip


def _statistic_ports(node: MethodNode, titles: Mapping[str, str], card: MethodCard | None) -> list[PortFace]:
    """One port for each statistic, and one more while an input has none."""
    found = [
        PortFace(f"statistic:{i}", titles.get(name, name) or "Statistic", "importance", name, bool(name))
        for i, name in enumerate(node.statistics)
    ]
    if card is not None and card.needs and len(node.statistics) < max(len(node.inputs), 1):
        title = STATISTICS[card.needs].title if card.needs in STATISTICS else card.needs
        found.append(PortFace("statistic:+", title, "importance"))
    return found


def _out(kind: PortShape, fed: bool, output: bool) -> PortFace:
    word = _TYPE_WORDS[kind] if kind != "any" else "Result"
    return PortFace("out", f"Output · {word}" if output else word, kind, filled=fed)


def _shape(kind: str) -> PortShape:
    known: dict[str, PortShape] = {"weights": "weights", "delta": "delta", "importance": "importance"}
    return known.get(kind, "any")


def _fields(node: MethodNode, card: MethodCard | None) -> tuple[FieldFace, ...]:
    if card is None:
        return tuple(_field(key, key, ParamSpec(key, "str"), value) for key, value in node.params.items())
    chosen = [spec.name for spec in card.params if spec.required or spec.name in node.params]
    for spec in card.params:
        if len(chosen) < FIELDS_SHOWN and spec.name not in chosen:
            chosen.append(spec.name)
    return tuple(
        _field(spec.name, spec.title, spec, node.params.get(spec.name, _default(spec)))
        for spec in card.params
        if spec.name in chosen
    )


def _default(spec: ParamSpec) -> Value | None:
    return PerModel(spec.default) if isinstance(spec.default, tuple) else spec.default


def _field(name: str, label: str, spec: ParamSpec, value: Value | None) -> FieldFace:
    form: FieldForm = "value"
    match value:
        case Var():
            form = "variable"
        case Curve():
            form = "curve"
        case Rules():
            form = "rules"
        case PerModel():
            form = "per-model"
    return FieldFace(name, label, value_text(value), form, spec, value)


def value_text(value: Value | None) -> str:
    """A parameter value as a field shows it."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int() | str():
            return str(value).replace("-", "−") if isinstance(value, int) else value
        case float():
            return figure(value)
        case Var(choices=choices) if choices:
            return "one of " + ", ".join(map(str, choices))
        case Var(init=init, low=low, high=high):
            if init is not None:
                return figure(init)
            return f"{figure(low)} to {figure(high)}" if low is not None and high is not None else "free"
        case Curve(values):
            return f"{value_text(values[0])} … {value_text(values[-1])}"
        case Rules(rules, _):
            return f"{len(rules)} rule{'' if len(rules) == 1 else 's'}"
        case PerModel(values):
            return ", ".join(value_text(item) for item in values)


def figure(value: float) -> str:
    """A number with two decimals where they are enough, and a true minus."""
    text = f"{value:.2f}" if abs(value - round(value, 2)) < 1e-9 and abs(value) < 1e6 else f"{value:.4g}"
    return text.replace("-", "−")


def title_of(node: AnyNode, catalogue: Mapping[str, Titled]) -> str:
    """What a node is called: its id when a person chose it, else what it is."""
    match node:
        case StatisticNode():
            spec = STATISTICS.get(node.statistic)
            return _numbered(spec.title if spec is not None else node.statistic, node.statistic, node.id)
        case CheckpointNode():
            return _checkpoint_title(node)
        case SaveNode():
            return _numbered("Save", "save", node.id)
        case TaskNode():
            return node.task or node.id
        case SumNode():
            return _numbered("Sum", "sum", node.id)
        case StackNode():
            return _numbered("Stack", "stack", node.id)
        case TokensNode():
            return _numbered("Tokens", "tokens", node.id)
        case MethodNode():
            card = catalogue.get(node.method)
            return _numbered(card.title if card else node.method, node.method, node.id)


def _numbered(title: str, stem: str, id_: str) -> str:
    """``"TIES"`` for the id ``ties``, ``"TIES 2"`` for ``ties_2``, the id itself if a person chose it."""
    if id_ == stem:
        return title
    number = id_.removeprefix(f"{stem}_")
    return f"{title} {number}" if number != id_ and number.isdigit() else id_


def _checkpoint_title(node: CheckpointNode) -> str:
    """The file's own name (``"math-8b-sft"``) while the id is only that name made an identifier."""
    name = source_name(node.source)
    stem = "".join(c if c.isalnum() else "_" for c in name).strip("_").lower()
    for candidate in (stem, f"n{stem}", f"{stem}_aligned"):
        if stem and (title := _numbered(name, candidate, node.id)) != node.id:
            return title
    return name if stem == node.id else node.id


def source_name(source: str) -> str:
    """A checkpoint's source as a caption: the library's name, or the last part of a path."""
    if source.startswith(("library:", "memory:")):
        return source.partition(":")[2]
    return PurePath(source).name


def source_line(source: str) -> str:
    """Where a checkpoint comes from, until its file says more."""
    kind, _, _ = source.partition(":")
    return {"library": "In the library", "memory": "In memory", "": "No source yet"}.get(kind, source)
