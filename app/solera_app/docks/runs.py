"""Runs: everything the project recorded, searchable, by day."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QLineEdit, QMenu, QVBoxLayout, QWidget

from solera_app.docks.panel import Empty, Stack
from solera_app.docks.row_view import RowView
from solera_app.models.rows import Row
from solera_app.theme import icon, themes, tokens
from solera_app.words import when


class Info(Protocol):
    """What the dock needs of a run (``solera.runs.catalogue.RunInfo`` has it)."""

    @property
    def id(self) -> str:
        """Stable."""
        ...

    @property
    def kind(self) -> str:
        """``"explore"``, ``"merge"``, ``"evaluate"``, ``"compare"``, ``"probe"``."""
        ...

    @property
    def title(self) -> str:
        """A line."""
        ...

    @property
    def state(self) -> str:
        """As a job's."""
        ...

    @property
    def created(self) -> float:
        """Seconds since the epoch."""
        ...

    @property
    def count(self) -> int:
        """Points so far."""
        ...

    @property
    def planned(self) -> int | None:
        """Points in all."""
        ...

    @property
    def summary(self) -> str:
        """``"hypervolume 0.170"``."""
        ...


_ICONS = {"explore": "contours", "merge": "merge", "evaluate": "task", "compare": "compare", "probe": "probe"}


class RunsDock(QWidget):
    """The list of runs.

    Signals:
        opened: Run id, on double click.
        resumeRequested, trashRequested: Ids.
        chosen: Run id in front.
    """

    opened = Signal(str)
    resumeRequested = Signal(str)
    trashRequested = Signal(list)
    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self._runs: Sequence[Info] = ()
        self.search = QLineEdit(placeholderText="Search runs", clearButtonEnabled=True)
        self.search.setAccessibleName("Search runs")
        self._glass = self.search.addAction(icon("search", "text-3"), QLineEdit.ActionPosition.LeadingPosition)
        themes().changed.connect(self._recolour)
        self.search.textChanged.connect(self._show)
        self.search.setMaximumWidth(360)
        self.view = RowView("Runs")
        self._stack = Stack(self.view, Empty("history", "Runs appear here as soon as a job starts."))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(4)
        holder = QWidget()
        inner = QVBoxLayout(holder)
        inner.setContentsMargins(12, 0, 12, 0)
        inner.addWidget(self.search)
        column.addWidget(holder)
        column.addWidget(self._stack, 1)
        self.view.activatedRow.connect(self.opened)
        self.view.chosen.connect(self.chosen)
        self.view.customContextMenuRequested.connect(self._menu)

    def _recolour(self) -> None:
        self._glass.setIcon(icon("search", "text-3"))

    def set_runs(self, runs: Sequence[Info]) -> None:
        """Show these runs, newest first."""
        self._runs = sorted(runs, key=lambda run: -run.created)
        self._show()

    def _show(self) -> None:
        words = self.search.text().lower().split()
        rows: list[Row] = []
        day = ""
        for run in self._runs:
            if not all(word in f"{run.title} {run.kind} {run.state} {run.summary}".lower() for word in words):
                continue
            label = _day(run.created)
            if label != day:
                day = label
                rows.append(Row(f"section:{day}", day, section=True))
            rows.append(_row(run))
        if words and not rows:
            rows = [Row("section:none", f"No match for '{self.search.text()}'", section=True)]
        self.view.rows_model.set_rows(rows)
        self._stack.show_content(bool(self._runs))

    def _open(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self.opened.emit(id_)

    def _menu(self, place: QPoint) -> None:
        ids = self.view.selected_ids()
        if not ids:
            return
        menu = QMenu(self)
        menu.addAction("Open", lambda: self._open(ids))
        states = {run.id: run.state for run in self._runs}
        if len(ids) == 1 and states.get(ids[0]) in {"interrupted", "cancelled", "failed"}:
            menu.addAction("Resume", lambda: self.resumeRequested.emit(ids[0]))
        menu.addSeparator()
        menu.addAction("Move to trash", lambda: self.trashRequested.emit(ids))
        menu.exec(self.view.viewport().mapToGlobal(place))


def _row(run: Info) -> Row:
    look = tokens()["states"].get(run.state, {"icon": "", "color": "text-3"})
    found = run.summary.partition(";")[0]
    facts = " · ".join(part for part in (when(run.created), _points(run), found) if part)
    state = "" if run.state == "done" else run.state.capitalize()
    return Row(run.id, run.title, facts, _ICONS.get(run.kind, "history"), right=state, right_token=look["color"],
               right_icon=look["icon"] or "")  # fmt: skip


def _points(run: Info) -> str:
    """How many were scored of those planned; what was scored again on the report split does not count."""
    done = min(run.count, run.planned or run.count)
    if run.planned and done < run.planned:
        return f"{done:,} of {run.planned:,} points"
    return f"{done:,} point{'' if done == 1 else 's'}" if done else ""


def _day(seconds: float) -> str:
    then, now = time.localtime(seconds), time.localtime()
    if then[:3] == now[:3]:
        return "Today"
    if time.localtime(time.time() - 86400)[:3] == then[:3]:
        return "Yesterday"
    return time.strftime("%d %B %Y", then).lstrip("0")
