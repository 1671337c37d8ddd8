"""Rows: the one shape every list of the window has (library, jobs, runs), and the Qt model that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

Index = QModelIndex | QPersistentModelIndex

#: The role under which the Row itself is found.
ROW_ROLE = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class RowButton:
    """A small button at the end of a row."""

    action: str
    icon: str
    tip: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line (or two) of a list.

    Attributes:
        id: Stable; selection follows it.
        title: First line. facts: Second line, parted by " · "; empty makes a one-line row.
        icon: Icon name. icon_token: Its colour.
        right: One score, tag or state at the right. right_token: Its colour. right_icon: An icon beside it.
        boxed: Whether ``right`` stands in a thin box (a tag such as "base").
        progress: 0 to 1 shows a bar; None shows none.
        middle: Text in the middle column of wide rows (rate and time left).
        buttons: Small buttons at the end.
        section: Whether this is a section title rather than an item.
        dim: Whether the title is drawn in text-3 (missing, disabled).
        tip: Tooltip; the title and facts if empty.
    """

    id: str
    title: str
    facts: str = ""
    icon: str = ""
    icon_token: str = "text-2"
    right: str = ""
    right_token: str = "text-3"
    right_icon: str = ""
    boxed: bool = False
    progress: float | None = None
    middle: str = ""
    buttons: tuple[RowButton, ...] = ()
    section: bool = False
    dim: bool = False
    tip: str = ""


class RowsModel(QAbstractListModel):
    """Rows as a Qt list model; a change of some rows repaints those only."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []

    @property
    def rows(self) -> Sequence[Row]:
        """The rows now shown."""
        return self._rows

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows instead; equal ids at equal places keep selection and are repainted only if they differ."""
        if [row.id for row in rows] == [row.id for row in self._rows]:
            for place, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
                if old != new:
                    self._rows[place] = new
                    index = self.index(place)
                    self.dataChanged.emit(index, index)
            return
        self.beginResetModel()
        self._rows = list(rows)
        self.endResetModel()

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Show more rows after those that are shown."""
        if rows:
            first = len(self._rows)
            self.beginInsertRows(QModelIndex(), first, first + len(rows) - 1)
            self._rows += rows
            self.endInsertRows()

    def find(self, id_: str) -> QModelIndex:
        """Index of the row with this id; invalid if there is none."""
        for place, row in enumerate(self._rows):
            if row.id == id_ and not row.section:
                return self.index(place)
        return QModelIndex()

    def rowCount(self, parent: Index | None = None) -> int:  # noqa: D102 - Qt's name
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: D102 - Qt's name
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.AccessibleTextRole:
                return " ".join(part for part in (row.title, row.facts, row.middle, row.right) if part)
            case Qt.ItemDataRole.ToolTipRole:
                return row.tip or "\n".join(part for part in (row.title, row.facts) if part)
            case _ if role == ROW_ROLE:
                return row
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:  # noqa: D102 - Qt's name
        if not index.isValid() or self._rows[index.row()].section:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled
