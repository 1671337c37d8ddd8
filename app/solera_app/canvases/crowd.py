"""What is drawn together where there is too much of it to be drawn one by one: hairlines, and nodes far away."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from solera_app.canvases.edge_item import HAIR_ZOOM, EdgeItem, thin_pen
from solera_app.canvases.ink import ink, port_token
from solera_app.canvases.node_item import Far, NodeItem


class Hairlines(QGraphicsItem):
    """The crowded connections of a scene, one stroke for all of a look.

    Args:
        edges: All connections; the scene's own mapping.
    """

    def __init__(self, edges: Mapping[tuple[str, str], EdgeItem]) -> None:
        super().__init__()
        self._edges = edges
        self._paths: dict[tuple[str, bool], QPainterPath] = {}
        self._bounds = QRectF()
        self.setZValue(-1.1)  # below a connection that is marked, and so draws itself

    def renew(self) -> None:
        """Connections came, went or moved."""
        self.prepareGeometryChange()
        self._bounds = QRectF()
        for edge in self._crowd():
            self._bounds |= edge.boundingRect()
        self.recolour()

    def recolour(self) -> None:
        """Connections look otherwise."""
        self._paths.clear()
        self.update()

    def _crowd(self) -> list[EdgeItem]:
        return [edge for edge in self._edges.values() if edge.crowded and edge.isVisible()]

    def boundingRect(self) -> QRectF:  # noqa: D102
        return self._bounds

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: D102
        if not self._paths:
            for edge in self._crowd():
                self._paths.setdefault((edge.shape_name, edge.waits), QPainterPath()).addPath(edge.path)
        far = option.levelOfDetailFromTransform(painter.worldTransform()) < HAIR_ZOOM
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for (shape, waits), path in self._paths.items():
            painter.setPen(thin_pen(ink(port_token(shape)).rgba(), waits=waits and not far))
            painter.drawPath(path)


class Blocks(QGraphicsItem):
    """All nodes of a scene, far away.

    Args:
        nodes: The scene's own mapping.
    """

    def __init__(self, nodes: Mapping[str, NodeItem]) -> None:
        super().__init__()
        self._nodes = nodes
        self._far: Far | None = None
        self._bounds = QRectF()
        self.setZValue(-0.5)  # below what hangs at the nodes
        self.hide()

    def renew(self, bounds: QRectF) -> None:
        """Nodes came, went or moved.

        Args:
            bounds: The smallest box around them, scene px.
        """
        self.prepareGeometryChange()
        self._bounds = bounds
        self.recolour()

    def recolour(self) -> None:
        """Nodes look otherwise."""
        self._far = None
        self.update()

    def boundingRect(self) -> QRectF:  # noqa: D102
        return self._bounds

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: D102
        self._far = self._far or Far(item for item in self._nodes.values() if item.isVisible())
        self._far.paint(painter)
