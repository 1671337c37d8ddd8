"""Blends of three models as a triangle at true distances."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera_app.extend import (
    Chooser,
    ColumnFacts,
    RunHeader,
    ScatteredPlot,
    Slice,
    Snapshot,
    View,
    listed,
    number,
    slice_of,
    slices,
    spanning,
    state_words,
    subtitle,
)
from solera_plugins.pictures.views.colours import picture_button


class TriangleView(View):
    """One score over the blends of three models; of more models, one slice of their simplex at a time.

    Of a task that gives only an aggregate no standard error is told at a point.
    """

    title = "Triangle"
    icon = "simplex"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = ScatteredPlot()
        self.chooser, self.three = Chooser("Score shown"), Chooser("Slice shown")
        for chooser in (self.three, self.chooser):
            chooser.chosen.connect(lambda _: self.restart_axes())
            self.plot.header.add_control(chooser)
        self.plot.header.add_control(picture_button(self.plot, self, cells=False))
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Explorations of the blends of three models or more."""
        return header.kind == "explore" and bool(slices(header)) and bool(header.columns)

    def restart(self) -> None:
        """Offer the run's scores and slices."""
        assert self.snapshot is not None
        header = self.snapshot.header
        self.chooser.set_entries([(str(column.place), column.short) for column in self.columns()])
        names = spanning(header)
        choices = slices(header)
        self.three.set_entries([(_key(three), " · ".join(names[place] for place in three)) for three in choices])
        self.three.setVisible(len(choices) > 1)
        self.restart_axes()

    def restart_axes(self) -> None:
        """Another score or slice is shown."""
        self.plot.set_range(None)
        self.plot.canvas.fit()
        if self.snapshot is not None:
            self.redraw()

    def shown(self) -> ColumnFacts | None:
        """The column chosen."""
        return next((column for column in self.columns() if str(column.place) == self.chooser.key), None)

    def redraw(self) -> None:
        """Points, the map between them, corners."""
        snapshot, column = self.snapshot, self.shown()
        if snapshot is None or column is None or not self.three.key:
            return
        header, search = snapshot.header, np.nonzero(snapshot.search)[0]
        a, b, c = (int(place) for place in self.three.key.split())
        part = slice_of(header, snapshot.points.coords[search], (a, b, c))
        rows = search[part.rows]
        outside = len(search) - len(rows)
        plot, points = self.plot, snapshot.points
        plot.set_title(header.title, subtitle(snapshot, (column,), outside=outside) + _slice_words(part))
        plot.set_state(*state_words(snapshot))
        plot.set_names("along", "across", column.axis, percent=column.percent)
        plot.set_axes(
            f"Distance along {part.names[0]} to {part.names[1]} (L2 norm of weights)", "Distance across (L2 norm)"
        )
        plot.set_outline(part.corners)
        plot.set_models({name: (float(at[0]), float(at[1])) for name, at in zip(part.names, part.corners, strict=True)})
        plot.set_points(
            part.at, points.values[rows, column.place], points.stderrs[rows, column.place], points.index[rows],
            details=[_shares(part, row) for row in range(len(rows))], outside=outside,
        )  # fmt: skip
        plot.set_empty(self._empty(snapshot, part))
        plot.select(self.selected, tell=False)

    def _empty(self, snapshot: Snapshot, part: Slice) -> str:
        if len(part.rows):
            return ""
        if not snapshot.search.any():
            return "No blend has been scored yet." if snapshot.live else "This run scored no blend."
        return f"None of the {int(snapshot.search.sum()):,} points lies in this slice; choose another."

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)


def _key(three: tuple[int, int, int]) -> str:
    return " ".join(map(str, three))


def _slice_words(part: Slice) -> str:
    """Which slice of weights a triangle of more than three models is."""
    if not part.others:
        return ""
    return f" · slice in which {listed(part.others)} {'has' if len(part.others) == 1 else 'have'} share 0"


def _shares(part: Slice, row: int) -> str:
    return ", ".join(
        f"{name} {number(float(share), 3)}" for name, share in zip(part.names, part.shares[row], strict=True)
    )
