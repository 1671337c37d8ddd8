"""Frames and comments of a document, and a part of it as a recipe of its own."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solera.documents import commands as c
from solera.documents.document import Comment, Document, Frame, SaveNode
from solera.documents.files import layout_to_plain, with_layout
from solera.documents.framing import changed, framed
from solera.documents.history import History
from solera.documents.parts import part_of
from solera.errors import Fault, InputError
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe

NAMES = ("base", "a", "b", "c")


def blend() -> Document:
    nodes: tuple[Node, ...] = (
        *(CheckpointNode(name, f"library:{name}") for name in NAMES),
        MethodNode("mean", "linear", ("a", "b")),
        MethodNode("ties", "ties", ("mean", "c"), "base"),
    )
    return Document(Recipe(nodes, "ties"), (SaveNode("save", "ties", "out"),), {"a": (1.0, 2.0), "mean": (8.0, 2.0)})


def test_nodes_are_framed_and_leave_the_frame_they_were_in() -> None:
    document = framed(blend(), ["a", "b", "mean"], "Mean").apply(blend())
    assert document.frames == (Frame("frame_1", "Mean", ("a", "b", "mean")),)
    document = framed(document, ["mean", "ties"], "Rest").apply(document)
    assert [frame.members for frame in document.frames] == [("a", "b"), ("mean", "ties")]
    document = framed(document, ["a", "b"], "Again").apply(document)
    assert [frame.title for frame in document.frames] == ["Rest", "Again"]
    assert len({frame.id for frame in document.frames}) == 2
    with pytest.raises(InputError, match="Choose the nodes"):
        framed(document, [], "Nothing")


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ((Frame("f", "F", ("x",)),), "no node 'x'"),
        ((Frame("f", "F", ("a",)), Frame("g", "G", ("a",))), "in two frames"),
        ((Frame("f", "F", ("a",)), Frame("f", "G", ("b",))), "id of its own"),
        ((Frame("f", "F", ()),), "holds a node"),
    ],
)
def test_frames_that_do_not_fit_are_refused(frames: tuple[Frame, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        c.SetFrames(frames).apply(blend())


def test_frames_follow_deleting_and_renaming() -> None:
    document = c.SetFrames((Frame("f", "F", ("a", "b")), Frame("g", "G", ("c",)))).apply(blend())
    assert c.RemoveNodes(("a", "c")).apply(document).frames == (Frame("f", "F", ("b",)),)
    assert c.RenameNode("a", "first").apply(document).frames[0].members == ("first", "b")


def test_a_drag_of_a_comment_is_one_step_and_collapsing_another() -> None:
    history = History(blend())
    history.do(c.SetComments((Comment("n", "why"),), label="Add comment"))
    history.settle()
    for x in (8.0, 16.0):
        history.do(c.SetComments((Comment("n", "why", (x, 0.0)),), label="Move comment"))
    history.settle()
    history.do(framed(history.document, ["a", "b"], "F"))
    frame = history.document.frames[0]
    history.do(changed(history.document, Frame(frame.id, "F", frame.members, True), "Collapse F"))
    assert history.undo() == "Collapse F"
    assert not history.document.frames[0].collapsed
    history.undo()
    assert history.undo() == "Move comment"
    assert history.document.comments == (Comment("n", "why"),)


@given(st.data())
def test_frames_and_comments_survive_the_sidecar(data: st.DataObject) -> None:
    ids = data.draw(st.permutations(sorted(blend().ids)))
    cut = data.draw(st.integers(0, len(ids)))
    frames = tuple(
        Frame(f"f{i}", data.draw(st.text(max_size=5)), tuple(part), data.draw(st.booleans()))
        for i, part in enumerate((ids[:cut], ids[cut:]))
        if part
    )
    comments = tuple(Comment(f"c{i}", data.draw(st.text(max_size=9)), (float(i), -2.5)) for i in range(cut))
    document = c.SetComments(comments).apply(c.SetFrames(frames).apply(blend()))
    faults: list[Fault] = []
    assert with_layout(Document(blend().recipe), json.loads(json.dumps(layout_to_plain(document))), faults) == document
    assert not faults


def test_a_part_brings_what_it_is_made_of_and_ends_in_one_result() -> None:
    part = part_of(blend(), ["mean"], "Mean")
    assert [node.id for node in part.recipe.nodes] == ["a", "b", "mean"]
    assert (part.recipe.output, part.recipe.name) == ("mean", "Mean")
    assert part.layout == {"a": (1.0, 2.0), "mean": (8.0, 2.0)}
    assert part_of(blend(), ["ties", "save"], "All").recipe.nodes == blend().recipe.nodes
    with pytest.raises(InputError, match="a, c each end in it"):
        part_of(blend(), ["a", "c"], "Two")
    with pytest.raises(InputError, match="nothing in it makes weights"):
        part_of(blend(), ["save"], "None")
