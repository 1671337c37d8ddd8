"""An aligned checkpoint on the recipe canvas: a checkpoint with a port for what it is aligned to."""

from solera.documents.commands import Connect, Disconnect, RemoveNodes
from solera.documents.document import Document
from solera.documents.history import History
from solera.documents.links import Wiring
from solera.recipes.nodes import AlignedNode, CheckpointNode, Recipe, SumNode, Term
from solera_app.canvases.anatomy import anatomy
from solera_app.canvases.clipboard import copied, pasted
from solera_app.canvases.faces import faces
from solera_app.canvases.recipe import RecipeCanvas

RECIPE = Recipe(
    (
        CheckpointNode("a", "/a"), AlignedNode("b", "/b", to="a", tries=3, hold=("stream",)),
        SumNode("middle", (Term("a", 0.5), Term("b", 0.5))),
    ),
    "middle",
)  # fmt: skip


def test_it_shows_what_it_is_aligned_to(cards):
    face = faces(Document(RECIPE), cards)["b"]
    assert face.output is not None
    assert (face.kind, face.tag, face.output.shape) == ("checkpoint", "aligned", "weights")
    assert [(port.name, port.label, port.filled) for port in face.inputs] == [("to", "a", True)]


def test_it_is_drawn_with_its_link(qtbot, cards):
    canvas = RecipeCanvas(History(Document(RECIPE)), cards)
    qtbot.addWidget(canvas)
    canvas.resize(900, 600)
    canvas.show()
    assert not canvas.grab().toImage().isNull()
    item = canvas.picture.items_by_id["b"]
    assert anatomy(item.face, 0).port("to").x() == 0


def test_its_port_can_be_freed_and_connected(cards):
    document = Disconnect("b", "to").apply(Document(RECIPE))
    assert document.node("b").to == ""
    assert Connect("a", "b", "to").apply(document).node("b").to == "a"
    wiring = Wiring(document, cards)
    assert wiring.refusal("a", "b", "to") is None
    assert "on disk" in str(wiring.refusal("middle", "b", "to"))
    assert wiring.result("b") == "weights"
    assert RemoveNodes(("a",)).apply(Document(RECIPE)).node("b").to == ""


def test_a_copy_stays_aligned(cards):
    document = Document(RECIPE)
    text = copied(document, ["a", "b"], {})
    made = pasted(text, document, cards).apply(document)
    (twin,) = [node for node in made.nodes if isinstance(node, AlignedNode) and node.id != "b"]
    assert (twin.source, twin.tries, twin.hold) == ("/b", 3, ("stream",))
    assert twin.to not in ("", "a", "b")
