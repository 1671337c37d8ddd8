"""Two checkpoints beside each other: a line that says it all, a histogram, and every tensor."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHeaderView, QLabel, QLineEdit, QTableView, QVBoxLayout, QWidget

from solera.errors import InputError
from solera_app.models.differences import COLUMNS, DifferencesModel, words
from solera_app.tabs import Tab
from solera_app.theme import font, theme, themes


class Histogram(QWidget):
    """Counts of sizes of differences, by quarter decades; what is equal stands apart at the left.

    Args:
        counts: Between the edges.
        edges: One more than the counts, ascending.
        equal: Elements that are equal.
    """

    def __init__(self, counts: Sequence[int], edges: Sequence[float], equal: int) -> None:
        super().__init__()
        self.counts, self.edges, self.equal = list(counts), list(edges), equal
        self.setMinimumHeight(150)
        self.setMaximumHeight(190)
        total = sum(self.counts) + equal
        share = f"{100 * equal / total:.2f} % of {total:,} elements are equal" if total else "no elements"
        self.setAccessibleName(f"Histogram of the sizes of differences; {share}")
        self.setToolTip("How many elements differ by how much; four bars to a factor of ten")
        themes().changed.connect(self.update)

    def shown(self) -> range:
        """The bars from the first to the last that is not empty."""
        filled = [place for place, count in enumerate(self.counts) if count]
        return range(max(0, filled[0] - 1), min(len(self.counts), filled[-1] + 2)) if filled else range(0)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: D102 - Qt's name
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setFont(font("small"))
        bars = self.shown()
        area = QRectF(84, 20, self.width() - 96, self.height() - 58)
        most = max([self.equal, *self.counts, 1])
        wide = area.width() / (len(bars) + 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().colour("plot.dominated"))
        painter.drawRect(_bar(area, 0, wide, self.equal / most))
        painter.setBrush(theme().colour("series.0"))
        for place, bar in enumerate(bars):
            painter.drawRect(_bar(area, place + 2, wide, self.counts[bar] / most))
        painter.setPen(QPen(theme().colour("plot.axis"), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.topLeft(), area.bottomLeft())
        painter.setPen(theme().colour("text-2"))
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        middle = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(0, area.top() - 8, 78, 16), right, f"{most:,}")
        painter.drawText(QRectF(0, area.bottom() - 8, 78, 16), right, "0")
        painter.drawText(
            QRectF(area.left(), area.bottom() + 3, max(wide * 2, 44), 16), Qt.AlignmentFlag.AlignLeft, "equal"
        )
        for place, bar in enumerate(bars):
            power = math.log10(self.edges[bar])
            if abs(power - round(power)) < 1e-9:
                x = area.left() + (place + 2) * wide
                painter.drawLine(round(x), round(area.bottom()), round(x), round(area.bottom()) + 4)
                painter.drawText(
                    QRectF(x - 30, area.bottom() + 3, 60, 16), middle, f"1e{round(power)}".replace("-", "−")
                )
        told = QRectF(area.left(), self.height() - 18, area.width(), 16)
        painter.drawText(told, middle, "Absolute difference of an element")
        painter.drawText(QRectF(area.left(), 0, area.width(), 16), Qt.AlignmentFlag.AlignLeft, "Elements")


def _bar(area: QRectF, place: int, wide: float, share: float) -> QRectF:
    height = area.height() * share
    if share:
        height = max(height, 1.0)
    return QRectF(area.left() + place * wide + 1, area.bottom() - height, max(wide - 2, 1.0), height)


class DifferenceTab(Tab):
    """A comparison of two checkpoints.

    Args:
        found: ``Difference.to_plain()``.
    """

    icon = "compare"

    def __init__(self, found: Mapping[str, Any]) -> None:
        super().__init__()
        self.found = found
        total = found["total"]
        self.model = DifferencesModel(found["tensors"], self)
        head = QLabel(f"{found['b']} against {found['a']}")
        head.setFont(font("heading", "semibold"))
        facts = [f"{COLUMNS[place][0].lower()} {words(total, COLUMNS[place][2])}" for place in (3, 5, 6, 7)]
        many = f"{len(found['tensors']):,} tensors · {total['numel']:,} elements"
        self.line = QLabel(f"{many} · {' · '.join(facts)}", wordWrap=True)
        self.line.setProperty("tone", "2")
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.beside = QLabel(_beside(found), wordWrap=True)
        self.beside.setProperty("tone", "warn")
        self.beside.setVisible(bool(self.beside.text()))
        self.histogram = Histogram(found["histogram"], found["edges"], total["equal"])
        self.search = QLineEdit(placeholderText="Search tensors", clearButtonEnabled=True)
        self.search.setAccessibleName("Search tensors")
        self.search.setToolTip("Parts of a tensor's name")
        self.search.setMaximumWidth(360)
        self.table = _table(self.model)
        self.search.textChanged.connect(self._filter)
        page = QWidget()
        page.setProperty("role", "page")
        column = QVBoxLayout(page)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        for widget in (head, self.line, self.beside, self.histogram, self.search):
            column.addWidget(widget)
        column.addWidget(self.table, 1)
        self.held(page)

    @property
    def title(self) -> str:  # noqa: D102
        return f"{self.found['a']} | {self.found['b']}"

    @property
    def conditions(self) -> frozenset[str]:  # noqa: D102
        return frozenset({"tab", "exportable"})

    def _filter(self, text: str) -> None:
        parts = text.lower().split()
        for place, row in enumerate(self.model.rows):
            self.table.setRowHidden(place, not all(part in row["name"].lower() for part in parts))

    def export(self, kind: str, path: Path) -> Path:  # noqa: D102
        from solera.errors import OutputError

        try:
            if kind == "csv":
                with path.open("w", newline="", encoding="utf-8") as file:
                    writer = csv.writer(file)
                    keys = [key for key in self.found["total"] if key != "shape"]
                    writer.writerow(keys)
                    writer.writerows([row[key] for key in keys] for row in (*self.model.rows, self.found["total"]))
                return path
            if kind == "png":
                if not self.grab().save(str(path)):
                    raise OutputError(f"The picture {path} cannot be written.", path=str(path))
                return path
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}.", path=str(path)) from error
        raise InputError(f"A comparison is written as png or csv, not '{kind}'.")


def _table(model: DifferencesModel) -> QTableView:
    table = QTableView()
    table.setModel(model)
    table.setAccessibleName("Tensors")
    table.setSortingEnabled(True)
    table.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    table.setShowGrid(False)
    table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
    table.setTabKeyNavigation(False)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(26)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
    header.setHighlightSections(False)
    header.setStretchLastSection(True)
    for place, width in enumerate((220, 104, 76, 76, 76, 84, 92, 76)):
        table.setColumnWidth(place, width)
    return table


def _beside(found: Mapping[str, Any]) -> str:
    """What could not be compared, and why."""
    parts = []
    for key, words_ in (
        ("only_a", f"only in {found['a']}"), ("only_b", f"only in {found['b']}"), ("unlike", "of another shape"),
        ("skipped", "not floating"),
    ):  # fmt: skip
        names = found[key]
        if names:
            more = " …" if len(names) > 3 else ""
            parts.append(f"{len(names)} {words_} ({', '.join(names[:3])}{more})")
    return f"Not compared: {'; '.join(parts)}." if parts else ""
