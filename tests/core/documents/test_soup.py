"""The soup of a document: what fits, what undo takes back, what the disk and other edits leave of it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solera.documents import commands as c
from solera.documents.document import Document, Soup
from solera.documents.files import layout_path, layout_to_plain, load_document, save_document, with_layout
from solera.documents.history import History
from solera.errors import Fault, InputError
from solera.recipes.nodes import AdapterNode, CheckpointNode, Recipe

NAMES = ("a", "b", "c", "d")


def models() -> Document:
    nodes = (*(CheckpointNode(name, f"library:{name}") for name in NAMES), AdapterNode("lora", "library:lora"))
    return Document(Recipe(nodes))


@pytest.mark.parametrize(
    ("soup", "said"),
    [
        (Soup(("a", "x")), "no node 'x'"),
        (Soup(("a", "lora")), "no checkpoint"),
        (Soup(("a", "a")), "once"),
        (Soup(("a",), ("b",)), "not in the pool"),
        (Soup(("a", "b"), ("a", "b"), (1.0,)), "one for each"),
        (Soup(("a", "b"), ("a", "b"), (0.0, 0.0)), "one for each"),
        (Soup(("a", "b"), ("a", "b"), (2.0, -1.0)), "one for each"),
    ],
)
def test_a_soup_that_does_not_fit_is_refused(soup: Soup, said: str) -> None:
    with pytest.raises(InputError, match=said):
        c.SetSoup(soup).apply(models())


def test_each_change_is_one_step_of_undo() -> None:
    history = History(models())
    history.do(c.SetSoup(Soup(NAMES)))
    history.do(c.SetSoup(Soup(NAMES, ("a",)), label="Put a in"))
    history.do(c.SetSoup(Soup(NAMES, ("a", "b"))))
    assert history.undo() == "Change soup"
    assert history.document.soup.pot == ("a",)
    assert history.undo() == "Put a in"
    assert history.document.soup == Soup(NAMES)
    history.redo()
    assert history.document.soup.pot == ("a",)


def test_a_model_that_is_deleted_or_renamed_leaves_or_follows() -> None:
    document = c.SetSoup(Soup(NAMES, ("a", "b"), (3.0, 1.0))).apply(models())
    assert c.RenameNode("a", "first").apply(document).soup == Soup(("first", "b", "c", "d"), ("first", "b"), (3.0, 1.0))
    assert c.RemoveNodes(("b",)).apply(document).soup == Soup(("a", "c", "d"), ("a",))
    assert c.RemoveNodes(("c",)).apply(document).soup == Soup(("a", "b", "d"), ("a", "b"), (3.0, 1.0))


@given(st.data())
def test_every_soup_survives_the_sidecar(data: st.DataObject) -> None:
    pool = tuple(data.draw(st.permutations(NAMES)))[: data.draw(st.integers(0, 4))]
    pot = tuple(name for name in pool if data.draw(st.booleans()))
    numbers = st.floats(0.125, 8.0, allow_nan=False)
    shares = tuple(data.draw(numbers) for _ in pot) if data.draw(st.booleans()) else ()
    document = c.SetSoup(Soup(pool, pot, shares)).apply(models())
    faults: list[Fault] = []
    assert with_layout(models(), json.loads(json.dumps(layout_to_plain(document))), faults) == document
    assert not faults


def test_a_sidecar_that_names_models_that_are_gone_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "soup.yaml"
    save_document(c.SetSoup(Soup(NAMES, ("a", "b"), (3.0, 1.0))).apply(models()), path)
    plain = json.loads(layout_path(path).read_text())
    plain["soup"]["pool"].append("gone")
    plain["soup"]["pot"].append("gone")
    layout_path(path).write_text(json.dumps(plain))
    document, faults = load_document(path, {})
    assert document.soup == Soup(NAMES, ("a", "b"))
    assert not [fault for fault in faults if fault.code.startswith("layout")]
    del plain["soup"]
    layout_path(path).write_text(json.dumps(plain))
    assert load_document(path, {})[0].soup == Soup()
