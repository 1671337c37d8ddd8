"""What lies under the handle: a surface for a triangle, a curve for a line. Both are plots with furniture on top."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen, QResizeEvent

from solera_app.bridge.weakly import WeakCall
from solera_app.canvases.blend import Place, Weights, place_of, polygon, weights_of
from solera_app.canvases.handle_ink import (
    WHITE,
    paint_corner,
    paint_handle,
    paint_names,
    paint_path,
    paint_rays,
    paint_sides,
)
from solera_app.canvases.ink import ink
from solera_app.plots.curve import CurvePlot
from solera_app.plots.lines import Series
from solera_app.plots.surface import SurfacePlot

Floats = NDArray[np.float64]
#: Room around the models, as a share of their extent.
_PAD = 0.22
#: Where the line form draws its rays, px above the axis.
_FLOOR = 22.0
#: Room for them below the lowest tick, as a share of the height.
_BELOW = 0.14


class _Furniture:
    """What both grounds hold: models, the handle, a path, and the keys' owner."""

    on_handle_key = WeakCall[Callable[[QKeyEvent], bool]]()

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.places: tuple[Place, ...] = ()
        self.weights: Weights = ()
        self.path: tuple[Weights, ...] = ()
        self.on_handle_key = None

    def hold(self, names: Sequence[str], places: Sequence[Place]) -> None:
        """Take the models."""
        self.names, self.places = tuple(names), tuple(places)


def _focus(ground: TriangleGround | LineGround, painter: QPainter) -> None:
    """The ring of keyboard focus around the handle."""
    if ground.kit.weights:
        at = ground.handle_px()
        ground.canvas.focus_ring(painter, QRectF(at.x() - 11, at.y() - 11, 22, 22))


class TriangleGround(SurfacePlot):
    """Three models in their plane, over a surface or over paper."""

    def __init__(self) -> None:
        super().__init__()
        self.kit = _Furniture()
        self.surface = False

    # --- what is shown ---------------------------------------------------------------------------------------------

    def hold(self, names: Sequence[str], places: Sequence[Place]) -> None:
        """Show these models, without a surface until one is given."""
        self.kit.hold(names, places)
        self.set_models(dict(zip(names, places, strict=True)))  # values on iso-lines keep clear of them
        self.clear_surface()
        far = "Distance from {0} along {0} to {1} (L2 norm of weights)"
        self.set_axes(far.format(*names), "Distance across (L2 norm)")

    def clear_surface(self) -> None:
        """Paper instead of a surface."""
        self.surface = False
        self._fill_paper()

    def show_surface(
        self,
        z: Floats,
        xs: Floats,
        ys: Floats,
        scored: NDArray[np.bool_],
        *,
        title: str,
        log: bool = False,
        percent: bool = False,
    ) -> None:
        """Put a surface under the models.

        Args:
            z: Shape (rows, columns), value at ``(xs[i], ys[j])``.
            xs: Shape (columns,), ascending, in the models' distances.
            ys: Shape (rows,), ascending.
            scored: Shape (rows, columns); cells that are not are hatched or blank.
            title: Of the colour bar, with unit.
            log: Whether colours follow the logarithm.
            percent: Whether fractions are written as percent.
        """
        grows = self.surface and np.array_equal(xs, self._xs) and np.array_equal(ys, self._ys)
        self.surface = True
        if not grows:  # a grid that only fills keeps its zoom, and its colour range never shrinks
            self.set_grid(xs, ys)
        self._scale = "log" if log else "linear"
        self.set_names("x", "y", title, percent=percent)
        self.set_values(z, scored)

    def _fill_paper(self) -> None:
        """An extent around the models that fills the window, both axes at one scale."""
        if not self.kit.places:
            return
        low, high = np.min(self.kit.places, axis=0), np.max(self.kit.places, axis=0)
        pad = _PAD * float(max(high - low)) or 1.0
        low, high = low - pad, high + pad
        width, height = max(self.canvas.width() - 90.0, 50.0), max(self.canvas.height() - 60.0, 50.0)
        scale = min(width / (high[0] - low[0]), height / (high[1] - low[1]))
        middle, half = (low + high) / 2, np.array([width, height]) / scale / 2
        xs = np.array([middle[0] - half[0], middle[0] + half[0]])
        ys = np.array([middle[1] - half[1], middle[1] + half[1]])
        self.set_grid(xs, ys)
        self.canvas.margin_right = 16.0
        self.canvas.fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Paper fills the new size; a surface keeps its extent."""
        super().resizeEvent(event)
        if not self.surface:
            self._fill_paper()

    # --- handle ----------------------------------------------------------------------------------------------------

    def handle_px(self) -> QPointF:
        """Where the handle is, px of the canvas."""
        return self.canvas.point(*place_of(self.kit.places, self.kit.weights))

    def weights_at(self, px: QPointF) -> Weights:
        """Weights of a pixel, kept inside the window of data.

        Raises:
            InputError: The models lie on one line.
        """
        rect = self.canvas.window_rect
        inside = QPointF(min(max(px.x(), rect.left()), rect.right()), min(max(px.y(), rect.top()), rect.bottom()))
        return weights_of(self.kit.places, self.canvas.from_px(inside))

    def _value_of(self, index: int) -> float:
        """The colour bar's wedge stands at the surface's value under the handle."""
        if not self.surface or not self.kit.weights:
            return float("nan")
        x, y = place_of(self.kit.places, self.kit.weights)
        if not (self._xs[0] <= x <= self._xs[-1] and self._ys[0] <= y <= self._ys[-1]):
            return float("nan")
        column, row = int(np.abs(self._xs - x).argmin()), int(np.abs(self._ys - y).argmin())
        return float(self._values[row, column]) if self._scored[row, column] else float("nan")

    # --- painting --------------------------------------------------------------------------------------------------

    def _paint(self, painter: QPainter) -> None:
        super()._paint(painter)
        _focus(self, painter)

    def _paint_models(self, painter: QPainter) -> None:
        """Corners are painted with the handle, above the sides."""

    def paint(self, painter: QPainter) -> None:
        """Surface, sides, rays, path, corners, handle."""
        if self.surface:
            super().paint(painter)
        if not self.kit.places:
            return
        painter.save()
        painter.setClipRect(self.canvas.window_rect.adjusted(-8, -8, 8, 8))
        line = QColor(WHITE) if self.surface else ink("text-2")
        corners = [self.canvas.point(*at) for at in self.kit.places]
        handle = self.handle_px()
        paint_sides(painter, corners, line)
        paint_path(painter, [self.canvas.point(*place_of(self.kit.places, w)) for w in self.kit.path], line)
        paint_rays(painter, handle, corners, self.kit.weights, line)
        for corner in corners:
            paint_corner(painter, corner)
        paint_names(painter, corners, self.kit.names, self.canvas.window_rect)
        paint_handle(painter, handle)
        painter.restore()

    def _key(self, event: QKeyEvent) -> bool:
        act = self.kit.on_handle_key
        used = act is not None and act(event)
        return used or super()._key(event)


class PolygonGround(TriangleGround):
    """Four models or more as a regular polygon: shares alone count, distances are not to scale."""

    def __init__(self) -> None:
        super().__init__()
        self.canvas.axes = self.canvas.x.grid = self.canvas.y.grid = False

    def hold(self, names: Sequence[str], places: Sequence[Place]) -> None:
        """Show these models at the corners of a polygon, wherever they lie."""
        self.kit.hold(names, polygon(len(names)))
        self.clear_surface()


class LineGround(CurvePlot):
    """Two models and what is known between them: a value over the distance, with its errors, as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.kit = _Furniture()
        self._known: dict[float, tuple[float, float]] = {}
        self._title = "Score"

    def hold(self, names: Sequence[str], places: Sequence[Place]) -> None:
        """Show these models, with nothing known."""
        length = float(np.hypot(places[1][0] - places[0][0], places[1][1] - places[0][1]))
        self.kit.hold(names, ((0.0, 0.0), (length, 0.0)))
        self._known.clear()
        self.reset()
        self.set_extent(-0.1 * length, 1.1 * length)
        self.set_names("distance", "score")
        self._draw()

    def name_values(
        self, title: str, *, percent: bool = False, low: float | None = None, high: float | None = None
    ) -> None:
        """What the curve shows: axis title in words with unit and direction; limits of the metric."""
        self._title = title
        self.limit(low, high)
        self.canvas.y.percent = percent
        self._draw()

    def add_value(self, share: float, value: float, stderr: float) -> None:
        """A score at ``share`` of the way (0 is the first model, 1 the second); another there replaces it."""
        self._known[round(share, 4)] = (value, stderr)
        self._draw()

    def set_values(self, shares: Sequence[float], values: Sequence[float], stderrs: Sequence[float]) -> None:
        """These scores and no others (another metric, another task, a whole curve)."""
        rows = zip(shares, values, stderrs, strict=True)
        self._known = {round(share, 4): (value, stderr) for share, value, stderr in rows}
        self.reset()
        self._draw()

    @property
    def value_title(self) -> str:
        """Title of the value's axis."""
        return self._title

    def _draw(self) -> None:
        if not self.kit.places:
            return
        length = self.kit.places[1][0]
        shares = np.array(sorted(self._known), dtype=np.float64)
        values = np.array([self._known[share] for share in shares.tolist()], dtype=np.float64).reshape(-1, 2)
        far = f"Distance from {self.kit.names[0]} to {self.kit.names[1]} (L2 norm of weights)"
        self.set_axes(far, self._title, y_percent=self.canvas.y.percent)
        self.set_series([Series("", shares * length, values[:, 0], values[:, 1])])
        left, right, low, high = self.canvas.full
        self.canvas.set_range((left, right, low - _BELOW * (high - low), high))  # room for the rays

    # --- handle ----------------------------------------------------------------------------------------------------

    def handle_px(self) -> QPointF:
        """On the curve where it is known, else in the middle of the height."""
        return self._on_curve(self.kit.weights[1])

    def _on_curve(self, share: float) -> QPointF:
        shares = np.array(sorted(self._known), dtype=np.float64)
        x = share * self.kit.places[1][0]
        if shares.size and shares[0] - 1e-9 <= share <= shares[-1] + 1e-9:
            values = np.array([self._known[known][0] for known in shares.tolist()])
            if np.isfinite(values).all():
                return self.canvas.point(x, float(np.interp(share, shares, values)))
        return QPointF(self.canvas.point(x, 0).x(), self.canvas.window_rect.center().y())

    def weights_at(self, px: QPointF) -> Weights:
        """Weights of a pixel's place along the line.

        Raises:
            InputError: The two models have the same weights.
        """
        x = self.canvas.from_px(px)[0]
        low, high = self._extent
        return weights_of(self.kit.places, (min(max(x, low), high), 0.0))

    def _paint(self, painter: QPainter) -> None:
        super()._paint(painter)
        _focus(self, painter)

    def paint(self, painter: QPainter) -> None:
        """Curve, corners on it, the weights along the floor, the handle."""
        super().paint(painter)
        if not self.kit.places:
            return
        rect, handle = self.canvas.window_rect, self.handle_px()
        floor = rect.bottom() - _FLOOR
        corners = [self._on_curve(0.0), self._on_curve(1.0)]
        painter.save()
        painter.setClipRect(rect.adjusted(-8, -8, 8, 8))
        if not self._known:
            paint_sides(painter, corners, ink("text-2"))
        feet = [QPointF(corner.x(), floor) for corner in corners]
        paint_rays(painter, QPointF(handle.x(), floor), feet, self.kit.weights, ink("text-2"))
        painter.setPen(QPen(ink("text-2"), 1))
        painter.drawLine(handle, QPointF(handle.x(), rect.bottom()))
        paint_path(painter, [self._on_curve(weights[1]) for weights in self.kit.path], ink("text-2"))
        for corner in corners:
            paint_corner(painter, corner)
        paint_names(painter, corners, self.kit.names, rect.adjusted(0, 0, 0, -_FLOOR - 12))
        paint_handle(painter, handle)
        painter.restore()

    def _key(self, event: QKeyEvent) -> bool:
        act = self.kit.on_handle_key
        used = act is not None and act(event)
        return used or super()._key(event)
