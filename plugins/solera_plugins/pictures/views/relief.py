"""A score over the plane of a run as a surface in space."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera_app.extend import (
    Chooser,
    ColumnFacts,
    ReliefPlot,
    RunHeader,
    View,
    equal_scales,
    grid_of,
    has_grid,
    models_at,
    plane_titles,
    state_words,
    subtitle,
)


class ReliefView(View):
    """One score as a painted surface that the hand turns.

    Of a task that gives only an aggregate no standard error is told at a point, and an interpolated picture is of the
    scores themselves.
    """

    title = "3-D surface"
    icon = "surface"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = ReliefPlot()
        self.chooser = Chooser("Score shown")
        self.chooser.chosen.connect(lambda _: self.redraw())
        self.plot.header.add_control(self.chooser)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Explorations of two coordinates on a grid."""
        return has_grid(header)

    def restart(self) -> None:
        """Offer the run's scores."""
        self.chooser.set_entries([(str(column.place), column.short) for column in self.columns()])

    def shown(self) -> ColumnFacts | None:
        """The column chosen."""
        return next((column for column in self.columns() if str(column.place) == self.chooser.key), None)

    def redraw(self) -> None:
        """The surface as far as it is known."""
        snapshot, column = self.snapshot, self.shown()
        if snapshot is None or column is None:
            return
        header, grid, plot = snapshot.header, grid_of(snapshot, column), self.plot
        names = [str(coord["name"]) for coord in header.coords]
        words = subtitle(snapshot, (column,), outside=len(grid.strays))
        plot.set_title(header.title, f"{words} · {grid.words}" if grid.words else words)
        plot.set_state(*state_words(snapshot))
        plot.set_names(names[0], names[1], column.axis, percent=column.percent)
        plot.set_space_axes((*plane_titles(header), ""), (False, False, column.percent))
        plot.set_models(models_at(header))
        plot.set_surface(
            grid.xs, grid.ys, grid.values, grid.scored, grid.numbers, grid.stderrs,
            guessed=grid.guessed, equal=equal_scales(header),
        )  # fmt: skip
        plot.set_empty("" if snapshot.search.any() else "No point of the plane has been scored yet.")
        plot.select(self.selected, tell=False)

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)
