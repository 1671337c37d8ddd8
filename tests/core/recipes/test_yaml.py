"""YAML: round trip, canonical bytes, faults with lines."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from solera.errors import FaultsError, NotFoundError
from solera.params import Curve, PerModel, Rules, Value, Var
from solera.recipes.emit import emit
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe, SumNode, Term
from solera.recipes.yaml import dump_recipe, load_recipe, parse_recipe

TEXT = """\
solera: 1
name: blend
nodes:
  base: {checkpoint: ../checkpoints/base}
  math: {checkpoint: /data/math, fingerprint: "sha256:00", strip: "module."}
  code: {checkpoint: "library:code model"}
  blend:
    method: pull
    base: base
    inputs: [math, code]
    density: [0.2, {var: d, low: 0.1, high: 0.9}]
    scale: {rules: [{match: "*.attn.*", value: 0.5}], otherwise: {curve: [0, 1.0e-5]}}
    note: what we found on Monday
  delta: {sum: [{node: math}, {times: -1, node: base}]}
  out: {sum: [{node: blend}, {times: {var: t, low: 0, high: 1, init: 0.25}, node: delta}]}
output: out
dtype: bfloat16
"""


def test_canonical_text_is_a_fixed_point(methods):
    recipe = load_recipe(TEXT, methods)
    assert dump_recipe(recipe) == TEXT
    blend = recipe.node("blend")
    assert isinstance(blend, MethodNode)
    assert blend.params["density"] == PerModel((0.2, Var("d", 0.1, 0.9)))
    assert blend.params["scale"] == Rules((("*.attn.*", 0.5),), Curve((0.0, 1e-5)))
    assert [var.name for var in recipe.variables] == ["d", "t"]


def test_hand_written_forms_are_read(methods):
    recipe = load_recipe(
        "solera: 1\nnodes:\n  a:\n    checkpoint: x\n  b: {checkpoint: y}\n  o: {sum: [a, {times: 1, node: b}, "
        "{times: -1, node: a}]}\noutput: o\n",
        methods,
    )
    assert recipe.node("o") == SumNode("o", (Term("a"), Term("b"), Term("a", -1.0)))


NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=4)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=64)
ANY_TEXT = st.text(max_size=20)
VARS = st.builds(Var, NAMES, st.none(), st.none(), st.none() | FLOATS, st.booleans())
SCALES: st.SearchStrategy[Value] = FLOATS | VARS | st.builds(Curve, st.lists(FLOATS, min_size=1, max_size=3).map(tuple))
SCALES |= st.builds(Rules, st.lists(st.tuples(ANY_TEXT, FLOATS), max_size=2).map(tuple), FLOATS)
DENSITIES = st.floats(0, 1) | st.lists(st.floats(0, 1), min_size=1, max_size=3).map(lambda v: PerModel(tuple(v)))


@st.composite
def recipes(draw):
    """Any recipe, right or wrong: what a canvas may save."""
    ids = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    nodes: list[Node] = []
    for id_ in ids:
        some = st.sampled_from(ids)
        kind = draw(st.integers(0, 2))
        note = draw(ANY_TEXT)
        if kind == 0:
            nodes.append(CheckpointNode(id_, draw(ANY_TEXT), draw(ANY_TEXT), draw(ANY_TEXT), note))
        elif kind == 1:
            nodes.append(SumNode(id_, tuple(draw(st.lists(st.builds(Term, some, SCALES), max_size=3))), note))
        else:
            params = draw(st.fixed_dictionaries({}, optional={"scale": SCALES, "density": DENSITIES}))
            inputs = tuple(draw(st.lists(some, max_size=3)))
            nodes.append(MethodNode(id_, "pull", inputs, draw(st.just("") | some), params, note))
    return Recipe(
        tuple(nodes), draw(st.sampled_from(["", *ids])), draw(st.sampled_from(["", "float16"])), draw(ANY_TEXT)
    )


@given(recipes())
@settings(max_examples=120, deadline=None)
def test_any_recipe_survives_the_round_trip(methods, recipe):
    text = dump_recipe(recipe)
    again, _ = parse_recipe(text, methods)
    assert again == recipe
    assert dump_recipe(again) == text


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | FLOATS | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(ANY_TEXT, PLAIN, max_size=4))
@settings(max_examples=150, deadline=None)
def test_the_emitter_writes_what_a_yaml_reader_reads(plain):
    assert YAML(typ="safe", pure=True).load(emit(plain)) == plain


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("solera: 1\nnodez: {}\nnodes: {a: {checkpoint: x}}\noutput: a\n", 2, "Did you mean 'nodes'?"),
        ("solera: 2\nnodes: {a: {checkpoint: x}}\noutput: a\n", 1, "reads version 1"),
        ("solera: 1\nnodes:\n  a: {checkpoint: x, fo: 1}\noutput: a\n", 3, "'fo' is not known"),
        ("solera: 1\nnodes:\n  a: {checkpoint: x}\n  a: {checkpoint: y}\noutput: a\n", 4, "duplicate key"),
        ("solera: 1\nnodes:\n  a: {checkpoint: x\noutput: a\n", 4, "no YAML"),
        ("solera: 1\nnodes:\n  a:\n    method: pull\n    sum: []\noutput: a\n", 3, "exactly one of"),
        ("solera: 1\nnodes:\n  a: {checkpoint: x}\noutput: b\n", 4, "names no node"),
        ("solera: 1\nnodes:\n  a: {checkpoint: 3}\noutput: a\n", 3, "is text"),
        ("- a\n- b\n", 0, "is a mapping"),
    ],
)
def test_faults_name_their_line(text, line, words, methods):
    with pytest.raises(FaultsError) as caught:
        load_recipe(text, methods)
    fault = next(fault for fault in caught.value.faults if words in fault.message)
    assert fault.fields.get("line", 0) == line
    if line:
        assert fault.place.startswith(f"line {line}")


def test_faults_are_reported_together_in_order(methods):
    text = TEXT.replace("density:", "densty:").replace("inputs: [math, code]", "inputs: [math, cod]")
    with pytest.raises(FaultsError) as caught:
        load_recipe(text, methods, name="blend.yaml")
    assert [fault.fields["line"] for fault in caught.value.faults] == [7, 11]
    assert "recipe blend.yaml: 2 faults" in str(caught.value)


def test_a_node_of_a_missing_method_keeps_its_data(methods):
    text = TEXT.replace("method: pull", "method: gone")
    recipe, faults = parse_recipe(text, methods)
    assert dump_recipe(recipe) == text
    assert {fault.code for fault in faults} == {"recipe.unknown-method"}


def test_an_alias_bomb_is_refused(methods):
    lines = ["solera: 1", "a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    with pytest.raises(FaultsError, match="more values than a recipe has"):
        load_recipe("\n".join(lines), methods)


def test_files(tmp_path, methods):
    file = tmp_path / "blend.yaml"
    file.write_text(TEXT)
    assert load_recipe(file, methods) == load_recipe(str(file), methods) == load_recipe(TEXT, methods)
    with pytest.raises(NotFoundError):
        load_recipe(tmp_path / "none.yaml", methods)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaultsError, match="UTF-8"):
        load_recipe(file, methods)
    file.write_bytes(b"#" * (5 << 20))
    with pytest.raises(FaultsError, match="at most"):
        load_recipe(file, methods)
    with pytest.raises(FaultsError, match="cannot be read"):
        load_recipe(tmp_path, methods)
