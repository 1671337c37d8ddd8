"""The path of a training run over the plane in which it spread most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from solera_app.extend import RunHeader, path_stops
from solera_plugins.pictures.views.surface import SurfaceView


class TrajectoryView(SurfaceView):
    """A score over the plane of a training run, with the run's checkpoints at their projections.

    Of a task that gives only an aggregate no standard error is told at a point.
    """

    title = "Trajectory"
    icon = "plane"

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Explorations of a plane that has a path."""
        return super().accepts(header) and path_stops(header) is not None

    def redraw(self) -> None:
        """The surface, and the path over it."""
        super().redraw()
        if self.snapshot is None:
            return
        stops = path_stops(self.snapshot.header)
        if stops is None:
            return
        self.plot.set_stops(stops)
        self.plot.set_models({})  # the last checkpoint is among the stops
        off = stops.off[np.isfinite(stops.off)]
        if off.size:
            self.plot.header.set_title(
                self.plot.header.title,
                f"{self.plot.header.subtitle} · hollow stops lie off the plane, by at most {off.max():.0f} % of their "
                "way to the last",
            )

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """The grid's cells, then the stops."""
        names, cells = super().table()
        stops = path_stops(self.snapshot.header) if self.snapshot is not None else None

        def rows() -> Iterable[Sequence[object]]:
            yield from ((*cell, "", "") for cell in cells)
            for at, name, off in zip(stops.at, stops.names, stops.off, strict=True) if stops is not None else ():
                yield (float(at[0]), float(at[1]), *[""] * (len(names) - 3), "stop", name, float(off))

        return (*names, "stop", "percent off the plane"), rows()
