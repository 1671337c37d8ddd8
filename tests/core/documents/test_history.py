"""The document as a state machine: whatever is done, undone and redone, a plain list of documents agrees."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from solera.documents import commands as c
from solera.documents.document import Document, Interpolation, SaveNode, links
from solera.documents.history import History
from solera.documents.links import refusal, result_type
from solera.errors import InputError
from solera.params import Var
from solera.recipes.nodes import CheckpointNode, MethodNode, SumNode, Term

NAMES = st.sampled_from("abcdefgh")


class Editing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.past: list[Document] = [self.history.document]
        self.future: list[Document] = []
        self.heard: list[Document] = []
        self.history.subscribe(self.heard.append)

    def _do(self, command: c.Command) -> None:
        before = self.history.document
        self.history.settle()
        try:
            self.history.do(command)
        except InputError:
            assert self.history.document == before
            return
        if self.history.document != before:
            self.past.append(self.history.document)
            self.future.clear()

    @rule(name=NAMES, x=st.integers(0, 9))
    def add_checkpoint(self, name: str, x: int) -> None:
        self._do(c.AddNodes((CheckpointNode(name, f"/{name}"),), {name: (x, 0.0)}))

    @rule(name=NAMES)
    def add_method(self, name: str) -> None:
        self._do(c.AddNodes((MethodNode(name, "ties"),)))

    @rule(name=NAMES)
    def add_sum(self, name: str) -> None:
        self._do(c.AddNodes((SumNode(name, ()), SaveNode(f"{name}_out", name, "out"))))

    @rule(a=NAMES, b=NAMES, port=st.sampled_from(["base", "input:+", "input:0", "term:+", "term:1", "source"]))
    def connect(self, a: str, b: str, port: str) -> None:
        self._do(c.Connect(a, b, port))

    @rule(b=NAMES, port=st.sampled_from(["base", "input:0", "input:1", "term:0", "source"]))
    def disconnect(self, b: str, port: str) -> None:
        self._do(c.Disconnect(b, port))

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self._do(c.RemoveNodes((name,)))

    @rule(a=NAMES, b=NAMES)
    def rename(self, a: str, b: str) -> None:
        self._do(c.RenameNode(a, b))

    @rule(name=NAMES, value=st.floats(0, 1))
    def set_param(self, name: str, value: float) -> None:
        self._do(c.SetParam(name, "density", value))

    @rule(name=NAMES)
    def set_output(self, name: str) -> None:
        self._do(c.SetRecipe(output=name))

    @precondition(lambda self: len(self.past) > 1)
    @rule()
    def undo(self) -> None:
        self.history.undo()
        self.future.append(self.past.pop())

    @precondition(lambda self: self.future)
    @rule()
    def redo(self) -> None:
        self.history.redo()
        self.past.append(self.future.pop())

    @invariant()
    def agrees(self) -> None:
        document = self.history.document
        assert document == self.past[-1]
        assert bool(self.history.can_undo) == (len(self.past) > 1)
        assert bool(self.history.can_redo) == bool(self.future)
        if self.heard:
            assert self.heard[-1] == document

    @invariant()
    def no_dangling_reference(self) -> None:
        document = self.history.document
        assert {link.source for link in links(document)} <= document.ids
        assert set(document.layout) <= document.ids
        assert len(document.nodes) == len(document.ids)
        assert document.recipe.output in document.ids | {""}


Editing.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_editing = Editing.TestCase


def small() -> Document:
    return c.AddNodes(
        (
            CheckpointNode("base", "/base"),
            CheckpointNode("math", "/math"),
            SumNode("delta", (Term("math", 1.0), Term("base", -1.0))),
            MethodNode("merge", "ties"),
            SaveNode("save"),
        )
    ).apply(Document())


def test_a_drag_is_one_step() -> None:
    history = History(small())
    for x in range(5):
        history.do(c.MoveNodes({"base": (float(x), 0.0)}))
    history.settle()
    history.do(c.MoveNodes({"base": (9.0, 9.0)}))
    history.undo()
    assert history.document.layout["base"] == (4.0, 0.0)
    history.undo()
    assert "base" not in history.document.layout
    assert not history.can_undo


def test_modified_follows_the_saved_document() -> None:
    history = History(small())
    history.do(c.SetRecipe(name="blend"))
    seen = [history.modified]
    history.mark_saved()
    seen.append(history.modified)
    history.undo()
    seen.append(history.modified)
    assert seen == [True, False, True]


def test_interpolation_weights_must_total_one() -> None:
    with pytest.raises(InputError, match="total 1"):
        c.SetInterpolation(Interpolation(("base", "math"), (0.5, 0.4))).apply(small())


class Facts:
    def __init__(self, takes: str, base: str, max_inputs: int | None = None) -> None:
        self.title, self.takes, self.base, self.max_inputs = takes.title(), takes, base, max_inputs
        self.needs, self.gives = "", "same"


METHODS = {"ties": Facts("delta", "optional"), "linear": Facts("weights", "none"), "slerp": Facts("weights", "none", 2)}


def test_types_and_refusals() -> None:
    document = small()
    assert result_type(document, "delta", METHODS) == "delta"
    assert refusal(document, "delta", "merge", "input:+", METHODS) is None
    assert "Delta" in (refusal(document, "delta", "save", "source", METHODS) or "")
    assert "itself" in (refusal(document, "merge", "merge", "input:+", METHODS) or "")
    document = c.Connect("merge", "delta", "term:+").apply(document)
    assert "circle" in (refusal(document, "delta", "merge", "input:+", METHODS) or "")
    assert "read from disk" in (refusal(document, "merge", "base", "source", METHODS) or "")


def test_a_sum_of_what_is_still_open_is_open_itself() -> None:
    nodes = (SumNode("out", (Term("base", 1.0), Term("open", 1.0))), MethodNode("open", "ties"))
    document = c.AddNodes(nodes).apply(small())
    assert result_type(document, "open", METHODS) == "any"
    assert result_type(document, "out", METHODS) == "any"
    assert refusal(document, "out", "save", "source", METHODS) is None
    document = c.Connect("delta", "open", "input:+").apply(document)
    assert result_type(document, "out", METHODS) == "weights"
    document = c.SetCoefficient("out", 0, Var("t")).apply(document)
    assert result_type(document, "out", METHODS) == "any", "a variable before weights is never right"
    alone = c.AddNodes((SumNode("x", (Term("merge", 1.0),)),)).apply(small())
    assert refusal(alone, "x", "save", "source", METHODS) is None


def test_a_method_with_two_inputs_takes_no_third() -> None:
    document = c.AddNodes((MethodNode("s", "slerp", ("base", "math")), CheckpointNode("code", "/code"))).apply(small())
    assert "takes 2 inputs" in (refusal(document, "code", "s", "input:+", METHODS) or "")
    assert "no base" in (refusal(document, "code", "s", "base", METHODS) or "")


def test_who_edits_when_told_of_an_edit_leaves_nobody_with_an_old_document() -> None:
    history = History()
    seen: list[frozenset[str]] = []

    def go_on(document: Document) -> None:
        if document.ids == {"a"}:
            history.do(c.AddNodes((CheckpointNode("b", "/b"),)))

    history.subscribe(go_on)
    history.subscribe(lambda document: seen.append(document.ids))
    history.do(c.AddNodes((CheckpointNode("a", "/a"),)))
    assert seen == [{"a", "b"}]
