"""What to explore: a line, a plane or the recipe's variables; on which tasks; how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from solera.documents.document import Document
from solera.params import Value, Var, encode
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.recipes.plain import to_plain
from solera_app.canvases.faces import title_of
from solera_app.docks.form import Declared, Form
from solera_app.docks.panel import line, section_title
from solera_app.theme import font

_FORMS = ("line", "plane", "recipe")
_TITLES = {"line": "Line", "plane": "Plane", "recipe": "Recipe variables"}
#: Tasks side by side.
_ACROSS = 4
_CORNERS = {"line": ("From", "To"), "plane": ("Origin", "Along", "Across")}


_SCORED = "Score every point on this task"


class ExploreDialog(QDialog):
    """Makes an experiment in plain form (see ``solera.workbench.experiment``).

    Args:
        document: The document in front.
        tasks: Names of the project's tasks.
        explorers: Registered explorers by name.
        form: Which family to begin with; chosen from the document if empty.
        parent: The window.
    """

    def __init__(
        self,
        document: Document,
        tasks: Sequence[str],
        explorers: Mapping[str, Declared],
        form: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Explore")
        self.setMinimumWidth(520)
        self._document = document
        self._explorers = explorers
        self._names = [node.id for node in document.recipe.checkpoints]
        titles = {node.id: title_of(node, {}) for node in document.recipe.checkpoints}  # as the canvas has them
        self._params: dict[str, dict[str, Value]] = {name: {} for name in explorers}
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addWidget(section_title("What")[0])
        column.addLayout(self._segments())
        self._what = QFormLayout()
        self._what.setHorizontalSpacing(16)
        column.addLayout(self._what)
        self.corners = [QComboBox() for _ in range(3)]
        for place, box in enumerate(self.corners):
            for name in self._names:
                box.addItem(titles[name], name)
            box.setCurrentIndex(min(place, len(self._names) - 1))
            box.currentIndexChanged.connect(self._refresh)
        self._variables = QLabel(wordWrap=True)
        self._variables.setProperty("tone", "2")
        column.addWidget(line())
        column.addWidget(section_title("Scored on", "selection split; chosen points again on report")[0])
        self.tasks = [QCheckBox(name) for name in tasks]
        for task in self.tasks:
            task.setToolTip(_SCORED)
        column.addLayout(self._task_boxes())
        column.addWidget(line())
        column.addWidget(section_title("How")[0])
        self.explorer = QComboBox()
        self.explorer.setAccessibleName("Explorer")
        for name, row in explorers.items():
            self.explorer.addItem(row.title, name)
            self.explorer.setItemData(self.explorer.count() - 1, row.summary, Qt.ItemDataRole.ToolTipRole)
        self.explorer.currentIndexChanged.connect(self._show_params)
        self.params = Form(label_width=100)
        self.params.changed.connect(self._param)
        self.seed = QSpinBox(maximum=2**31 - 1)
        self.seed.setAccessibleName("Seed")
        self.limit = QComboBox()
        self.limit.setAccessibleName("Samples")
        for text, number in (("all samples", 0), ("64, a preview", 64), ("256, a preview", 256)):
            self.limit.addItem(text, number)
        self.title = QLineEdit()
        self.title.setAccessibleName("Title")
        self.factory = QLineEdit(placeholderText="as the checkpoints' config says; else package.module:function")
        self.factory.setAccessibleName("Network")
        self.factory.setToolTip("A function that makes the torch module; its package is installed or on PYTHONPATH")
        self.factory.textEdited.connect(self._offer_all)
        for field, tip in (
            (self.explorer, "How points are chosen"),
            (self.seed, "Root of the run's randomness: equal seeds, equal runs"),
            (self.limit, "Samples of each task a point is scored on"),
            (self.title, "What the run is called in the list"),
        ):
            field.setToolTip(tip)
        how = QFormLayout()
        how.setHorizontalSpacing(16)
        how.addRow(_label("Explorer"), self.explorer)
        column.addLayout(how)
        column.addWidget(self.params)
        more = QFormLayout()
        more.setHorizontalSpacing(16)
        more.addRow(_label("Samples"), self.limit)
        more.addRow(_label("Seed"), self.seed)
        more.addRow(_label("Network"), self.factory)
        more.addRow(_label("Title"), self.title)
        column.addLayout(more)
        self._why = QLabel(wordWrap=True)
        self._why.setProperty("tone", "warn")
        column.addWidget(self._why)
        self._buttons = QDialogButtonBox()
        cancel = self._buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        self.go: QPushButton = self._buttons.addButton("Explore", QDialogButtonBox.ButtonRole.AcceptRole)
        self.go.setProperty("role", "main")
        cancel.setAutoDefault(False)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        column.addWidget(self._buttons)
        self.choose(form or self._likely())

    def _likely(self) -> str:
        if self._document.recipe.variables:
            return "recipe"
        return "plane" if len(self._names) >= 3 else "line"

    def _segments(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(0)
        self.forms = QButtonGroup(self)
        for place, name in enumerate(_FORMS):
            button = QPushButton(_TITLES[name])
            button.setCheckable(True)
            button.setAutoDefault(False)
            button.setToolTip(f"Explore {_TITLES[name][0].lower()}{_TITLES[name][1:]}")
            self.forms.addButton(button, place)
            row.addWidget(button)
        row.addStretch(1)
        self.forms.idToggled.connect(lambda place, on: self._show_form(_FORMS[place]) if on else None)
        return row

    def _task_boxes(self) -> QGridLayout:
        table = QGridLayout()
        table.setHorizontalSpacing(16)
        for place, box in enumerate(self.tasks):
            box.setChecked(place < 2)
            box.toggled.connect(self._refresh)
            table.addWidget(box, place // _ACROSS, place % _ACROSS)
        if not self.tasks:
            none = QLabel("This project has no tasks. Add one to solera.toml.")
            none.setProperty("tone", "warn")
            table.addWidget(none, 0, 0)
        return table

    def leave_out(self, reasons: Mapping[str, str]) -> None:
        """Take away the tasks that the checkpoints cannot be scored on; with a network named here all may fit again.

        Args:
            reasons: Task -> why it does not fit; if none fits, that may be for want of a network, so all stay.
        """
        if self.factory.text() or not any(box.text() not in reasons for box in self.tasks):
            return
        for box in self.tasks:
            if box.text() in reasons:
                box.setChecked(False)
                box.setEnabled(False)
                box.setToolTip(reasons[box.text()])
        fitting = [box for box in self.tasks if box.isEnabled()]
        if not any(box.isChecked() for box in fitting):
            for box in fitting[:2]:
                box.setChecked(True)

    def _offer_all(self) -> None:
        for box in self.tasks:
            box.setEnabled(True)
            box.setToolTip(_SCORED)

    def choose(self, form: str) -> None:
        """Choose a form: ``"line"``, ``"plane"`` or ``"recipe"``."""
        self.forms.button(_FORMS.index(form)).setChecked(True)

    @property
    def form(self) -> str:
        """The chosen form."""
        return _FORMS[max(self.forms.checkedId(), 0)]

    def _show_form(self, form: str) -> None:
        for row in range(self._what.rowCount() - 1, -1, -1):
            taken = self._what.takeRow(row)
            for item in (taken.labelItem, taken.fieldItem):
                widget = item.widget() if item is not None else None
                if widget is not None:
                    widget.setParent(None)
        if form == "recipe":
            found = self._document.recipe.variables
            words = [f"{var.name} {_bounds(var)}" for var in found]
            self._variables.setText(" · ".join(words) or "No parameter is a search variable yet; press the bracket "
                                    "beside one in the inspector.")  # fmt: skip
            self._what.addRow(_label("Variables"), self._variables)
            self._variables.show()
        else:
            for title, box in zip(_CORNERS[form], self.corners, strict=False):
                box.setAccessibleName(title)
                box.setToolTip("A checkpoint of this recipe")
                self._what.addRow(_label(title), box)
                box.show()
        wanted = "pareto" if form == "recipe" and len(self._document.recipe.variables) > 1 else "grid"
        index = self.explorer.findData(wanted)
        self.explorer.setCurrentIndex(max(index, 0))
        self._show_params()

    def _show_params(self) -> None:
        name = self.explorer.currentData()
        if name is not None:
            self.params.show_specs(self._explorers[name].params, self._params[name], variables=False)
        self._refresh()

    def _param(self, name: str, value: Value | None) -> None:
        chosen = self._params[self.explorer.currentData()]
        chosen.pop(name, None)
        if value is not None:
            chosen[name] = value
        self._refresh()

    def _shown_corners(self) -> list[QComboBox]:
        return self.corners[: len(_CORNERS.get(self.form, ()))]

    def _refresh(self) -> None:
        corners = [str(box.currentData()) for box in self._shown_corners()]
        picked = [box.text() for box in self.tasks if box.isChecked()]
        why = ""
        if self.form == "recipe" and not self._document.recipe.variables:
            why = "This recipe has no free variable to explore."
        elif self.form != "recipe" and len(self._names) < len(corners):
            why = f"A {self.form} needs {len(corners)} checkpoints on the canvas; there are {len(self._names)}."
        elif len(set(corners)) < len(corners):
            why = "Choose a different checkpoint for each end."
        elif not picked:
            why = "Choose at least one task."
        elif self.explorer.currentData() == "pareto" and len(picked) < 2:
            why = "A Pareto search needs two tasks or more."
        self._why.setText(why)
        self._why.setVisible(bool(why))
        self.go.setEnabled(not why)
        shown = [box.currentText() for box in self._shown_corners()]
        what = " to ".join(shown) if self.form == "line" else ", ".join(shown)
        name = self._document.recipe.name or "recipe"
        self.title.setPlaceholderText(
            f"{' against '.join(picked) or name}" if self.form == "recipe" else f"{_TITLES[self.form]} {what}"
        )
        self.title.setFont(font("label"))

    def experiment(self) -> dict[str, Any]:
        """The experiment in plain form."""
        explorer = self.explorer.currentData()
        nodes = {node.id: node for node in self._document.recipe.checkpoints}
        family: dict[str, Any]
        if self.form == "recipe":
            family = {"recipe": to_plain(self._document.recipe)}
        else:
            family = {self.form: [_member(nodes[box.currentData()]) for box in self._shown_corners()]}
        params = {key: encode(value) for key, value in self._params[explorer].items()}
        return {
            "solera": 1,
            "kind": "explore",
            "title": self.title.text().strip() or self.title.placeholderText(),
            "family": family,
            "tasks": [box.text() for box in self.tasks if box.isChecked()],
            "split": "selection",
            "report": "report",
            "explorer": {"name": explorer, "params": params} if params else {"name": explorer},
            "seed": self.seed.value(),
            "limit": int(self.limit.currentData()),
            "keep_samples": explorer != "grid",
            **({"factory": self.factory.text().strip()} if self.factory.text().strip() else {}),
        }


def _member(node: CheckpointNode) -> Any:
    """A checkpoint as a family names it: its source, or a recipe of its own where names are taken off."""
    return to_plain(Recipe((node,), node.id)) if node.strip else node.source


def _bounds(var: Var) -> str:
    if var.low is None or var.high is None:
        return ""
    return f"from {var.low:g} to {var.high:g}"


def _label(text: str) -> QLabel:
    made = QLabel(text)
    made.setProperty("tone", "2")
    made.setFixedWidth(84)
    made.setMinimumHeight(26)
    return made
