import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from solera.params import Param, ParamSpec, PerModel
from solera_app.canvases.faces import FieldFace
from solera_app.canvases.field_editor import parse_field
from solera_app.docks.fields import spin
from solera_app.number_box import NumberBox, number_of

SCALE = ParamSpec("scale", "float", 1.0, param=Param(0.0, 2.0))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.3", 0.3),
        ("05", 5.0),
        ("1/3", 1 / 3),
        (" 2 * (0.4+0.1) ", 1.0),
        ("-2**2", -4.0),
        ("−1e-8", -1e-8),
        ("7-9", -2.0),
    ],
)
def test_arithmetic_is_read(text, number):
    assert number_of(text) == pytest.approx(number, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    ["", "1/", "1/0", "nan", "inf", "9**9**9", "(-8)**0.5", "x", "True", "abs(1)", "'1'", "1,2", "1j", "(" * 70,
     "1+" * 60 + "1"],
)  # fmt: skip
def test_what_is_no_number_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match="is not a number"):
        number_of(text)


def test_a_field_takes_what_arithmetic_comes_to(qtbot):
    box = spin(SCALE)
    qtbot.addWidget(box)
    box.selectAll()
    QTest.keyClicks(box, "1/8+1")
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == 1.125
    assert box.text() == "1.125"
    for text in ("3*3", "2/"):  # too much, and nothing
        box.selectAll()
        QTest.keyClicks(box, text)
        QTest.keyClick(box, Qt.Key.Key_Return)
        assert box.value() == 1.125


def test_letters_cannot_be_typed(qtbot):
    box = NumberBox()
    qtbot.addWidget(box)
    box.setRange(0, 10)
    box.selectAll()
    QTest.keyClicks(box, "3x*y2")
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == 6.0


def test_fields_on_nodes_read_it_too():
    face = FieldFace("scale", "scale", "1.0", "value", SCALE, 1.0)
    assert parse_field("3/4", face) == (0.75, "")
    assert parse_field("3/", face)[0] is None
    weights = ParamSpec("weight", "float", (1.0,), param=Param(per_model=True))
    assert parse_field("1/4, 3/4", FieldFace("weight", "weight", "", "value", weights, 1.0)) == (
        PerModel((0.25, 0.75)),
        "",
    )
