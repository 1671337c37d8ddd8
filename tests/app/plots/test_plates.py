import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QRectF, QSizeF

from solera_app.plots.plates import Wanted, place, spread

BOUNDS = QRectF(0, 0, 600, 400)


def overlap(a: QRectF, b: QRectF) -> bool:
    common = a.intersected(b)
    return common.width() > 0.01 and common.height() > 0.01


def test_a_lone_name_stands_right_of_its_mark() -> None:
    (rect,) = place([Wanted(QPointF(100, 100), QSizeF(40, 16))], BOUNDS)
    assert rect == QRectF(112, 92, 40, 16)


def test_names_close_together_do_not_cover_each_other_or_the_marks() -> None:
    at = [QPointF(300, 200), QPointF(312, 204), QPointF(306, 190), QPointF(590, 10)]
    blocked = [QRectF(p.x() - 8, p.y() - 8, 16, 16) for p in at]
    rects = place([Wanted(p, QSizeF(60, 16)) for p in at], BOUNDS, blocked)
    assert all(BOUNDS.contains(rect) for rect in rects)
    for number, rect in enumerate(rects):
        assert not any(overlap(rect, other) for other in rects[number + 1 :])
        assert not any(overlap(rect, mark) for mark in blocked)


@settings(max_examples=60)
@given(st.lists(st.floats(0, 200), max_size=8))
def test_labels_on_a_line_are_moved_apart_and_keep_their_order(centres: list[float]) -> None:
    placed = spread(centres, 15, 0, 200)
    order = sorted(range(len(centres)), key=lambda index: centres[index])
    for lower, upper in itertools.pairwise(order):
        assert placed[upper] - placed[lower] >= 15 - 1e-6
