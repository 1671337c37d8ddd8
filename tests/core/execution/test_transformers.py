"""What a merge writes is what the transformers library reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.recipes.nodes import CheckpointNode, Recipe, SumNode, Term

transformers = pytest.importorskip("transformers")

SMALL = {
    "vocab_size": 32, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
WORDS = torch.tensor([[1, 5, 9, 3, 7]])


def llama(seed: int, folder: Path, *, dtype: torch.dtype = torch.float32, tied: bool = False, shard: str = "1GB"):
    """A tiny Llama with its tokenizer, written by the library itself."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    torch.manual_seed(seed)
    config = transformers.LlamaConfig(**SMALL, tie_word_embeddings=tied)
    model = transformers.LlamaForCausalLM(config).to(dtype).eval()
    model.generation_config.temperature = 0.5 + seed
    model.generation_config.do_sample = True
    model.save_pretrained(folder, max_shard_size=shard)
    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(32)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="w2").save_pretrained(folder)
    return model


def average(folder: Path, out: Path, *, shard_bytes: int = 10**9, dtype: str = "") -> Path:
    nodes = (CheckpointNode("a", "a"), CheckpointNode("b", "b"))
    recipe = Recipe((*nodes, SumNode("o", (Term("a", 0.5), Term("b", 0.5)))), "o", dtype)
    opened = {name: open_checkpoint(folder / name) for name in "ab"}
    return execute(plan(recipe, opened, {}), out, QuietContext(), shard_bytes=shard_bytes)


def reference(models, dtype: torch.dtype):
    """The average as a person would make it in a script: in float32, cast once."""
    one, other = ({n: t.float() for n, t in model.state_dict().items()} for model in models)
    made = transformers.LlamaForCausalLM(models[0].config)
    made.load_state_dict({name: (one[name] * 0.5 + other[name] * 0.5).to(dtype) for name in one})
    return made.to(dtype).eval()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(("dtype", "shard_bytes"), [("", 10**9), ("bfloat16", 6000)])
def test_a_result_opens_and_computes_the_same(tied, dtype, shard_bytes, tmp_path):
    models = [
        llama(i, tmp_path / name, tied=tied, shard=shard)
        for i, (name, shard) in enumerate((("a", "1GB"), ("b", "8KB")))
    ]
    out = average(tmp_path, tmp_path / "out", shard_bytes=shard_bytes, dtype=dtype)
    kind = torch.bfloat16 if dtype else torch.float32
    made, info = transformers.AutoModelForCausalLM.from_pretrained(out, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert type(made).__name__ == "LlamaForCausalLM"
    assert made.dtype == kind
    assert made.config.tie_word_embeddings is tied
    assert (made.lm_head.weight is made.model.embed_tokens.weight) is tied
    want = reference(models, kind)
    with torch.no_grad():
        torch.testing.assert_close(made.eval()(WORDS).logits, want(WORDS).logits, rtol=0, atol=0)
    assert made.generation_config.temperature == 0.5, "the first model's"
    words = transformers.AutoTokenizer.from_pretrained(out)
    assert words("w5 w9").input_ids == [5, 9]
    assert words.eos_token == "w2"
    config = json.loads((out / "config.json").read_text())
    assert {config[key] for key in ("dtype", "torch_dtype") if key in config} == {dtype or "float32"}
    assert (out / "model.safetensors.index.json").exists() is (shard_bytes < 10**9)
    names = {name for file in out.glob("*.safetensors") for name in open_checkpoint(file)}
    assert ("lm_head.weight" in names) is not tied, "a tied tensor is written once"


def test_what_it_says_of_its_dtype_is_true(tmp_path):
    """The config of the first model may be wrong, as those of quantised or converted models are."""
    for i, name in enumerate("ab"):
        llama(i, tmp_path / name, dtype=torch.bfloat16)
    file = tmp_path / "a" / "config.json"
    for wrong in ({"dtype": "float32"}, {"torch_dtype": "float16"}, {}):
        config = {k: v for k, v in json.loads(file.read_text()).items() if k not in ("dtype", "torch_dtype")}
        file.write_text(json.dumps({**config, **wrong, "text_config": {"dtype": "float32", "hidden_size": 16}}))
        out = average(tmp_path, tmp_path / f"out{len(wrong)}{''.join(wrong)}")
        told = json.loads((out / "config.json").read_text())
        assert told[next(iter(wrong), "torch_dtype")] == "bfloat16"
        assert told["text_config"] == {"dtype": "bfloat16", "hidden_size": 16}


@pytest.mark.parametrize("apart", [False, True])
def test_a_head_that_is_tied_in_one_model_only(apart, tmp_path):
    """Where the models do not all tie, the result has two tensors, and its config says so."""
    states = []
    for i, name in enumerate("ab"):
        state = dict(llama(i, tmp_path / name, tied=True).state_dict())
        if apart and name == "b":
            state["lm_head.weight"] = state["lm_head.weight"] + 1
        states.append(state)
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    opened = {n: MemoryCheckpoint.from_state_dict(s, n, config) for n, s in zip("ab", states, strict=True)}
    nodes = (CheckpointNode("a", "memory:a"), CheckpointNode("b", "memory:b"))
    recipe = Recipe((*nodes, SumNode("o", (Term("a", 0.5), Term("b", 0.5)))), "o")
    cost = plan(recipe, opened, {})
    assert ("lm_head.weight" in cost.ties) is not apart
    out = execute(cost, tmp_path / "out", QuietContext())
    made = transformers.AutoModelForCausalLM.from_pretrained(out)
    assert made.config.tie_word_embeddings is not apart
    want = 0.5 * states[0]["lm_head.weight"] + 0.5 * states[1]["lm_head.weight"]
    torch.testing.assert_close(made.lm_head.weight.detach(), want)
    embedding = 0.5 * states[0]["model.embed_tokens.weight"] + 0.5 * states[1]["model.embed_tokens.weight"]
    torch.testing.assert_close(made.model.embed_tokens.weight.detach(), embedding)
