"""Hugging Face configs."""

from typing import Any

import pytest
import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import MismatchError
from solera.models.architecture import build_network

transformers = pytest.importorskip("transformers")

from solera_plugins.transformers_models.architecture import TRANSFORMERS  # noqa: E402

ARCHITECTURES = {"transformers": TRANSFORMERS}


def llama(tie: bool) -> Any:
    config = transformers.LlamaConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, vocab_size=32,
        tie_word_embeddings=tie, architectures=["LlamaForCausalLM"], attn_implementation="eager",
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


@pytest.mark.parametrize("tie", [False, True])
def test_a_llama_folder_becomes_the_same_network(tmp_path, tie):
    from solera.checkpoints.opening import open_checkpoint

    model = llama(tie)
    model.save_pretrained(tmp_path)
    before = torch.get_rng_state()
    network = build_network(open_checkpoint(tmp_path), ARCHITECTURES)
    assert torch.equal(before, torch.get_rng_state())
    tokens = torch.arange(24).reshape(2, 12)
    assert torch.equal(network(tokens).logits, model(tokens).logits)
    assert network.layout.numel == sum(p.numel() for p in model.parameters())


def test_other_configs_are_not_ours():
    assert not TRANSFORMERS.matches({})
    assert not TRANSFORMERS.matches({"architecture": "digits-cnn"})


@pytest.mark.parametrize(
    "wrong", [{"architectures": ["NoSuchModel"]}, {"architectures": ["AutoModel"]}, {"model_type": "no"}]
)
def test_what_transformers_does_not_have_is_a_sentence(wrong):
    config = llama(False).config.to_dict() | {
        "architectures": ["LlamaForCausalLM"],
        "auto_map": {"AutoModel": "evil.py"},
    }
    checkpoint = MemoryCheckpoint.from_state_dict({}, "odd", config | wrong)
    with pytest.raises(MismatchError, match="never run"):
        build_network(checkpoint, ARCHITECTURES)


SMALL = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}


@pytest.mark.parametrize(
    ("kind", "auto", "name", "more"),
    [
        ("bert", "AutoModelForSequenceClassification", "BertForSequenceClassification", {"vocab_size": 9}),
        ("bert", "AutoModelForMaskedLM", "BertForMaskedLM", {"vocab_size": 9}),
        ("llama", "AutoModelForCausalLM", "LlamaForCausalLM", {"vocab_size": 9}),
        ("vit", "AutoModelForImageClassification", "ViTForImageClassification", {"image_size": 8, "patch_size": 4}),
    ],
)
def test_a_config_without_a_class_says_what_the_network_is_for(kind, auto, name, more):
    config = {"model_type": kind, "auto_class": auto, "num_labels": 3, **SMALL, **more}
    assert TRANSFORMERS.matches(config)
    module = TRANSFORMERS.build(config)
    assert type(module).__name__ == name
    want = getattr(transformers, auto).from_config(
        transformers.AutoConfig.for_model(kind, num_labels=3, **SMALL, **more)
    )
    assert {n: p.shape for n, p in module.named_parameters()} == {n: p.shape for n, p in want.named_parameters()}


def test_a_purpose_that_is_not_known_is_a_sentence():
    with pytest.raises(MismatchError, match="'auto_class' is one of"):
        TRANSFORMERS.build({"model_type": "bert", "auto_class": "AutoModelForSinging"})
    with pytest.raises(MismatchError, match="has no ModelForImageClassification of the model type 'llama'"):
        TRANSFORMERS.build({"model_type": "llama", "auto_class": "AutoModelForImageClassification"})
    with pytest.raises(MismatchError, match="of the model type 'nobody'"):
        TRANSFORMERS.build({"model_type": "nobody", "auto_class": "AutoModelForMaskedLM"})
