"""The inspector: what is selected, its parameters as a form, what it will cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from solera.documents.commands import Command, SetCoefficient, SetParam, SetRecipe, SetSink
from solera.documents.document import AnyNode, Document, SaveNode, TaskNode
from solera.params import Param, ParamSpec, PerModel, Value
from solera.recipes.nodes import CheckpointNode, MethodNode, SumNode
from solera_app.docks.form import Form
from solera_app.docks.panel import Empty, Header, line, section_title
from solera_app.theme import font, pixmap, themes

DTYPES = ("", "float32", "bfloat16", "float16", "float64")


class MethodRow(Protocol):
    """What the inspector needs of a method; its manifest entry has it."""

    @property
    def title(self) -> str:
        """What a person reads."""
        ...

    @property
    def summary(self) -> str:
        """One sentence."""
        ...

    @property
    def params(self) -> Sequence[ParamSpec]:
        """Declared parameters."""
        ...


class Subject(QWidget):
    """Icon, name, state at the right, and a line on what it is."""

    def __init__(self) -> None:
        super().__init__()
        self._icon, self._token = "method", "accent"
        self.picture = QLabel()
        self.picture.setFixedSize(18, 18)
        self.name = QLabel()
        self.name.setFont(font("body", "semibold"))
        self.state = QLabel()
        self.state.setProperty("tone", "accent")
        self.about = QLabel(wordWrap=True)
        self.about.setProperty("tone", "3")
        self.about.setFont(font("small"))
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        top = QHBoxLayout()
        top.setSpacing(10)
        top.addWidget(self.picture)
        top.addWidget(self.name, 1)
        top.addWidget(self.state)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(self.about)
        themes().changed.connect(self._recolour)

    def show_subject(self, icon: str, name: str, about: str, state: str = "") -> None:
        """Show what is selected."""
        self._icon = icon
        self.name.setText(name)
        self.about.setText(about)
        self.about.setVisible(bool(about))
        self.state.setText(state)
        self._recolour()

    def _recolour(self) -> None:
        self.picture.setPixmap(pixmap(self._icon, self._token, 18, self.devicePixelRatioF()))


class Facts(QWidget):
    """Label and value, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(12)
        self._form.setVerticalSpacing(6)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show these instead."""
        while self._form.rowCount():
            self._form.removeRow(0)
        for name, value in facts:
            label = QLabel(name)
            label.setProperty("tone", "2")
            label.setFixedWidth(84)
            text = QLabel(value, wordWrap=True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._form.addRow(label, text)


class Inspector(QWidget):
    """What is selected on the canvas in front.

    Signals:
        edited: A command for the document in front.
        keepRequested, recipeRequested: A point of a run (run id, index) is to be kept, or opened on the canvas.
    """

    edited = Signal(object)
    keepRequested = Signal(str, int)
    recipeRequested = Signal(str, int)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = Header("Inspector")
        column.addWidget(self.header)
        self._pages = QStackedWidget()
        column.addWidget(self._pages, 1)
        self._empty = Empty("settings", "Select something to see what it is made of.")
        self._node = _NodePage(self)
        self.point = _PointPage(self)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(_scrolled(self._node))
        self._pages.addWidget(_scrolled(self.point))

    @property
    def form(self) -> Form:
        """The form of the node shown; for tests."""
        return self._node.form

    def show_nothing(self) -> None:
        """Nothing is selected."""
        self.header.title.setText("Inspector")
        self._pages.setCurrentIndex(0)

    def show_recipe(self, document: Document, facts: Sequence[tuple[str, str]] = ()) -> None:
        """No node is selected: show the recipe as a whole."""
        self.header.title.setText("Recipe")
        self._node.show_recipe(document, facts)
        self._pages.setCurrentIndex(1)

    def show_node(
        self,
        document: Document,
        id_: str,
        methods: Mapping[str, MethodRow],
        tasks: Sequence[str] = (),
        facts: Sequence[tuple[str, str]] = (),
        state: str = "",
    ) -> None:
        """Show a node of a document."""
        self.header.title.setText("Inspector")
        self._node.show_node(document, document.node(id_), methods, tasks, facts, state)
        self._pages.setCurrentIndex(1)

    def show_point(
        self, run: str, index: int, title: str, tag: str, facts: Mapping[str, Sequence[tuple[str, str]]]
    ) -> None:
        """Show a scored point of a run: sections of facts by title."""
        self.header.title.setText("Selected point")
        self.point.show_point(run, index, title, tag, facts)
        self._pages.setCurrentIndex(2)


def _scrolled(page: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(page)
    return area


_ICONS: dict[type[Any], str] = {
    CheckpointNode: "checkpoint", SumNode: "add", MethodNode: "merge", SaveNode: "save", TaskNode: "task",
}  # fmt: skip

_TERM = ParamSpec("coefficient", "float", 1.0, param=Param(search=(-1.0, 2.0), help="How much of it is added."))


class _NodePage(QWidget):
    def __init__(self, owner: Inspector) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self._owner = owner
        self._node_id = ""
        self._sink: SaveNode | TaskNode | None = None
        self._names: tuple[str, ...] = ()
        self.subject = Subject()
        self.form = Form()
        self.per_model, self._per_figure = section_title("Weight per model")
        self.models = Form()
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
        self.split.addItems(["selection", "report", "train"])
        self._sink_form.addRow(_label("Folder"), self.folder)
        self._sink_form.addRow(_label("Dtype"), self.dtype)
        self._sink_form.addRow(_label("Task"), self.task)
        self._sink_form.addRow(_label("Split"), self.split)
        self.rule, self.rule2 = line(), line()
        self.facts_title, _ = section_title("Plan")
        self.facts = Facts()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 12)
        column.setSpacing(10)
        for widget in (self.subject, self.form, self.sink, self.rule, self.per_model, self.models, self.rule2,
                       self.facts_title, self.facts):  # fmt: skip
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
        for widget in (self.rule, self.per_model, self.models):
            widget.setVisible(models)
        self.sink.setVisible(sink)
        for widget in (self.rule2, self.facts_title, self.facts):
            widget.setVisible(facts)

    def show_recipe(self, document: Document, facts: Sequence[tuple[str, str]]) -> None:
        recipe = document.recipe
        self._node_id, self._sink = "", None
        about = recipe.note or f"{len(recipe.nodes)} nodes; result: {recipe.output or 'none chosen yet'}"
        self.subject.show_subject("recipe", recipe.name or "untitled recipe", about)
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
        methods: Mapping[str, MethodRow],
        tasks: Sequence[str],
        facts: Sequence[tuple[str, str]],
        state: str,
    ) -> None:
        self._node_id, self._sink = node.id, None
        icon = _ICONS[type(node)]
        self.facts.show_facts(facts)
        match node:
            case MethodNode():
                self._method(node, methods.get(node.method), icon, state, bool(facts))
            case SumNode(terms=terms):
                self.subject.show_subject(icon, node.id, "Linear combination", state)
                self._names = tuple(term.node for term in terms)
                specs = [
                    replace(_TERM, name=str(i), param=replace(_TERM.param, title=t.node)) for i, t in enumerate(terms)
                ]
                values = {str(i): term.coefficient for i, term in enumerate(terms)}
                self._per_title("Coefficients")
                self.models.show_specs(specs, values, prefix=f"{node.id}_c")
                self._sections(models=bool(terms), facts=bool(facts))
            case SaveNode() | TaskNode():
                self._show_sink(node, icon, tasks, state, bool(facts))
            case CheckpointNode(source=source):
                self.subject.show_subject(icon, node.id, source, state)
                self._sections(facts=bool(facts))

    def _per_title(self, text: str) -> None:
        label = self.per_model.findChild(QLabel)
        if isinstance(label, QLabel):
            label.setText(text)

    def _method(self, node: MethodNode, method: MethodRow | None, icon: str, state: str, facts: bool) -> None:
        if method is None:
            self.subject.show_subject(
                "broken-link", node.method, "Its plugin is not installed; its data are kept.", state
            )
            self._sections(facts=facts)
            return
        self.subject.show_subject(icon, method.title, method.summary, state)
        specs = [spec for spec in method.params if not spec.param.per_model]
        self.form.show_specs(specs, {k: v for k, v in node.params.items()}, prefix=f"{node.id}_")
        per = [spec for spec in method.params if spec.param.per_model]
        self._names = node.inputs
        rows, values = [], {}
        for spec in per:
            for i, name in enumerate(node.inputs):
                key = f"{spec.name}:{i}"
                title = name if len(per) == 1 else f"{spec.title} {name}"
                rows.append(replace(spec, name=key, default=_one(spec.default, i),
                                    param=replace(spec.param, title=title, per_model=False)))  # fmt: skip
                values[key] = _one(node.params.get(spec.name, spec.default), i)
        self._per_title(f"{per[0].title} per model" if len(per) == 1 else "Per model")
        self.models.show_specs(rows, {k: v for k, v in values.items() if v is not None}, prefix=f"{node.id}_")
        self._sections(form=bool(specs), models=bool(rows), facts=facts)

    def _show_sink(self, node: SaveNode | TaskNode, icon: str, tasks: Sequence[str], state: str, facts: bool) -> None:
        saving = isinstance(node, SaveNode)
        about = "Writes a checkpoint into the project's outputs" if saving else "Scores what arrives, with its error"
        self.subject.show_subject(icon, node.id, about, state)
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
        values = tuple(shown.child(f"{name}:{i}").value() for i in range(len(self._names)))
        self._emit(SetParam(self._node_id, name, PerModel(values), label=f"Set {name} per model"))

    def _sink_changed(self) -> None:
        dtype = DTYPES[self.dtype.currentIndex()]
        match self._sink:
            case SaveNode() as node:
                changed: SaveNode | TaskNode = replace(node, folder=self.folder.text().strip(), dtype=dtype)
            case TaskNode() as node:
                changed = replace(node, task=self.task.currentText(), split=self.split.currentText())
            case _:
                self._emit(SetRecipe(dtype=dtype, label="Set dtype"))
                return
        if changed != self._sink:
            self._sink = changed
            self._emit(SetSink(changed))

    def _emit(self, command: Command) -> None:
        self._owner.edited.emit(command)


def _one(value: Any, index: int) -> Any:
    if isinstance(value, PerModel):
        return value.values[index] if index < len(value.values) else value.values[-1]
    if isinstance(value, tuple):
        return value[index] if index < len(value) else value[-1]
    return value


def _label(text: str) -> QLabel:
    made = QLabel(text)
    made.setProperty("tone", "2")
    made.setFixedWidth(84)
    return made


class _PointPage(QWidget):
    def __init__(self, owner: Inspector) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self._owner = owner
        self._run, self._index = "", -1
        self.subject = Subject()
        self._sections = QVBoxLayout()
        self._sections.setSpacing(10)
        self.open = QPushButton("Open recipe")
        self.keep = QPushButton("Keep this point")
        self.keep.setProperty("role", "main")
        self.open.clicked.connect(lambda: owner.recipeRequested.emit(self._run, self._index))
        self.keep.clicked.connect(lambda: owner.keepRequested.emit(self._run, self._index))
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 12)
        column.setSpacing(10)
        column.addWidget(self.subject)
        column.addLayout(self._sections)
        column.addWidget(self.open)
        column.addWidget(self.keep)
        hint = QLabel("Writes the weights here as a checkpoint in the library, with its recipe.", wordWrap=True)
        hint.setProperty("tone", "3")
        hint.setFont(font("small"))
        column.addWidget(hint)
        column.addStretch(1)

    def show_point(
        self, run: str, index: int, title: str, tag: str, facts: Mapping[str, Sequence[tuple[str, str]]]
    ) -> None:
        self._run, self._index = run, index
        self.subject.show_subject("pareto", title, "", tag)
        while self._sections.count():
            item = self._sections.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        for place, (name, lines) in enumerate(facts.items()):
            if place:
                self._sections.addWidget(line())
            head, _ = section_title(name)
            self._sections.addWidget(head)
            block = Facts()
            block.show_facts(lines)
            self._sections.addWidget(block)
