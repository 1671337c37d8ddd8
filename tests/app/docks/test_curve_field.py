"""Curves over layers drawn by hand in the inspector."""

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from tests.app.canvases.conftest import CARDS, blend_document

from solera.documents.commands import SetParam
from solera.documents.history import History
from solera.params import Curve, Param, ParamSpec, Var
from solera_app.docks.curve_field import SHAPES, CurveField
from solera_app.docks.inspector import Inspector

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SPEC = ParamSpec("density", "float", 0.2, param=Param(0, 1))


@pytest.fixture
def field(qtbot: Any) -> CurveField:
    made = CurveField(SPEC)
    qtbot.addWidget(made)
    made.resize(240, 140)
    made.setValue(Curve((0.0, 0.5, 1.0)))
    made.show()
    return made


def values(field: CurveField) -> tuple[Any, ...]:
    value = field.value()
    assert isinstance(value, Curve)
    return value.values


def test_a_knot_is_dragged_and_a_stroke_draws_over_several(field: CurveField) -> None:
    told: list[Any] = []
    field.sigChanged.connect(lambda: told.append(values(field)))
    edit = field.edit
    start, end = edit.knot_px(0).toPoint(), edit.knot_px(2).toPoint()
    QTest.mousePress(edit, LEFT, PLAIN, start)
    QTest.mouseMove(edit, QPoint(start.x(), end.y()))
    assert values(field) == pytest.approx((1.0, 0.5, 1.0), abs=0.02)
    QTest.mouseMove(edit, QPoint(end.x(), start.y()))  # across to the last knot in one move
    QTest.mouseRelease(edit, LEFT, PLAIN, QPoint(end.x(), start.y()))
    assert values(field) == pytest.approx((0.0, 0.0, 0.0), abs=0.02)
    assert told[-1] == values(field)
    QTest.mouseMove(edit, start)
    assert told[-1] == values(field)


def test_arrows_move_knots_within_the_range_and_escape_gives_up_a_drag(field: CurveField) -> None:
    edit = field.edit
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Up):
        QTest.keyClick(edit, key)
    assert values(field) == (0.0, 0.51, 1.0)
    QTest.keyClick(edit, Qt.Key.Key_Right)
    QTest.keyClick(edit, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert values(field)[2] == 1.0
    before = values(field)
    QTest.mousePress(edit, LEFT, PLAIN, edit.knot_px(0).toPoint())
    QTest.mouseMove(edit, edit.knot_px(1).toPoint())
    assert values(field) != before
    QTest.keyClick(edit, Qt.Key.Key_Escape)
    assert values(field) == before


def test_more_knots_keep_the_curve_and_searched_ones_stay_until_drawn(field: CurveField) -> None:
    field.knots.setValue(5)
    assert values(field) == (0.0, 0.25, 0.5, 0.75, 1.0)
    field.setValue(Curve((Var("a", 0.0, 1.0, 0.3), 0.6)))
    QTest.keyClick(field.edit, Qt.Key.Key_Right)
    QTest.keyClick(field.edit, Qt.Key.Key_Down)
    assert values(field) == (Var("a", 0.0, 1.0, 0.3), 0.59)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_shapes_fill_the_range_and_blocks_are_where_they_say(field: CurveField, name: str) -> None:
    field.knots.setValue(9)
    next(action for action in field.shape.menu().actions() if action.text() == name).trigger()
    drawn = values(field)
    assert len(drawn) == 9
    assert all(0 <= value <= 1 for value in drawn)
    thirds = [drawn[0], drawn[4], drawn[8]]
    wanted = {"Early layers only": [1, 0, 0], "Middle layers only": [0, 1, 0], "Late layers only": [0, 0, 1]}
    if name in wanted:
        assert thirds == wanted[name]
    assert name == "Flat" or max(drawn) > 0.95


def test_a_number_becomes_a_curve_with_one_click_and_goes_back(qtbot: Any) -> None:
    inspector, history = Inspector(), History(blend_document())
    qtbot.addWidget(inspector)
    inspector.resize(272, 640)

    def show() -> None:
        inspector.show_node(history.document, "ties", CARDS)

    def press(words: str) -> None:
        def found() -> list[QPushButton]:
            return [b for b in inspector.findChildren(QPushButton) if b.text() == words and b.isVisible()]

        qtbot.waitUntil(lambda: bool(found()))
        QTest.mouseClick(found()[0], LEFT)

    def edited(command: Any) -> None:
        history.do(command)
        show()

    inspector.edited.connect(edited)
    show()
    inspector.show()
    press("Density by layer")
    node: Any = history.document.node("ties")
    assert node.params["density"] == Curve((0.2,) * 5)
    field = next(iter(inspector.form._root.child("density").items)).widget
    assert isinstance(field, CurveField)
    QTest.mouseClick(field.edit, LEFT, PLAIN, QPoint(round(field.edit.knot_px(4).x()), 12))
    assert isinstance(history._done[-1].command, SetParam)
    node = history.document.node("ties")
    assert node.params["density"].values[4] > 0.9
    press("One density for all layers")
    node = history.document.node("ties")
    assert node.params["density"] == 0.2
