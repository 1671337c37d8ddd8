"""Stacks of layers and layouts of tokens on the recipe canvas: shown, moved, copied, cut loose; edited in the file."""

import pytest

from solera.documents.commands import Connect, Disconnect, RemoveNodes, RenameNode
from solera.documents.document import Document, ports
from solera.documents.history import History
from solera.documents.links import refusal, result_type
from solera.errors import InputError
from solera.recipes.nodes import CheckpointNode, Part, Recipe, StackNode, TokenRow, TokensNode
from solera_app.canvases.recipe import RecipeCanvas

NODES = (
    CheckpointNode("a", "a"),
    CheckpointNode("b", "b"),
    TokensNode("words", "a", "union", ("b", "a"), {"<x>": TokenRow("b", force=True)}, base="b"),
    StackNode("deep", (Part("words", (0, 8)), Part("b", (4, 12)), Part("b", names="vision.*"))),
)


@pytest.fixture
def document():
    return Document(Recipe(NODES, "deep"))


@pytest.fixture
def canvas(qtbot, cards, document):
    made = RecipeCanvas(History(document), cards)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


def test_a_stack_says_which_layers_it_takes(canvas):
    face = canvas.picture.items_by_id["deep"].face
    assert [port.label for port in face.inputs] == ["words, layers 0–7", "b, layers 4–11", "b, vision.*"]
    assert face.output.shape == "weights"
    assert face.is_output
    face = canvas.picture.items_by_id["words"].face
    assert [port.filled for port in face.inputs] == [True, True]
    canvas.grab()


def test_copy_and_paste_keep_what_they_take(canvas):
    canvas.picture.choose(["a", "b", "words", "deep"])
    canvas.edits.copy()
    canvas.edits.paste()
    made = canvas._history.document
    assert made.node("words_2") == TokensNode(
        "words_2", "a_2", "union", ("b_2", "a_2"), {"<x>": TokenRow("b_2", force=True)}, base="b_2"
    )
    assert [part.node for part in made.node("deep_2").parts] == ["words_2", "b_2", "b_2"]


def test_ports_are_wired_anew_and_freed(document, cards):
    assert [port for port, _ in ports(document.node("deep"))] == ["part:0", "part:1", "part:2"]
    moved = Connect("a", "deep", "part:1").apply(document)
    assert moved.node("deep").parts[1] == Part("a", (4, 12))
    assert len(Disconnect("deep", "part:2").apply(document).node("deep").parts) == 2
    with pytest.raises(InputError, match="no port"):
        Connect("a", "words", "model:0").apply(document)
    assert result_type(document, "deep", cards) == "weights"
    assert "file" in (refusal(document, "a", "words", "model:0", cards) or "")


def test_what_is_deleted_or_renamed_is_so_everywhere(document):
    made = RenameNode("b", "other").apply(document)
    assert made.node("deep").parts[1].node == "other"
    assert made.node("words").among == ("other", "a")
    assert made.node("words").rows["<x>"].node == "other"
    gone = RemoveNodes(("b",)).apply(document)
    assert [part.node for part in gone.node("deep").parts] == ["words"]
    assert (gone.node("words").among, gone.node("words").base, gone.node("words").rows) == (("a",), "", {})
