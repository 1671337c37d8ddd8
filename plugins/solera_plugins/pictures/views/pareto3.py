"""Three scores of a search against each other."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera_app.extend import (
    Chooser,
    CloudPlot,
    ColumnFacts,
    RunHeader,
    Snapshot,
    View,
    comparable,
    front_of,
    noise_words,
    objectives,
    state_words,
    subtitle,
    within_noise,
)

_AXES = ("across", "along", "up")


class Pareto3View(View):
    """The front of three scores as points in a box that the hand turns.

    Of tasks that give only an aggregate no point is told to be within noise of the front, for its error is unknown.
    """

    title = "Pareto front, 3 scores"
    icon = "pareto"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = CloudPlot()
        self.choosers_of = [Chooser(f"Score {axis}") for axis in _AXES]
        for chooser in self.choosers_of:
            chooser.setMaximumWidth(130)
            chooser.chosen.connect(lambda _: self.redraw())
            self.plot.header.add_control(chooser)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Searches for three objectives or more."""
        return header.kind == "explore" and not header.shape and len(objectives(header)) >= 3

    def restart(self) -> None:
        """Offer the run's scores; begin with its objectives."""
        assert self.snapshot is not None
        found = self.columns()
        entries = [(str(column.place), column.short) for column in found]
        wanted = list(dict.fromkeys((*objectives(self.snapshot.header), *range(len(found)))))[:3]
        for chooser, place in zip(self.choosers_of, wanted, strict=True):
            chooser.set_entries(entries, str(place))
            chooser.setVisible(len(found) > 3)

    def shown(self) -> list[ColumnFacts]:
        """The three columns chosen."""
        by_key = {str(column.place): column for column in self.columns()}
        return [by_key[chooser.key] for chooser in self.choosers_of if chooser.key in by_key]

    def redraw(self) -> None:
        """Points, front, what is within noise of it."""
        snapshot, shown = self.snapshot, self.shown()
        if snapshot is None or len(shown) < 3:
            return
        places = [column.place for column in shown]
        rows = np.nonzero(snapshot.search)[0]
        points = snapshot.points
        values, errors = points.values[rows][:, places], points.stderrs[rows][:, places]
        minimised = comparable(points.rows(snapshot.search), shown)
        front = front_of(minimised) if len(rows) else np.zeros(0, dtype=bool)
        noise = within_noise(minimised, lambda k, a, b: snapshot.gap_errors(places[k], rows[a], rows[b]), front)
        names = snapshot.names(snapshot.search)
        plot = self.plot
        words = self._compared(snapshot, places) + noise_words(snapshot, shown)
        plot.set_title(snapshot.header.title, subtitle(snapshot, shown) + words)
        plot.set_state(*state_words(snapshot))
        x, y, z = shown
        plot.set_space_axes((x.axis, y.axis, z.axis), (x.percent, y.percent, z.percent))
        plot.set_points(values, errors, points.index[rows], front, noise, (x.short, y.short, z.short), names)
        plot.set_empty("" if len(rows) else "No point has been scored yet.")
        plot.select(self.selected, tell=False)

    def _compared(self, snapshot: Snapshot, places: list[int]) -> str:
        """What the front is of, and that a projection hides a dimension."""
        goals = objectives(snapshot.header)
        own = "" if set(goals) == set(places) else f", not of the search's {len(goals)}"
        return f" · front of these 3{own}, projected"

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)
