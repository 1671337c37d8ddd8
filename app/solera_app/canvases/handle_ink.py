"""Corners, rays, name plates and the handle: white with a dark rim, which reads on every map and on paper."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from solera_app.canvases.ink import elided, metrics, text_width, type_face
from solera_app.theme import Theme

WHITE, RIM, PLATE = QColor(255, 255, 255), QColor(20, 20, 20), QColor(24, 23, 21, 225)
CORE = Theme("light").colour("accent")
HANDLE, CORNER = 20.0, 14.0
#: A ray shorter than this carries no figure: it would lie on the handle or on the name.
_SHORT = 64.0
_NAME_MOST = 140.0


def paint_sides(painter: QPainter, corners: Sequence[QPointF], colour: QColor) -> None:
    """The line or triangle, with a dot at each quarter of a side."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    if len(corners) == 2:
        painter.drawLine(corners[0], corners[1])
    else:
        painter.drawPolygon(QPolygonF(list(corners)))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    sides = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    for start, end in sides[:1] if len(corners) == 2 else sides:
        for quarter in (0.25, 0.5, 0.75):
            painter.drawEllipse(start + (end - start) * quarter, 2.5, 2.5)


def paint_rays(
    painter: QPainter, handle: QPointF, corners: Sequence[QPointF], weights: Sequence[float], colour: QColor
) -> None:
    """Dotted rays from the handle to each corner, with the weight on a plate."""
    pen = QPen(colour, 1.25, Qt.PenStyle.CustomDashLine, Qt.PenCapStyle.FlatCap)
    pen.setDashPattern([2.4, 2.4])
    labels: list[tuple[QPointF, str]] = []
    for corner, weight in zip(corners, weights, strict=True):
        painter.setPen(pen)
        ray = QLineF(handle, corner)
        painter.drawLine(ray)
        if ray.length() >= _SHORT:
            labels.append((ray.pointAt(0.58), f"{weight:.2f}".replace("-", "−")))
    for at, text in labels:
        paint_plate(painter, at, text, height=18, weight="regular")


def paint_corner(painter: QPainter, at: QPointF) -> None:
    """A white square of 14 px."""
    half = CORNER / 2
    painter.setPen(QPen(RIM, 1.5))
    painter.setBrush(WHITE)
    painter.drawRoundedRect(QRectF(at.x() - half, at.y() - half, CORNER, CORNER), 3, 3)


def paint_names(painter: QPainter, corners: Sequence[QPointF], names: Sequence[str], bounds: QRectF) -> None:
    """A dark plate for each corner, on its side away from the middle, inside ``bounds``."""
    middle_y = sum(corner.y() for corner in corners) / len(corners)
    middle_x = sum(corner.x() for corner in corners) / len(corners)
    for corner, name in zip(corners, names, strict=True):
        aside, up = corner.x() - middle_x, corner.y() - middle_y
        if len(corners) > 3 and abs(aside) > abs(up):  # at the side of a polygon, where its rays do not go
            shown = text_width(elided(name, "label", "medium", int(_NAME_MOST)), "label", "medium")
            out = math.copysign(14 + (shown + 24) / 2, aside)
            paint_plate(painter, corner + QPointF(out, 0), name, height=22, weight="medium", bounds=bounds)
            continue
        below = corner.y() >= middle_y - 1 and corner.y() + 26 + 11 <= bounds.bottom()
        centre = corner + QPointF(0, 26 if below else -19 if corner.y() - 30 >= bounds.top() else 26)
        paint_plate(painter, centre, name, height=22, weight="medium", bounds=bounds)


def paint_plate(
    painter: QPainter,
    centre: QPointF,
    text: str,
    *,
    height: float,
    weight: str,
    bounds: QRectF | None = None,
) -> QRectF:
    """A dark plate with white text, moved to lie inside ``bounds``; returns where it is."""
    shown = elided(text, "label" if weight == "medium" else "small", weight, int(_NAME_MOST))
    size = "label" if weight == "medium" else "small"
    width = text_width(shown, size, weight) + (24 if weight == "medium" else 10)
    box = QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height)
    if bounds is not None:
        box.moveLeft(max(bounds.left() + 2, min(box.left(), bounds.right() - 2 - width)))
        box.moveTop(max(bounds.top() + 2, min(box.top(), bounds.bottom() - 2 - height)))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(PLATE)
    painter.drawRoundedRect(box, 3, 3)
    painter.setPen(WHITE)
    painter.setFont(type_face(size, weight))
    measure = metrics(size, weight)
    baseline = box.center().y() + (measure.ascent() - measure.descent()) / 2
    painter.drawText(QPointF(box.center().x() - text_width(shown, size, weight) / 2, baseline), shown)
    return box


def paint_handle(painter: QPainter, at: QPointF) -> None:
    """A white disc of 20 px with a dark rim and an accent core."""
    painter.setPen(QPen(RIM, 1.5))
    painter.setBrush(WHITE)
    painter.drawEllipse(at, HANDLE / 2 - 0.75, HANDLE / 2 - 0.75)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(CORE)
    painter.drawEllipse(at, 4.5, 4.5)


def paint_path(painter: QPainter, points: Sequence[QPointF], colour: QColor) -> None:
    """A recorded path: a thin line with small dots."""
    if not points:
        return
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 1.5))
    painter.drawPolyline(QPolygonF(list(points)))
    painter.setPen(QPen(RIM, 1))
    painter.setBrush(WHITE)
    for point in points:
        painter.drawEllipse(point, 2.75, 2.75)
