"""All scores of a search side by side."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera_app.extend import (
    Chooser,
    ParallelPlot,
    Rail,
    RunHeader,
    View,
    comparable,
    coordinate_title,
    front_of,
    objectives,
    state_words,
    subtitle,
)

_MOST = 12  # axes that can still be read


class ParallelView(View):
    """An axis for every objective of a search, and a line for every point; coordinates are a choice away.

    Of tasks that give only an aggregate the scores of a line stand without an error.
    """

    title = "Parallel axes"
    icon = "variable"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = ParallelPlot()
        self.plot.setToolTip("Drag along an axis to brush a range; Escape clears")
        self.chooser = Chooser("Axes shown")
        self.chooser.chosen.connect(lambda _: self.redraw())
        self.plot.header.add_control(self.chooser)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Searches with two scores or more."""
        return header.kind == "explore" and not header.shape and len(header.columns) >= 2

    def restart(self) -> None:
        """Offer objectives, all scores, and coordinates too."""
        assert self.snapshot is not None
        header = self.snapshot.header
        self.plot.reset()
        entries = [("objectives", "Objectives")] if len(objectives(header)) >= 2 else []
        if len(header.columns) > len(objectives(header)) or not entries:
            entries.append(("scores", "All scores"))
        if header.coords:
            entries.append(("coordinates", "Coordinates and objectives"))
        self.chooser.set_entries(entries)

    def redraw(self) -> None:
        """Axes and lines."""
        snapshot = self.snapshot
        if snapshot is None:
            return
        header, found = snapshot.header, self.columns()
        goals = [found[place] for place in objectives(header)] or list(found[:1])
        shown = list(found) if self.chooser.key == "scores" else goals
        coords = list(range(len(header.coords))) if self.chooser.key == "coordinates" else []
        left_out = max(len(coords) + len(shown) - _MOST, 0)
        coords = coords[: max(_MOST - len(shown), 0)]
        shown = shown[:_MOST]
        rows = np.nonzero(snapshot.search)[0]
        points = snapshot.points.rows(snapshot.search)
        rails = [Rail(coordinate_title(header.coords[place]), judged=False) for place in coords]
        rails += [Rail(f"{c.short} ({c.unit})" if c.unit else c.short, c.lower, c.percent) for c in shown]
        places = [column.place for column in shown]
        unknown = np.full((len(rows), len(coords)), np.nan)
        minimised = comparable(points, goals)
        index, labels = snapshot.points.index[rows], snapshot.points.labels[rows]
        named = np.nonzero(labels != "")[0].tolist()
        words = f" · front of {len(goals)} scores" if len(goals) > 1 else ""
        words += f" · {left_out:,} further axes left out" if left_out else ""
        self.plot.set_title(header.title, subtitle(snapshot, shown) + words)
        self.plot.set_state(*state_words(snapshot))
        self.plot.set_points(
            rails, np.hstack([points.coords[:, coords], points.values[:, places]]),
            np.hstack([unknown, points.stderrs[:, places]]), index,
            front_of(minimised) if len(rows) else np.zeros(0, dtype=bool),
            {int(index[row]): str(labels[row]) for row in named},
        )  # fmt: skip
        self.plot.set_empty("" if len(rows) else "No point has been scored yet.")
        self.plot.select(self.selected, tell=False)

    def show_selected(self, index: int) -> None:
        """Draw the point's line above the others."""
        self.plot.select(index, tell=False)
