"""The hypervolume of a search as it grew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera_app.extend import (
    RunHeader,
    Series,
    Snapshot,
    TrendPlot,
    View,
    objectives,
    over_seeds,
    short,
    state_words,
    subtitle,
)

_KNOWN = "hypervolume"


class HypervolumeView(View):
    """The hypervolume against evaluations, and the point that it is measured to.

    With further runs (:meth:`join`) there is a line for each experiment, the median of its seeds between the quartiles.

    It needs no more than aggregate scores.
    """

    title = "Hypervolume"
    icon = "curve"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = TrendPlot(compact=False)
        self._others: tuple[Snapshot, ...] = ()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Searches for two objectives or more."""
        return header.kind == "explore" and not header.shape and len(objectives(header)) >= 2

    def join(self, others: Sequence[Snapshot]) -> None:
        """Show further searches of the same objectives.

        Raises:
            InputError: Their objectives are others.
        """
        if self.snapshot is not None:
            over_seeds([self.snapshot, *others])
        self._others = tuple(others)
        self.plot.reset()
        self.redraw()

    def restart(self) -> None:
        """Another run: forget the axes, and what was beside the one before."""
        self._others = ()
        self.plot.reset()

    def redraw(self) -> None:
        """One line that grows."""
        snapshot = self.snapshot
        if snapshot is None:
            return
        if self._others:
            self._redraw_together([snapshot, *self._others])
            return
        shown = [self.columns()[place] for place in objectives(snapshot.header)]
        at, volume = snapshot.indicators.get(_KNOWN, (np.empty(0, dtype=np.int64), np.empty(0)))
        self.plot.set_title(snapshot.header.title, subtitle(snapshot, shown) + self._reference([c.name for c in shown]))
        self.plot.set_state(*state_words(snapshot))
        self.plot.set_axes("Evaluations", f"Hypervolume of {len(shown)} scores, higher is better")
        explorer = snapshot.header.experiment.get("explorer", {})
        name = str(explorer.get("name", "")) if isinstance(explorer, dict) else ""
        series = [Series(name, at.astype(np.float64), volume, None, at - 1)] if volume.size else []
        self.plot.set_series(series, planned=snapshot.header.planned, live=snapshot.live)
        self.plot.set_empty("" if volume.size else self._empty(snapshot.live))
        self.plot.select(self.selected, tell=False)

    def _redraw_together(self, runs: Sequence[Snapshot]) -> None:
        """A line for each experiment, over its seeds."""
        shown = [self.columns()[place] for place in objectives(runs[0].header)]
        groups, reference = over_seeds(runs)
        to = ", ".join(short(value) for value in reference.tolist())
        names = ", ".join(column.name for column in shown)
        about = f"{len(runs)} runs · {names} · median and quartiles over seeds · to the point ({to})"
        self.plot.set_title(runs[0].header.title, about)
        self.plot.set_state(*state_words(runs[0]))
        self.plot.set_axes("Evaluations", f"Hypervolume of {len(shown)} scores, higher is better")
        series = [
            Series(group.name, group.at, group.median, colour=place, band=(group.low, group.high))
            for place, group in enumerate(groups)
        ]
        self.plot.set_series(series)
        self.plot.set_empty("" if any(group.at.size for group in groups) else "No point has a score yet.")

    def _reference(self, names: list[str]) -> str:
        assert self.snapshot is not None
        said = self.snapshot.indicators
        found = [said[f"reference:{name}"][1] for name in names if f"reference:{name}" in said]
        if len(found) != len(names) or any(not values.size for values in found):
            return ""
        return f" · to the point ({', '.join(short(float(values[-1])) for values in found)})"

    def _empty(self, live: bool) -> str:
        if live:
            return "The hypervolume is told once there are points to fix its reference by."
        return "This run recorded no hypervolume; explorers that look for fronts do."

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)
