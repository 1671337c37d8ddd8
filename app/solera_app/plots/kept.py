"""A picture of very many things, kept from one paint to the next."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPixmap

from solera_app.plots._pg import on_pixels

Rows = NDArray[np.intp]


class Kept:
    """Draws things once, and as more come only those: for what is too dear to be drawn at each paint.

    On paper (SVG, PDF) everything is drawn.
    """

    def __init__(self) -> None:
        self._picture = QPixmap()
        self._look: Hashable = None
        self._drawn = np.zeros(0, dtype=bool)

    def paint(
        self,
        painter: QPainter,
        size: QSize,
        wanted: NDArray[np.bool_],
        look: Hashable,
        draw: Callable[[QPainter, Rows], None],
    ) -> None:
        """Paint things.

        Args:
            painter: Where; its origin is that of the picture.
            size: Of the picture, px.
            wanted: Which of all things, shape (n,); between two paints of equal look things are only added at the end.
            look: All that the look of a thing depends on beside itself; when it is another, all are drawn anew.
            draw: Draws the things in these places.
        """
        if not on_pixels(painter):
            draw(painter, np.nonzero(wanted)[0])
            return
        scale = painter.deviceTransform().m11()
        look = (look, scale, size.toTuple())
        drawn = np.zeros(len(wanted), dtype=bool)
        drawn[: len(self._drawn)] = self._drawn[: len(drawn)]
        if look != self._look or len(self._drawn) > len(wanted) or (drawn & ~wanted).any():
            self._look, drawn = look, np.zeros_like(drawn)
            self._picture = QPixmap(size * scale)
            self._picture.setDevicePixelRatio(scale)
            self._picture.fill(Qt.GlobalColor.transparent)
        fresh = np.nonzero(wanted & ~drawn)[0]
        if len(fresh):
            onto = QPainter(self._picture)
            draw(onto, fresh)
            onto.end()
        self._drawn = wanted.copy()
        painter.drawPixmap(0, 0, self._picture)
