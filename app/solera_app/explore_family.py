"""Which family is explored: its kind, the models it goes through, its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from solera.documents.document import Document
from solera.families.forms import FORMS, Form
from solera.params import Value, Var, encode
from solera.recipes.nodes import AdapterNode, AlignedNode, CheckpointNode, Recipe, StatisticNode, SumNode, Term
from solera.recipes.order import reachable
from solera.recipes.plain import to_plain
from solera_app.canvases.faces import title_of
from solera_app.docks.form import Form as ParameterForm

#: What each model of a family of a fixed number is.
_CORNERS = {
    "line": ("From", "To"),
    "plane": ("Origin", "Along", "Across"),
    "random_directions": ("Centre",),
    "subspace": ("Centre",),
    "blocks": ("Before (1)", "After (0)"),
}
#: What the order of the models means in the others.
_ORDER = {
    "polyline": "In the order of the way; drag to change it.",
    "trajectory": "In the order of training; drag to change it.",
    "curve": "First and last are the ends, those between its bends; drag to change the order.",
    "genome": "The first is the base; drag to change the order.",
    "simplex": "The first gets what the others leave; drag to change the order.",
}
#: Models shown at once.
_SHOWN = 5


class FamilyFields(QWidget):
    """Fields for any family there is, from the core's one table of them.

    Args:
        document: The document in front: its checkpoints are the models, its variables the recipe's.
    """

    changed = Signal()

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document
        self._nodes = {node.id: node for node in document.recipe.checkpoints if _is_model(node)}
        titles = {name: title_of(node, {}) for name, node in self._nodes.items()}  # as the canvas has them
        self._given: dict[str, dict[str, Value]] = {name: {} for name in FORMS}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self._rows = QFormLayout()
        self._rows.setHorizontalSpacing(16)
        column.addLayout(self._rows)
        self.kind = QComboBox()
        self.kind.setAccessibleName("Family")
        self.kind.setToolTip("What is explored: which models, and what moves between them")
        for name, form in FORMS.items():
            self.kind.addItem(form.title, name)
            self.kind.setItemData(self.kind.count() - 1, f"{form.summary} {form.count}.", Qt.ItemDataRole.ToolTipRole)
        self.kind.currentIndexChanged.connect(lambda _: self._show())
        self._rows.addRow(field_label("Family"), self.kind)
        self.summary = QLabel(wordWrap=True)
        self.summary.setProperty("tone", "3")
        self._rows.addRow(field_label(""), self.summary)
        self.corners = [QComboBox() for _ in range(3)]
        for place, box in enumerate(self.corners):
            box.setToolTip("A checkpoint of this recipe")
            for name, title in titles.items():
                box.addItem(title, name)
            box.setCurrentIndex(min(place, len(titles) - 1))
            box.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.variables = QLabel(wordWrap=True)
        self.variables.setProperty("tone", "2")
        self.members = _Members(titles)
        self.members.changed.connect(self.changed)
        for widget in (*self.corners, self.variables, self.members, self.members.note):
            widget.setParent(self)  # what is not shown goes with the rest, too
            widget.hide()
        self.params = ParameterForm(label_width=100)
        self.params.changed.connect(self._param)
        column.addWidget(self.params)
        self._show()

    @property
    def form(self) -> Form:
        """The chosen one."""
        return FORMS[str(self.kind.currentData())]

    def choose(self, form: str) -> None:
        """Choose a family by its name."""
        self.kind.setCurrentIndex(self.kind.findData(form))

    def shown_corners(self) -> list[QComboBox]:
        """The boxes of a family of a fixed number of models."""
        return self.corners[: len(_CORNERS.get(self.form.name, ()))]

    def chosen(self) -> list[str]:
        """Ids of the models, in order; none for a recipe's variables."""
        if self.form.name == "recipe":
            return []
        if self.form.name in _CORNERS:
            return [str(box.currentData()) for box in self.shown_corners()]
        return self.members.chosen()

    def obstacle(self) -> str:
        """Why no such family can be had here, in a sentence; empty if one can."""
        form, there, chosen = self.form, len(self._nodes), self.chosen()
        if form.name == "recipe":
            return "" if self._document.recipe.variables else "This recipe has no free variable to explore."
        if there < form.least:
            many = "s" if form.least > 1 else ""
            return f"A {_said(form)} needs {form.least} checkpoint{many} on the canvas; there are {there}."
        if form.name not in _CORNERS and len(chosen) < form.least:
            return f"A {_said(form)} goes through {form.count}; {len(chosen)} are ticked."
        if len(set(chosen)) < len(chosen):
            return "Choose a different checkpoint for each end."
        return ""

    def plain(self) -> dict[str, Any]:
        """The family as an experiment names it."""
        form = self.form
        if form.name == "recipe":
            return {"recipe": to_plain(self._document.recipe)}
        members = [_member(self._document.recipe, self._nodes[name]) for name in self.chosen()]
        given = {key: encode(value) for key, value in self._given[form.name].items()}
        return {form.name: members[0] if form.most == 1 else members, **given}

    def words(self) -> str:
        """What a run of it is called."""
        if self.form.name == "recipe":
            return self._document.recipe.name or "recipe"
        titles = [title_of(self._nodes[name], {}) for name in self.chosen() if name in self._nodes]
        joined = " to " if self.form.name == "line" else ", "
        return f"{self.form.title} {joined.join(titles)}"

    def _show(self) -> None:
        form = self.form
        for row in range(self._rows.rowCount() - 1, 1, -1):
            taken = self._rows.takeRow(row)
            label, field = taken.labelItem.widget(), taken.fieldItem.widget()
            if label is not None and field is not None:
                label.hide()
                label.deleteLater()
                field.hide()
        self.summary.setText(form.summary)
        if form.name == "recipe":
            found = self._document.recipe.variables
            words = [f"{var.name} {_bounds(var)}" for var in found]
            self.variables.setText(" · ".join(words) or "No parameter is a search variable yet; press the bracket "
                                   "beside one in the inspector.")  # fmt: skip
            self._add("Variables", self.variables)
        elif form.name in _CORNERS:
            for title, box in zip(_CORNERS[form.name], self.corners, strict=False):
                box.setAccessibleName(title)
                self._add(title, box)
        else:
            self.members.note.setText(_ORDER.get(form.name, ""))
            self._add("Models", self.members)
            if self.members.note.text():
                self._add("", self.members.note)
        self.params.setVisible(bool(form.params))
        self.params.show_specs(form.params, self._given[form.name], variables=False)
        self.changed.emit()

    def _add(self, title: str, widget: QWidget) -> None:
        self._rows.addRow(field_label(title), widget)
        widget.show()

    def _param(self, name: str, value: Value | None) -> None:
        given = self._given[self.form.name]
        given.pop(name, None)
        if value is not None:
            given[name] = value
        self.changed.emit()


class _Members(QWidget):
    """Any number of models: a tick takes one, their order is that of the list."""

    changed = Signal()

    def __init__(self, titles: Mapping[str, str]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.list = QListWidget()
        self.list.setAccessibleName("Models")
        self.list.setToolTip("The ticked models, in this order; drag one to another place, or use the arrows")
        self.list.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        for name, title in titles.items():
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setCheckState(Qt.CheckState.Checked)
            item.setToolTip(title)
            self.list.addItem(item)
        self.list.setFixedHeight(24 * min(max(len(titles), 2), _SHOWN) + 6)
        self.list.itemChanged.connect(lambda _: self.changed.emit())
        self.list.model().rowsMoved.connect(lambda *_: self.changed.emit())
        row.addWidget(self.list, 1)
        arrows = QVBoxLayout()
        row.addLayout(arrows)
        for arrow, title, step in ((Qt.ArrowType.UpArrow, "Move up", -1), (Qt.ArrowType.DownArrow, "Move down", 1)):
            button = QToolButton()
            button.setArrowType(arrow)
            button.setAccessibleName(title)
            button.setToolTip(title)
            button.clicked.connect(lambda _=False, step=step: self.move_by(step))
            arrows.addWidget(button)
        arrows.addStretch(1)
        self.note = QLabel(wordWrap=True)
        self.note.setProperty("tone", "3")

    def chosen(self) -> list[str]:
        """Ids of the ticked models, in order."""
        items = [self.list.item(row) for row in range(self.list.count())]
        return [str(each.data(Qt.ItemDataRole.UserRole)) for each in items if each.checkState() is _TICKED]

    def move_by(self, step: int) -> None:
        """Move the current model by so many places."""
        row = self.list.currentRow()
        if row >= 0 and 0 <= row + step < self.list.count():
            item = self.list.takeItem(row)
            self.list.insertItem(row + step, item)
            self.list.setCurrentRow(row + step)
            self.changed.emit()


_TICKED = Qt.CheckState.Checked


def field_label(text: str) -> QLabel:
    """The name of a field, all in one column."""
    made = QLabel(text)
    made.setProperty("tone", "2")
    made.setFixedWidth(84)
    made.setMinimumHeight(26)
    return made


def _said(form: Form) -> str:
    return f"{form.title[0].lower()}{form.title[1:]}"


def _is_model(node: CheckpointNode) -> bool:
    """Whether a checkpoint on the canvas stands for a whole model: statistics do not, nor adapters without a base."""
    if isinstance(node, (AdapterNode, AlignedNode)):
        return bool(node.base if isinstance(node, AdapterNode) else node.to)
    return not isinstance(node, StatisticNode)


def _member(recipe: Recipe, node: CheckpointNode) -> Any:
    """A checkpoint as a family names it: its source, or a recipe of its own where that does not say it all."""
    if isinstance(node, AdapterNode):
        whole = SumNode(f"{node.id}_on_base", (Term(node.base, 1.0), Term(node.id, 1.0)))
        return to_plain(reachable(Recipe((*recipe.nodes, whole), whole.id)))
    if isinstance(node, AlignedNode):
        return to_plain(reachable(Recipe(recipe.nodes, node.id)))
    return to_plain(Recipe((node,), node.id)) if node.strip else node.source


def _bounds(var: Var) -> str:
    if var.low is None or var.high is None:
        return ""
    return f"from {var.low:g} to {var.high:g}"
