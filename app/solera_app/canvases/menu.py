"""The context menu of a recipe canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QMenu

from solera.params import Var
from solera_app.canvases.arrange import SIDES
from solera_app.canvases.faces import FieldFace
from solera_app.theme import icon

if TYPE_CHECKING:
    from solera_app.canvases.recipe import RecipeCanvas

#: Label, icon, key as text, and what it does. An empty label is a line.
_Row = tuple[str, str, str, Callable[[], object]]


def context_menu(canvas: RecipeCanvas, at: QPointF) -> QMenu:
    """The menu for the choice, or, without one, for a place in the scene."""
    menu = QMenu(canvas)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setAccessibleName("Canvas menu")
    hit = canvas.picture.hit(at, canvas.camera.zoom)
    field = _field_rows(canvas, hit.node, hit.field) if hit.field is not None else []
    rows = [*field, *_node_rows(canvas)] if canvas.selection else _link_rows(canvas) or _ground_rows(canvas, at)
    for label, icon_name, key, do in rows:
        if not label:
            menu.addSeparator()
            continue
        action = menu.addAction(f"{label}\t{key}" if key else label)
        if icon_name:
            action.setIcon(icon(icon_name))
        action.triggered.connect(lambda _=False, do=do: do())
    return menu


def choice_menu(canvas: RecipeCanvas, field: FieldFace, choices: Sequence[str], take: Callable[[str], object]) -> QMenu:
    """The values a parameter can have, the present one ticked."""
    menu = QMenu(canvas)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setAccessibleName(field.label)
    for choice in choices:
        action = menu.addAction(choice)
        action.setCheckable(True)
        action.setChecked(choice == field.text)
        action.triggered.connect(lambda _=False, choice=choice: take(choice))
    return menu


def _nothing() -> None:
    """For lines."""


_LINE: _Row = ("", "", "", _nothing)


def _field_rows(canvas: RecipeCanvas, id_: str, field: FieldFace) -> list[_Row]:
    """What can be done with the value under the pointer: search over it, or stop that."""
    numeric = field.spec.kind in {"float", "int"} and not field.spec.param.per_model
    if not numeric or not (isinstance(field.value, (int, float, Var)) and not isinstance(field.value, bool)):
        return []
    what = "Stop searching" if isinstance(field.value, Var) else "Search over"
    return [(f"{what} {field.label.lower()}", "variable", "", lambda: canvas.edits.search_over(id_, field)), _LINE]


def _node_rows(canvas: RecipeCanvas) -> list[_Row]:
    edits, chosen = canvas.edits, canvas.selection
    rows: list[_Row] = []
    if len(chosen) == 1:
        id_ = chosen[0]
        rows += [
            ("Open", "", "Enter", lambda: canvas.openRequested.emit(id_)),
            ("Rename", "", "F2", lambda: canvas.edit_title(id_)),
        ]
        if canvas.picture.items_by_id[id_].face.kind in {"checkpoint", "adapter", "sum", "method"}:
            rows += [
                ("Edit note", "comment", "", lambda: canvas.edit_note(id_)),
                ("Make this the output", "", "O", edits.make_output),
            ]
        rows.append(_LINE)
    if len(chosen) == 2:
        rows += [("Connect", "link", "C", edits.connect_chosen)]
        titles = [canvas.picture.items_by_id[id_].face.title for id_ in chosen]
        if all(canvas.picture.items_by_id[id_].face.kind == "checkpoint" for id_ in chosen):
            rows += [(f"Align {titles[1]} to {titles[0]}", "", "", edits.align_chosen)]
        rows.append(_LINE)
    if len(chosen) > 1:
        sides = SIDES if len(chosen) > 2 else [side for side in SIDES if side not in ("down", "across")]
        rows += [(SIDES[side], "", "", partial(canvas.grouping.line_up, side)) for side in sides]
        rows += [("Lay out these", "", "L", canvas.grouping.lay_out), _LINE]
    return [
        *rows,
        *_frame_rows(canvas),
        ("Copy", "", "Ctrl+C", edits.copy),
        ("Cut", "", "Ctrl+X", edits.cut),
        ("Duplicate", "", "Ctrl+D", edits.duplicate),
        ("Disconnect all", "", "", edits.detach),
        _LINE,
        ("Delete", "trash", "Del", edits.delete),
    ]


def _frame_rows(canvas: RecipeCanvas) -> list[_Row]:
    """Frames: a new one, or what can be done with the one that is chosen."""
    grouping, frames = canvas.grouping, canvas.grouping.chosen_frames
    rows: list[_Row] = [("Frame", "frame", "G", canvas.new_frame)]
    if len(frames) == 1:
        frame = frames[0]
        rows += [
            ("Rename frame", "", "", lambda: canvas.edit_frame(frame)),
            ("Open group" if frame.collapsed else "Collapse to one node", "layers", "K", grouping.fold),
            ("Save group as recipe…", "save", "", lambda: canvas.saveFrameRequested.emit(frame)),
            ("Take out of frame", "", "", grouping.leave),
        ]
    if frames:
        rows.append(("Take frame away", "", "Shift+G", grouping.unframe))
    return [*rows, _LINE]


def _link_rows(canvas: RecipeCanvas) -> list[_Row]:
    comment = canvas.picture.around.chosen_comment
    if comment:
        written = canvas.picture.around.comments[comment].comment
        return [
            ("Edit comment", "comment", "", lambda: canvas.edit_comment(written)),
            ("Delete comment", "trash", "Del", canvas.edits.delete),
        ]
    if canvas.picture.chosen_link is None:
        return []
    return [("Disconnect", "trash", "Del", canvas.edits.delete)]


def _ground_rows(canvas: RecipeCanvas, at: QPointF) -> list[_Row]:
    return [
        ("Add node…", "add", "Tab", lambda: canvas.open_quick_add(at)),
        ("Add comment", "comment", "N", lambda: canvas.new_comment(at)),
        ("Insert recipe…", "recipe", "", lambda: canvas.insertRequested.emit(at)),
        ("Paste", "", "Ctrl+V", lambda: canvas.edits.paste((at.x(), at.y()))),
        _LINE,
        ("Lay out", "", "L", canvas.grouping.lay_out),
        ("Select all", "", "Ctrl+A", lambda: canvas.select(list(canvas.picture.items_by_id))),
        ("Show everything", "fit", "F", canvas.fit),
        _LINE,
        ("Run recipe", "run", "Ctrl+Enter", canvas.runRequested.emit),
    ]
