"""The keys of a recipe canvas, as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent

if TYPE_CHECKING:
    from solera_app.canvases.recipe import RecipeCanvas

Action = Callable[["RecipeCanvas"], None]
_NONE = Qt.KeyboardModifier.NoModifier
_CTRL = Qt.KeyboardModifier.ControlModifier
_SHIFT = Qt.KeyboardModifier.ShiftModifier
_ALT = Qt.KeyboardModifier.AltModifier
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


def _first(canvas: RecipeCanvas) -> str:
    return canvas.selection[0] if canvas.selection else ""


def _open(canvas: RecipeCanvas) -> None:
    if id_ := _first(canvas):
        canvas.openRequested.emit(id_)


def _rename(canvas: RecipeCanvas) -> None:
    if id_ := _first(canvas):
        canvas.edit_title(id_)


def _nudge(right: int, down: int) -> Action:
    return lambda canvas: canvas.edits.nudge(right, down) if canvas.selection else go(canvas, right, down)


def _go(right: int, down: int) -> Action:
    return lambda canvas: go(canvas, right, down)


def go(canvas: RecipeCanvas, right: int, down: int) -> None:
    """Choose the nearest node in a direction; the first node when none is chosen."""
    items = canvas.picture.items_by_id
    if not items:
        return
    if not canvas.selection:
        canvas.select([min(items, key=lambda id_: (items[id_].x(), items[id_].y()))])
    else:
        here = items[canvas.selection[0]].scene_rect().center()

        def cost(at: QPointF) -> float | None:
            along = (at.x() - here.x()) * right + (at.y() - here.y()) * down
            aside = abs((at.x() - here.x()) * down) + abs((at.y() - here.y()) * right)
            return along + aside if along > 1 else None

        costs = {id_: cost(item.scene_rect().center()) for id_, item in items.items()}
        reachable = {id_: value for id_, value in costs.items() if value is not None}
        if reachable:
            canvas.select([min(reachable, key=lambda id_: reachable[id_])])
    canvas.ensureVisible(items[canvas.selection[0]].scene_rect(), 24, 24)


_TABLE: dict[tuple[Qt.Key, Qt.KeyboardModifier], Action] = {
    (Qt.Key.Key_Delete, _NONE): lambda canvas: canvas.edits.delete(),
    (Qt.Key.Key_Backspace, _NONE): lambda canvas: canvas.edits.delete(),
    (Qt.Key.Key_C, _CTRL): lambda canvas: void(canvas.edits.copy()),
    (Qt.Key.Key_X, _CTRL): lambda canvas: canvas.edits.cut(),
    (Qt.Key.Key_V, _CTRL): lambda canvas: canvas.edits.paste(),
    (Qt.Key.Key_D, _CTRL): lambda canvas: canvas.edits.duplicate(),
    (Qt.Key.Key_A, _CTRL): lambda canvas: canvas.select(list(canvas.picture.items_by_id)),
    (Qt.Key.Key_Escape, _NONE): lambda canvas: canvas.select([]),
    (Qt.Key.Key_C, _NONE): lambda canvas: canvas.edits.connect_chosen(),
    (Qt.Key.Key_O, _NONE): lambda canvas: canvas.edits.make_output(),
    (Qt.Key.Key_Tab, _NONE): lambda canvas: void(canvas.open_quick_add()),
    (Qt.Key.Key_F, _NONE): lambda canvas: canvas.fit(),
    (Qt.Key.Key_G, _NONE): lambda canvas: canvas.new_frame(),
    (Qt.Key.Key_G, _SHIFT): lambda canvas: canvas.grouping.unframe(),
    (Qt.Key.Key_K, _NONE): lambda canvas: canvas.grouping.fold(),
    (Qt.Key.Key_L, _NONE): lambda canvas: canvas.grouping.lay_out(),
    (Qt.Key.Key_N, _NONE): lambda canvas: canvas.new_comment(),
    (Qt.Key.Key_F2, _NONE): _rename,
    (Qt.Key.Key_Return, _NONE): _open,
    (Qt.Key.Key_Enter, _NONE): _open,
    (Qt.Key.Key_Return, _CTRL): lambda canvas: canvas.runRequested.emit(),
    (Qt.Key.Key_Plus, _CTRL): lambda canvas: canvas.zoom_step(1),
    (Qt.Key.Key_Equal, _CTRL): lambda canvas: canvas.zoom_step(1),
    (Qt.Key.Key_Minus, _CTRL): lambda canvas: canvas.zoom_step(-1),
    (Qt.Key.Key_0, _CTRL): lambda canvas: canvas.zoom_to(1.0),
}
for _key, (_x, _y) in _ARROWS.items():
    _TABLE[(_key, _NONE)] = _nudge(_x, _y)
    _TABLE[(_key, _SHIFT)] = _nudge(3 * _x, 3 * _y)
    _TABLE[(_key, _ALT)] = _go(_x, _y)


def void(_: object) -> None:
    """Drop a result."""


def action_for(event: QKeyEvent) -> Action | None:
    """What a key does here; None if nothing."""
    modifiers = event.modifiers() & ~(Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.GroupSwitchModifier)
    key = Qt.Key(event.key())
    if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
        modifiers &= ~_SHIFT
    return _TABLE.get((key, modifiers))
