"""What to explore: any family of the models on the canvas; on which tasks; how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from solera.documents.document import Document
from solera.params import Value, encode
from solera_app.bridge.background import in_background
from solera_app.docks.form import Declared, Form
from solera_app.docks.panel import line, section_title
from solera_app.explore_family import FamilyFields, field_label
from solera_app.theme import font

#: Tasks side by side.
_ACROSS = 4
#: What an exploration of a family begins with; the rest with a grid.
_EXPLORERS = {
    "subset": "greedy_soup",
    "shares": "learned_soup",
    "blocks": "adaptive_blocks",
    "genome": "evolution",
    "stack": "layer_evolution",
    "subspace": "evolution",
}
_SCORED = "Score every point on this task"
#: Milliseconds without a change after which what was chosen is looked at.
_PAUSE = 250
#: Highest of the dialog that opens by itself; the rest is scrolled to.
_HIGH = 720


class ExploreDialog(QDialog):
    """Makes an experiment in plain form (see ``solera.workbench.experiment``).

    Args:
        document: The document in front.
        tasks: Names of the project's tasks.
        explorers: Registered explorers by name.
        form: Which family to begin with; chosen from the document if empty.
        parent: The window.
        foresee: Told an experiment, says what it would be (see ``solera.workbench.foreseeing``); not in this thread.
    """

    #: A person wants a task that the project does not have.
    taskWanted = Signal()

    def __init__(
        self,
        document: Document,
        tasks: Sequence[str],
        explorers: Mapping[str, Declared],
        form: str = "",
        parent: QWidget | None = None,
        foresee: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Explore")
        self.setMinimumWidth(560)
        self._document, self._explorers, self._foresee = document, explorers, foresee
        self._params: dict[str, dict[str, Value]] = {name: {} for name in explorers}
        self._asked = 0
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE)
        self._pause.timeout.connect(self._look)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 16)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(20, 16, 20, 8)
        column.setSpacing(12)
        self.area = QScrollArea(widgetResizable=True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(inside)
        outer.addWidget(self.area, 1)
        column.addWidget(section_title("What")[0])
        self.family = FamilyFields(document)
        column.addWidget(self.family)
        column.addWidget(line())
        column.addWidget(section_title("Scored on", "selection split; chosen points again on report")[0])
        self.tasks: list[QCheckBox] = []
        self._table = QGridLayout()
        self._table.setHorizontalSpacing(16)
        column.addLayout(self._table)
        self.show_tasks(tasks)
        column.addWidget(line())
        column.addWidget(section_title("How")[0])
        self._how(column)
        column.addStretch(1)
        outer.addLayout(self._bottom())
        self.family.kind.currentIndexChanged.connect(lambda _: self._suit())
        self.family.changed.connect(self._refresh)
        self.choose(form or self._likely())
        self._suit()
        self.resize(560, min(inside.sizeHint().height() + 120, _HIGH))

    def _how(self, column: QVBoxLayout) -> None:
        self.explorer = QComboBox()
        self.explorer.setAccessibleName("Explorer")
        for name, row in self._explorers.items():
            self.explorer.addItem(row.title, name)
            self.explorer.setItemData(self.explorer.count() - 1, row.summary, Qt.ItemDataRole.ToolTipRole)
        self.explorer.currentIndexChanged.connect(self._show_params)
        self.params = Form(label_width=100)
        self.params.changed.connect(self._param)
        self.budget = QSpinBox(maximum=10**7)
        self.budget.setSpecialValueText("as many as the explorer takes")
        self.seed = QSpinBox(maximum=2**31 - 1)
        self.limit = QComboBox()
        for text, number in (("all samples", 0), ("64, a preview", 64), ("256, a preview", 256)):
            self.limit.addItem(text, number)
        self.batchnorm = QComboBox()
        self.batchnorm.addItem("frozen", "frozen")
        self.batchnorm.addItem("measured again at every point", "recalibrated")
        self.title = QLineEdit()
        self.factory = QLineEdit(placeholderText="as the checkpoints' config says; else package.module:function")
        self.factory.textEdited.connect(self._offer_all)
        self.factory.textEdited.connect(self._refresh)
        how, more = QFormLayout(), QFormLayout()
        how.addRow(field_label("Explorer"), self.explorer)
        for name, field, tip in (
            ("Explorer", self.explorer, "How points are chosen"),
            ("Budget", self.budget, "Points at most, if the explorer's own number is not smaller"),
            ("Samples", self.limit, "Samples of each task a point is scored on"),
            ("Seed", self.seed, "Root of the run's randomness: equal seeds, equal runs"),
            ("BatchNorm", self.batchnorm, "Running statistics: those of the models, or the first task's training data"),
            ("Network", self.factory, "A function that makes the torch module, installed or on PYTHONPATH"),
            ("Title", self.title, "What the run is called in the list"),
        ):
            field.setAccessibleName(name)
            field.setToolTip(tip)
            if field is not self.explorer:
                more.addRow(field_label(name), field)
        self.budget.valueChanged.connect(self._refresh)
        for form in (how, more):
            form.setHorizontalSpacing(16)
        column.addLayout(how)
        column.addWidget(self.params)
        column.addLayout(more)

    def _bottom(self) -> QVBoxLayout:
        self._why = QLabel(wordWrap=True)
        self._why.setProperty("tone", "warn")
        self.foreseen = QLabel(wordWrap=True)
        self.foreseen.setProperty("tone", "2")
        self._buttons = QDialogButtonBox()
        cancel = self._buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        self.go: QPushButton = self._buttons.addButton("Explore", QDialogButtonBox.ButtonRole.AcceptRole)
        self.go.setProperty("role", "main")
        cancel.setAutoDefault(False)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        bottom = QVBoxLayout()
        bottom.setContentsMargins(20, 0, 20, 0)
        bottom.setSpacing(8)
        for part in (self._why, self.foreseen, self._buttons):
            bottom.addWidget(part)
        return bottom

    def _likely(self) -> str:
        if self._document.recipe.variables:
            return "recipe"
        return "plane" if len(self._document.recipe.checkpoints) >= 3 else "line"

    @property
    def corners(self) -> list[QComboBox]:
        """The boxes of the models of a family of a fixed number."""
        return self.family.corners

    def show_tasks(self, tasks: Sequence[str]) -> None:
        """Offer these tasks, those that are ticked staying so; a new one is ticked."""
        before = {box.text(): box.isChecked() for box in self.tasks}
        while self._table.count():
            taken = self._table.takeAt(0)
            widget = taken.widget() if taken is not None else None
            if widget is not None:
                widget.deleteLater()
        self.tasks = [QCheckBox(name) for name in tasks]
        for place, box in enumerate(self.tasks):
            box.setToolTip(_SCORED)
            box.setChecked(before.get(box.text(), True) if before else place < 2)
            box.toggled.connect(self._refresh)
            self._table.addWidget(box, place // _ACROSS, place % _ACROSS)
        if not self.tasks:
            none = QLabel("This project has no tasks yet.")
            none.setProperty("tone", "warn")
            self._table.addWidget(none, 0, 0)
        self.new_task = QPushButton("New task…")
        self.new_task.setAutoDefault(False)
        self.new_task.setToolTip("Add a task of any kind that is registered to the project")
        self.new_task.clicked.connect(lambda _: self.taskWanted.emit())
        self._table.addWidget(self.new_task, len(self.tasks) // _ACROSS + 1, 0)
        if before:
            self._refresh()

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
        """Choose a family by its name in :data:`solera.families.forms.FORMS`."""
        self.family.choose(form)

    @property
    def form(self) -> str:
        """The name of the chosen family."""
        return self.family.form.name

    def _suit(self) -> None:
        """Choose the explorer that a family is mostly explored with."""
        wanted = _EXPLORERS.get(self.form, "grid")
        if self.form == "recipe" and len(self._document.recipe.variables) > 1:
            wanted = "pareto"
        self.explorer.setCurrentIndex(max(self.explorer.findData(wanted), 0))
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

    def _refresh(self) -> None:
        picked = [box.text() for box in self.tasks if box.isChecked()]
        why = self.family.obstacle()
        if self.explorer.currentData() is None:
            why = "No plugin that explores is in use; switch one on with Tools, Plugins."
        elif not why and not picked:
            why = "Choose at least one task."
        elif not why and self.explorer.currentData() == "pareto" and len(picked) < 2:
            why = "A Pareto search needs two tasks or more."
        self._say(why)
        if not why and self._foresee is not None:
            self._pause.start()
        words = self.family.words()
        self.title.setPlaceholderText(" against ".join(picked) or words if self.form == "recipe" else words)
        self.title.setFont(font("label"))

    def _say(self, why: str, found: str = "") -> None:
        self._why.setText(why)
        self._why.setVisible(bool(why))
        self.foreseen.setText(found)
        self.foreseen.setVisible(bool(found))
        self.go.setEnabled(not why)

    def _look(self) -> None:
        """Find out, aside, whether the explorer takes this family, and how many points that is."""
        if self._foresee is None or self._why.text():
            return
        self._asked += 1
        asked, plain, foresee = self._asked, self.experiment(), self._foresee

        def done(found: Any) -> None:
            if asked == self._asked and not self._pause.isActive():
                many = "coordinate" if len(found.coords) == 1 else "coordinates"
                self._say("", f"{found.points:,} points at most, {len(found.coords)} {many}.")

        def failed(error: Exception) -> None:
            if asked == self._asked and not self._pause.isActive():
                self._say(str(error))

        in_background(lambda: foresee(plain), done, failed, owner=self)

    def experiment(self) -> dict[str, Any]:
        """The experiment in plain form."""
        explorer = self.explorer.currentData()
        params = {key: encode(value) for key, value in self._params[explorer].items()}
        more = {
            "budget": self.budget.value(),
            "factory": self.factory.text().strip(),
            "batchnorm": "" if self.batchnorm.currentData() == "frozen" else self.batchnorm.currentData(),
        }
        return {
            "solera": 1,
            "kind": "explore",
            "title": self.title.text().strip() or self.title.placeholderText(),
            "family": self.family.plain(),
            "tasks": [box.text() for box in self.tasks if box.isChecked()],
            "split": "selection",
            "report": "report",
            "explorer": {"name": explorer, "params": params} if params else {"name": explorer},
            "seed": self.seed.value(),
            "limit": int(self.limit.currentData()),
            "keep_samples": explorer != "grid",
            **{key: value for key, value in more.items() if value},
        }
