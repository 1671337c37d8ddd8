"""Adapters in a document: what may be connected to them, and every edit that touches their base."""

import pytest

from solera.documents import commands as c
from solera.documents.document import Document, Interpolation, Link, links
from solera.documents.links import likely_base, port_type, refusal, result_type
from solera.errors import InputError
from solera.recipes.nodes import AdapterNode, CheckpointNode, MethodNode, Recipe, SumNode, Term


@pytest.fixture
def document():
    nodes = (
        CheckpointNode("base", "/base"), AdapterNode("lora", "/lora", base="base"), AdapterNode("loose", "/loose"),
        SumNode("merged", (Term("base"), Term("lora"))),
    )  # fmt: skip
    return Document(Recipe(nodes, "merged"))


def test_its_port_and_type(document):
    assert Link("base", "lora", "base") in links(document)
    assert result_type(document, "lora", {}) == "delta"
    assert port_type(document, document.node("loose"), "base", {}) == "weights"


def test_only_a_checkpoint_is_its_base(document):
    assert refusal(document, "base", "loose", "base", {}) is None
    for other in ("lora", "merged"):
        assert "is a checkpoint" in (refusal(document, other, "loose", "base", {}) or "")


def test_edits_follow_the_base(document):
    connected = c.Connect("base", "loose", "base").apply(document)
    assert connected.node("loose") == AdapterNode("loose", "/loose", base="base")
    assert c.Disconnect("loose", "base").apply(connected) == document
    renamed = c.RenameNode("base", "model").apply(document)
    assert renamed.node("lora").base == "model"
    gone = c.RemoveNodes(("base",)).apply(document)
    assert gone.node("lora") == AdapterNode("lora", "/lora")
    assert c.SetCheckpoint("lora", "/other").apply(document).node("lora") == AdapterNode("lora", "/other", base="base")
    with pytest.raises(InputError, match="no checkpoint"):
        c.SetInterpolation(Interpolation(("base", "lora"), (0.5, 0.5))).apply(document)


def test_the_base_a_new_one_most_likely_has(document):
    assert likely_base(document) == "base"
    two = c.AddNodes((CheckpointNode("other", "/other"),)).apply(document)
    assert likely_base(two) == "base"
    alone = Document(Recipe((CheckpointNode("a", "/a"), CheckpointNode("b", "/b"))))
    assert likely_base(alone) == ""
    merging = c.AddNodes((MethodNode("ties", "ties", ("a",), "b"),)).apply(alone)
    assert likely_base(merging) == "b"
    assert likely_base(Document(Recipe((AdapterNode("x", "/x"),)))) == ""
