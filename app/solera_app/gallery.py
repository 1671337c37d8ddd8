"""The examples gallery: everything that can be made on this machine, what it brings, and a button that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from solera_app.docks.panel import section_title
from solera_app.docks.row_view import RowView
from solera_app.docks.subject import Facts, Subject
from solera_app.models.rows import Row


@dataclass(frozen=True, slots=True)
class Example:
    """What the gallery tells of an example.

    Attributes:
        name: Registered name. title: A line. summary: A sentence. plugin: Where it is from.
        params: What can be chosen when it is made on the command line: name and meaning.
        made: Folder it was made in; empty if it was not.
    """

    name: str
    title: str
    summary: str
    plugin: str
    params: tuple[tuple[str, str], ...] = ()
    made: str = ""


class Gallery(QDialog):
    """The examples.

    Args:
        examples: All of them.
        project: Whether a project is open that one may be made in.
        parent: The window.

    Signals:
        opened: Name of an example to be made in a project of its own (or opened, where that is there).
        made: Name of one to be made in the project that is open.
    """

    opened = Signal(str)
    made = Signal(str)

    def __init__(self, examples: Sequence[Example], project: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Examples")
        self.resize(760, 460)
        self.setMinimumSize(560, 340)
        self._examples = {example.name: example for example in examples}
        self._name = ""
        self._project = project
        self.search = QLineEdit(placeholderText="Search examples", clearButtonEnabled=True)
        self.search.setAccessibleName("Search examples")
        self.search.setToolTip("Words of a title or a summary")
        self.view = RowView("Examples")
        self.subject, self.facts = Subject(), Facts()
        self.params_title, _ = section_title("Choices on the command line")
        self.params = Facts()
        self.go = QPushButton("Make and open")
        self.go.setProperty("role", "main")
        self.go.setToolTip("Make it in a project of its own and open that; training is a job one can watch")
        self.here = QPushButton("Make in this project")
        self.here.setToolTip("Add its checkpoints, recipes and tasks to the project that is open")
        self._lay_out()
        self.search.textChanged.connect(lambda _: self._show())
        self.view.chosen.connect(self._choose)
        self.view.activatedRow.connect(self._open)
        self.go.clicked.connect(lambda: self._open(self._name))
        self.here.clicked.connect(self._make)
        self._show()
        if self._examples:
            self.view.choose(next(iter(self._examples)))

    def _lay_out(self) -> None:
        left, right = QWidget(), QWidget()
        one, two = QVBoxLayout(left), QVBoxLayout(right)
        one.setContentsMargins(0, 0, 0, 0)
        two.setContentsMargins(12, 0, 0, 0)
        one.addWidget(self.search)
        one.addWidget(self.view, 1)
        for widget in (self.subject, self.facts, self.params_title, self.params):
            two.addWidget(widget)
        two.addStretch(1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.here)
        row.addWidget(self.go)
        two.addLayout(row)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(right)
        split.setSizes([300, 440])
        split.setChildrenCollapsible(False)
        foot = QLabel("Examples are made from nothing but what is installed; no network is needed.", wordWrap=True)
        foot.setProperty("tone", "3")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(split, 1)
        column.addWidget(foot)
        column.addWidget(buttons)

    def _show(self) -> None:
        words = self.search.text().lower().split()
        rows = [
            Row(
                name,
                example.title,
                example.plugin,
                "dataset",
                right="made" if example.made else "",
                tip=example.summary,
            )
            for name, example in self._examples.items()
            if all(word in f"{example.title} {example.summary} {name}".lower() for word in words)
        ]
        none = Row("section:none", f"No match for '{self.search.text()}'", section=True)
        self.view.rows_model.set_rows(rows or [none])
        self.view.choose(self._name)

    def _choose(self, name: str) -> None:
        example = self._examples.get(name)
        for button in (self.go, self.here):
            button.setEnabled(example is not None)
        self.here.setEnabled(example is not None and self._project)
        if example is None:
            return
        self._name = name
        self.subject.show_subject("dataset", example.title, example.summary)
        facts = [("Name", name), ("Plugin", example.plugin), ("Made in", example.made)]
        self.facts.show_facts([(title, text) for title, text in facts if text])
        self.params_title.setVisible(bool(example.params))
        self.params.show_facts(example.params)
        self.go.setText("Open" if example.made else "Make and open")

    def _open(self, name: str) -> None:
        if name in self._examples:
            self.close()
            self.opened.emit(name)

    def _make(self) -> None:
        self.close()
        self.made.emit(self._name)
