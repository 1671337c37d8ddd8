"""Scores along the one coordinate of a run."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera_app.extend import (
    Chooser,
    ColumnFacts,
    CurvePlot,
    Entry,
    RunHeader,
    Series,
    Snapshot,
    View,
    chord_barrier,
    coordinate_title,
    family_kind,
    state_words,
    subtitle,
    with_direction,
)


class CurveView(View):
    """One score, or one metric of all tasks, over the coordinate; points of the report split apart.

    Of a task that gives only an aggregate there are no error bars, and barriers have no error.
    """

    title = "Curve"
    icon = "curve"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = CurvePlot()
        self.chooser = Chooser("Score shown")
        self.chooser.chosen.connect(lambda _: self.restart_axes())
        self.plot.header.add_control(self.chooser)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Explorations of one coordinate."""
        return header.kind == "explore" and len(header.coords) == 1 and bool(header.columns)

    def restart(self) -> None:
        """Offer the run's scores."""
        found = self.columns()
        entries = []
        for metric in dict.fromkeys(column.metric.name for column in found):
            same = [column for column in found if column.metric.name == metric]
            if len(same) > 1:
                entries.append((f"*{metric}", f"{same[0].metric.title}, all tasks"))
        entries += [(str(column.place), column.short) for column in found]
        self.chooser.set_entries(entries)
        self.restart_axes()

    def restart_axes(self) -> None:
        """Another score is shown."""
        self.plot.reset()
        if self.snapshot is not None:
            self.redraw()

    def shown(self) -> tuple[ColumnFacts, ...]:
        """The columns chosen."""
        key = self.chooser.key
        if key.startswith("*"):
            return tuple(column for column in self.columns() if column.metric.name == key[1:])
        return tuple(column for column in self.columns() if str(column.place) == key)

    def redraw(self) -> None:
        """Lines, chord and barrier, names of models."""
        snapshot, shown = self.snapshot, self.shown()
        if snapshot is None or not shown:
            return
        plot, header, coord = self.plot, snapshot.header, snapshot.header.coords[0]
        models = {name: float(at[0]) for name, at in header.labels.items()}
        metric = shown[0].metric
        plot.set_title(header.title, subtitle(snapshot, shown))
        plot.set_state(*state_words(snapshot))
        what = shown[0].short if len(shown) == 1 else metric.title
        plot.set_axes(self._across(header, models), with_direction(what, metric), y_percent=shown[0].percent)
        plot.set_names(str(coord["name"]), shown[0].name if len(shown) == 1 else metric.name)
        plot.limit(metric.low, metric.high)
        plot.set_extent(*self._extent(snapshot))
        plot.set_models(models)
        lines = [self._line(snapshot, column, number, len(shown) > 1) for number, column in enumerate(shown)]
        report = self._report(snapshot, shown[0]) if len(shown) == 1 else None
        newest = int(snapshot.points.index[-1]) if snapshot.live and len(snapshot.points) else -1
        plot.set_series(lines, report=report, newest=newest)
        single = lines[0] if len(lines) == 1 else None
        if single is not None and single.stderr is not None and self._has_ends(single, models):
            inner = (single.x >= min(models.values())) & (single.x <= max(models.values()))
            barrier = chord_barrier(
                single.x[inner], single.y[inner], single.stderr[inner],
                lower_is_better=shown[0].lower, percent=shown[0].percent,
            )  # fmt: skip
            plot.set_barrier(barrier)
        else:
            plot.set_barrier(None)
        plot.set_legend(self._legend(shown, report, single is not None and plot.has_barrier))
        plot.select(self.selected, tell=False)

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)

    def _across(self, header: RunHeader, models: dict[str, float]) -> str:
        ends = sorted(models, key=lambda name: models[name])
        if family_kind(header) == "line" and len(ends) == 2:
            return f"Fraction of the way from {ends[0]} to {ends[1]}"
        return coordinate_title(header.coords[0])

    def _extent(self, snapshot: Snapshot) -> tuple[float, float]:
        coord, at = snapshot.header.coords[0], snapshot.points.coords[:, 0]
        low, high = float(coord.get("low", 0.0)), float(coord.get("high", 1.0))
        finite = at[np.isfinite(at)]
        return (min(low, float(finite.min())), max(high, float(finite.max()))) if finite.size else (low, high)

    def _line(self, snapshot: Snapshot, column: ColumnFacts, number: int, named: bool) -> Series:
        return self._series(snapshot, snapshot.search, column, number, column.task if named else "")

    def _report(self, snapshot: Snapshot, column: ColumnFacts) -> Series | None:
        return self._series(snapshot, snapshot.report, column, 1, "report split") if snapshot.report.any() else None

    def _series(self, snapshot: Snapshot, rows: np.ndarray, column: ColumnFacts, number: int, name: str) -> Series:
        points = snapshot.points
        chosen = np.nonzero(rows)[0]
        chosen = chosen[np.argsort(points.coords[chosen, 0], kind="stable")]
        return Series(
            name,
            points.coords[chosen, 0],
            points.values[chosen, column.place],
            points.stderrs[chosen, column.place],
            points.index[chosen],
            number,
        )

    def _has_ends(self, line: Series, models: dict[str, float]) -> bool:
        return len(models) == 2 and all(bool(np.isclose(line.x, at).any()) for at in models.values())

    def _legend(self, shown: tuple[ColumnFacts, ...], report: Series | None, barrier: bool) -> list[Entry]:
        if len(shown) > 1:
            return []
        entries = [Entry("front", f"{shown[0].split.capitalize() or 'Scores'} split, ± 1 SE")]
        if barrier:
            entries.append(Entry("dash", "Chord between the models", "text-2"))
        if report is not None:
            entries.append(Entry("diamond", f"Report split, {report.y.size:,}", "series.1"))
        return entries if len(entries) > 1 else []
