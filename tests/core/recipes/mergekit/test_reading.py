"""mergekit's files as recipes of ours: what each says, all its faults, and what is done otherwise."""

from __future__ import annotations

from textwrap import dedent

import pytest

from solera.checkpoints.references import Reference, read_foreign
from solera.errors import Fault
from solera.params import Curve, PerModel, Rules
from solera.recipes.mergekit.config import read_config
from solera.recipes.mergekit.methods import METHODS
from solera.recipes.mergekit.reading import looks_like_mergekit, read_mergekit
from solera.recipes.nodes import CheckpointNode, MethodNode, StackNode, SumNode, TokensNode
from solera.recipes.yaml import parse_recipe


def read(text, peek=lambda source: None):
    return read_mergekit(dedent(text), lambda name: Reference(name), peek, "file")


def right(text, **more):
    recipe, faults = read(text, **more)
    assert not faults, [str(fault) for fault in faults]
    return recipe


def merged(text, **more):
    recipe = right(text, **more)
    node = recipe.node(recipe.output)
    assert isinstance(node, MethodNode)
    return node


def test_a_file_is_told_from_ours():
    assert looks_like_mergekit("merge_method: linear\nmodels: []")
    assert looks_like_mergekit("name: a\nmerge_method: slerp\n---\nmerge_method: linear")
    assert not looks_like_mergekit("solera: 1\nnodes: {}")
    assert not looks_like_mergekit("solera: 1\nnote: it says merge_method")
    assert not looks_like_mergekit("merge_method: [")


def test_every_method_of_the_release_is_known():
    assert set(METHODS) == {
        "linear", "slerp", "nuslerp", "multislerp", "karcher", "task_arithmetic", "ties", "dare_ties", "dare_linear",
        "breadcrumbs", "breadcrumbs_ties", "della", "della_linear", "sce", "ram", "ramplus_tl", "model_stock",
        "nearswap", "arcee_fusion", "passthrough",
    }  # fmt: skip


def test_ties_is_written_out_in_mergekits_formula():
    node = merged("""
        merge_method: ties
        base_model: base
        models:
          - model: a
            parameters: {weight: 0.5, density: 0.3}
          - model: b
            parameters: {weight: 0.25}
        parameters: {density: 0.7, lambda: 1.5}
        dtype: bfloat16
    """)
    assert (node.method, node.base, node.inputs) == ("ties", "base", ("a", "b"))
    assert dict(node.params) == {
        "weight": PerModel((0.5, 0.25)), "density": PerModel((0.3, 0.7)), "scale": 1.5, "merge": "mean",
        "rescale": "none", "scope": "tensor", "elect": "mass", "zero_sign": "plus",
    }  # fmt: skip


def test_the_base_may_be_listed_and_lends_the_config():
    recipe = right("""
        merge_method: linear
        base_model: base
        models: [{model: a, parameters: {weight: 1}}, {model: base, parameters: {weight: 2}}]
    """)
    node = recipe.node(recipe.output)
    assert node.inputs == ("base", "a")
    assert node.params["weight"] == PerModel((2.0, 1.0))


def test_what_is_nearer_to_the_model_goes_first():
    node = merged("""
        merge_method: task_arithmetic
        base_model: base
        slices:
          - sources:
              - {model: base, layer_range: [0, 2]}
              - {model: a, layer_range: [0, 2], parameters: {weight: 0.1}}
              - {model: b, layer_range: [0, 2]}
            parameters: {weight: 0.2, lambda: 0.5}
        parameters: {weight: 0.3, lambda: 0.7}
    """)
    assert node.params["weight"] == PerModel((0.1, 0.2))
    assert node.params["scale"] == 0.5


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0.5", 0.5),
        ("'5e-1'", 0.5),
        ("[0, 0.5, 1]", Curve((0.0, 0.5, 1.0))),
        ("[0.5, 0.5]", 0.5),
        ("{value: 0.5}", 0.5),
        ("{filter: '*', value: [0, 1]}", Curve((0.0, 1.0))),
        ("[{filter: mlp, value: [0, 1]}, {value: 0.5}]", Rules((("*mlp*", Curve((0.0, 1.0))),), 0.5)),
        ("[{filter: 'a[0]', value: 1}, {value: 0.5}]", Rules((("*a[[]0]*", 1.0),), 0.5)),
    ],
)
def test_forms_of_a_value(written, value):
    node = merged(f"merge_method: slerp\nbase_model: a\nmodels: [{{model: b}}]\nparameters: {{t: {written}}}\n")
    assert node.params["t"] == value


def test_filters_without_a_rest_fall_to_the_next_settings_or_must_match_all_names():
    node = merged("""
        merge_method: task_arithmetic
        base_model: base
        models: [{model: a, parameters: {weight: [{filter: mlp, value: 0.1}]}}]
        parameters: {weight: 0.4}
    """)
    assert node.params["weight"] == Rules((("*mlp*", 0.1),), 0.4)
    text = "merge_method: slerp\nbase_model: a\nmodels: [{model: b}]\nparameters: {t: [{filter: weight, value: 0.1}]}"
    assert merged(text, peek=lambda source: Names("x.weight")).params["t"] == Rules((("*weight*", 0.1),), 0.1)
    _, faults = read(text, peek=lambda source: Names("x.weight", "x.bias"))
    assert "such as 'x.bias'" in faults[0].message


class Names(dict):
    """The names of a checkpoint."""

    dtypes = {"float32": 1}

    def __init__(self, *names):
        super().__init__(dict.fromkeys(names))


LAYERS = ("embed_tokens.weight", "layers.0.mlp.weight", "layers.1.mlp.weight", "norm.weight", "lm_head.weight")


def test_lists_reach_the_head_unless_mergekits_numbers_are_asked_for():
    text = "merge_method: slerp\nbase_model: a\nmodels: [{model: b}]\nparameters: {t: [0.1, 0.9]}\n"
    recipe = right(text, peek=lambda source: Names(*LAYERS))
    assert recipe.node(recipe.output).params["t"] == Curve((0.1, 0.9))
    assert "the head the first" in recipe.note
    recipe = right(text + "compat: mergekit", peek=lambda source: Names(*LAYERS))
    kept = Rules((("norm.weight", 0.1), ("lm_head.weight", 0.1)), Curve((0.1, 0.9)))
    assert recipe.node(recipe.output).params["t"] == kept
    assert not recipe.note
    filtered = text.replace("[0.1, 0.9]", "[{filter: mlp, value: [0.1, 0.9]}, {value: 0.5}]")
    assert not right(filtered, peek=lambda source: Names(*LAYERS)).note


def test_passthrough_stacks_layers_without_computing():
    recipe = right("""
        merge_method: passthrough
        slices:
          - sources: [{model: a, layer_range: [0, 8]}]
          - sources: [{model: b, layer_range: [4, 12]}]
          - sources: [{model: a, layer_range: [8, 12]}]
    """)
    assert [type(node) for node in recipe.nodes] == [CheckpointNode, CheckpointNode, StackNode]
    parts = [(part.node, part.layers) for part in recipe.node(recipe.output).parts]
    assert parts == [("a", (0, 8)), ("b", (4, 12)), ("a", (8, 12))]


def test_slices_are_merged_apart_and_stacked():
    recipe = right("""
        merge_method: slerp
        base_model: a
        slices:
          - sources: [{model: a, layer_range: [0, 2]}, {model: b, layer_range: [0, 2]}]
            parameters: {t: [0, 1]}
          - sources: [{model: c, layer_range: [2, 4]}, {model: b, layer_range: [2, 4]}]
            base_model: c
            parameters: {t: 0.5}
    """)
    assert [(part.node, part.layers) for part in recipe.node(recipe.output).parts] == [
        ("slerp", (0, 2)),
        ("slerp_2", (0, 2)),
    ]
    assert recipe.node("slerp").inputs == ("a_0_2", "b_0_2")
    assert recipe.node("slerp_2").inputs == ("c_2_4", "b_2_4")


def test_documents_name_each_other_in_any_order():
    recipe = right("""
        merge_method: linear
        models: [{model: first, parameters: {weight: 1}}, {model: c, parameters: {weight: 1}}]
        ---
        name: first
        merge_method: slerp
        base_model: a
        models: [{model: b}]
        parameters: {t: 0.3}
    """)
    assert recipe.output == "linear"
    assert recipe.node("linear").inputs == ("first", "c")
    assert recipe.node("first").method == "slerp"


def test_models_with_adapters_are_sums():
    recipe, faults = read_mergekit(
        "merge_method: linear\nmodels: [{model: ./a+./lora, parameters: {weight: 1}}]",
        lambda text: read_foreign(text, lambda name: name if "+" not in name else ""),
        lambda source: None,
    )
    assert not faults
    summed = next(node for node in recipe.nodes if isinstance(node, SumNode))
    assert [term.node for term in summed.terms] == ["a", "lora"]
    assert recipe.node("lora").base == "a"


def test_tokenizers_lay_out_every_model():
    recipe = right("""
        merge_method: linear
        base_model: base
        models: [{model: base, parameters: {weight: 1}}, {model: a, parameters: {weight: 1}}]
        tokenizer:
          source: union
          pad_to_multiple_of: 64
          tokens:
            "<|im_start|>": {source: a, force: true}
            "<pad>": {source: {kind: zero}}
    """)
    nodes = [node for node in recipe.nodes if isinstance(node, TokensNode)]
    assert [(node.node, node.vocabulary, node.base, node.multiple) for node in nodes] == [
        ("base", "union", "base", 64), ("a", "union", "base", 64)
    ]  # fmt: skip
    assert nodes[0].among == ("base", "a")
    assert nodes[0].rows["<|im_start|>"].node == "a"
    assert recipe.node(recipe.output).inputs == ("base_tokens", "a_tokens")


def test_dtypes():
    text = "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\n"
    assert right(text).dtype == ""
    assert right(text + "dtype: bfloat16").dtype == "bfloat16"
    assert right(text + "dtype: float32\nout_dtype: torch.float16").dtype == "float16"
    two = text.replace("}]", "}, {model: b, parameters: {weight: 1}}]")

    def peek(source):
        names = Names("w")
        names.dtypes = {"a": {"float16": 1}, "b": {"bfloat16": 1}}[source]
        return names

    assert right(two, peek=peek).dtype == "float32"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("merge_method: tis\nbase_model: b\nmodels: [{model: a}]", 1, "Did you mean 'ties'?"),
        ("merge_method: ties\nmodels:\n  - {model: a, parameters: {weight: 1}}", 0, "needs 'base_model'"),
        ("merge_method: linear\nmodels:\n  - model: a", 3, "'weight' is required"),
        ("base_model: b\nmerge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]", 1, "list it among"),
        ("merge_method: linear\nparameters: {wieght: 1}\nmodels:\n  - {model: a}", 2, "Did you mean 'weight'?"),
        ("merge_method: linear\nslices: []\nmodels: []", 0, "has exactly one of"),
        ("merge_method: linear\nmodels:\n  - {modle: a}", 3, "'model'"),
        ("merge_method: slerp\nbase_model: a\nparameters: {t: 1}\nmodels: [{model: b}, {model: c}]", 4, "takes 1 m"),
        ("merge_method: karcher\nparameters: {max_iter: 2.5}\nmodels: [{model: a}]", 2, "a whole number"),
        ("merge_method: karcher\nparameters: {max_iter: [2, 4]}\nmodels: [{model: a}]", 2, "from layer to layer"),
        ("merge_method: linear\ncompat: yes\nmodels: [{model: a, parameters: {weight: 1}}]", 2, "'compat'"),
        ("merge_method: linear\nmodels: [{model: a, layer_range: [0, 1], parameters: {weight: 1}}]", 2, "layer_range"),
        ("merge_method: passthrough\nslices:\n- sources:\n  - {model: a, layer_range: [4, 2]}", 4, "first, last + 1"),
        ("merge_method: passthrough\nslices:\n- sources:\n  - {model: a}", 4, "'layer_range' is"),
        ("merge_method: passthrough\nslices:\n- {sources: [{model: a, layer_range: [0, 1]}], sorce: 1}", 3, "sorce"),
        ("merge_method: karcher\nmodels: [{model: a}]\ntokenizer_source: union\ntokenizer: {source: b}", 4, "not both"),
        ("name: x\nmerge_method: linear\nmodels:\n  - {model: x, parameters: {weight: 1}}", 0, "depends on itself"),
        ("merge_method: linear\nmodels: {", 2, "no YAML"),
    ],
)  # fmt: skip
def test_faults_say_where_and_what(text, line, said):
    _, faults = read(text)
    found = [fault for fault in faults if said in fault.message]
    assert found, [str(fault) for fault in faults]
    assert found[0].fields.get("line", 0) == line


def test_all_faults_are_told_at_once():
    _, faults = read("""
        merge_method: ties
        base_modl: base
        models:
          - model: a
            parameter: {weight: 1}
          - {model: b, parameters: {densty: 1, weight: heavy}}
          - {modle: c, parameters: {weight: 1}}
        dtyp: float16
    """)
    assert [fault.fields.get("line", 0) for fault in faults if "Did you mean" in fault.message] == [3, 6, 7, 8, 9]
    assert any("'weight' must be a number" in fault.message for fault in faults)


@pytest.mark.parametrize(("written", "meant"), [("yes", "mean"), ("No", "sum"), ("off", "sum"), ("1", "mean")])
def test_true_and_false_are_read_as_in_yaml_1_1(written, meant):
    node = merged(f"""
        merge_method: ties
        base_model: base
        models: [{{model: a, parameters: {{weight: 1}}}}]
        parameters: {{normalize: {written}}}
    """)
    assert node.params["merge"] == meant


@pytest.mark.parametrize(("written", "meant"), [("yes", True), ("no", False), ("maybe", None)])
def test_so_are_those_of_tokens(written, meant):
    faults: list[Fault] = []
    plain = {"source": "union", "tokens": {"<s>": {"source": "a", "force": written}}}
    config = read_config({"merge_method": "linear", "models": [{"model": "a"}], "tokenizer": plain}, faults)
    assert [fault.place for fault in faults] == ([] if meant is not None else ["tokenizer.tokens.<s>.force"])
    assert config.tokenizer is not None
    assert config.tokenizer.tokens["<s>"].force is bool(meant)


def test_documents_have_places_of_their_own():
    _, faults = read("""
        name: one
        merge_method: linear
        models: [{model: a, parameters: {weight: 1}}]
        ---
        merge_method: linear
        models:
          - {model: one, parameters: {weigth: 1}}
    """)
    assert next((fault.place, fault.fields["line"]) for fault in faults) == (
        "documents[1].models[0].parameters.weigth", 8
    )  # fmt: skip


def test_what_is_idle_or_otherwise_is_said_once():
    recipe = right("""
        merge_method: model_stock
        base_model: base
        models: [{model: a, parameters: {weight: 1}}, {model: b, parameters: {weight: 2}}]
        parameters: {int8_mask: true, filter_wise: true}
    """)
    assert recipe.note.count("'weight' changes nothing") == 1
    assert "'int8_mask' changes nothing" in recipe.note
    assert "mergekit floors" in recipe.note
    assert recipe.node(recipe.output).params == {"by": "row"}


def test_a_share_beyond_one_is_one_and_is_told():
    text = """
        merge_method: ties
        base_model: base
        models: [{model: a, parameters: {weight: 1, density: %s}}, {model: b, parameters: {weight: 1}}]
    """
    recipe = right(text % 1.5)
    assert "What 'density' says beyond 0 to 1 means 0 or 1" in recipe.note
    assert "beyond" not in right(text % 1).note


def test_a_reader_of_our_own_recipes_says_what_it_is():
    recipe, faults = parse_recipe("merge_method: linear\nmodels: [{model: a}]", {})
    assert not recipe.nodes
    (fault,) = faults
    assert "--show-recipe" in fault.message


TOWER = ("block.0.w", "block.1.w", "final_layer_norm.weight")
T5 = ("shared.weight", "lm_head.weight", *(f"encoder.{rest}" for rest in TOWER), *(f"decoder.{rest}" for rest in TOWER))
VISION = (
    "model.embed_tokens.weight", "model.layers.0.w", "model.layers.1.w", "lm_head.weight", "visual.blocks.0.w",
    "visual.blocks.1.w", "visual.blocks.2.w", "visual.merger.mlp.weight",
)  # fmt: skip


def test_modules_are_joined_by_the_names_of_their_tensors():
    recipe = right(
        """
        merge_method: passthrough
        modules:
          encoder:
            slices:
              - sources: [{model: a, layer_range: [0, 2]}]
              - sources: [{model: b, layer_range: [0, 1]}]
          decoder: {models: [{model: b}]}
          shared: {models: [{model: a}]}
        """,
        peek=lambda source: Names(*T5),
    )
    assert recipe.node("encoder").layers == "encoder.block."
    joined = [(part.node, part.names) for part in recipe.node("modules").parts]
    assert joined == [("encoder", "encoder.*"), ("b", "decoder.*"), ("a", "")]


def test_towers_and_projectors_are_told_apart():
    recipe = right(
        """
        merge_method: passthrough
        modules:
          text_decoder:
            slices: [{sources: [{model: a, layer_range: [0, 1]}]}, {sources: [{model: a, layer_range: [0, 2]}]}]
          vision_tower: {slices: [{sources: [{model: b, layer_range: [1, 3]}]}]}
          multi_modal_projector: {models: [{model: c}]}
        """,
        peek=lambda source: Names(*VISION),
    )
    assert recipe.node("text_decoder").layers == "model.layers."
    assert recipe.node("vision_tower").layers == "visual.blocks."
    joined = [(part.node, part.names) for part in recipe.node("modules").parts]
    assert joined == [("c", "visual.merger.*"), ("vision_tower", "visual.*"), ("text_decoder", "")]


def test_numbers_in_filters_of_slices_are_remarked_on():
    text = """
        merge_method: slerp
        base_model: a
        slices: [{sources: [{model: a, layer_range: [0, %d]}, {model: b, layer_range: [0, %d]}]}]
        parameters: {t: [{filter: layers.1., value: 0.1}, {value: 0.5}]}
    """
    assert "within its slice" in right(text % (1, 1), peek=lambda source: Names(*LAYERS)).note
    assert not right(text % (2, 2), peek=lambda source: Names(*LAYERS)).note
