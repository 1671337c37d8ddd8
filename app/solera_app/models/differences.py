"""The rows of a comparison of two checkpoints as a Qt table; sorted by any column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

Index = QModelIndex | QPersistentModelIndex

#: Heading, tooltip, and key of each column.
COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("Tensor", "Name of the tensor", "name"),
    ("Shape", "Its sizes", "shape"),
    ("Distance", "Euclidean norm of the difference", "distance"),
    ("Relative", "The distance over the norm of the first", "relative"),
    ("Largest", "Largest absolute difference of an element", "largest"),
    ("Cosine", "Between the two, flat", "cosine"),
    ("Signs agree", "Share of elements of equal sign", "signs"),
    ("Equal", "Share of elements that are equal", "equal"),
)


class DifferencesModel(QAbstractTableModel):
    """Rows of ``Difference.to_plain()``."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows = [dict(row) for row in rows]

    def rowCount(self, parent: Index | None = None) -> int:  # noqa: D102 - Qt's name
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:  # noqa: D102 - Qt's name
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(  # noqa: D102 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        title, tip, _ = COLUMNS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        return tip if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: D102 - Qt's name
        row, key = self.rows[index.row()], COLUMNS[index.column()][2]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return words(row, key)
            case Qt.ItemDataRole.ToolTipRole:
                return row["name"]
            case Qt.ItemDataRole.TextAlignmentRole if index.column():
                return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:  # noqa: D102 - Qt's name
        key = COLUMNS[column][2]
        self.layoutAboutToBeChanged.emit()
        down = order is Qt.SortOrder.DescendingOrder
        known = [row for row in self.rows if _value(row, key) is not None]
        unknown = [row for row in self.rows if _value(row, key) is None]
        self.rows = sorted(known, key=lambda row: _value(row, key), reverse=down) + unknown
        self.layoutChanged.emit()


def _value(row: Mapping[str, Any], key: str) -> Any:
    """What a column is sorted by; None for what is not known."""
    match key:
        case "shape":
            return row["numel"]
        case "relative":
            return row["distance"] / row["norm_a"] if row["norm_a"] else None
        case "equal":
            return row["equal"] / row["numel"] if row["numel"] else None
    return row[key]


def words(row: Mapping[str, Any], key: str) -> str:
    """A cell as a person reads it."""
    value = _value(row, key)
    match key:
        case "name":
            return str(value)
        case "shape":
            return " × ".join(f"{size:,}" for size in row["shape"]) or "scalar"
        case _ if value is None or math.isnan(value):
            return "none"
        case "signs" | "equal":
            return f"{100 * value:.2f} %"
        case "cosine":
            return f"{value:.6f}".replace("-", "−")
    return f"{value:.4g}"
