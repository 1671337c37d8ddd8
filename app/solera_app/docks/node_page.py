"""The inspector's page for a node: its parameters as a form made from their declarations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from solera.documents.commands import Command, SetCoefficient, SetParam, SetRecipe, SetSink
from solera.documents.document import AnyNode, Document, SaveNode, Split, TaskNode
from solera.methods.forms import form_words
from solera.methods.statistics import STATISTICS
from solera.params import Curve, Param, ParamSpec, PerModel, Rules, Value, Var
from solera.recipes.nodes import (
    AdapterNode,
    AlignedNode,
    CheckpointNode,
    MethodNode,
    StackNode,
    StatisticNode,
    SumNode,
    TokensNode,
)
from solera_app.canvases.faces import ALIGNED_PARAMS, STATISTIC_PARAMS, aligned_values, statistic_values, title_of
from solera_app.docks.form import DeclaredMethod, Form
from solera_app.docks.panel import line, section_title
from solera_app.docks.subject import Facts, Subject

DTYPES = ("", "float32", "bfloat16", "float16", "float64")


_ICONS: dict[type[Any], str] = {
    CheckpointNode: "checkpoint", AdapterNode: "adapter", SumNode: "add", MethodNode: "merge", SaveNode: "save",
    StatisticNode: "probe", TaskNode: "task", StackNode: "merge", TokensNode: "merge", AlignedNode: "checkpoint",
}  # fmt: skip

_SPLITS: tuple[Split, ...] = ("selection", "report", "train")

_TERM = ParamSpec("coefficient", "float", 1.0, param=Param(search=(-1.0, 2.0), help="How much of it is added."))


class NodePage(QWidget):
    """A node, or the recipe as a whole.

    Signals:
        edited: A command for the document.
    """

    edited = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self._node_id = ""
        self._sink: SaveNode | TaskNode | None = None
        self._names: tuple[str, ...] = ()
        self._titles: dict[str, str] = {}
        self.subject = Subject()
        self.form = Form()
        self.switches = QWidget()
        self._switch_column = QVBoxLayout(self.switches)
        self._switch_column.setContentsMargins(0, 0, 0, 0)
        self._switch_column.setSpacing(4)
        self.per_model, self._per_figure = section_title("Weight per model")
        self.models = Form()
        self.model_switches = QWidget()
        self._model_column = QVBoxLayout(self.model_switches)
        self._model_column.setContentsMargins(0, 0, 0, 0)
        self._model_column.setSpacing(4)
        self.sink = QWidget()
        self._sink_form = QFormLayout(self.sink)
        self._sink_form.setContentsMargins(0, 0, 0, 0)
        self._sink_form.setHorizontalSpacing(12)
        self.folder = QLineEdit(placeholderText="name of the output folder")
        self.folder.setAccessibleName("Output folder")
        self.dtype = QComboBox()
        self.dtype.setAccessibleName("Storage dtype")
        self.dtype.addItems(["as the base", *DTYPES[1:]])
        self.task = QComboBox()
        self.task.setAccessibleName("Task")
        self.split = QComboBox()
        self.split.setAccessibleName("Split")
        self.split.addItems(list(_SPLITS))
        for field, tip in (
            (self.folder, "Name of the folder in the project's outputs"),
            (self.dtype, "In which numbers the weights are stored"),
            (self.task, "What the model is scored on"),
            (self.split, "On which part of the task's data"),
        ):
            field.setToolTip(tip)
        self._sink_form.addRow(_label("Folder"), self.folder)
        self._sink_form.addRow(_label("Dtype"), self.dtype)
        self._sink_form.addRow(_label("Task"), self.task)
        self._sink_form.addRow(_label("Split"), self.split)
        self.rule, self.rule2 = line(), line()
        self.facts_title, _ = section_title("Plan")
        self._sink_form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.facts = Facts()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 12)
        column.setSpacing(10)
        for widget in (self.subject, self.form, self.switches, self.sink, self.rule, self.per_model, self.models,
                       self.model_switches, self.rule2, self.facts_title, self.facts):  # fmt: skip
            column.addWidget(widget)
        column.addStretch(1)
        self.form.changed.connect(self._param)
        self.models.changed.connect(self._model)
        self.folder.editingFinished.connect(self._sink_changed)
        self.dtype.activated.connect(lambda _: self._sink_changed())
        self.task.activated.connect(lambda _: self._sink_changed())
        self.split.activated.connect(lambda _: self._sink_changed())

    def _sections(self, form: bool = False, models: bool = False, sink: bool = False, facts: bool = False) -> None:
        self.form.setVisible(form)
        self.switches.setVisible(form)
        for widget in (self.rule, self.per_model, self.models, self.model_switches):
            widget.setVisible(models)
        self.sink.setVisible(sink)
        for widget in (self.rule2, self.facts_title, self.facts):
            widget.setVisible(facts)

    @property
    def id(self) -> str:
        """Id of the node shown; empty for the recipe as a whole."""
        return self._node_id

    def show_recipe(self, document: Document, facts: Sequence[tuple[str, str]], name: str = "") -> None:
        """Show the recipe as a whole."""
        recipe = document.recipe
        self._node_id, self._sink = "", None
        _retitle(self.facts_title, "Plan")
        about = recipe.note or f"{len(recipe.nodes)} nodes; result: {recipe.output or 'none chosen yet'}"
        self.subject.show_subject("recipe", recipe.name or name or "untitled recipe", about)
        self._sink_form.setRowVisible(self.folder, False)
        self._sink_form.setRowVisible(self.task, False)
        self._sink_form.setRowVisible(self.split, False)
        self._sink_form.setRowVisible(self.dtype, True)
        self.dtype.setCurrentIndex(max(0, DTYPES.index(recipe.dtype) if recipe.dtype in DTYPES else 0))
        self.facts.show_facts(facts)
        self._sections(sink=True, facts=bool(facts))

    def show_node(
        self,
        document: Document,
        node: AnyNode,
        methods: Mapping[str, DeclaredMethod],
        tasks: Sequence[str],
        facts: Sequence[tuple[str, str]],
        state: str,
    ) -> None:
        """Show one node."""
        self._node_id, self._sink = node.id, None
        self._titles = {other.id: title_of(other, methods) for other in document.nodes}  # as the canvas has them
        title = self._titles[node.id]
        _retitle(self.facts_title, "Plan")
        icon = _ICONS[type(node)]
        self.facts.show_facts(facts)
        match node:
            case MethodNode():
                self._method(node, methods.get(node.method), icon, state, bool(facts))
            case SumNode(terms=terms):
                self.subject.show_subject(icon, title, "Linear combination", state)
                self._names = tuple(term.node for term in terms)
                specs = [
                    replace(_TERM, name=str(i), param=replace(_TERM.param, title=self._titles.get(t.node, t.node)))
                    for i, t in enumerate(terms)
                ]
                values = {str(i): term.coefficient for i, term in enumerate(terms)}
                _retitle(self.per_model, "Coefficients")
                self.models.show_specs(specs, values, prefix=f"{node.id}_c")
                self._sections(models=bool(terms), facts=bool(facts))
            case StackNode() | TokensNode():
                about = "Stack of layers" if isinstance(node, StackNode) else "Layout of tokens"
                self.subject.show_subject(icon, title, about, state)
                self._sections(facts=bool(facts))
            case SaveNode() | TaskNode():
                self._show_sink(node, icon, tasks, state, bool(facts))
            case StatisticNode():
                self._statistic(node, tasks, icon, state, bool(facts))
            case AlignedNode():
                self._aligned(node, tasks, icon, state, bool(facts))
            case CheckpointNode(source=source):
                _retitle(self.facts_title, "On disk")
                self.subject.show_subject(icon, title, source, state)
                self._sections(facts=bool(facts))

    def _method(self, node: MethodNode, method: DeclaredMethod | None, icon: str, state: str, facts: bool) -> None:
        if method is None:
            self.subject.show_subject(
                "broken-link", node.method, "Its plugin is not installed; its data are kept.", state
            )
            self._sections(facts=facts)
            return
        self.subject.show_subject(icon, method.title, f"{method.summary} {form_words(method)}".strip(), state)
        per = [spec for spec in method.params if spec.param.per_model and _spread(spec, node.params.get(spec.name))]
        specs = [spec for spec in method.params if spec not in per]
        self.form.show_specs(specs, node.params, prefix=f"{node.id}_")
        self._offer_switches(node, [spec for spec in method.params if spec.param.per_model], per)
        self._offer_curves(node, specs)
        self._names = node.inputs
        rows, values = [], {}
        for spec in per:
            for i, name in enumerate(node.inputs):
                key = f"{spec.name}:{i}"
                model = self._titles.get(name, name)
                title = model if len(per) == 1 else f"{spec.title} {model}"
                rows.append(replace(spec, name=key, default=_one(spec.default, i),
                                    param=replace(spec.param, title=title, per_model=False)))  # fmt: skip
                values[key] = _one(node.params.get(spec.name, spec.default), i)
        _retitle(self.per_model, f"{per[0].title} per model" if len(per) == 1 else "Per model")
        self.models.show_specs(rows, {k: v for k, v in values.items() if v is not None}, prefix=f"{node.id}_")
        self._offer_model_curves(rows, values)
        self._sections(form=bool(specs), models=bool(rows), facts=facts)

    def _statistic(self, node: StatisticNode, tasks: Sequence[str], icon: str, state: str, facts: bool) -> None:
        spec = STATISTICS.get(node.statistic)
        about = spec.summary if spec is not None else f"No statistic is called '{node.statistic}'."
        self.subject.show_subject(icon, self._titles[node.id], about, state)
        names = tuple(dict.fromkeys(("", *tasks, node.task)))
        rows = [replace(row, kind="choice", choices=names) if row.name == "task" else row for row in STATISTIC_PARAMS]
        values = statistic_values(node)
        self.form.show_specs([*rows, *(spec.params if spec is not None else ())], values, prefix=f"{node.id}_")
        self._offer_switches(MethodNode(node.id, ""), [], [])
        self._sections(form=True, facts=facts)

    def _aligned(self, node: AlignedNode, tasks: Sequence[str], icon: str, state: str, facts: bool) -> None:
        to = self._titles.get(node.to, node.to) or "a model to be connected"
        self.subject.show_subject(
            icon, self._titles[node.id], f"{node.source}, its units where those of {to} are", state
        )
        names = tuple(dict.fromkeys(("", *tasks, node.task)))
        rows = [replace(row, kind="choice", choices=names) if row.name == "task" else row for row in ALIGNED_PARAMS]
        self.form.show_specs(rows, aligned_values(node), prefix=f"{node.id}_")
        self._offer_switches(MethodNode(node.id, ""), [], [])
        self._sections(form=True, facts=facts)

    def _offer_switches(self, node: MethodNode, specs: Sequence[ParamSpec], spread: Sequence[ParamSpec]) -> None:
        """A link for each parameter that may be one value for all models or one for each."""
        _empty(self._switch_column)
        _empty(self._model_column)
        count = len(node.inputs)
        for spec in specs if count > 1 else ():
            value = node.params.get(spec.name, spec.default)
            apart = isinstance(node.params.get(spec.name), PerModel)
            if spec in spread and not apart:
                continue  # weights stand apart by nature; nothing to go back to
            other = _one(value, 0) if apart else PerModel(tuple(_plain(value, spec) for _ in range(count)))
            button = QPushButton(f"One {spec.title.lower()} for all" if apart else f"{spec.title} per model")
            button.setProperty("role", "link")
            button.setToolTip("Use one value for every model" if apart else "Set a value for each model")
            button.clicked.connect(self._switching(spec.name, other))
            self._switch_column.addWidget(button)

    def _offer_curves(self, node: MethodNode, specs: Sequence[ParamSpec]) -> None:
        """A link for each number that may be one for all layers, or a curve over them drawn by hand."""
        for spec in specs:
            value = node.params.get(spec.name, spec.default)
            drawn = isinstance(value, Curve)
            if spec.kind != "float" or not (drawn or isinstance(value, (int, float))):
                continue
            words = f"One {spec.title.lower()} for all layers" if drawn else f"{spec.title} by layer"
            self._switch_column.addWidget(_curve_link(words, drawn, self._switching(spec.name, _over_layers(value))))

    def _offer_model_curves(self, rows: Sequence[ParamSpec], values: Mapping[str, Value | None]) -> None:
        """The same for each model's own number: every model may have a curve of its own."""
        for spec in rows:
            value = values.get(spec.name, spec.default)
            drawn = isinstance(value, Curve)
            if spec.kind == "float" and (drawn or isinstance(value, (int, float))):
                words = f"One number for all layers of {spec.title}" if drawn else f"{spec.title} by layer"
                act = self._switching_model(spec.name, _over_layers(value))
                self._model_column.addWidget(_curve_link(words, drawn, act))

    def _switching(self, name: str, value: Value | None) -> Callable[..., None]:
        return lambda *_: self._param(name, value)

    def _switching_model(self, key: str, value: Value) -> Callable[..., None]:
        return lambda *_: self._model(key, value)

    def _show_sink(self, node: SaveNode | TaskNode, icon: str, tasks: Sequence[str], state: str, facts: bool) -> None:
        saving = isinstance(node, SaveNode)
        about = "Writes a checkpoint into the project's outputs" if saving else "Scores what arrives, with its error"
        self.subject.show_subject(icon, self._titles[node.id], about, state)
        for widget, shown in (
            (self.folder, saving),
            (self.dtype, saving),
            (self.task, not saving),
            (self.split, not saving),
        ):
            self._sink_form.setRowVisible(widget, shown)
        if isinstance(node, SaveNode):
            self.folder.setText(node.folder)
            self.dtype.setCurrentIndex(max(0, DTYPES.index(node.dtype) if node.dtype in DTYPES else 0))
        else:
            self.task.clear()
            self.task.addItems(list(tasks))
            self.task.setCurrentText(node.task)
            self.split.setCurrentText(node.split)
        self._sink = node
        self._sections(sink=True, facts=facts)

    def _param(self, name: str, value: Value | None) -> None:
        self._emit(SetParam(self._node_id, name, value, label=f"Set {name.replace('_', ' ')}"))

    def _model(self, key: str, value: Value | None) -> None:
        name, _, place = key.partition(":")
        if not place:  # a sum: the key is the term's index
            self._emit(SetCoefficient(self._node_id, int(name), 1.0 if value is None else value))
            return
        shown = self.models._root
        values = tuple(
            value if i == int(place) and value is not None else shown.child(f"{name}:{i}").value()
            for i in range(len(self._names))
        )
        self._emit(SetParam(self._node_id, name, PerModel(values), label=f"Set {name} per model"))

    def _sink_changed(self) -> None:
        dtype = DTYPES[self.dtype.currentIndex()]
        match self._sink:
            case SaveNode() as node:
                changed: SaveNode | TaskNode = replace(node, folder=self.folder.text().strip(), dtype=dtype)
            case TaskNode() as node:
                changed = replace(node, task=self.task.currentText(), split=_SPLITS[self.split.currentIndex()])
            case _:
                self._emit(SetRecipe(dtype=dtype, label="Set dtype"))
                return
        if changed != self._sink:
            self._sink = changed
            self._emit(SetSink(changed))

    def _emit(self, command: Command) -> None:
        self.edited.emit(command)


#: Knots that a new curve has.
_KNOTS = 5
#: Parameters that are one number per model by nature, not by choice.
_WEIGHTS = {"weight", "weights"}


def _over_layers(value: Any) -> Value:
    """A number as a curve over the layers, and a curve as its number in the middle."""
    return value.at(0.5) if isinstance(value, Curve) else Curve((float(value),) * _KNOTS)


def _curve_link(words: str, drawn: bool, act: Callable[..., None]) -> QPushButton:
    button = QPushButton(words)
    button.setProperty("role", "link")
    button.setToolTip("Use one value for every layer" if drawn else "Draw a curve over the layers")
    button.clicked.connect(act)
    return button


def _empty(column: QVBoxLayout) -> None:
    """Take every widget out of a layout."""
    while column.count():
        item = column.takeAt(0)
        widget = item.widget() if item is not None else None
        if widget is not None:
            widget.hide()
            widget.deleteLater()


def _spread(spec: ParamSpec, value: Value | None) -> bool:
    """Whether a per-model parameter is shown as one row for each model."""
    if isinstance(value, PerModel) or (value is None and isinstance(spec.default, tuple)):
        return True
    return spec.name in _WEIGHTS and not isinstance(value, (Var, Curve, Rules))


def _plain(value: Any, spec: ParamSpec) -> Any:
    """One value without a variable in it: several models cannot each own the same one."""
    value = value.init if isinstance(value, Var) else value
    return spec.default if value is None else value


def _one(value: Any, index: int) -> Any:
    if isinstance(value, PerModel):
        return value.values[index] if index < len(value.values) else value.values[-1]
    if isinstance(value, tuple):
        return value[index] if index < len(value) else value[-1]
    return value


def _retitle(title: QWidget, text: str) -> None:
    """Change the words of a section's title."""
    label = title.findChild(QLabel)
    if isinstance(label, QLabel):
        label.setText(text)


def _label(text: str) -> QLabel:
    made = QLabel(text)
    made.setProperty("tone", "2")
    made.setFixedWidth(84)
    made.setMinimumHeight(26)
    return made
