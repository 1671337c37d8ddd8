"""The panel beside the soup canvas: how to search, what was found, each task's score, and Use in recipe."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
)

from solera_app.canvases.score_bar import ScoreColumn
from solera_app.canvases.scores_here import ScoreHere
from solera_app.canvases.soup_run import TITLES
from solera_app.canvases.weight_rows import ElidedLabel
from solera_app.docks.panel import Parts, section_title
from solera_app.theme import dress, font, themes

_ABOUT = {
    "greedy_soup": "Best first, keep what helps. Wortsman et al. 2022",
    "uniform_soup": "All models in equal shares. Wortsman et al. 2022",
    "learned_soup": "Shares that follow the gradient. Wortsman et al. 2022",
}
_ACCEPT = {
    "not_worse": "not worse", "better": "better", "surely_better": "surely better",
    "not_surely_worse": "not surely worse",
}  # fmt: skip


class SoupPanel(Parts):
    """Chooses how to search and says what was found.

    Signals:
        runRequested, stopRequested: The search is to begin, or to end.
        useRequested: The soup is to become a node of the recipe.
        tasksChanged: Other tasks count.
        cleared: The pot is to be emptied.
        filled: Every model is to be in.
    """

    runRequested = Signal()
    stopRequested = Signal()
    useRequested = Signal()
    tasksChanged = Signal()
    cleared = Signal()
    filled = Signal()

    def __init__(self) -> None:
        super().__init__("Soup")
        self._boxes: list[QCheckBox] = []
        self._running = False
        self.build(self._build_how, self._build_scores, self._build_compare, foot=self._build_use)
        themes().changed.connect(self._recolour)
        self._recolour()
        self._choose()

    # --- building ----------------------------------------------------------------------------------------------------

    def _build_how(self) -> None:
        self.explorer = QComboBox()
        self.explorer.setAccessibleName("Kind of soup")
        for name, title in TITLES.items():
            self.explorer.addItem(title, name)
        self.explorer.currentIndexChanged.connect(self._choose)
        self._column.addWidget(self.explorer)
        self._about = _caption()
        self._column.addWidget(self._about)
        self.accept = QComboBox()
        self.accept.setAccessibleName("Keep if")
        self.accept.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.accept.setMinimumContentsLength(8)  # the dock's width, not the longest choice
        self.accept.setToolTip("When the average with a model is good enough for it to stay")
        for name, text in _ACCEPT.items():
            self.accept.addItem(text, name)
        self.count = QSpinBox(minimum=1, maximum=100_000, value=50)
        self.count.setAccessibleName("Steps")
        self.count.setToolTip("How many steps of the gradient")
        self.seed = QSpinBox(maximum=2**31 - 1)
        self.seed.setAccessibleName("Seed")
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(12)
        self._form.setVerticalSpacing(6)
        for text, field in (("Keep if", self.accept), ("Steps", self.count), ("Seed", self.seed)):
            label = QLabel(text)
            label.setFixedWidth(84)
            label.setProperty("tone", "2")
            self._form.addRow(label, field)
        self._column.addLayout(self._form)
        self._tasks = QVBoxLayout()
        self._tasks.setSpacing(4)
        self._column.addLayout(self._tasks)
        self.run = QPushButton("Make soup")
        self.run.setToolTip("Search as a job; every step shows here as it is scored")
        self.run.clicked.connect(lambda: (self.stopRequested if self._running else self.runRequested).emit())
        self._column.addWidget(self.run)

    def _build_scores(self) -> None:
        title, self._figure = section_title("In the pot")
        self._column.addWidget(title)
        self._bars = ScoreColumn()
        self._column.addWidget(self._bars)
        self._hint = _caption()
        self._column.addWidget(self._hint)
        self.fill = QPushButton("All in")
        self.fill.setToolTip("Put every model of the pool into the pot")
        self.fill.clicked.connect(self.filled)
        self.clear = QPushButton("Empty")
        self.clear.setToolTip("Take everything out of the pot; the pool stays")
        self.clear.clicked.connect(self.cleared)
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self.fill, self.clear):
            button.setAccessibleName(button.text())
            row.addWidget(button)
        row.addStretch(1)
        self._column.addLayout(row)

    def _build_compare(self) -> None:
        title, _ = section_title("Compare")
        self._column.addWidget(title)
        self._rows = QFormLayout()
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setVerticalSpacing(6)
        self._column.addLayout(self._rows)
        self._compare_hint = _caption()
        self._column.addWidget(self._compare_hint)

    def _build_use(self) -> None:
        self.use = QPushButton("Use in recipe")
        self.use.setProperty("role", "main")
        self.use.setMinimumHeight(36)
        self.use.setAccessibleName("Use in recipe")
        self.use.setToolTip("Make a node of the recipe that averages what is in the pot")
        self.use.clicked.connect(self.useRequested)
        self._foot.addWidget(self.use)

    def _recolour(self) -> None:
        dress(self.use, "recipe", "on-accent")
        dress(self.run, "stop" if self._running else "run")

    # --- what the tab calls ------------------------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """The explorer that is chosen."""
        return str(self.explorer.currentData())

    @property
    def params(self) -> dict[str, object]:
        """Its parameters."""
        if self.kind == "greedy_soup":
            return {"accept": self.accept.currentData()}
        return {"steps": self.count.value()} if self.kind == "learned_soup" else {}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that count."""
        return tuple(box.text() for box in self._boxes if box.isChecked() and box.isEnabled())

    def set_tasks(self, tasks: Sequence[str], reasons: dict[str, str]) -> None:
        """Offer these tasks; those with a reason do not fit the models."""
        for box in self._boxes:
            box.setParent(None)
            box.deleteLater()
        self._boxes = []
        for task in tasks:
            box = QCheckBox(task)
            box.setChecked(task not in reasons)
            box.setEnabled(task not in reasons)
            box.setToolTip(reasons.get(task, f"Whether {task} counts for the soup's score"))
            box.toggled.connect(self.tasksChanged)
            self._tasks.addWidget(box)
            self._boxes.append(box)

    def set_running(self, running: bool) -> None:
        """While a search runs its button stops it."""
        self._running = running
        self.run.setText("Stop" if running else "Make soup")
        self.run.setAccessibleName(self.run.text())
        for field in (self.explorer, self.accept, self.count, self.seed, *self._boxes):
            field.setEnabled(not running and not (isinstance(field, QCheckBox) and not field.isChecked() and running))
        self._recolour()

    def enable(self, *, pool: int, pot: int) -> None:
        """What can be done with so many models."""
        self.run.setEnabled(self._running or pool > 1)
        self.fill.setEnabled(pot < pool)
        self.clear.setEnabled(pot > 0)
        self.use.setEnabled(pot > 0)

    def set_scores(self, scores: Sequence[ScoreHere], *, stale: bool = False, hint: str = "") -> None:
        """A bar for each task: what is in the pot scores there, marked with the best single model.

        Args:
            scores: One per task.
            stale: Whether they are those of the pot before.
            hint: What to say without any.
        """
        self._bars.show_scores(scores)
        count = min((score.count for score in scores), default=0)
        self._figure.setText("Stale" if stale and scores else f"n = {count:,}" if scores else "")
        self._figure.setProperty("tone", "warn" if stale else "3")
        self._figure.style().polish(self._figure)
        if not scores:
            self._hint.setText(hint or "Put models into the pot to score their average.")
        elif any(score.expert is not None for score in scores):
            self._hint.setText(f"The upright mark is the best single model. {scores[0].split.capitalize()} split.")
        else:
            self._hint.setText(f"{scores[0].split.capitalize()} split.")

    def set_compare(self, rows: Sequence[tuple[str, str]], hint: str) -> None:
        """What the pool scored in other ways: name and figure."""
        while self._rows.rowCount():
            self._rows.removeRow(0)
        for name, figure in rows:
            label = QLabel(figure)
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            label.setMinimumHeight(20)
            self._rows.addRow(ElidedLabel(name, "text-2", 144), label)
        self._compare_hint.setText(hint)

    # --- what is pressed -----------------------------------------------------------------------------------------

    def _choose(self) -> None:
        self._about.setText(_ABOUT[self.kind])
        for field, kind in ((self.accept, "greedy_soup"), (self.count, "learned_soup")):
            self._form.setRowVisible(field, self.kind == kind)


def _caption() -> QLabel:
    label = QLabel(wordWrap=True)
    label.setFont(font("small"))
    label.setProperty("tone", "3")
    return label
