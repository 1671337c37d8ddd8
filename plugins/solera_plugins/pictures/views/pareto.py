"""Two scores of a search against each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera_app.extend import (
    Chooser,
    ColumnFacts,
    FrontPlot,
    RunHeader,
    Scatter,
    Series,
    Snapshot,
    TrendPlot,
    View,
    comparable,
    front_of,
    noise_words,
    objectives,
    short,
    state_words,
    subtitle,
    within_noise,
)


class ParetoView(View):
    """The front of two scores, and below it the hypervolume as it grew.

    Of tasks that give only an aggregate no point is told to be within noise of the front, for its error is unknown.
    """

    title = "Pareto front"
    icon = "pareto"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot, self.trend = FrontPlot(), TrendPlot()
        self.across, self.up = Chooser("Score across"), Chooser("Score upwards")
        for chooser in (self.across, self.up):
            chooser.chosen.connect(lambda _: self.restart_axes())
            self.plot.header.add_control(chooser)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self.plot, 5)
        box.addWidget(self.trend, 2)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Searches, not grids, with two scores or more."""
        return header.kind == "explore" and not header.shape and len(header.columns) >= 2

    def restart(self) -> None:
        """Offer the run's scores; begin with the first metric of the first two tasks."""
        found = self.columns()
        entries = [(str(column.place), column.short) for column in found]
        first = found[0]
        other = next((c for c in found if c.task != first.task and c.metric.name == first.metric.name), found[1])
        self.across.set_entries(entries, str(first.place))
        self.up.set_entries(entries, str(other.place))
        several = len(found) > 2
        self.across.setVisible(several)
        self.up.setVisible(several)
        self.restart_axes()

    def restart_axes(self) -> None:
        """Other scores are shown."""
        self.plot.reset()
        self.trend.reset()
        if self.snapshot is not None:
            self.redraw()

    def shown(self) -> tuple[ColumnFacts, ColumnFacts] | None:
        """The two columns chosen."""
        by_key = {str(column.place): column for column in self.columns()}
        x, y = by_key.get(self.across.key), by_key.get(self.up.key)
        return (x, y) if x is not None and y is not None else None

    def redraw(self) -> None:
        """Scatter, front, hypervolume."""
        snapshot, shown = self.snapshot, self.shown()
        if snapshot is None or shown is None:
            return
        plot, (x, y) = self.plot, shown
        compared, words = self._compared(shown)
        plot.set_title(snapshot.header.title, subtitle(snapshot, shown) + words + noise_words(snapshot, compared))
        plot.set_state(*state_words(snapshot))
        plot.set_axes(x.axis, y.axis, x_percent=x.percent, y_percent=y.percent)
        plot.set_names(x.short, y.short)
        plot.set_directions(x.lower, y.lower)
        plot.limit((x.metric.low, x.metric.high), (y.metric.low, y.metric.high))
        reference, volume = self._reference(snapshot, shown)
        plot.set_reference(reference, volume)
        newest = int(snapshot.points.index[-1]) if snapshot.live and len(snapshot.points) else -1
        plot.set_points(
            self._scatter(snapshot, snapshot.search, shown, compared),
            report=self._scatter(snapshot, snapshot.report, shown, compared) if snapshot.report.any() else None,
            newest=newest,
            staircase=len(compared) == 2,
        )
        plot.select(self.selected, tell=False)
        self._draw_trend(snapshot, shown, reference)

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)

    def _compared(self, shown: tuple[ColumnFacts, ColumnFacts]) -> tuple[Sequence[ColumnFacts], str]:
        """The scores whose front is shown, and a word where they are not just the two that are seen."""
        if self.snapshot is None:
            return shown, ""
        found = [self.columns()[place] for place in objectives(self.snapshot.header)]
        places = {column.place for column in found}
        if not {column.place for column in shown} <= places:
            return shown, " · front of these two scores, not of the search"
        if len(found) > 2:
            return found, f" · front of {len(found)} scores, projected"
        return shown, ""

    def _scatter(
        self,
        snapshot: Snapshot,
        rows: np.ndarray,
        shown: tuple[ColumnFacts, ColumnFacts],
        compared: Sequence[ColumnFacts],
    ) -> Scatter:
        points, places = snapshot.points, [column.place for column in shown]
        values, stderrs = points.values[rows][:, places], points.stderrs[rows][:, places]
        minimised = comparable(points.rows(rows), compared)
        front = front_of(minimised)
        at = np.nonzero(rows)[0]
        noise = within_noise(minimised, lambda k, a, b: snapshot.gap_errors(compared[k].place, at[a], at[b]), front)
        return Scatter(
            points.index[rows], values[:, 0], values[:, 1], stderrs[:, 0], stderrs[:, 1],
            front, noise, snapshot.names(rows),
        )  # fmt: skip

    def _reference(
        self, snapshot: Snapshot, shown: tuple[ColumnFacts, ColumnFacts]
    ) -> tuple[tuple[float, float] | None, float]:
        """The reference point and the hypervolume to it, if the run recorded them for just these two scores."""
        said = {name: values for name, (_, values) in snapshot.indicators.items() if values.size}
        objectives = {name for name in said if name.startswith("reference:")}
        wanted = [f"reference:{column.name}" for column in shown]
        if objectives != set(wanted):
            return None, np.nan
        volume = float(said["hypervolume"][-1]) if "hypervolume" in said else np.nan
        return (float(said[wanted[0]][-1]), float(said[wanted[1]][-1])), volume

    def _draw_trend(
        self,
        snapshot: Snapshot,
        shown: tuple[ColumnFacts, ColumnFacts],
        reference: tuple[float, float] | None,
    ) -> None:
        at, volume = snapshot.indicators.get("hypervolume", (np.empty(0, dtype=np.int64), np.empty(0)))
        self.trend.setVisible(bool(volume.size))
        if not volume.size:
            return
        words = f"to ({short(reference[0])}, {short(reference[1])}); " if reference is not None else ""
        splits = {column.split for column in self.columns() if column.split}
        self.trend.set_title("Hypervolume", f"{words}{', '.join(sorted(splits))} split, as the search went on")
        self.trend.set_axes("Evaluations", f"Hypervolume{_area_unit(shown)}")
        explorer = snapshot.header.experiment.get("explorer", {})
        name = str(explorer.get("name", "")) if isinstance(explorer, dict) else ""
        self.trend.set_series(
            [Series(name, at.astype(np.float64), volume, None, at - 1)],
            planned=snapshot.header.planned,
            live=snapshot.live,
        )
        self.plot.canvas.align(self.trend.canvas)


def _area_unit(shown: tuple[ColumnFacts, ColumnFacts]) -> str:
    """Unit of the area two scores span, in brackets; nothing where a score is a pure number."""
    x, y = (column.metric.unit for column in shown)
    if not x or not y:
        return ""
    return f" ({x}²)" if x == y and " " not in x else f" ({x} × {y})" if x != y else f" (({x})²)"
