"""Searches over several seeds in one picture, as a tab."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from solera.errors import InputError
from solera_app.tabs import Tab

if TYPE_CHECKING:
    from solera_app.views.snapshot import Snapshot
    from solera_app.views.view import View


class SeedsTab(Tab):
    """The hypervolume of several searches, the seeds of one experiment as a line with a band.

    Args:
        cls: The view.
        runs: Two or more, read.

    Raises:
        InputError: One is no search, or their objectives differ.
    """

    icon = "curve"

    def __init__(self, cls: type[View], runs: Sequence[Snapshot]) -> None:
        super().__init__()
        odd = next((run for run in runs if not cls.accepts(run.header)), None)
        if odd is not None:
            raise InputError(f"'{odd.header.title}' is no search for a front, so it has no hypervolume; leave it out.")
        self.view = cls()
        self.view.set_run(runs[0])
        self.view.join(runs[1:])
        self._title = f"{len(runs)} runs over seeds"
        self.held(self.view)

    @property
    def title(self) -> str:  # noqa: D102
        return self._title

    @property
    def conditions(self) -> frozenset[str]:  # noqa: D102
        return frozenset({"tab", "exportable", "canvas"})

    def fit(self) -> None:  # noqa: D102
        for plot in self.view.plots():
            plot.canvas.fit()

    def export(self, kind: str, path: Path) -> Path:  # noqa: D102
        if kind not in ("png", "svg", "pdf", "csv"):
            raise InputError(f"A view is written as png, svg, pdf or csv, not '{kind}'.")
        size = (self.view.width(), self.view.height())
        return self.view.export(kind, path, size=size)  # type: ignore[arg-type]
