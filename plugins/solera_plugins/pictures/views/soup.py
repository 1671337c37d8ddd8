"""A soup as it grew: models and soups on the plane in which the models spread most."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera_app.extend import (
    Chooser,
    ColumnFacts,
    RunHeader,
    ScatteredPlot,
    Stops,
    View,
    flattened,
    number,
    objectives,
    soup_rows,
    spanning,
    state_words,
    subtitle,
)


class SoupView(View):
    """The models of a simplex as squares, every blend that was scored as a disc, and the way the soup went.

    Of a task that gives only an aggregate no standard error is told at a point.
    """

    title = "Soup path"
    icon = "soup"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = ScatteredPlot()
        self.chooser = Chooser("Score shown")
        self.chooser.chosen.connect(lambda _: self.restart_axes())
        self.plot.header.add_control(self.chooser)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Searches among the blends of three models or more; of four or more also grids, for they fill no plane."""
        models = len(spanning(header))
        known = models >= 4 or (models == 3 and not header.shape)
        return header.kind == "explore" and known and bool(header.columns)

    def restart(self) -> None:
        """Offer the run's scores."""
        self.chooser.set_entries([(str(column.place), column.short) for column in self.columns()])
        self.restart_axes()

    def restart_axes(self) -> None:
        """Another score is shown."""
        self.plot.set_range(None)
        self.plot.canvas.fit()
        if self.snapshot is not None:
            self.redraw()

    def shown(self) -> ColumnFacts | None:
        """The column chosen."""
        return next((column for column in self.columns() if str(column.place) == self.chooser.key), None)

    def redraw(self) -> None:
        """Models, points, path."""
        snapshot, column = self.snapshot, self.shown()
        if snapshot is None or column is None:
            return
        header, rows = snapshot.header, np.nonzero(snapshot.search)[0]
        points, plot = snapshot.points, self.plot
        flat = flattened(header, points.coords[rows])
        names = spanning(header)
        spread = f"{100 * flat.explained:.0f} % of their spread"
        share = f" · blends laid onto the plane in which {len(names)} models spread most ({spread})"
        plot.set_title(header.title, subtitle(snapshot, (column,)) + share)
        plot.set_state(*state_words(snapshot))
        plot.set_names("first", "second", column.axis, percent=column.percent)
        plot.set_axes("Distance along the first component (L2 norm of weights)", "Along the second (L2 norm)")
        plot.canvas.x.grid = plot.canvas.y.grid = True
        plot.set_models({name: (float(at[0]), float(at[1])) for name, at in zip(names, flat.models, strict=True)})
        path = [row for row in soup_rows(snapshot, objectives(header)).tolist() if row < len(rows)]
        size = [
            f"soup of {step + 1}" if step else "" for step in range(len(path))
        ]  # the first is a model, with its name
        plot.set_stops(Stops(flat.at[path], tuple(size), flat.off[path], "(L2 norm)") if len(path) > 1 else None)
        plot.set_points(
            flat.at, points.values[rows, column.place], points.stderrs[rows, column.place], points.index[rows],
            details=[_off(float(off)) for off in flat.off], fill=False,
        )  # fmt: skip
        plot.set_empty("" if len(rows) else "No soup has been scored yet.")
        plot.select(self.selected, tell=False)

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)


def _off(distance: float) -> str:
    return "In the plane" if distance < 1e-9 else f"{number(distance)} off the plane (L2 norm)"
