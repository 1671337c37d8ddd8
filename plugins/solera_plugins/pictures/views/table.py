"""Every point of a run with its scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QLineEdit, QTableView, QVBoxLayout, QWidget

from solera.api import InputError
from solera_app.extend import (
    Chooser,
    ColumnFacts,
    Header,
    RunHeader,
    Snapshot,
    View,
    column_facts,
    font,
    format_value,
    noise_words,
    number,
    probe_words,
    state_words,
    subtitle,
)
from solera_plugins.pictures.views.filters import HINT, Filter, parse

_ALL = "all"
_MEASURED = 200  # rows that a column's width is taken from
_SORT = Qt.ItemDataRole.UserRole
_Index = QModelIndex | QPersistentModelIndex


class PointsModel(QAbstractTableModel):
    """Points as rows: number, name, split, coordinates, scores ± 1 SE.

    In each score column the best row of each split, and those within noise of it (two standard errors of the
    difference, paired by sample where the run kept samples), are set in medium weight.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._snapshot: Snapshot | None = None
        self._columns: tuple[ColumnFacts, ...] = ()
        self._coords: tuple[str, ...] = ()
        self._places: tuple[int, ...] = ()
        self._titles: list[str] = []
        self._labels: list[tuple[str, ...]] = []
        self._named = self._compared = self._probed = False
        self._good = np.zeros((0, 0), dtype=bool)
        self._best = np.zeros((0, 0), dtype=bool)
        self._medium = font("label", "semibold")

    def show(self, snapshot: Snapshot) -> None:
        """Show a run; appended rows keep selection and scroll position."""
        before = self._snapshot
        count = 0 if before is None else len(before.points)
        names = bool((snapshot.points.labels != "").any())
        same = before is not None and before.header.id == snapshot.header.id and names == self._named
        if same and len(snapshot.points) > count:
            self.beginInsertRows(QModelIndex(), count, len(snapshot.points) - 1)
            self._take(snapshot, names)
            self.endInsertRows()
        elif not same:
            self.beginResetModel()
            self._take(snapshot, names)
            self.endResetModel()
        else:
            self._take(snapshot, names)

    def _take(self, snapshot: Snapshot, names: bool) -> None:
        self._snapshot, self._named = snapshot, names
        self._compared = snapshot.header.kind == "compare"
        self._probed = snapshot.header.kind == "probe"
        self._labels = [tuple(coord.get("labels", ())) for coord in snapshot.header.coords]
        self._columns = column_facts(snapshot.header)
        coords = snapshot.header.coords
        self._places = tuple(place for place, coord in enumerate(coords) if not self._is_row(coord["name"]))
        self._coords = tuple(str(coords[place].get("title") or coords[place]["name"]) for place in self._places)
        lead = ["Row" if self._probed else "Point", *(["Model"] if names else []), "Split"]
        scores = [f"{c.short} ({c.unit})" if c.unit else c.short for c in self._columns]
        self._titles = [*lead, *self._coords, *scores]
        self._best, self._good = best_rows(snapshot, () if self._probed else self._columns)
        if self._probed:  # a measure has no better end
            self._best = self._good = np.zeros((len(snapshot.points), len(self._columns)), dtype=bool)

    def _is_row(self, name: str) -> bool:
        """Whether a coordinate only numbers the rows of a comparison: their names say it better."""
        return self._compared and name == "row"

    @property
    def probed(self) -> bool:
        """Whether the rows are what a probe found."""
        return self._probed

    def place(self, row: int, axis: int) -> object:
        """Where a row lies along a coordinate: its label, or the number."""
        assert self._snapshot is not None
        value = float(self._snapshot.points.coords[row, axis])
        return self._labels[axis][int(value)] if self._labels[axis] and math.isfinite(value) else value

    def titles(self) -> list[str]:
        """Column titles."""
        return self._titles

    def rowCount(self, parent: _Index = QModelIndex()) -> int:
        """Points."""
        return 0 if parent.isValid() or self._snapshot is None else len(self._snapshot.points)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:
        """Number, name if any has one, split, coordinates, scores."""
        return 0 if parent.isValid() or self._snapshot is None else len(self._titles)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Titles; the direction of a score as tooltip."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        score = section - self._lead()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._in_two_lines(self._columns[score]) if score >= 0 else self._titles[section]
        if role == Qt.ItemDataRole.ToolTipRole and score >= 0 and self._probed:
            return self._columns[score].short
        if role == Qt.ItemDataRole.ToolTipRole and score >= 0:
            return f"{self._columns[score].axis}. Medium weight: the best, and what is within noise of it."
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(_alignment(self._of_figures(section)))
        return None

    @staticmethod
    def _in_two_lines(column: ColumnFacts) -> str:
        """The title of a score over two lines: its figures are narrow."""
        unit = f" ({column.unit})" if column.unit else ""
        return f"{column.task}\n{column.metric.title.lower()}{unit}" if column.task else f"{column.short}{unit}"

    def score_at(self, section: int) -> ColumnFacts | None:
        """The score that a column of the table shows; None for what leads."""
        score = section - self._lead()
        return self._columns[score] if 0 <= score < len(self._columns) else None

    def _of_figures(self, section: int) -> bool:
        """Whether a column holds numbers, not names."""
        coord = section - (self._lead() - len(self._coords))
        if 0 <= coord < len(self._coords):
            return not self._labels[self._places[coord]]
        return coord >= 0 or section == 0

    def _lead(self) -> int:
        return 2 + int(self._named) + len(self._coords)

    def phase_of(self, row: int) -> str:
        """What a point was scored for: ``"search"`` or ``"report"``."""
        return "" if self._snapshot is None else str(self._snapshot.points.phase[row])

    def split_of(self, row: int) -> str:
        """The split a point was scored on."""
        assert self._snapshot is not None
        if str(self._snapshot.points.phase[row]) == "report":
            return "report"
        split = self._columns[0].split if self._columns else ""
        return "selection" if split == "report" else split  # what is tuned is never tuned on the report split

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, sort key, alignment, weight, tooltip."""
        if self._snapshot is None or not index.isValid():
            return None
        row, column = index.row(), index.column()
        score = column - self._lead()
        if role in (Qt.ItemDataRole.DisplayRole, _SORT):
            return self._cell(row, column, text=role == Qt.ItemDataRole.DisplayRole)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(_alignment(self._of_figures(column)))
        if role == Qt.ItemDataRole.FontRole and score >= 0 and self._good[row, score]:
            return QFont(self._medium)
        if role == Qt.ItemDataRole.ToolTipRole and score >= 0:
            return self._tip(row, score)
        return None

    def _cell(self, row: int, column: int, *, text: bool) -> Any:
        assert self._snapshot is not None
        points, lead = self._snapshot.points, self._lead()
        if column == 0:
            return points.start + row + 1
        if column == 1 and self._named:
            return str(points.labels[row])
        if column == 1 + int(self._named):
            return self.split_of(row)
        if column < lead:
            place = self._places[column - lead + len(self._coords)]
            where = self.place(row, place)
            if not isinstance(where, float):
                return where
            value = where
            return (_brief(value) if math.isfinite(value) else "") if text else _sortable(value)
        score = column - lead
        value, error = float(points.values[row, score]), float(points.stderrs[row, score])
        if not text:
            return _sortable(value)
        doubt = self._compared and self._good[row, score] and not self._best[row, score]
        return f"{'≈ ' if doubt else ''}{format_value(value, error, self._columns[score].metric)}"

    def _tip(self, row: int, score: int) -> str:
        assert self._snapshot is not None
        count = int(self._snapshot.points.counts[row, score])
        note = ", best" if self._best[row, score] else ", within noise of the best" if self._good[row, score] else ""
        split = f", {self.split_of(row)} split" if self.split_of(row) else ""
        return f"{self._columns[score].short}{split}, n = {count:,}{note}"

    def texts(self, row: int) -> list[str]:
        """The names in a row: model, split, labels."""
        return [str(self._cell(row, column, text=True)) for column in range(1, self._lead())]

    def number(self, row: int, column: int) -> float:
        """The number in a cell as the table writes it, percents as percents; NaN for a name."""
        cell = self._cell(row, column, text=False)
        score = self.score_at(column)
        if not isinstance(cell, (int, float)):
            return math.nan
        return float(cell) * (100.0 if score is not None and score.percent else 1.0)


class _Rows(QSortFilterProxyModel):
    """The points of one phase of a run, sorted."""

    def __init__(self, model: PointsModel) -> None:
        super().__init__(model)
        self._model = model
        self._phase = _ALL
        self._filter = Filter()
        self.setSourceModel(model)
        self.setSortRole(_SORT)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; by number is the order of the run, which needs no comparing of ten thousand cells."""
        super().sort(-1 if column == 0 and order == Qt.SortOrder.AscendingOrder else column, order)

    def show_phase(self, phase: str) -> None:
        """``"report"``, ``"search"`` or all."""
        if phase != self._phase:
            self.beginFilterChange()
            self._phase = phase
            self.endFilterChange(QSortFilterProxyModel.Direction.Rows)

    def keep(self, filter_: Filter) -> None:
        """Show only rows that a filter keeps."""
        if filter_ != self._filter:
            self.beginFilterChange()
            self._filter = filter_
            self.endFilterChange(QSortFilterProxyModel.Direction.Rows)

    def filterAcceptsRow(self, source_row: int, source_parent: _Index) -> bool:
        """Whether the point is of the phase shown, and kept by the filter."""
        if self._phase not in (_ALL, self._model.phase_of(source_row)):
            return False
        if self._filter == Filter():
            return True
        return self._filter.keeps(
            self._model.texts(source_row), lambda column: self._model.number(source_row, column)
        )  # fmt: skip


class TableView(View):
    """The table of a run's points.

    A comparison shows first what it says: the report split, in the metric that was compared. The rows that variables
    were chosen on, and the other scores, are a choice away. Of a task that gives only an aggregate the scores stand
    without an error, and no difference is told from noise.
    """

    title = "Table"
    icon = "table"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.header, self.model, self.view = Header(), PointsModel(self), QTableView()
        self.split, self.scores = Chooser("Rows shown"), Chooser("Scores shown")
        for chooser in (self.split, self.scores):
            chooser.chosen.connect(lambda _: self._choose())
            self.header.add_control(chooser)
            chooser.hide()
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(HINT)
        self.filter.setAccessibleName("Filter rows")
        self.filter.setToolTip("Words in names; a part of a title with <, <=, >, >= or = and a number")
        self.filter.setClearButtonEnabled(True)
        self.filter.setFixedWidth(210)
        self.filter.textChanged.connect(lambda _: self._choose())
        self.header.add_control(self.filter)
        self._sorted = _Rows(self.model)
        self.view.setModel(self._sorted)
        self.view.setSortingEnabled(True)
        self.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setShowGrid(False)
        self.view.setTabKeyNavigation(False)  # arrows go from cell to cell; Tab leaves
        self.view.setFrameShape(QTableView.Shape.NoFrame)
        self.view.setFont(font("label"))
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(28)
        self.view.horizontalHeader().setHighlightSections(False)
        self.view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.view.horizontalHeader().setStretchLastSection(False)
        self.view.setAccessibleName("Points of the run")
        self.view.setToolTip("Select a point; double-click opens its recipe")
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 12, 16, 8)
        box.addWidget(self.header)
        box.addWidget(self.view, 1)
        self.view.selectionModel().currentRowChanged.connect(self._row_changed)
        self.view.doubleClicked.connect(lambda index: self.pointActivated.emit(self._index_of(index)))
        self._fitted = (0, False)  # how far the run was when the columns took their widths

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Any run with points to come."""
        return bool(header.columns)

    def restart(self) -> None:
        """Another run: nothing is kept."""
        self._fitted = (0, False)
        self.filter.clear()
        self.split.clear()
        self.scores.clear()
        self.model.beginResetModel()
        self.model._snapshot = None
        self.model.endResetModel()

    def redraw(self) -> None:
        """Rows appended, facts said."""
        snapshot = self.snapshot
        if snapshot is None:
            return
        self.header.set_state(*state_words(snapshot))
        self.model.show(snapshot)
        self._offer(snapshot)
        self._choose()
        stage = (min(len(snapshot.points), _MEASURED).bit_length(), snapshot.live)
        if len(snapshot.points) and stage != self._fitted:
            self._fitted = stage
            self._fit_columns()

    def _offer(self, snapshot: Snapshot) -> None:
        """Say which rows and which scores there are to choose among; nothing where there is no choice."""
        compared = snapshot.header.kind == "compare"
        if not self.split.count() and snapshot.report.any() and snapshot.search.any():
            first = "report" if compared else _ALL
            rows = [("report", "Report split"), ("search", "Selection split"), (_ALL, "All rows")]
            self.split.set_entries(rows, first)
            self.split.show()
        metrics = {column.metric.name: column.metric.title for column in self.columns()}
        if not self.scores.count() and len(metrics) > 1 and not self.model.probed:
            wanted = str(snapshot.header.experiment.get("metric", "")) if compared else _ALL
            self.scores.set_entries([*metrics.items(), (_ALL, "All scores")], wanted if wanted in metrics else _ALL)
            self.scores.show()

    def _choose(self) -> None:
        """Show the rows and the columns chosen."""
        self._sorted.show_phase(self.split.key or _ALL)
        try:
            self._sorted.keep(parse(self.filter.text(), self.model.titles()))
            kept = f" · {self._sorted.rowCount():,} rows kept" if self.filter.text().strip() else ""
        except InputError as error:  # still being written: the rows stay as they are, the header says why
            kept = f" · {error}"
        if self.snapshot is not None:
            self.header.set_title(self.snapshot.header.title, self._facts(self.snapshot) + kept)
        for section in range(self.model.columnCount()):
            score = self.model.score_at(section)
            shown = score is None or self.scores.key in ("", _ALL, score.metric.name)
            split = self.model.titles()[section] == "Split"
            one_split = split and (self.split.key not in ("", _ALL) or self.model.probed)
            self.view.setColumnHidden(section, one_split or not shown)

    def _facts(self, snapshot: Snapshot) -> str:
        """The line below the title, of the rows shown."""
        columns = self.columns()
        if snapshot.header.kind == "probe":
            return probe_words(snapshot)
        doubt = noise_words(snapshot, columns)
        if snapshot.header.kind == "compare":
            doubt = f" · ≈ within noise of the best of its split{doubt}"
            if self.split.key == "search":
                snapshot = replace(snapshot, points=snapshot.points.rows(snapshot.search))
                columns = tuple(replace(column, split="selection") for column in columns)
        return subtitle(snapshot, columns) + doubt

    def _fit_columns(self) -> None:
        """As wide as title and figures; Qt's own way leaves room for a sort mark beside every title."""
        metrics = self.view.fontMetrics()
        rows = range(min(self.model.rowCount(), _MEASURED))
        for section in range(self.model.columnCount()):
            title = str(self.model.headerData(section, Qt.Orientation.Horizontal))
            cells = [str(self.model.data(self.model.index(row, section)) or "") for row in rows]
            widest = max(metrics.horizontalAdvance(text) for text in (*title.split("\n"), *cells))
            self.view.setColumnWidth(section, widest * 21 // 20 + 20)  # medium weight is a little wider

    def show_selected(self, index: int) -> None:
        """Select the point's row."""
        if self.snapshot is None or not 0 <= index < len(self.snapshot.points):
            self.view.clearSelection()
            return
        place = self._sorted.mapFromSource(self.model.index(index, 0))
        if not place.isValid():  # of a split that is not shown
            self.view.clearSelection()
            return
        self.view.selectionModel().blockSignals(True)
        self.view.selectRow(place.row())
        self.view.selectionModel().blockSignals(False)
        self.view.viewport().update()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """All points with full precision."""
        snapshot = self.snapshot
        if snapshot is None:
            return (), ()
        points, found = snapshot.points, self.columns()
        names = ["index", "model", "split", *snapshot.header.coord_names]
        for column in found:
            names += [column.name, f"{column.name} standard error", f"{column.name} samples"]

        def rows() -> Iterable[Sequence[object]]:
            for row in range(len(points)):
                cells: list[object] = [points.start + row, str(points.labels[row]), self.model.split_of(row)]
                cells += [self.model.place(row, axis) for axis in range(len(snapshot.header.coords))]
                for column in found:
                    value, error = float(points.values[row, column.place]), float(points.stderrs[row, column.place])
                    cells += [value, error, int(points.counts[row, column.place])]
                yield cells

        return names, rows()

    def _index_of(self, index: QModelIndex) -> int:
        source = self._sorted.mapToSource(index)
        if self.snapshot is None or not source.isValid():
            return -1
        return self.snapshot.points.start + source.row()

    def _row_changed(self, current: QModelIndex, _: QModelIndex) -> None:
        index = self._index_of(current)
        self.selected = index
        self.pointSelected.emit(index)


def best_rows(snapshot: Snapshot, columns: Sequence[ColumnFacts]) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are the best of their split in each score, and which are the best or within noise of it.

    Returns:
        Two masks of shape (points, columns). A split with a single row has no best.
    """
    points = snapshot.points
    best = np.zeros((len(points), len(columns)), dtype=bool)
    good = best.copy()
    for place, column in enumerate(columns):  # all columns of the run, in order
        signed = points.values[:, place] * (1.0 if column.lower else -1.0)
        for rows in (snapshot.search, snapshot.report):
            chosen = np.nonzero(rows & np.isfinite(signed))[0]
            if chosen.size < 2:
                continue
            first = chosen[int(np.argmin(signed[chosen]))]
            noise = 2 * snapshot.gap_errors(place, chosen, np.array([first]))[:, 0]
            good[chosen, place] = signed[chosen] - signed[first] <= noise
            best[first, place] = True
    return best, good


def _brief(value: float) -> str:
    """A coordinate: at most four digits, no idle noughts."""
    text = f"{value:.4g}"
    return text.replace("-", "−") if "e" not in text else number(value)


def _sortable(value: float) -> float:
    """NaN sorts last rather than anywhere."""
    return math.inf if math.isnan(value) else value


def _alignment(figures: bool) -> Qt.AlignmentFlag:
    across = Qt.AlignmentFlag.AlignRight if figures else Qt.AlignmentFlag.AlignLeft
    return across | Qt.AlignmentFlag.AlignVCenter
