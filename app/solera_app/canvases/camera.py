"""Which part of the scene a view shows: zoom about a point, pan, fit. Nothing here knows nodes."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QTransform
from PySide6.QtWidgets import QGraphicsView

from solera_app.bridge.weakly import Weakly

LOWEST, HIGHEST = 0.1, 4.0
_STEPS = (0.1, 0.25, 0.33, 0.5, 0.67, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)


class Camera:
    """Moves a view.

    Args:
        view: The view; its scroll bars are hidden and its scene rectangle is wide.
    """

    _view = Weakly[QGraphicsView]()

    def __init__(self, view: QGraphicsView) -> None:
        self._view = view

    @property
    def zoom(self) -> float:
        """Screen px per scene px."""
        return self._view.transform().m11()

    def zoom_to(self, zoom: float, about: QPointF | None = None) -> None:
        """Set the zoom, keeping what is at ``about`` (viewport px; the middle if None) where it is."""
        zoom = min(max(zoom, LOWEST), HIGHEST)
        at = about if about is not None else QPointF(self._view.viewport().rect().center())
        before = self._view.viewportTransform().inverted()[0].map(at)
        self._view.setTransform(QTransform.fromScale(zoom, zoom))
        after = self._view.viewportTransform().map(before)
        self.pan(after.x() - at.x(), after.y() - at.y())

    def step(self, direction: int) -> None:
        """The next step of zoom, in (+1) or out (−1)."""
        now = self.zoom
        larger = [step for step in _STEPS if step > now + 1e-3]
        smaller = [step for step in _STEPS if step < now - 1e-3]
        if direction > 0:
            self.zoom_to(larger[0] if larger else HIGHEST)
        else:
            self.zoom_to(smaller[-1] if smaller else LOWEST)

    def pan(self, dx: float, dy: float) -> None:
        """Show what is ``dx, dy`` viewport px further right and down."""
        across, down = self._view.horizontalScrollBar(), self._view.verticalScrollBar()
        across.setValue(across.value() + round(dx))
        down.setValue(down.value() + round(dy))

    def centre(self, at: QPointF) -> None:
        """Put a scene point in the middle."""
        self._view.centerOn(at)

    def fit(self, bounds: QRectF, *, bottom: float = 0.0) -> None:
        """Show all of ``bounds`` (scene px) at 100 % or less, leaving ``bottom`` px free below it."""
        room = QRectF(self._view.viewport().rect()).adjusted(12, 12, -12, -12 - bottom)
        if bounds.isEmpty() or room.width() < 1 or room.height() < 1:
            return
        zoom = min(room.width() / bounds.width(), room.height() / bounds.height(), 1.0)
        self.zoom_to(zoom)
        self.centre(bounds.center() + QPointF(0, bottom / 2 / self.zoom))

    def seen(self) -> QRectF:
        """The scene's part in view."""
        return self._view.viewportTransform().inverted()[0].mapRect(QRectF(self._view.viewport().rect()))
