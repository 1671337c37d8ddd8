"""Each gesture of the recipe canvas, with real mouse and key events."""

import json

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from solera.documents.commands import AddNodes
from solera.recipes.nodes import CheckpointNode, MethodNode
from solera_app.canvases.quick_add import QuickAdd

LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
PLAIN = Qt.KeyboardModifier.NoModifier
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def on_screen(canvas, at: QPointF) -> QPoint:
    return canvas.viewportTransform().map(at).toPoint()


def body(canvas, id_: str) -> QPoint:
    """A place on a node that is neither port, field nor title."""
    item = canvas.picture.items_by_id[id_]
    return on_screen(canvas, item.pos() + QPointF(100, item.anatomy.height - 8))


def port(canvas, id_: str, name: str) -> QPoint:
    item = canvas.picture.items_by_id[id_]
    return on_screen(canvas, item.pos() + item.anatomy.port(name))


def drag(canvas, start: QPoint, end: QPoint, *, button=LEFT, modifiers=PLAIN, release=True) -> None:
    view = canvas.viewport()
    QTest.mousePress(view, button, modifiers, start)
    for step in (1, 2, 3, 4):
        QTest.mouseMove(view, start + (end - start) * (step / 4))
    if release:
        QTest.mouseRelease(view, button, modifiers, end)


# --- MoveNodes ------------------------------------------------------------------------------------------------------


def test_a_drag_moves_a_node_on_the_grid_as_one_step(canvas, history):
    before = history.document.layout["math_8b_sft"]
    start = body(canvas, "math_8b_sft")
    drag(canvas, start, start + QPoint(43, 30))
    x, y = history.document.layout["math_8b_sft"]
    assert (x - before[0], y - before[1]) == (40, 32)
    assert canvas.selection == ["math_8b_sft"]
    assert history.undo() == "Move node"
    assert history.document.layout["math_8b_sft"] == before
    assert canvas.picture.items_by_id["math_8b_sft"].pos() == QPointF(*before)
    assert history.can_undo == ""


def test_chosen_nodes_move_together(canvas, history):
    canvas.select(["math_8b_sft", "code_8b_sft"])
    before = dict(history.document.layout)
    start = body(canvas, "code_8b_sft")
    drag(canvas, start, start + QPoint(0, 80))
    after = history.document.layout
    assert after["math_8b_sft"][1] - before["math_8b_sft"][1] == 80
    assert after["code_8b_sft"][1] - before["code_8b_sft"][1] == 80
    assert after["ties"] == before["ties"]


def test_escape_puts_a_dragged_node_back(canvas, history):
    before = history.document
    start = body(canvas, "math_8b_sft")
    drag(canvas, start, start + QPoint(60, 60), release=False)
    assert canvas.picture.items_by_id["math_8b_sft"].x() != before.layout["math_8b_sft"][0]
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas.viewport(), LEFT, PLAIN, start)
    assert history.document is before
    assert canvas.picture.items_by_id["math_8b_sft"].pos() == QPointF(*before.layout["math_8b_sft"])


def test_a_click_chooses_and_shift_adds(canvas, qtbot):
    view = canvas.viewport()
    with qtbot.waitSignal(canvas.selectionChanged):
        QTest.mouseClick(view, LEFT, PLAIN, body(canvas, "save"))
    QTest.mouseClick(view, LEFT, SHIFT, body(canvas, "ties"))
    assert canvas.selection == ["save", "ties"]
    QTest.mouseClick(view, LEFT, SHIFT, body(canvas, "save"))
    assert canvas.selection == ["ties"]
    QTest.mouseClick(view, LEFT, PLAIN, on_screen(canvas, QPointF(250, 500)))
    assert canvas.selection == []


# --- RubberBand and Pan ---------------------------------------------------------------------------------------------


def test_a_box_on_the_ground_chooses_what_it_touches(canvas):
    start = on_screen(canvas, QPointF(8, 140))
    drag(canvas, start, on_screen(canvas, QPointF(120, 300)), release=False)
    assert set(canvas.selection) == {"math_8b_sft", "code_8b_sft"}
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.selection == []


@pytest.mark.parametrize("button", [MIDDLE, LEFT])
def test_the_middle_button_or_space_pans(canvas, button):
    seen = canvas.camera.seen().topLeft()
    if button is LEFT:
        QTest.keyPress(canvas, Qt.Key.Key_Space)
    start = body(canvas, "ties")
    drag(canvas, start, start + QPoint(-50, 20), button=button)
    moved = canvas.camera.seen().topLeft() - seen
    assert (round(moved.x()), round(moved.y())) == (50, -20)
    assert canvas.selection == []


def test_ctrl_wheel_zooms_about_the_pointer(canvas):
    at = QPointF(body(canvas, "ties"))
    before = canvas.viewportTransform().inverted()[0].map(at)
    canvas.zoom_to(canvas.camera.zoom * 1.5, at)
    after = canvas.viewportTransform().inverted()[0].map(at)
    assert canvas.camera.zoom == pytest.approx(1.5)
    assert (after - before).manhattanLength() < 2
    assert canvas.zoom_bar.figure.text() == "150 %"


# --- DragLink -------------------------------------------------------------------------------------------------------


def test_a_link_connects_an_output_to_a_free_input(canvas, history):
    history.do(AddNodes((CheckpointNode("legal", "library:legal"),), {"legal": (24, 400)}))
    drag(canvas, port(canvas, "legal", "out"), port(canvas, "ties", "input:+"))
    assert history.document.node("ties").inputs[-1] == "legal"
    assert ("ties", "input:3") in canvas.picture.edges
    assert history.undo() == "Connect legal"
    assert ("ties", "input:3") not in canvas.picture.edges


def test_fitting_ports_grow_others_fade_and_a_refusal_is_said(canvas, history, qtbot):
    delta = MethodNode("mean_delta", "mean_delta", ())
    history.do(AddNodes((delta,), {"mean_delta": (24, 420)}))
    drag(canvas, port(canvas, "llama_3_1_8b", "out"), port(canvas, "mean_delta", "input:+"), release=False)
    emphasis = canvas.picture.items_by_id["mean_delta"].emphasis
    assert emphasis == {"input:+": False, "out": False}
    assert canvas.picture.items_by_id["save"].emphasis == {"source": True}
    assert canvas._note.isVisible()
    assert "takes a Delta" in canvas._note.text()
    before = history.document
    with qtbot.waitSignal(canvas.message):
        QTest.mouseRelease(canvas.viewport(), LEFT, PLAIN, port(canvas, "mean_delta", "input:+"))
    assert history.document is before
    assert not canvas._note.isVisible()
    assert canvas.picture.items_by_id["save"].emphasis is None


def test_a_circle_is_refused_with_its_reason(canvas, history):
    two = MethodNode("ties_2", "ties", ("ties",))
    history.do(AddNodes((two,), {"ties_2": (292, 480)}))
    drag(canvas, port(canvas, "ties_2", "out"), port(canvas, "ties", "input:+"), release=False)
    assert "circle" in canvas._note.text()


def test_a_link_dropped_on_a_body_takes_the_first_port_that_fits(canvas, history):
    history.do(AddNodes((CheckpointNode("legal", "library:legal"),), {"legal": (24, 400)}))
    drag(canvas, port(canvas, "legal", "out"), body(canvas, "ties"))
    assert history.document.node("ties").inputs[-1] == "legal"


def test_a_link_can_be_dragged_from_an_input_back_to_an_output(canvas, history):
    history.do(AddNodes((CheckpointNode("legal", "library:legal"),), {"legal": (24, 400)}))
    drag(canvas, port(canvas, "ties", "input:+"), port(canvas, "legal", "out"))
    assert history.document.node("ties").inputs[-1] == "legal"


def test_an_existing_link_moves_to_another_port(canvas, history):
    drag(canvas, port(canvas, "ties", "input:0"), port(canvas, "gsm8k", "source"))
    assert history.document.node("gsm8k").source == "math_8b_sft"
    assert history.document.node("ties").inputs == ("code_8b_sft", "instruct_8b_dpo")
    history.undo()
    assert history.document.node("gsm8k").source == "ties"


def test_an_existing_link_dropped_on_the_ground_is_removed(canvas, history):
    drag(canvas, port(canvas, "ties", "base"), on_screen(canvas, QPointF(250, 480)))
    assert history.document.node("ties").base == ""
    assert QApplication.activePopupWidget() is None


def test_a_link_dropped_on_the_ground_offers_what_fits_and_connects_it(canvas, history, qtbot):
    drag(canvas, port(canvas, "math_8b_sft", "out"), on_screen(canvas, QPointF(250, 480)))
    menu = canvas.findChild(QuickAdd)
    names = {addition.name for addition in menu.shown}
    assert {"ties", "slerp", "sum", "save"} <= names
    assert "mean_delta" not in names  # it takes Deltas only
    assert not any(addition.kind == "checkpoint" for addition in menu.shown)
    QTest.keyClicks(menu.search, "slerp")
    QTest.keyClick(menu.search, Qt.Key.Key_Return)
    assert history.document.node("slerp").inputs == ("math_8b_sft",)
    assert canvas.selection == ["slerp"]
    assert history.undo() == "Add SLERP"
    assert "slerp" not in history.document.ids


# --- drops ----------------------------------------------------------------------------------------------------------


def drop(canvas, mime: QMimeData, at: QPoint) -> bool:
    actions, buttons = Qt.DropAction.CopyAction, LEFT
    enter = QDragEnterEvent(at, actions, mime, buttons, PLAIN)
    QApplication.sendEvent(canvas.viewport(), enter)
    if not enter.isAccepted():
        return False
    QApplication.sendEvent(canvas.viewport(), QDropEvent(QPointF(at), actions, mime, buttons, PLAIN))
    return True


def test_library_entries_become_checkpoints_at_the_drop_point(canvas, history):
    mime = QMimeData()
    entries = [{"name": "legal-fr", "path": "/data/legal-fr"}, {"name": "math-8b-sft", "path": "/data/m"}]
    mime.setData("application/x-solera-library", json.dumps(entries).encode())
    assert drop(canvas, mime, on_screen(canvas, QPointF(420, 440)))
    document = history.document
    assert document.node("legal_fr").source == "library:legal-fr"
    assert document.node("math_8b_sft_2").source == "library:math-8b-sft"
    x, y = document.layout["legal_fr"]
    assert abs(x + 92 - 420) <= 8
    assert abs(y + 16 - 440) <= 8
    assert canvas.picture.items_by_id["math_8b_sft_2"].face.title == "math-8b-sft 2"
    history.undo()
    assert "legal_fr" not in history.document.ids


def test_files_are_handed_on_and_other_things_refused(canvas, history, qtbot):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile("/data/model")])
    with qtbot.waitSignal(canvas.filesDropped) as caught:
        assert drop(canvas, mime, QPoint(300, 300))
    assert caught.args[0] == ["/data/model"]
    other = QMimeData()
    other.setText("hello")
    assert not drop(canvas, other, QPoint(300, 300))
    broken = QMimeData()
    broken.setData("application/x-solera-library", b"{not json")
    assert not drop(canvas, broken, QPoint(300, 300))
