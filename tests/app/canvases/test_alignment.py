"""Aligned checkpoints on the recipe canvas: made from the menu and from two checkpoints, their face and form."""

from __future__ import annotations

from solera.documents.commands import SetParam
from solera.documents.document import Document
from solera.recipes.nodes import AlignedNode, CheckpointNode, Recipe, StatisticNode, SumNode, Term
from solera_app.canvases.additions import addition_command, additions, aligned_command, fitting
from solera_app.canvases.faces import faces

DOCUMENT = Document(
    Recipe((CheckpointNode("a", "/a"), CheckpointNode("b", "/b"), SumNode("s", (Term("a", 0.5), Term("b", 0.5)))), "s")
)


def test_the_menu_offers_each_checkpoint_aligned_and_connects_it(cards):
    offered = [one for one in additions(cards, [("b", "/b")], ()) if one.kind == "aligned"]
    assert [one.title for one in offered] == ["b aligned"]
    assert offered[0].matches("align b")
    assert fitting(DOCUMENT, cards, offered, ("a", "out")) == offered
    id_, command = addition_command(DOCUMENT, cards, offered[0], (0, 0), ("a", "out"))
    assert command.apply(DOCUMENT).node(id_) == AlignedNode(id_, "library:b", to="a")


def test_a_checkpoint_is_replaced_where_it_is_merged():
    made = aligned_command(DOCUMENT, "b", "a", (3, 4))
    assert made is not None
    after = made[1].apply(DOCUMENT)
    assert after.node(made[0]) == AlignedNode("b_aligned", "/b", to="a")
    assert [term.node for term in after.node("s").terms] == ["a", "b_aligned"]
    assert "b" not in after.ids
    assert after.layout[made[0]] == (3, 4)


def test_one_that_is_used_otherwise_stays():
    measured = StatisticNode("f", "", model="b", statistic="fisher", task="t")
    document = Document(Recipe((*DOCUMENT.recipe.nodes, measured), "s"))
    made = aligned_command(document, "b", "a", (0, 0))
    assert made is not None
    after = made[1].apply(document)
    assert after.node("f").model == "b"
    assert "b" in after.ids
    assert aligned_command(document, "s", "a", (0, 0)) is None
    assert aligned_command(after, "b_aligned", "a", (0, 0)) is None


def test_how_it_is_aligned_is_seen_and_set(cards):
    made = aligned_command(DOCUMENT, "b", "a", (0, 0))
    assert made is not None
    document = made[1].apply(DOCUMENT)
    assert {field.name: field.text for field in faces(document, cards)["b_aligned"].fields} == {
        "by": "weights",
        "tries": "1",
    }
    for name, value in (("by", "activations"), ("task", "digits"), ("seed", 4)):
        document = SetParam("b_aligned", name, value).apply(document)
    assert document.node("b_aligned") == AlignedNode("b_aligned", "/b", to="a", by="activations", task="digits", seed=4)
    assert [field.text for field in faces(document, cards)["b_aligned"].fields] == ["activations", "digits"]
    assert SetParam("b_aligned", "by", None).apply(document).node("b_aligned").by == "weights"


def test_two_chosen_checkpoints_are_aligned_from_the_menu(canvas, history):
    plain = [node.id for node in history.document.recipe.nodes if type(node) is CheckpointNode][:2]
    canvas.select(plain)
    from solera_app.canvases.menu import context_menu

    menu = context_menu(canvas, canvas.picture.sceneRect().center())
    actions = [action for action in menu.actions() if action.text().startswith("Align ")]
    assert len(actions) == 1
    actions[0].trigger()
    made = [node for node in history.document.recipe.nodes if isinstance(node, AlignedNode)]
    assert [node.to for node in made] == [plain[0]]
    assert canvas.selection == (made[0].id,) or list(canvas.selection) == [made[0].id]
    history.undo()
    assert not any(isinstance(node, AlignedNode) for node in history.document.recipe.nodes)
    menu.close()
