"""The recipe canvas as a whole: a rendering of the document, keys, editing in place, states, pictures."""

import json

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from solera.documents.commands import AddNodes, RemoveNodes, RenameNode, SetNote, SetParam
from solera.documents.document import Document
from solera.documents.history import History
from solera.errors import Fault, InputError, OutputError
from solera.params import Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, SumNode, Term
from solera_app.canvases.anatomy import WIDTH
from solera_app.canvases.field_editor import FieldEditor
from solera_app.canvases.quick_add import QuickAdd
from solera_app.canvases.recipe import RecipeCanvas
from solera_app.theme import themes

PLAIN = Qt.KeyboardModifier.NoModifier
CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier,
)  # fmt: skip


def screen(canvas, at: QPointF) -> QPoint:
    return canvas.viewportTransform().map(at).toPoint()


# --- a rendering ------------------------------------------------------------------------------------------------------


def test_the_scene_follows_the_document_and_keeps_what_did_not_change(canvas, history):
    items = dict(canvas.picture.items_by_id)
    assert set(items) == set(history.document.ids)
    assert len(canvas.picture.edges) == 7
    history.do(SetParam("ties", "density", 0.5))
    assert canvas.picture.items_by_id["ties"] is items["ties"]
    assert [field.text for field in items["ties"].face.fields] == ["0.50", "0.80", "tensor"]
    history.do(RemoveNodes(("math_8b_sft",)))
    assert "math_8b_sft" not in canvas.picture.items_by_id
    assert set(canvas.picture.edges) == {
        ("ties", "base"), ("ties", "input:0"), ("ties", "input:1"), ("save", "source"), ("gsm8k", "source"),
        ("humaneval", "source"),
    }  # fmt: skip
    history.undo()
    assert len(canvas.picture.edges) == 7
    history.do(RenameNode("ties", "blend"))
    assert canvas.picture.items_by_id["blend"].face.title == "blend"
    assert canvas.picture.items_by_id["blend"].face.tag == "TIES"


def test_links_wait_until_their_value_exists(canvas):
    edges = canvas.picture.edges
    assert not edges[("ties", "base")].waits
    assert edges[("save", "source")].waits
    canvas.set_node_state("ties", "done")
    assert not edges[("save", "source")].waits
    canvas.set_node_state("ties", "queued")
    assert edges[("save", "source")].waits
    canvas.set_node_state("save", "done")  # what was written, there was
    assert not edges[("save", "source")].waits
    assert edges[("gsm8k", "source")].waits


def test_a_thousand_nodes_are_shown(qtbot, cards):
    checkpoints = [CheckpointNode(f"c{i}", f"/x/c{i}") for i in range(500)]
    methods = [MethodNode(f"m{i}", "ties", (f"c{i}",), f"c{(i + 1) % 500}") for i in range(500)]
    canvas = RecipeCanvas(History(Document(Recipe((*checkpoints, *methods)))), cards)
    qtbot.addWidget(canvas)
    canvas.resize(1280, 800)
    canvas.show()
    assert len(canvas.picture.items_by_id) == 1000
    assert len(canvas.picture.edges) == 1000
    assert not canvas.grab().isNull()


def test_nodes_without_a_place_do_not_cover_each_other(qtbot, cards):
    document = Document(
        Recipe(
            (
                CheckpointNode("a", "/a"), CheckpointNode("b", "/b"), MethodNode("ties", "ties", ("b",), "a"),
                SumNode("sum", (Term("ties", 0.5), Term("a", 0.5))),
            )
        ),
        layout={"a": (24.0, 24.0)},
    )  # fmt: skip
    canvas = RecipeCanvas(History(document), cards)
    qtbot.addWidget(canvas)
    boxes = [item.scene_rect() for item in canvas.picture.items_by_id.values()]
    assert not any(a.intersects(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    xs = {id_: item.x() for id_, item in canvas.picture.items_by_id.items()}
    assert xs["a"] < xs["ties"] < xs["sum"]


def test_an_empty_canvas_says_what_to_do(qtbot, cards):
    canvas = RecipeCanvas(History(), cards)
    qtbot.addWidget(canvas)
    canvas.show()
    assert canvas._empty.isVisible()
    assert not canvas.minimap.isVisible()
    canvas.add_checkpoints([{"name": "base", "path": "/m/base"}], QPointF(0, 0))
    assert not canvas._empty.isVisible()
    assert canvas.selection == ["base"]


# --- keys -------------------------------------------------------------------------------------------------------------


def test_arrows_nudge_as_one_step_and_delete_removes(canvas, history):
    canvas.select(["save"])
    x, y = history.document.layout["save"]
    for _ in range(3):
        QTest.keyClick(canvas, Qt.Key.Key_Right)
    QTest.keyClick(canvas, Qt.Key.Key_Down, SHIFT)
    assert history.document.layout["save"] == (x + 24, y + 24)
    history.undo()
    assert history.document.layout["save"] == (x, y)
    QTest.keyClick(canvas, Qt.Key.Key_Delete)
    assert "save" not in history.document.ids
    assert history.can_undo == "Delete save"


def test_delete_removes_a_chosen_link(canvas, history):
    edge = canvas.picture.edges[("save", "source")]
    middle = edge.path.pointAtPercent(0.5)
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, PLAIN, screen(canvas, middle))
    assert edge.chosen
    QTest.keyClick(canvas, Qt.Key.Key_Delete)
    assert history.document.node("save").source == ""


def test_c_connects_two_nodes_either_way_round_or_says_why_not(canvas, history, qtbot):
    history.do(AddNodes((CheckpointNode("legal", "/l"),), {"legal": (24, 420)}))
    canvas.select(["ties", "legal"])  # only legal to ties fits
    QTest.keyClick(canvas, Qt.Key.Key_C)
    assert history.document.node("ties").inputs[-1] == "legal"
    with qtbot.waitSignal(canvas.message, check_params_cb=lambda text: "already an input" in text):
        QTest.keyClick(canvas, Qt.Key.Key_C)


def test_copy_and_paste_keep_parameters_and_inner_links(canvas, history):
    canvas.select(["math_8b_sft", "ties"])
    QTest.keyClick(canvas, Qt.Key.Key_C, CTRL)
    plain = json.loads(QGuiApplication.clipboard().text())
    assert [node["id"] for node in plain["nodes"]] == ["math_8b_sft", "ties"]
    QTest.keyClick(canvas, Qt.Key.Key_V, CTRL)
    copy = history.document.node("ties_2")
    assert copy.inputs == ("math_8b_sft_2", "code_8b_sft", "instruct_8b_dpo")
    assert copy.base == "llama_3_1_8b"
    assert copy.params == {"density": 0.2, "scale": Var("scale", 0.2, 1.4, 0.8)}
    assert set(canvas.selection) == {"ties_2", "math_8b_sft_2"}
    assert history.undo() == "Paste 2 nodes"


@pytest.mark.parametrize("text", ["hello", "[1]", '{"solera-nodes": 1, "nodes": [{"id": "a"}]}', '{"solera-nodes": 9}'])
def test_a_foreign_clipboard_is_refused_with_a_sentence(canvas, history, qtbot, text):
    QGuiApplication.clipboard().setText(text)
    before = history.document
    with qtbot.waitSignal(canvas.message, check_params_cb=lambda said: "clipboard" in said):
        QTest.keyClick(canvas, Qt.Key.Key_V, CTRL)
    assert history.document is before


def test_tab_opens_the_menu_and_typing_finds_a_checkpoint(canvas, history):
    canvas.set_library([{"name": "legal-fr", "path": "/l"}, {"name": "math-8b-sft", "path": "/m"}])
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Tab)
    menu = canvas.findChild(QuickAdd)
    assert [addition.section for addition in menu.shown][:2] == ["Checkpoints", "Checkpoints"]
    QTest.keyClicks(menu.search, "zzz")
    assert menu.shown == []
    assert menu.list.item(0).text() == "No match for 'zzz'."
    menu.search.clear()
    QTest.keyClicks(menu.search, "fr legal")
    QTest.keyClick(menu.search, Qt.Key.Key_Return)
    assert history.document.node("legal_fr").source == "library:legal-fr"


def test_the_first_method_becomes_the_output(qtbot, cards):
    history = History()
    canvas = RecipeCanvas(history, cards)
    qtbot.addWidget(canvas)
    canvas.show()
    menu = canvas.open_quick_add(QPointF(100, 100))
    QTest.keyClicks(menu.search, "task arithmetic")
    QTest.keyClick(menu.search, Qt.Key.Key_Return)
    assert history.document.recipe.output == "task_arithmetic"
    assert canvas.picture.items_by_id["task_arithmetic"].face.is_output
    history.undo()
    assert history.document.ids == frozenset()


def test_alt_and_arrows_go_from_node_to_node_and_enter_opens(canvas, qtbot):
    QTest.keyClick(canvas, Qt.Key.Key_Right, ALT)
    assert canvas.selection == ["llama_3_1_8b"]
    QTest.keyClick(canvas, Qt.Key.Key_Right, ALT)
    assert canvas.selection == ["ties"]
    with qtbot.waitSignal(canvas.openRequested) as caught:
        QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert caught.args == ["ties"]
    with qtbot.waitSignal(canvas.runRequested):
        QTest.keyClick(canvas, Qt.Key.Key_Return, CTRL)


# --- editing in place -------------------------------------------------------------------------------------------------


def field_place(canvas, node: str, name: str) -> QPoint:
    item = canvas.picture.items_by_id[node]
    return screen(canvas, item.pos() + item.anatomy.fields[name].center())


def double_click(canvas, at: QPoint) -> FieldEditor:
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, PLAIN, at)
    QTest.mouseDClick(canvas.viewport(), Qt.MouseButton.LeftButton, PLAIN, at)
    return canvas.findChildren(FieldEditor)[-1]


def retype(editor: FieldEditor, text: str) -> None:
    editor.selectAll()
    QTest.keyClicks(editor, text)
    QTest.keyClick(editor, Qt.Key.Key_Return)


def test_a_double_click_edits_a_parameter(canvas, history):
    retype(double_click(canvas, field_place(canvas, "ties", "density")), "0.35")
    assert history.document.node("ties").params["density"] == 0.35
    retype(double_click(canvas, field_place(canvas, "ties", "scale")), "1.1")
    assert history.document.node("ties").params["scale"] == Var("scale", 0.2, 1.4, 1.1)


def test_what_cannot_be_read_stays_open_and_says_why(canvas, history, qtbot):
    editor = double_click(canvas, field_place(canvas, "ties", "density"))
    with qtbot.waitSignal(canvas.message, check_params_cb=lambda text: "from 0 to 1" in text):
        retype(editor, "7")
    assert editor.isVisible()
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert history.document.node("ties").params["density"] == 0.2


def test_fields_are_locked_while_the_job_runs(canvas, qtbot):
    canvas.set_node_state("ties", "running", 0.4)
    field = canvas.picture.items_by_id["ties"].face.fields[0]
    with qtbot.waitSignal(canvas.message, check_params_cb=lambda text: "locked" in text):
        assert canvas.edit_field("ties", field) is None


def test_a_choice_is_made_from_a_menu(canvas, history):
    field = canvas.picture.items_by_id["ties"].face.fields[2]
    assert canvas.edit_field("ties", field) is None
    menu = next(menu for menu in canvas.findChildren(QMenu) if menu.accessibleName() == "Scope")
    assert [(action.text(), action.isChecked()) for action in menu.actions()] == [("tensor", True), ("model", False)]
    menu.actions()[1].trigger()
    assert history.document.node("ties").params["scope"] == "model"
    menu.close()


def test_titles_are_renamed_and_the_folder_of_a_save_node_is_set(canvas, history):
    retype(canvas.edit_title("ties"), "my blend")
    assert "my_blend" in history.document.ids
    assert history.document.node("gsm8k").source == "my_blend"
    retype(canvas.edit_title("save"), "best of three")
    assert history.document.node("save").folder == "best of three"


@pytest.mark.parametrize(("what", "id_"), [("edit_title", "ties"), ("edit_title", "save"), ("edit_note", "ties")])
def test_what_is_typed_of_a_node_that_goes_meanwhile_is_dropped(canvas, history, what, id_):
    """Undo from the toolbar leaves the focus in the editor."""
    editor = getattr(canvas, what)(id_)
    QTest.keyClicks(editor, "words")
    history.do(RemoveNodes((id_,)))
    left = history.document
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert history.document == left
    assert not editor.isVisible()


def test_a_value_typed_of_a_node_that_goes_meanwhile_is_dropped(canvas, history):
    field = next(field for field in canvas.picture.items_by_id["ties"].face.fields if field.name == "density")
    editor = canvas.edit_field("ties", field)
    history.do(RemoveNodes(("ties",)))
    left = history.document
    retype(editor, "0.7")
    assert history.document == left


def test_a_note_is_shown_below_its_node(canvas, history):
    assert "ties" in canvas.picture._comments
    history.do(SetNote("ties", ""))
    assert "ties" not in canvas.picture._comments
    retype(canvas.edit_note("ties"), "try density 0.4")
    assert history.document.node("ties").note == "try density 0.4"


# --- states, faults, looks --------------------------------------------------------------------------------------------

STATES = ("idle", "queued", "running", "paused", "done", "stale", "failed", "missing", "cancelled", "interrupted")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_says_its_word_and_is_painted(canvas, theme):
    themes().apply(theme)
    pictures = {}
    for state in STATES:
        canvas.set_node_state("ties", state, 0.62 if state == "running" else None)
        image = canvas.grab().toImage()  # holds the bits while they are read
        pictures[state] = bytes(image.constBits())
        word = canvas.picture.items_by_id["ties"].status.word
        assert word == ("" if state == "idle" else "Running 62 %" if state == "running" else state.capitalize())
    assert len(set(pictures.values())) == len(STATES)
    themes().apply("light")


def test_faults_stand_at_their_nodes_with_remedies_to_press(canvas, qtbot):
    fault = Fault("task.data", "humaneval", "Data file not found: data/humaneval.jsonl", ("Relocate…", "Skip"))
    param = Fault("param.range", "nodes.ties.density", "'density' must be from 0 to 1, not 7.")
    canvas.set_faults([fault, param, Fault("recipe.output", "output", "There is no output.")])
    items = canvas.picture.items_by_id
    assert items["humaneval"].status.state == "fault"
    assert items["ties"].status.state == "fault"
    note = canvas.picture._notes["humaneval"]
    assert note.y() == items["humaneval"].anatomy.height + 6
    box, _ = note._links[1]
    with qtbot.waitSignal(canvas.remedyRequested) as caught:
        at = screen(canvas, note.mapToScene(box.center()))
        QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, PLAIN, at)
    assert caught.args[0].text == "Skip"
    assert caught.args[0].fault is fault
    canvas.set_node_state("ties", "running", 0.1)
    assert items["ties"].status.state == "running"
    canvas.set_faults([])
    assert items["humaneval"].status.state == "idle"
    assert canvas.picture._notes == {}


def test_a_method_without_its_plugin_keeps_its_data(qtbot, cards):
    node = MethodNode("fisher", "fisher", ("a",), "", {"rank": 8})
    canvas = RecipeCanvas(History(Document(Recipe((CheckpointNode("a", "/a"), node)))), cards)
    qtbot.addWidget(canvas)
    item = canvas.picture.items_by_id["fisher"]
    assert item.state == "missing"
    assert [(field.label, field.text) for field in item.face.fields] == [("rank", "8")]
    assert "No plugin offers 'fisher'" in item.face.about


def test_every_text_fits_its_node(canvas, history):
    long = CheckpointNode("x" * 60, "/models/" + "y" * 80)
    history.do(AddNodes((long,), {long.id: (24, 420)}))
    canvas.set_preview(long.id, "z" * 200)
    image = canvas.grab().toImage()
    item = canvas.picture.items_by_id[long.id]
    right = screen(canvas, item.pos() + QPointF(WIDTH + 12, item.anatomy.height / 2 + 10))
    ground = image.pixelColor(screen(canvas, item.pos() + QPointF(WIDTH + 12, -6)))
    assert image.pixelColor(right) == ground


def test_a_long_line_of_facts_takes_two_lines(canvas):
    item = canvas.picture.items_by_id["ties"]
    canvas.set_preview("ties", "181 of 291 tensors")
    before = item.anatomy.height
    canvas.set_preview("ties", "about 12 minutes 31 seconds left, writes 16.1 GB")
    assert [text for text, *_ in item._lines] == ["about 12 minutes 31 seconds left,", "writes 16.1 GB"]
    assert item.anatomy.height == before + 16


def test_the_tooltip_names_ports_and_fields(canvas):
    from solera_app.canvases.hints import tip_for

    scene = canvas.picture
    item = scene.items_by_id["ties"]
    port = scene.hit(item.pos() + item.anatomy.port("base"))
    assert tip_for(port, scene).startswith("Weights from Llama-3.1-8B")
    field = scene.hit(item.pos() + item.anatomy.fields["density"].center())
    assert "Share of entries kept." in tip_for(field, scene)
    body = scene.hit(item.pos() + QPointF(100, item.anatomy.height - 6))
    assert "Yadav" in tip_for(body, scene)


def test_the_picture_is_exported(canvas, tmp_path):
    png = canvas.export("png", tmp_path / "recipe.png")
    bounds = canvas.picture.itemsBoundingRect()
    assert QImage(str(png)).width() == pytest.approx(2 * (bounds.width() + 48), abs=3)
    svg = canvas.export("svg", tmp_path / "recipe.svg").read_text(encoding="utf-8")
    assert "Llama-3.1-8B" in svg
    with pytest.raises(InputError):
        canvas.export("gif", tmp_path / "recipe.gif")
    with pytest.raises(OutputError):
        canvas.export("png", tmp_path / "no" / "recipe.png")


def test_fit_shows_everything_and_the_minimap_moves_the_view(canvas):
    canvas.resize(400, 300)
    canvas.fit()
    assert canvas.camera.seen().contains(canvas.picture.nodes_rect())
    canvas.zoom_to(2.0)
    QTest.mouseClick(canvas.minimap, Qt.MouseButton.LeftButton, PLAIN, canvas.minimap.rect().center())
    middle = canvas.camera.seen().center() - canvas.picture.nodes_rect().center()
    assert middle.manhattanLength() < 40  # the map is a twentieth of the size
    QTest.mouseClick(canvas.zoom_bar.figure, Qt.MouseButton.LeftButton)
    assert canvas.camera.zoom == 1.0


def test_what_is_in_the_middle_stays_there_when_the_window_changes_its_size(canvas):
    canvas.fit()
    canvas.camera.zoom_to(0.5)
    middle = canvas.camera.seen().center()
    for size in ((1900, 1100), (500, 400), (501, 401), (900, 600)):
        canvas.resize(*size)
        away = canvas.camera.seen().center() - middle
        assert abs(away.x()) + abs(away.y()) < 8


def test_controls_have_tips_and_names(canvas):
    from PySide6.QtWidgets import QToolButton

    for button in canvas.findChildren(QToolButton):
        assert button.toolTip()
        assert button.accessibleName()
    assert canvas.accessibleName()
    canvas.select(["ties"])
    assert "TIES" in canvas.accessibleDescription()
