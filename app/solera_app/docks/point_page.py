"""The inspector's page for a scored point of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from solera_app.docks.panel import line, section_title
from solera_app.docks.subject import Facts, Subject
from solera_app.theme import font


class PointPage(QWidget):
    """A scored point.

    Signals:
        keepRequested, recipeRequested: Run id and index of the point.
    """

    keepRequested = Signal(str, int)
    recipeRequested = Signal(str, int)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self._run, self._index = "", -1
        self.subject = Subject()
        self._sections = QVBoxLayout()
        self._sections.setSpacing(10)
        self.open = QPushButton("Open recipe")
        self.keep = QPushButton("Keep this point")
        self.keep.setProperty("role", "main")
        self.open.setToolTip("Open the recipe of this point as a new document")
        self.keep.setToolTip("Write its weights as a checkpoint in the library")
        self.open.clicked.connect(lambda: self.recipeRequested.emit(self._run, self._index))
        self.keep.clicked.connect(lambda: self.keepRequested.emit(self._run, self._index))
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 12)
        column.setSpacing(10)
        column.addWidget(self.subject)
        column.addLayout(self._sections)
        column.addWidget(self.open)
        column.addWidget(self.keep)
        self.hint = hint = QLabel(
            "Writes the weights here as a checkpoint in the library, with its recipe.", wordWrap=True
        )
        hint.setProperty("tone", "3")
        hint.setFont(font("small"))
        column.addWidget(hint)
        column.addStretch(1)

    def show_point(
        self, run: str, index: int, title: str, tag: str, facts: Mapping[str, Sequence[tuple[str, str]]]
    ) -> None:
        """Show a point, or with index -1 the run as a whole.

        Args:
            run: Its id.
            index: Of the point.
            title: What it is called.
            tag: A word at the right of the title.
            facts: Sections by title; a quiet figure may follow the title after ``|``.
        """
        self._run, self._index = run, index
        self.subject.show_subject("pareto" if index >= 0 else "history", title, "", tag)
        for part in (self.open, self.keep, self.hint):
            part.setVisible(int(index) >= 0)
        while self._sections.count():
            item = self._sections.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()  # it goes only when the event loop comes round
                widget.deleteLater()
        for place, (name, lines) in enumerate(facts.items()):
            if place:
                self._sections.addWidget(line())
            head, _ = section_title(*name.split("|", 1))
            self._sections.addWidget(head)
            block = Facts()
            block.show_facts(lines)
            self._sections.addWidget(block)
