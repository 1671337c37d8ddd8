"""A score over the plane of a run."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera_app.extend import (
    Chooser,
    ColumnFacts,
    RunHeader,
    Snapshot,
    SurfacePlot,
    View,
    equal_scales,
    grid_of,
    has_grid,
    models_at,
    plane_titles,
    state_words,
    subtitle,
)
from solera_plugins.pictures.views.colours import picture_button


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
        self._shape: tuple[int, ...] = ()
        self.chooser = Chooser("Score shown")
        self.chooser.chosen.connect(lambda _: self.restart_axes())
        self.plot.header.add_control(self.chooser)
        self.plot.header.add_control(picture_button(self.plot, self))
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Explorations of two coordinates on a grid."""
        return has_grid(header)

    def restart(self) -> None:
        """Offer the run's scores, lay out its grid."""
        self.chooser.set_entries([(str(column.place), column.short) for column in self.columns()])
        self.restart_axes()

    def restart_axes(self) -> None:
        """Another score is shown."""
        column = self.shown()
        if self.snapshot is not None and column is not None:
            self._lay_grid(self.snapshot, column)
            self.redraw()

    def _lay_grid(self, snapshot: Snapshot, column: ColumnFacts) -> None:
        header, grid = snapshot.header, grid_of(snapshot, column)
        self.plot.set_equal(equal_scales(header))
        self.plot.set_grid(grid.xs, grid.ys)
        self.plot.set_models(models_at(header))
        self.plot.set_axes(*plane_titles(header))

    def shown(self) -> ColumnFacts | None:
        """The column chosen."""
        return next((column for column in self.columns() if str(column.place) == self.chooser.key), None)

    def redraw(self) -> None:
        """Fill the grid."""
        snapshot, column = self.snapshot, self.shown()
        if snapshot is None or column is None:
            return
        header, points, grid = snapshot.header, snapshot.points, grid_of(snapshot, column)
        names = [str(coord["name"]) for coord in header.coords]
        words = subtitle(snapshot, (column,))
        self.plot.set_title(header.title, f"{words} · {grid.words}" if grid.words else words)
        self.plot.set_state(*state_words(snapshot))
        self.plot.set_names(names[0], names[1], column.axis, percent=column.percent)
        if grid.values.shape != self._shape:  # another picture was drawn, of more cells
            self._shape = grid.values.shape
            self._lay_grid(snapshot, column)
        self.plot.set_values(
            grid.values, grid.scored, stderrs=grid.stderrs, numbers=grid.numbers,
            guessed=grid.guessed if grid.words else None,
        )  # fmt: skip
        self.plot.set_strays(
            grid.stray_at, points.values[grid.strays, column.place], points.stderrs[grid.strays, column.place],
            points.index[grid.strays],
        )  # fmt: skip
        self.plot.select(self.selected, tell=False)

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)
