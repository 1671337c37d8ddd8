"""Where the parts of a node are: one place for every measure, used for painting, hits, edges and editors alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF

from solera_app.canvases.faces import Face
from solera_app.canvases.ink import text_width
from solera_app.theme import tokens

WIDTH: float = tokens()["node"]["width"]
HEADER: float = tokens()["node"]["header"]
ROW: float = tokens()["node"]["row"]
FIELD: float = tokens()["node"]["field"]
PORT: float = tokens()["node"]["port"]
PORT_GROWN = 14.0
PORT_HIT: float = tokens()["node"]["port_hit"]
SNAP: float = tokens()["node"]["snap"]
GRID: float = tokens()["node"]["grid"]
RADIUS: float = tokens()["radius"]["node"]
PAD: float = tokens()["spacing"]["node_padding_x"]
BAR: float = tokens()["node"]["progress"]
LINE = 16.0
FIELD_WIDTHS = (64.0, 104.0)
_TOP = 6.0  # between header and rows; holds the bar of a running node


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The measures of one node, in px from its top left corner.

    Attributes:
        height: Of the whole node.
        inputs: Centre of each input port, by name.
        output: Centre of the output port; None if there is none.
        fields: Box of each parameter field, by name.
        dividers: y of each hairline.
        lines: y of the centre of each line of preview and state text.
    """

    height: float
    inputs: dict[str, QPointF]
    output: QPointF | None
    fields: dict[str, QRectF]
    dividers: tuple[float, ...]
    lines: tuple[float, ...]

    @property
    def rect(self) -> QRectF:
        """The node's body."""
        return QRectF(0, 0, WIDTH, self.height)

    @property
    def title(self) -> QRectF:
        """Where the title may be edited."""
        return QRectF(PAD + 20, 0, WIDTH - 2 * PAD - 20, HEADER)

    def port(self, name: str) -> QPointF:
        """Centre of a port by name; ``"out"`` is the output.

        Raises:
            KeyError: The node has no such port.
        """
        if name == "out":
            if self.output is None:
                raise KeyError(name)
            return self.output
        return self.inputs[name]


@lru_cache(maxsize=4096)
def anatomy(face: Face, lines: int) -> Anatomy:
    """The measures of a node with this face and this many lines of preview and state text."""
    if face.kind == "checkpoint" and not face.inputs:
        centres = tuple(HEADER + 4 + LINE * (i + 0.5) for i in range(lines))
        height = HEADER + 4 + LINE * max(lines, 1) + 12
        return Anatomy(height, {}, QPointF(WIDTH, HEADER), {}, (), centres)
    y = HEADER + _TOP
    inputs = {port.name: QPointF(0, y + ROW * (i + 0.5)) for i, port in enumerate(face.inputs)}
    output = QPointF(WIDTH, y + ROW / 2) if face.output is not None else None
    y += ROW * max(len(face.inputs), 1)
    dividers: list[float] = []
    fields: dict[str, QRectF] = {}
    if face.fields:
        y += 8
        dividers.append(y)
        y += 6
        for field in face.fields:
            narrow, wide = FIELD_WIDTHS
            icon = 0 if field.form == "value" else 22
            width = min(max(text_width(field.text, "label") + 18 + icon, narrow), wide)
            fields[field.name] = QRectF(WIDTH - PAD - width, y + (ROW - FIELD) / 2, width, FIELD)
            y += ROW
        y += 6
    if not lines:
        return Anatomy(y if face.fields else y + 12, inputs, output, fields, tuple(dividers), ())
    if face.kind in {"method", "sum"}:
        y = y if face.fields else y + 6
        dividers.append(y)
        y += 5
        bottom = 5.0
    else:  # save and task: the lines follow their row
        y -= 2
        bottom = 8.0
    centres = tuple(y + LINE * (i + 0.5) for i in range(lines))
    return Anatomy(y + LINE * lines + bottom, inputs, output, fields, tuple(dividers), centres)
