"""Two runs on linked axes as a tab."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from solera.errors import InputError
from solera_app.tabs import Tab

if TYPE_CHECKING:
    from solera_app.views.beside import BesideRuns


class LinkedTab(Tab):
    """The views that show two runs, on linked axes.

    Args:
        view: Both runs' views.
    """

    icon = "compare"

    def __init__(self, view: BesideRuns) -> None:
        super().__init__()
        self.view = view
        self._title = "Two runs"
        view.opened.connect(self._opened)
        self.held(view)

    @property
    def title(self) -> str:  # noqa: D102
        return self._title

    @property
    def conditions(self) -> frozenset[str]:  # noqa: D102
        return frozenset({"tab", "exportable", "canvas"})

    def _opened(self, title: str) -> None:
        self._title = title
        self.retitled.emit()

    def fit(self) -> None:  # noqa: D102
        self.view.fit()

    def export(self, kind: str, path: Path) -> Path:  # noqa: D102
        if kind not in ("png", "svg", "pdf", "csv"):
            raise InputError(f"Two views are written as png, svg, pdf or csv, not '{kind}'.")
        return self.view.export(kind, path)  # type: ignore[arg-type]
