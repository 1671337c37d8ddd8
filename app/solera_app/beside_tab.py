"""Runs beside each other in a tab: what differs in their settings, and what each found."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QLabel, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from solera.errors import InputError, OutputError
from solera_app.tabs import Tab
from solera_app.theme import font, theme, themes

if TYPE_CHECKING:
    from solera.workbench.beside import Beside, Found, Line

_SECTIONS = {"setting": "What differs", "fact": "How they went", "score": "Best found"}


class BesideTab(Tab):
    """Two runs or more.

    Args:
        found: From :func:`solera.workbench.beside.beside`.
    """

    icon = "compare"

    def __init__(self, found: Beside) -> None:
        super().__init__()
        self.found = found
        self.letters = [chr(ord("A") + place) if place < 26 else str(place) for place in range(len(found.runs))]
        head = QLabel(" against ".join(self.letters[:4]) + (" …" if len(self.letters) > 4 else ""))
        head.setFont(font("heading", "semibold"))
        equal = "1 setting is" if found.equal == 1 else f"{found.equal:,} settings are"
        about = QLabel(f"{equal} equal in all and not shown", wordWrap=True)
        about.setProperty("tone", "3")
        self.table = QTableWidget(0, len(found.runs) + 2)
        self._fill()
        page = QWidget()
        page.setProperty("role", "page")
        column = QVBoxLayout(page)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(6)
        for widget in (head, about):
            column.addWidget(widget)
        column.addWidget(self.table, 1)
        self.held(page)
        themes().changed.connect(self._recolour)

    @property
    def title(self) -> str:  # noqa: D102
        return f"{len(self.found.runs)} runs beside each other"

    @property
    def conditions(self) -> frozenset[str]:  # noqa: D102
        return frozenset({"tab", "exportable"})

    def _fill(self) -> None:
        table = self.table
        table.setAccessibleName("Runs beside each other")
        table.setToolTip("A line a setting, fact or score; a column a run")
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(28)
        titles = [f"{letter}  {title}" for letter, title in zip(self.letters, self.found.titles, strict=True)]
        table.setHorizontalHeaderLabels(["", *titles, ""])
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        table.setColumnWidth(0, 168)
        for place in range(len(self.found.runs)):
            table.setColumnWidth(place + 1, 200 if len(self.found.runs) < 3 else 176)
        kind = ""
        for line in self.found.lines:
            if line.kind != kind:
                kind = line.kind
                self._row([_SECTIONS[kind]], section=True)
            self._row(cells(line))
        self._recolour()

    def _row(self, texts: list[str], section: bool = False) -> None:
        row = self.table.rowCount()
        self.table.insertRow(row)
        for place, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            if section:
                item.setFont(font("label", "semibold"))
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.table.setItem(row, place, item)

    def _recolour(self) -> None:
        for row in range(self.table.rowCount()):
            name, last = self.table.item(row, 0), self.table.item(row, self.table.columnCount() - 1)
            if name is not None:
                section = not name.flags()
                name.setForeground(QColor(theme().colour("text" if section else "text-2")))
            if last is not None:
                last.setForeground(QColor(theme().colour("text-3")))

    def export(self, kind: str, path: Path) -> Path:  # noqa: D102
        try:
            if kind == "csv":
                with path.open("w", newline="", encoding="utf-8") as file:
                    writer = csv.writer(file)
                    writer.writerow(["", *self.found.runs, ""])
                    writer.writerows(cells(line) for line in self.found.lines)
                return path
            if kind == "png" and self.grab().save(str(path)):
                return path
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}.", path=str(path)) from error
        raise InputError(f"Runs beside each other are written as png or csv, not '{kind}'.")


def cells(line: Line) -> list[str]:
    """A line of the table in words: its name, a value for each run, and how the best two stand to each other."""
    if line.kind != "score":
        return [line.name, *(value or "as by default" for value in line.values)]
    last = "within noise" if line.noise else _lead(line)
    return [line.name, *(_score(line, item) for item in line.found), last]


def _factor(line: Line) -> tuple[float, str]:
    from solera.tasks.scores import METRICS

    metric = METRICS.get(line.name.removesuffix(" (report)").rpartition(".")[2])
    if metric is None:
        return 1.0, ""
    return (100.0, " %") if metric.display == "percent" else (1.0, f" {metric.unit}".rstrip())


def _score(line: Line, item: Found) -> str:
    from solera_app.plots.numerals import measured

    if math.isnan(item.value):
        return "none"
    factor, unit = _factor(line)
    return f"{measured(item.value * factor, item.stderr * factor)}{unit}"


def _lead(line: Line) -> str:
    """Which run is best."""
    known = [(item.value, i) for i, item in enumerate(line.found) if not math.isnan(item.value)]
    best = (max if line.better == "higher" else min)(known)
    return f"{chr(ord('A') + best[1])} is best" if best[1] < 26 else ""
