"""A score over the plane of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QVBoxLayout, QWidget

from solera_app.extend import (
    Chooser,
    ColumnFacts,
    RunHeader,
    Snapshot,
    SurfacePlot,
    View,
    coordinate_title,
    family_kind,
    icon,
    scale,
    state_words,
    subtitle,
)


class SurfaceView(View):
    """One score as a map with iso-lines, in true distances where they were measured.

    Of a task that gives only an aggregate no standard error is told at a point, and an interpolated picture is of the
    scores themselves.
    """

    title = "Surface"
    icon = "contours"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = SurfacePlot()
        self.chooser = Chooser("Score shown")
        self.chooser.chosen.connect(lambda _: self.restart_axes())
        self.plot.header.add_control(self.chooser)
        self.plot.header.add_control(self._picture_button())
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Explorations of two coordinates on a grid."""
        return header.kind == "explore" and len(header.coords) == 2 == len(header.shape) and bool(header.columns)

    def _picture_button(self) -> QToolButton:
        """Colours, scale and number of iso-lines."""
        button, menu = QToolButton(), QMenu(self)
        button.setIcon(icon("settings"))
        button.setToolTip("Colours, scale and iso-lines")
        button.setAccessibleName("Colours, scale and iso-lines")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        for title, entries, apply in (
            ("Colours", ("viridis", "cividis"), self.plot.set_colours),
            ("Scale", ("linear", "log"), self.plot.set_scale),
            ("Iso-lines", ("0", "6", "10", "16"), lambda text: self.plot.set_contours(int(text))),
            ("Cells", ("smooth", "flat"), lambda text: self.plot.set_smooth(text == "smooth")),
        ):
            part, group = menu.addMenu(title), QActionGroup(menu)
            for text in entries:
                action = QAction(text.capitalize(), group, checkable=True)
                action.setChecked(text in ("viridis", "linear", "10", "smooth"))
                action.triggered.connect(lambda _=False, text=text, apply=apply: apply(text))
                part.addAction(action)
        button.setMenu(menu)
        return button

    def restart(self) -> None:
        """Offer the run's scores, lay out its grid."""
        self.chooser.set_entries([(str(column.place), column.short) for column in self.columns()])
        self.restart_axes()

    def restart_axes(self) -> None:
        """Another score is shown."""
        if self.snapshot is not None:
            self._lay_grid(self.snapshot)
            self.redraw()

    def _lay_grid(self, snapshot: Snapshot) -> None:
        header = snapshot.header
        lengths = scale(header) or (1.0, 1.0)
        lines = [_lines(coord, count) for coord, count in zip(header.coords, header.shape, strict=True)]
        for axis in (0, 1):  # what was really scored has the last word
            cells, at = snapshot.points.cells[:, axis], snapshot.points.coords[:, axis]
            known = (cells >= 0) & (cells < lines[axis].size)
            lines[axis][cells[known]] = at[known]
        self.plot.set_equal(bool(scale(header)) or family_kind(header) == "plane")
        self.plot.set_grid(lines[0] * lengths[0], lines[1] * lengths[1])
        self.plot.set_models(
            {name: (float(at[0]) * lengths[0], float(at[1]) * lengths[1]) for name, at in header.labels.items()}
        )
        titles = [coordinate_title(coord) for coord in header.coords]
        if scale(header):
            titles = [f"Distance along {_lower(title)} (L2 norm of weights)" for title in titles]
        self.plot.set_axes(titles[0], titles[1])

    def shown(self) -> ColumnFacts | None:
        """The column chosen."""
        return next((column for column in self.columns() if str(column.place) == self.chooser.key), None)

    def redraw(self) -> None:
        """Fill the grid."""
        snapshot, column = self.snapshot, self.shown()
        if snapshot is None or column is None:
            return
        header, points = snapshot.header, snapshot.points
        names = [str(coord["name"]) for coord in header.coords]
        self.plot.set_title(header.title, subtitle(snapshot, (column,)))
        self.plot.set_state(*state_words(snapshot))
        self.plot.set_names(names[0], names[1], column.axis, percent=column.percent)
        shape = (header.shape[1], header.shape[0])  # rows are the second coordinate
        values, stderrs = np.full(shape, np.nan), np.full(shape, np.nan)
        scored, numbers = np.zeros(shape, dtype=bool), np.full(shape, -1, dtype=np.int64)
        rows = np.nonzero(snapshot.search & (points.cells >= 0).all(axis=1))[0]
        across, up = points.cells[rows, 0], points.cells[rows, 1]
        values[up, across] = points.values[rows, column.place]
        stderrs[up, across] = points.stderrs[rows, column.place]
        scored[up, across] = True
        numbers[up, across] = points.index[rows]
        self.plot.set_values(values, scored, stderrs=stderrs, numbers=numbers)
        self.plot.select(self.selected, tell=False)

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)


def _lines(coord: Mapping[str, Any], count: int) -> np.ndarray:
    """Grid lines of a coordinate, evenly spaced on its scale."""
    low, high = float(coord.get("low", 0.0)), float(coord.get("high", 1.0))
    if count == 1:
        return np.array([low])
    if coord.get("log") and low > 0:
        return np.geomspace(low, high, count)
    return np.linspace(low, high, count)


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]
