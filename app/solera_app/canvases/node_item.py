"""A node as it is painted: a rendering of its face, its state and its preview."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from solera_app.canvases.anatomy import (
    BAR,
    HEADER,
    PAD,
    PORT,
    PORT_GROWN,
    RADIUS,
    ROW,
    WIDTH,
    Anatomy,
    anatomy,
)
from solera_app.canvases.faces import Face, FieldFace, PortFace
from solera_app.canvases.ink import draw_icon, draw_port, draw_text, ink, text_width
from solera_app.theme import tokens

NodeState = Literal[
    "idle", "queued", "running", "paused", "done", "stale", "failed", "fault", "missing", "cancelled", "interrupted"
]
#: Below this zoom text cannot be read, so a node is a block.
BLOCK_ZOOM = 0.4

_WORDS: dict[str, str] = {
    "queued": "Queued", "running": "Running", "paused": "Paused", "done": "Done", "stale": "Stale", "failed": "Failed",
    "fault": "Fault", "missing": "Missing", "cancelled": "Cancelled", "interrupted": "Interrupted",
}  # fmt: skip
_BORDERS = {"running": "accent", "stale": "warn", "failed": "error", "fault": "error"}


@dataclass(frozen=True, slots=True)
class Status:
    """What a job or the library says of a node.

    Attributes:
        state: The state.
        progress: From 0 to 1 while running; None when unknown.
        text: A line under the preview, in the state's colour.
        preview: Lines under the ports; a task's first line may be ``"Accuracy<TAB>68.5 ± 1.3 %"``.
    """

    state: NodeState = "idle"
    progress: float | None = None
    text: str = ""
    preview: str = ""

    @property
    def word(self) -> str:
        """The state in words, as in the header; empty when idle."""
        word = _WORDS.get(self.state, "")
        if self.state == "running" and self.progress is not None:
            return f"{word} {round(100 * self.progress)} %"
        return word

    @property
    def token(self) -> str:
        """Colour of the state's word."""
        token: str = tokens()["states"][self.state]["color"]
        return token

    @property
    def icon(self) -> str:
        """Icon of the state; empty when idle, and while running (the bar says it)."""
        return "" if self.state == "running" else tokens()["states"][self.state]["icon"] or ""


class NodeItem(QGraphicsItem):
    """Paints one node and knows where its parts are. Selection, focus and drags belong to the canvas.

    Args:
        face: What it shows.
    """

    #: On a screen it keeps its picture: it moves more often than it changes.
    KEPT = QGraphicsItem.CacheMode.DeviceCoordinateCache

    def __init__(self, face: Face) -> None:
        super().__init__()
        self.face = face
        self.status = Status()
        self.chosen = False
        self.hovered = False
        self.focused = False
        self.emphasis: dict[str, bool] | None = None
        self.anatomy: Anatomy
        self._lines: tuple[tuple[str, str, str], ...] = ()
        self._row: tuple[str, str] = ("", "")
        self._bounds = QRectF()
        self._measure()
        self.setCacheMode(self.KEPT)

    # --- what the scene sets ------------------------------------------------------------------------------------

    def set_face(self, face: Face) -> None:
        """Show another face."""
        self.prepareGeometryChange()
        self.face = face
        self._measure()
        self.update()

    def set_status(self, status: Status) -> None:
        """Show another status."""
        if status == self.status:
            return
        self.prepareGeometryChange()
        self.status = status
        self._measure()
        self.update()

    def set_marks(
        self, *, chosen: bool | None = None, hovered: bool | None = None, focused: bool | None = None
    ) -> None:
        """Set what the pointer and the keyboard say of it; None leaves as it is."""
        was = (self.chosen, self.hovered, self.focused)
        self.chosen = self.chosen if chosen is None else chosen
        self.hovered = self.hovered if hovered is None else hovered
        self.focused = self.focused if focused is None else focused
        if (self.chosen, self.hovered, self.focused) != was:
            self.update()

    def set_emphasis(self, emphasis: dict[str, bool] | None) -> None:
        """While a link is dragged: True for ports that fit, False for others; None when no link is dragged."""
        if emphasis != self.emphasis:
            self.emphasis = emphasis
            self.update()

    @property
    def state(self) -> NodeState:
        """The state it is painted in: a missing plugin shows while nothing else is known."""
        return "missing" if self.face.missing and self.status.state == "idle" else self.status.state

    def _measure(self) -> None:
        """Decide the lines of text and from them every place."""
        said = (self.status.preview or self.face.preview).split("\n")
        lines = [(part, "text-3", "regular") for text in said if text for part in broken(text)]
        self._row = ("", "")
        if self.face.kind == "task" and lines and "\t" in lines[0][0]:
            label, _, figure = lines.pop(0)[0].partition("\t")
            self._row = (label, figure)
        if self.status.text:
            token = self.status.token if self.state not in {"idle", "running"} else "text-3"
            weight = "regular" if token == "text-3" else "medium"
            said = self.status.text.split("\n")
            lines.extend((part, token, weight) for text in said for part in broken(text))
        self._lines = tuple(lines)
        self.anatomy = anatomy(self.face, len(lines))
        self._bounds = self.anatomy.rect.adjusted(-8, -6, 8, 7)

    # --- places ---------------------------------------------------------------------------------------------------

    def boundingRect(self) -> QRectF:  # noqa: D102
        return self._bounds

    def scene_rect(self) -> QRectF:
        """The node's body in the scene."""
        return self.anatomy.rect.translated(self.pos())

    def port_at(self, at: QPointF, reach: float) -> str:
        """Name of the port within ``reach`` px (half the hit box) of a point in item coordinates; empty if none."""
        output = self.anatomy.output
        if output is not None and self.face.output is not None and _near(at, output, reach):
            return "out"
        for name, centre in self.anatomy.inputs.items():
            if _near(at, centre, reach):
                return name
        return ""

    def port_face(self, name: str) -> PortFace:
        """The face of a port by name.

        Raises:
            KeyError: There is none.
        """
        if name == "out" and self.face.output is not None:
            return self.face.output
        for port in self.face.inputs:
            if port.name == name:
                return port
        raise KeyError(name)

    def field_at(self, at: QPointF) -> FieldFace | None:
        """The parameter field at a point in item coordinates."""
        for field in self.face.fields:
            if self.anatomy.fields[field.name].contains(at):
                return field
        return None

    # --- painting ---------------------------------------------------------------------------------------------------

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:  # noqa: D102
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        if zoom < BLOCK_ZOOM:
            painter.translate(-self.pos())
            Far([self]).paint(painter)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_body(painter)
        self._paint_header(painter, zoom)
        self._paint_rows(painter)
        self._paint_fields(painter, zoom)
        for y, (text, token, weight) in zip(self.anatomy.lines, self._lines, strict=True):
            draw_text(painter, text, QPointF(PAD, y), token, size="small", weight=weight, width=WIDTH - 2 * PAD)
        self._paint_ports(painter)

    def _paint_body(self, painter: QPainter) -> None:
        rect = self.anatomy.rect
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink("shadow"))
        painter.drawRoundedRect(rect.translated(0, 1), RADIUS, RADIUS)
        if self.chosen or self.focused:
            painter.setPen(QPen(ink("accent"), 2))
            painter.setBrush(ink("canvas"))
            painter.drawRoundedRect(rect.adjusted(-3, -3, 3, 3), RADIUS + 3, RADIUS + 3)
        token = _BORDERS.get(self.state, "accent" if self.chosen else "control-line" if self.hovered else "line-strong")
        pen = QPen(ink(token), 1)
        if self.state in {"stale", "missing"}:
            pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.setBrush(ink("raised"))
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS - 0.5, RADIUS - 0.5)

    def _paint_header(self, painter: QPainter, zoom: float) -> None:
        middle = HEADER / 2
        state = self.state
        token = "accent" if state == "running" else "text-3" if state == "missing" else "text-2"
        draw_icon(painter, self.face.icon, token, QPointF(PAD - 2, middle - 8), 16, zoom)
        right = WIDTH - PAD
        status = self.status if state == self.status.state else Status(state)
        if status.icon:
            right -= 14
            draw_icon(painter, status.icon, status.token, QPointF(right, middle - 7), 14, zoom)
            right -= 4
        word = status.word or self.face.tag
        title = text_width(self.face.title, "label", "semibold")
        if word:
            room = max(right - (PAD + 20) - title - 8, 48.0)
            weight = "medium" if status.word else "regular"
            wide = draw_text(
                painter,
                word,
                QPointF(right, middle),
                status.token,
                size="small",
                weight=weight,
                width=room,
                align="right",
            )
            right -= wide + 8
        draw_text(
            painter, self.face.title, QPointF(PAD + 20, middle), "text", weight="semibold", width=right - PAD - 20
        )
        if state == "running":
            painter.fillRect(QRectF(1, HEADER, WIDTH - 2, BAR), ink("line"))
            if self.status.progress is not None:
                painter.fillRect(QRectF(1, HEADER, (WIDTH - 2) * min(self.status.progress, 1.0), BAR), ink("accent"))

    def _paint_rows(self, painter: QPainter) -> None:
        output, places = self.face.output, self.anatomy
        used = 0.0
        figure = self._row[1] or (output.label if output is not None else "")
        if output is not None and figure and places.output is not None:
            at = QPointF(WIDTH - PAD - (4 if output.shape == "scores" else 2), places.output.y())
            known = any(c.isdigit() for c in self._row[1]) and self.state not in {"stale", "fault"}
            used = draw_text(painter, figure, at, "text" if known else "text-3", width=WIDTH * 0.66, align="right") + 10
        for row, port in enumerate(self.face.inputs):
            room = WIDTH - 2 * PAD - 4 - (used if row == 0 else 0)
            label = self._row[0] if row == 0 and self._row[0] else port.label
            at = QPointF(PAD + 2, places.inputs[port.name].y())
            draw_text(painter, label, at, "text-2" if port.filled else "text-3", width=room)

    def _paint_fields(self, painter: QPainter, zoom: float) -> None:
        for y in self.anatomy.dividers:
            painter.fillRect(QRectF(1, y, WIDTH - 2, 1), ink("line"))
        locked = self.state == "running"
        for field in self.face.fields:
            box = self.anatomy.fields[field.name]
            middle = box.center().y()
            variable = field.form == "variable"
            draw_text(painter, field.label, QPointF(PAD, middle), "text-2", width=box.left() - PAD - 8)
            painter.setPen(QPen(ink("accent-line" if variable else "line" if locked else "line-strong"), 1))
            painter.setBrush(ink("accent-soft" if variable else "base"))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
            icons = {"variable": "variable", "curve": "curve", "rules": "filter", "per-model": "layers"}
            if field.form in icons:
                token = "accent" if variable else "text-3"
                draw_icon(painter, icons[field.form], token, QPointF(box.left() + 4, middle - 7), 14, zoom)
            room = box.width() - 16 - (0 if field.form == "value" else 18)
            token = "accent" if variable else "text-2" if locked else "text"
            draw_text(painter, field.text, QPointF(box.right() - 8, middle), token, width=room + 1, align="right")

    def _paint_ports(self, painter: QPainter) -> None:
        for port in (*self.face.inputs, *((self.face.output,) if self.face.output is not None else ())):
            fits = None if self.emphasis is None else self.emphasis.get(port.name, False)
            painter.setOpacity(0.4 if fits is False else 1.0)
            centre = self.anatomy.port(port.name)
            draw_port(painter, centre, port.shape, PORT_GROWN if fits else PORT, filled=port.filled)
            if port.name == "out" and self.face.is_output:
                painter.setPen(QPen(ink("accent"), 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(centre, 7.5, 7.5)
        painter.setOpacity(1.0)


class Far:
    """Nodes as they are seen from far, in scene coordinates: all of a look are painted at once.

    Args:
        items: Which.
    """

    def __init__(self, items: Iterable[NodeItem]) -> None:
        self._blocks: dict[tuple[str, str], list[QRectF]] = {}
        self._bars: list[QLineF] = []
        for item in items:
            look = _BORDERS.get(item.state, "line-strong"), "accent-soft" if item.chosen else "raised"
            rect = item.scene_rect()
            x, y = rect.x() + PAD, rect.y() + HEADER / 2
            self._blocks.setdefault(look, []).append(rect)
            self._bars.append(QLineF(x, y, x + WIDTH * 0.5, y))

    def paint(self, painter: QPainter) -> None:
        """Paint them."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for (border, ground), rects in self._blocks.items():
            painter.setPen(QPen(ink(border), 0))
            painter.setBrush(ink(ground))
            painter.drawRects(rects)
        thick = max(8.0, 1 / painter.worldTransform().m11())  # a whole pixel at least
        painter.setPen(QPen(ink("text-3"), thick, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
        painter.drawLines(self._bars)


def broken(text: str) -> list[str]:
    """A line of facts in as many lines as the node's width needs, parted after a comma or a middle dot."""
    room = WIDTH - 2 * PAD
    if "\t" in text or text_width(text, "small") <= room:
        return [text]
    lines = [""]
    for fact in re.split(r"(?<=, )|(?<= · )", text):
        if lines[-1] and text_width(lines[-1] + fact, "small") > room:
            lines.append(fact)
        else:
            lines[-1] += fact
    return [line.rstrip(" ·") for line in lines]


def _near(at: QPointF, centre: QPointF, reach: float) -> bool:
    return abs(at.x() - centre.x()) <= reach and abs(at.y() - centre.y()) <= min(reach, ROW / 2)
