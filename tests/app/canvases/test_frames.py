"""Frames, comments and places on the recipe canvas, with real mouse and keys."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit

from solera.documents.commands import SetFrames
from solera.documents.document import Document, Frame
from solera.documents.history import History
from solera.params import Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera_app.canvases.arrange import COLUMN, SIDES, in_line, layered
from solera_app.canvases.faces import faces
from solera_app.canvases.recipe import RecipeCanvas

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
EXPERTS = ("math_8b_sft", "code_8b_sft", "instruct_8b_dpo")


def px(canvas: RecipeCanvas, at: QPointF) -> QPoint:
    return canvas.viewportTransform().map(at).toPoint()


def drag(canvas: RecipeCanvas, start: QPointF, by: QPoint) -> None:
    view, begin = canvas.viewport(), px(canvas, start)
    QTest.mousePress(view, LEFT, PLAIN, begin)
    for step in (0.4, 0.8, 1.0):
        QTest.mouseMove(view, begin + by * step)
    QTest.mouseRelease(view, LEFT, PLAIN, begin + by)


def grip(canvas: RecipeCanvas, frame: str = "frame_1") -> QPointF:
    return canvas.picture.around.frames[frame].grip.topLeft() + QPointF(40, 8)


def type_into(canvas: RecipeCanvas, text: str) -> None:
    editor = next(box for box in canvas.findChildren(QLineEdit) if box.isVisible())
    editor.selectAll()
    QTest.keyClicks(editor, text)
    QTest.keyClick(editor, Qt.Key.Key_Return)


def folded(history: History) -> bool:
    return history.document.frames[0].collapsed


@pytest.fixture
def experts(canvas: RecipeCanvas) -> RecipeCanvas:
    """A canvas with its three experts in a frame."""
    canvas.select(EXPERTS)
    QTest.keyClick(canvas, Qt.Key.Key_G)
    type_into(canvas, "Experts")
    return canvas


def test_g_frames_the_chosen_nodes_and_asks_for_a_title(experts: RecipeCanvas, history: History) -> None:
    assert list(history.document.frames) == [Frame("frame_1", "Experts", EXPERTS)]
    box = experts.picture.around.frames["frame_1"].box
    for id_ in EXPERTS:
        assert box.contains(experts.picture.items_by_id[id_].scene_rect())
    QTest.keyClick(experts, Qt.Key.Key_G, Qt.KeyboardModifier.ShiftModifier)
    assert not list(history.document.frames)
    assert set(EXPERTS) <= history.document.ids


def test_a_frame_is_dragged_with_its_nodes_as_one_step(experts: RecipeCanvas, history: History) -> None:
    before = dict(history.document.layout)
    drag(experts, grip(experts), QPoint(0, 80))
    moved = history.document.layout
    assert all(moved[id_] == (before[id_][0], before[id_][1] + 80) for id_ in EXPERTS)
    assert moved["ties"] == before["ties"]
    history.undo()
    assert dict(history.document.layout) == before
    experts.select([])
    QTest.mouseClick(experts.viewport(), LEFT, PLAIN, px(experts, grip(experts)))
    assert experts.selection == list(EXPERTS)


def test_a_collapsed_frame_is_one_node_whose_links_go_to_its_edge(experts: RecipeCanvas, history: History) -> None:
    scene = experts.picture
    fold = scene.around.frames["frame_1"].fold.center()
    QTest.mouseClick(experts.viewport(), LEFT, PLAIN, px(experts, fold))
    card = scene.around.frames["frame_1"]
    assert folded(history)
    assert not any(scene.items_by_id[id_].isVisible() for id_ in EXPERTS)
    edges = [edge for edge in scene.edges.values() if edge.link.source in EXPERTS]
    assert len(edges) == 3
    assert {(e.path.elementAt(0).x, e.path.elementAt(0).y) for e in edges} == {(card.outlet.x(), card.outlet.y())}
    drag(experts, card.box.center(), QPoint(0, 40))
    assert card.outlet.y() == edges[0].path.elementAt(0).y
    QTest.mouseDClick(experts.viewport(), LEFT, PLAIN, px(experts, card.box.center()))
    assert not folded(history)
    assert scene.items_by_id[EXPERTS[0]].isVisible()
    experts.select(EXPERTS[:1])
    QTest.keyClick(experts, Qt.Key.Key_K)
    assert folded(history)


def test_links_within_a_collapsed_frame_are_hidden(canvas: RecipeCanvas, history: History) -> None:
    history.do(SetFrames((Frame("f", "All", (*EXPERTS, "llama_3_1_8b", "ties"), True),)))
    shown = [edge for edge in canvas.picture.edges.values() if edge.isVisible()]
    assert {edge.link.target for edge in shown} == {"save", "gsm8k", "humaneval"}


def test_a_comment_is_written_moved_and_deleted(canvas: RecipeCanvas, history: History) -> None:
    canvas.new_comment(QPointF(300, 480))
    type_into(canvas, "Try 0.2 next")
    (comment,) = history.document.comments
    assert (comment.text, comment.at) == ("Try 0.2 next", (304, 480))
    at = canvas.picture.around.comments[comment.id].box.center()
    drag(canvas, at, QPoint(40, 16))
    assert [c.at for c in history.document.comments] == [(344, 496)]
    history.undo()
    assert [c.at for c in history.document.comments] == [(304, 480)]
    assert canvas.picture.around.comments[comment.id].box.center() == at
    QTest.mouseClick(canvas.viewport(), LEFT, PLAIN, px(canvas, at))
    QTest.keyClick(canvas, Qt.Key.Key_Delete)
    assert not list(history.document.comments)


def test_the_menu_aligns_and_lays_out(canvas: RecipeCanvas, history: History) -> None:
    canvas.select(["save", "gsm8k", "humaneval"])
    menu = canvas.menu_at(QPointF(0, 0))
    assert menu is not None
    words = {action.text().partition("\t")[0]: action for action in menu.actions()}
    assert set(SIDES.values()) <= set(words)
    words["Line up tops"].trigger()
    assert len({history.document.layout[id_][1] for id_ in ("save", "gsm8k", "humaneval")}) == 1
    assert history.undo() == "Line up tops"
    canvas.select([])
    QTest.keyClick(canvas, Qt.Key.Key_L)
    assert history.undo() == "Lay out"


def test_a_value_becomes_a_search_variable_with_one_click_on_the_node(canvas: RecipeCanvas, history: History) -> None:
    canvas.select(["ties"])
    item = canvas.picture.items_by_id["ties"]

    def press(field: str, words: str) -> None:
        menu = canvas.menu_at(item.pos() + item.anatomy.fields[field].center())
        assert menu is not None
        next(action for action in menu.actions() if action.text() == words).trigger()

    press("density", "Search over density")
    node = history.document.node("ties")
    assert isinstance(node, MethodNode)
    assert node.params["density"] == Var("ties_density", 0, 1, 0.2)
    press("density", "Stop searching density")
    press("scale", "Stop searching scale")
    node = history.document.node("ties")
    assert isinstance(node, MethodNode)
    assert node.params == {"density": 0.2, "scale": 0.8}
    assert history.undo() == "Stop searching scale"
    menu = canvas.menu_at(item.pos() + item.anatomy.fields["scope"].center())
    assert menu is not None
    assert not any("earch" in action.text() for action in menu.actions())


def test_frames_and_comments_are_in_the_picture(experts: RecipeCanvas, tmp_path: Path) -> None:
    experts.new_comment(QPointF(300, 480))
    for kind in ("png", "svg"):
        assert experts.export(kind, tmp_path / f"r.{kind}").stat().st_size > 100


# --- places ---------------------------------------------------------------------------------------------------------

BOXES = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(*[st.integers(-200, 200).map(float)] * 2, *[st.integers(1, 90).map(float)] * 2),
    min_size=2,
)


@given(BOXES, st.sampled_from(sorted(SIDES)))
def test_in_line_means_what_it_says(boxes: dict[str, Any], side: Any) -> None:
    found = in_line(boxes, side)
    assert set(found) == set(boxes)
    new = {id_: (*found[id_], *boxes[id_][2:]) for id_ in boxes}
    if side in ("down", "across"):
        place, size = (1, 3) if side == "down" else (0, 2)
        order = [new[id_] for id_ in sorted(new, key=lambda id_: boxes[id_][place])]  # as they stood; they may overlap
        gaps = [b[place] - a[place] - a[size] for a, b in pairwise(order)]
        assert max(gaps) - min(gaps) < 1e-6 or len(gaps) < 2
        assert all(box[1 - place] == boxes[id_][1 - place] for id_, box in new.items())
        return
    measure = {
        "left": lambda b: b[0], "right": lambda b: b[0] + b[2], "centre": lambda b: b[0] + b[2] / 2,
        "top": lambda b: b[1], "bottom": lambda b: b[1] + b[3], "middle": lambda b: b[1] + b[3] / 2,
    }[side]  # fmt: skip
    values = [measure(box) for box in new.values()]
    assert max(values) - min(values) < 1e-9
    kept = 1 if side in ("left", "right", "centre") else 0
    assert all(box[kept] == boxes[id_][kept] for id_, box in new.items())


@given(st.integers(0, 10**6), st.integers(2, 14))
def test_laid_out_every_link_goes_right_and_nothing_overlaps(seed: int, count: int) -> None:
    import random

    rng = random.Random(seed)
    nodes: list[Any] = [CheckpointNode("n0", "library:a"), CheckpointNode("n1", "library:b")]
    for i in range(2, count):
        feeds = rng.sample([node.id for node in nodes], rng.randint(1, min(3, len(nodes))))
        nodes.append(MethodNode(f"n{i}", "linear", tuple(feeds)))
    ids = [node.id for node in nodes]
    rng.shuffle(ids)
    frame = Frame("f", "F", tuple(ids[: max(1, count // 3)]))
    document = SetFrames((frame,)).apply(Document(Recipe(tuple(nodes))))
    shown = faces(document, {})
    places = layered(document, shown)
    for node in nodes:
        for source in getattr(node, "inputs", ()):
            assert places[node.id][0] >= places[source][0] + COLUMN - 8
    columns: dict[float, list[tuple[float, str]]] = {}
    for id_, (x, y) in places.items():
        columns.setdefault(x, []).append((y, id_))
    for rows in columns.values():
        rows.sort()
        assert all(b[0] - a[0] >= 50 for a, b in pairwise(rows))
        inside = [id_ in frame.members for _, id_ in rows]
        assert sum(a != b for a, b in zip([False, *inside], [*inside, False], strict=True)) <= 2  # one run of them
