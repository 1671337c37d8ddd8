"""The pool with its head: how many models, which are looked at, and by what they are sorted."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from solera_app.canvases.soup_facts import Ingredient, arranged
from solera_app.canvases.soup_pool import PoolView
from solera_app.theme import font, icon, themes


class PoolList(QWidget):
    """A title, a filter, a choice of order, and the rows.

    Signals:
        arranged: Other models, or another order, are shown.
    """

    arranged = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._pool: tuple[Ingredient, ...] = ()
        self.title = QLabel("Pool")
        self.title.setFont(font("label", "semibold"))
        self.filter = QLineEdit(placeholderText="Filter", clearButtonEnabled=True)
        self.filter.setAccessibleName("Filter the pool")
        self.filter.setToolTip("Words of a name; >78 or <80 bounds the score that is shown")
        self.filter.setMaximumWidth(150)
        self.filter.textChanged.connect(self._show)
        self._search = self.filter.addAction(icon("search", "text-3"), QLineEdit.ActionPosition.LeadingPosition)
        self.order = QComboBox()
        self.order.setAccessibleName("Sort the pool by")
        self.order.setToolTip("What the pool is sorted by, and which score is shown")
        self.order.setMinimumContentsLength(12)
        self.order.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.order.currentIndexChanged.connect(self._show)
        self.view = PoolView()
        head = QHBoxLayout()
        head.setContentsMargins(16, 8, 12, 4)
        head.setSpacing(8)
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.filter)
        head.addWidget(self.order)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.view, 1)
        self.set_columns("score", ())
        themes().changed.connect(self._recolour)

    def _recolour(self) -> None:
        self._search.setIcon(icon("search", "text-3"))

    def set_columns(self, metric: str, tasks: Sequence[str]) -> None:
        """What can be sorted by: the mean, each task, the name, the order of adding."""
        rows = [(f"Held-out {metric}", ("score", ""))]
        if len(tasks) > 1:
            rows = [(f"Mean {metric}", ("score", "")), *((task, ("score", task)) for task in tasks)]
        rows += [("Name", ("name", "")), ("Order added", ("added", ""))]
        if [(self.order.itemText(i), self.order.itemData(i)) for i in range(self.order.count())] == rows:
            return
        self.order.blockSignals(True)
        chosen = self.order.currentText()
        self.order.clear()
        for text, what in rows:
            self.order.addItem(text, what)
        self.order.setCurrentIndex(max(self.order.findText(chosen), 0))
        self.order.blockSignals(False)
        self._show()

    def set_pool(self, pool: Sequence[Ingredient]) -> None:
        """Show these, as far as they pass the filter."""
        self._pool = tuple(pool)
        self._show()

    def _show(self) -> None:
        order, column = self.order.currentData() or ("added", "")
        shown = arranged(self._pool, order, column, self.filter.text())
        count = len(self._pool)
        self.title.setText(f"Pool of {count}" if len(shown) == count else f"{len(shown)} of {count}")
        self.view.set_rows(shown, column)
        self.arranged.emit()
