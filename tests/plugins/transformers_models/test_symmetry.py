"""The permutations declared for language models leave what they compute unchanged, and undo planted ones."""

from typing import Any

import pytest
import torch

from solera.alignment.activations import match_activations
from solera.alignment.deriving import symmetry_of
from solera.alignment.permutations import drawn, permuted
from solera.alignment.permuted import PermutedCheckpoint
from solera.alignment.verifying import example_batch, require_preserved
from solera.alignment.weights import match_weights
from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.seeds import Seed
from solera_plugins.transformers_models.architecture import TRANSFORMERS

ROPE = {
    "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 17,
    "num_key_value_heads": 2, "max_position_embeddings": 32,
}  # fmt: skip
ENCODER = {
    "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 17,
    "max_position_embeddings": 32,
}  # fmt: skip
DISTIL = {
    "dim": 24, "hidden_dim": 20, "n_layers": 2, "n_heads": 4, "vocab_size": 17, "max_position_embeddings": 32,
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **ROPE},
    "llama tied": {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **ROPE, "tie_word_embeddings": True},
    "llama biased": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        **ROPE,
        "attention_bias": True,
        "mlp_bias": True,
    },
    "llama wide": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        **ROPE,
        "head_dim": 8,
        "num_key_value_heads": 4,
    },
    "mistral": {"model_type": "mistral", "architectures": ["MistralForCausalLM"], **ROPE, "sliding_window": None},
    "qwen2": {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], **ROPE},
    "qwen3": {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], **ROPE, "head_dim": 6},
    "bert": {"model_type": "bert", "architectures": ["BertForMaskedLM"], **ENCODER},
    "bert classifier": {"model_type": "bert", "architectures": ["BertForSequenceClassification"], **ENCODER},
    "bert tokens": {"model_type": "bert", "architectures": ["BertForTokenClassification"], **ENCODER},
    "roberta": {"model_type": "roberta", "architectures": ["RobertaForMaskedLM"], **ENCODER, "pad_token_id": 1},
    "roberta classifier": {
        "model_type": "roberta",
        "architectures": ["RobertaForSequenceClassification"],
        **ENCODER,
        "pad_token_id": 1,
    },
    "distilbert": {"model_type": "distilbert", "architectures": ["DistilBertForMaskedLM"], **DISTIL},
    "distilbert classifier": {
        "model_type": "distilbert",
        "architectures": ["DistilBertForSequenceClassification"],
        **DISTIL,
    },
    "vit": {
        "model_type": "vit",
        "architectures": ["ViTForImageClassification"],
        **ENCODER,
        "image_size": 16,
        "patch_size": 4,
    },
    "gpt2": {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "n_embd": 24,
        "n_head": 4,
        "n_layer": 2,
        "vocab_size": 17,
        "n_positions": 32,
    },
}


def network(config, seed=0):
    """Of a config, with weights large enough that a wrong permutation shows."""
    torch.manual_seed(seed)
    module = TRANSFORMERS.build(config).eval()
    with torch.no_grad():
        for parameter in dict.fromkeys(module.parameters()):
            parameter.copy_(torch.randn_like(parameter) * (0.4 if parameter.ndim > 1 else 1.0))
    return module


def checkpoint(module, config):
    return MemoryCheckpoint.from_module(module, "model", config)


@pytest.mark.parametrize("name", CONFIGS)
def test_nothing_changes_and_a_planted_permutation_is_undone(name):
    config = CONFIGS[name]
    module = network(config)
    reference = checkpoint(module, config)
    symmetry = symmetry_of(reference, {"transformers": TRANSFORMERS})
    keys = 0 if "num_key_value_heads" in config else 2
    assert len(symmetry.groups) == 5 + keys + name.endswith("classifier")
    batch = example_batch(module, Seed(0))
    assert require_preserved(module, symmetry, batch, Seed(0), name) < 1e-5
    permutations = drawn(symmetry, Seed(1))
    state = {
        key: permuted(tensor, symmetry.axes[key], symmetry, permutations) if key in symmetry.axes else tensor
        for key, tensor in module.state_dict().items()
        if key not in reference.ties
    }
    model = MemoryCheckpoint.from_state_dict(state, "shuffled", config)
    known = symmetry.fit({key: ref.shape for key, ref in model.items()}, "shuffled")
    found = match_weights(known, reference, model, QuietContext(), seed=Seed(0), tries=5)
    back = PermutedCheckpoint(model, known, lambda _: found.permutations)
    assert all(torch.equal(back[key].read(), module.state_dict()[key]) for key in state)


def test_activation_matching_undoes_it_too():
    config = CONFIGS["llama"]
    module, other = network(config), network(config)
    symmetry = symmetry_of(checkpoint(module, config), {"transformers": TRANSFORMERS})
    permutations = drawn(symmetry, Seed(2))
    state = other.state_dict()
    other.load_state_dict(
        {
            key: permuted(tensor, symmetry.axes[key], symmetry, permutations) if key in symmetry.axes else tensor
            for key, tensor in state.items()
        }
    )
    batch = torch.randint(17, (16, 16), generator=torch.Generator().manual_seed(0))

    def run(pair):
        with torch.no_grad():
            pair(batch)

    found = match_activations(symmetry, module, other, run)
    for name, permutation in permutations.items():
        assert (permutation[found.permutations[name]] == torch.arange(len(permutation)).numpy()).all(), name


def test_a_class_that_is_not_known_declares_nothing():
    assert TRANSFORMERS.symmetry({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}) is None
    assert TRANSFORMERS.symmetry({"model_type": "bert", "architectures": ["BertModel"]}) is None
