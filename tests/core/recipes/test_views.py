"""Stacks and layouts of tokens as data: text and back, scripts and back, joining, hashing, faults of form."""

from __future__ import annotations

import pytest

import solera
from solera.recipes.export import as_python
from solera.recipes.hashes import semantic_hash, textual_hash
from solera.recipes.join import join
from solera.recipes.nodes import StackNode, TokensNode, upstream
from solera.recipes.order import reference
from solera.recipes.yaml import dump_recipe, parse_recipe
from solera.testing.tiny_llama import write_tiny_llama

TEXT = """\
solera: 1
nodes:
  a: {checkpoint: a}
  b: {checkpoint: b}
  at: {tokens: a, vocabulary: union, base: b, among: [b, a], rows: {"<x>": {node: b, token: 3, force: true}, pad: {zero: true}}, multiple: 8}
  bt: {tokens: b, vocabulary: b}
  both: {stack: [{node: bt, names: "vision.*"}, {node: at}]}
  out: {stack: [{node: both, layers: [0, 2]}, {node: b, layers: [1, 3]}], list: m.layers.}
output: out
"""  # noqa: E501


@pytest.fixture
def recipe(methods):
    recipe, faults = parse_recipe(TEXT, methods)
    assert not faults
    return recipe


def test_text_and_back(recipe, methods):
    again, faults = parse_recipe(dump_recipe(recipe), methods)
    assert (again, faults) == (recipe, ())
    assert dump_recipe(again) == dump_recipe(recipe)


def test_a_view_is_weights_and_its_own_reference(recipe, methods):
    from solera.recipes.types import infer_types

    assert set(infer_types(recipe, methods).values()) == {"weights"}
    assert reference(recipe) == "out"
    assert upstream(recipe.node("at")) == ("a", "b")


def test_joining_renames_what_a_view_takes(recipe):
    other = parse_recipe(TEXT.replace("checkpoint: a", "checkpoint: c"), {})[0]
    nodes, (first, second) = join([recipe, other])
    known = {node.id: node for node in nodes}
    assert (first, second) == ("out", "out_2")
    assert known["at_2"].node == "a_2"
    assert known["at_2"].rows["<x>"].node == "b"
    assert known["at_2"].among == ("b", "a_2")
    assert [part.node for part in known["out_2"].parts] == ["both_2", "b"]
    assert sum(isinstance(node, TokensNode) for node in nodes) == 3
    assert sum(isinstance(node, StackNode) for node in nodes) == 4


def test_hashes_follow_meaning(recipe, methods):
    prints = {"a": "1", "b": "2"}
    plain = semantic_hash(recipe, methods, prints)
    for old, new in (
        ("[0, 2]", "[0, 1]"),
        ("multiple: 8", "multiple: 4"),
        ("token: 3", "token: 4"),
        ("m.layers.", "n."),
    ):
        changed = parse_recipe(TEXT.replace(old, new), methods)[0]
        assert semantic_hash(changed, methods, prints) != plain
        assert textual_hash(changed) != textual_hash(recipe)
    assert semantic_hash(recipe, methods, {**prints, "at": "other tokenizers"}) != plain
    renamed = parse_recipe(TEXT.replace("at:", "tt:").replace("node: at", "node: tt"), methods)[0]
    assert semantic_hash(renamed, methods, prints) == plain


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{stack: a}", "'stack' is a list"),
        ("{stack: [{layers: [0, 1]}]}", "A part is"),
        ("{stack: [{node: a, layers: [2, 1]}]}", "such as [0, 8]"),
        ("{stack: [{node: a, layers: [0.5, 1]}]}", "such as [0, 8]"),
        ("{stack: []}", "has no parts"),
        ("{stack: [a, b]}", "At most one part"),
        ("{stack: [a], lists: x}", "Did you mean 'list'?"),
        ("{tokens: a}", "'vocabulary' is the name of a node"),
        ("{tokens: a, vocabulary: c}", "no node 'c'"),
        ("{tokens: a, vocabulary: b, rows: {x: 3}}", "A row is"),
        ("{tokens: a, vocabulary: b, multiple: 0}", "'multiple' is a whole number"),
        ("{tokens: a, vocabulary: b, amnog: [a]}", "Did you mean 'among'?"),
    ],
)
def test_faults_of_form(entry, said, methods):
    text = f"solera: 1\nnodes:\n  a: {{checkpoint: a}}\n  b: {{checkpoint: b}}\n  out: {entry}\noutput: out\n"
    _, faults = parse_recipe(text, methods)
    assert any(said in fault.message for fault in faults), [str(fault) for fault in faults]
    assert {fault.fields["line"] for fault in faults} == {5}


def test_scripts_say_the_same(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("ab"):
        write_tiny_llama(tmp_path / name, seed)
    script = as_python(recipe).replace(".save('out')", "")
    made: dict[str, solera.Model] = {}
    exec(script, made)
    again = made["out"].recipe
    prints = {"a": "1", "b": "2"}
    assert semantic_hash(again, {}, prints) == semantic_hash(recipe, {}, prints)
    with pytest.raises(ValueError, match="union"):
        solera.tokens(made["a"], "onion")
