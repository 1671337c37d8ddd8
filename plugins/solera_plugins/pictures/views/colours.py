"""The button beside a map's title: colours, scale, iso-lines."""

from __future__ import annotations

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from solera_app.extend import SurfacePlot, icon


def picture_button(plot: SurfacePlot, parent: QWidget, *, cells: bool = True) -> QToolButton:
    """Colours, scale and number of iso-lines of a map; for a grid also whether its cells are smoothed."""
    button, menu = QToolButton(), QMenu(parent)
    button.setIcon(icon("settings"))
    button.setToolTip("Colours, scale and iso-lines")
    button.setAccessibleName("Colours, scale and iso-lines")
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    parts = [
        ("Colours", ("viridis", "cividis"), plot.set_colours),
        ("Scale", ("linear", "log"), plot.set_scale),
        ("Iso-lines", ("0", "6", "10", "16"), lambda text: plot.set_contours(int(text))),
    ]
    if cells:
        parts.append(("Cells", ("smooth", "flat"), lambda text: plot.set_smooth(text == "smooth")))
    for title, entries, apply in parts:
        part, group = menu.addMenu(title), QActionGroup(menu)
        for text in entries:
            action = QAction(text.capitalize(), group, checkable=True)
            action.setChecked(text in ("viridis", "linear", "10", "smooth"))
            action.triggered.connect(lambda _=False, text=text, apply=apply: apply(text))
            part.addAction(action)
    button.setMenu(menu)
    return button
