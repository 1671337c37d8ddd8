"""mergekit's files on the command line: as they are, with models of the hub and adapters, and what is said of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from solera.checkpoints.opening import open_checkpoint
from solera.cli.main import main
from solera.projects.project import Project
from solera.recipes.yaml import parse_recipe
from solera.runs import open as open_run
from solera.testing.tiny_llama import WORDS, write_tiny_llama

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SLERP = """
slices:
  - sources:
      - {model: a, layer_range: [0, 3]}
      - {model: b, layer_range: [0, 3]}
merge_method: slerp
base_model: a
parameters: {t: [{filter: mlp, value: [0, 1]}, {value: 0.25}]}
dtype: bfloat16
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two models, one of them also in the hub's cache, and an adapter, in the current folder."""
    write_tiny_llama(tmp_path / "a", 1)
    write_tiny_llama(tmp_path / "b", 2, base=tmp_path / "a")
    model = tmp_path / "hub" / "models--org--name"
    (model / "snapshots").mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    write_tiny_llama(model / "snapshots" / COMMIT, 2, base=tmp_path / "a")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *words):
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_file_is_merged_as_it_is(folder, capsys):
    Path("slerp.yml").write_text(SLERP)
    code, _, err = run(capsys, "merge", "slerp.yml", "out", "-q")
    assert (code, err) == (0, "")
    with open_checkpoint(folder / "out") as made, open_checkpoint(folder / "a") as a:
        assert made.dtypes == {"bfloat16": a.numel}
        assert made.config["torch_dtype"] == "bfloat16"
        assert {file.name for file in made.extra_files()} == {"config.json", "tokenizer.json", "tokenizer_config.json"}
        name = "model.layers.0.mlp.up_proj.weight"
        assert torch.equal(made[name].read(), a[name].read().bfloat16())
    assert "method: slerp" in (folder / "out" / "README.md").read_text()


def test_check_shows_what_it_means_in_our_form(folder, capsys):
    Path("slerp.yml").write_text(SLERP)
    code, out, _ = run(capsys, "check", "slerp.yml", "--show-recipe")
    assert code == 0
    assert "is right" in out
    recipe, faults = parse_recipe(out[: out.index("slerp.yml is right")], {})
    assert [fault.code for fault in faults] == ["recipe.unknown-method"]  # no methods are known to this reader
    assert recipe.node("slerp").inputs == ("a", "b")
    _, out, _ = run(capsys, "check", "slerp.yml", "--json")
    assert json.loads(out)["recipe"].startswith("solera: 1")


def test_what_is_done_otherwise_is_said(folder, capsys):
    Path("stock.yml").write_text("merge_method: model_stock\nbase_model: a\nmodels: [{model: b}, {model: org/name}]\n")
    _, _, err = run(capsys, "check", "stock.yml")
    assert "mergekit floors the product" in err.replace("\n", " ")
    Path("stock.yml").write_text(Path("stock.yml").read_text() + "compat: mergekit\n")
    assert run(capsys, "check", "stock.yml")[2] == ""


def test_models_of_the_hub_are_recorded_by_commit(folder, capsys):
    Project.create(folder).close()
    text = "merge_method: karcher\nmodels:\n- {model: a}\n- {model: org/name}\n"
    Path("hub.yml").write_text(text)
    code, out, _ = run(capsys, "merge", "hub.yml", "out", "--json")
    assert code == 0
    result = json.loads(out.splitlines()[-1])
    inputs = open_run(result["path"]).header.provenance["inputs"]
    sources = {row["source"] for row in inputs.values()}
    assert f"hub:org/name@{COMMIT}" in sources
    assert f"hub:org/name@{COMMIT}" in (folder / "out" / "README.md").read_text()
    Path("hub.yml").write_text(text.replace("org/name", "org/name@v9"))
    code, _, err = run(capsys, "check", "hub.yml")
    assert code == 2
    assert "'org/name' at 'v9' is not in the local cache" in err


def test_our_own_recipes_name_the_hub_too(folder, capsys):
    text = (
        "solera: 1\nnodes: {a: {checkpoint: a}, b: {checkpoint: 'hub:org/name'}, m: {method: linear, inputs: [a, b]}}\n"
    )
    Path("own.yaml").write_text(text + "output: m\n")
    assert run(capsys, "merge", "own.yaml", "out", "-q")[0] == 0


def test_a_model_with_an_adapter(folder, capsys):
    adapter = folder / "lora"
    adapter.mkdir()
    target = "model.layers.0.mlp.up_proj"
    factors = {
        f"base_model.model.{target}.lora_A.weight": torch.ones(2, 16),
        f"base_model.model.{target}.lora_B.weight": torch.ones(24, 2),
    }
    save_file(factors, adapter / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "r": 2,
        "lora_alpha": 4,
        "target_modules": ["up_proj"],
        "base_model_name_or_path": "a",
    }
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    Path("lora.yml").write_text("merge_method: linear\nmodels: [{model: a+lora, parameters: {weight: 1}}]\n")
    assert run(capsys, "merge", "lora.yml", "out", "-q")[0] == 0
    made, base = load_file("out/model.safetensors"), load_file("a/model.safetensors")
    assert torch.allclose(made[f"{target}.weight"], base[f"{target}.weight"] + 4.0, atol=1e-5)
    assert torch.equal(made["lm_head.weight"], base["lm_head.weight"])
    Path("deep.yml").write_text(
        "merge_method: passthrough\nslices:\n- sources: [{model: a+lora, layer_range: [0, 1]}]\n"
        "- sources: [{model: a+lora, layer_range: [0, 1]}]\n"
    )
    assert run(capsys, "merge", "deep.yml", "deep", "-q")[0] == 0
    deep = load_file("deep/model.safetensors")
    assert torch.equal(deep["model.layers.1.mlp.up_proj.weight"], made[f"{target}.weight"])


def test_every_fault_has_its_line(folder, capsys):
    Path("bad.yml").write_text(
        "merge_method: ties\nbase_modl: a\nmodels:\n  - {model: ./nowhere, parameters: {densty: 0.5}}\n"
    )
    code, _, err = run(capsys, "check", "bad.yml")
    assert code == 2
    for said in ("line 2, base_modl", "line 4, models[0].model: There is no file", "Did you mean 'density'"):
        assert said in err


def test_it_is_resolved_from_where_one_stands_or_from_the_file(folder, capsys):
    (folder / "recipes").mkdir()
    (folder / "recipes" / "slerp.yml").write_text(SLERP)
    assert run(capsys, "check", "recipes/slerp.yml")[0] == 0
    os.rename("a", "recipes/a")
    assert run(capsys, "check", "recipes/slerp.yml")[0] == 0


def test_the_vocabulary_and_the_conversation_of_one_of_the_models(folder, capsys):
    """``tokenizer_source`` may be a model; ``chat_template`` goes into the config that transformers reads."""
    from transformers import AutoTokenizer

    write_tiny_llama(folder / "wide", 3, words=(*WORDS, "bodega", "<|im_end|>"))
    Path("wide.yml").write_text(
        "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}, {model: wide, parameters: {weight: 1}}]\n"
        "tokenizer_source: wide\nchat_template: chatml\n"
    )
    code, _, err = run(capsys, "merge", "wide.yml", "out", "-q")
    assert (code, err) == (0, "")
    assert (folder / "out" / "tokenizer.json").read_text() == (folder / "wide" / "tokenizer.json").read_text()
    with open_checkpoint(folder / "out") as made, open_checkpoint(folder / "wide") as wide:
        name = "model.embed_tokens.weight"
        assert made[name].shape == wide[name].shape
    said = AutoTokenizer.from_pretrained(folder / "out").apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert said == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_a_chat_template_that_is_none_is_a_fault(folder, capsys):
    Path("slerp.yml").write_text(SLERP + "chat_template: chatlm\n")
    code, _, err = run(capsys, "check", "slerp.yml")
    assert code == 2
    assert "'chatlm'" in err
    assert "'chatml'?" in err
