"""The numbers of the prose and code example's training recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from solera_plugins.prose_code.corpus import Kind

#: Expert -> the kind of text it is an expert of.
EXPERTS: dict[str, Kind] = {"prose": "prose", "code": "code"}


@dataclass(frozen=True, slots=True)
class Training:
    """The numbers of the recipe.

    Attributes:
        hidden, layers, heads: Size of the Llama.
        vocabulary: Tokens of the tokenizer.
        window: Tokens predicted at a time.
        base_steps, base_rate: Steps and peak learning rate of the base.
        base_share: Share of the training documents of each kind that the base reads.
        expert_steps, expert_rate: The same for each expert.
        batch: Windows per step.
        decay: AdamW weight decay.
    """

    hidden: int = 128
    layers: int = 2
    heads: int = 4
    vocabulary: int = 512
    window: int = 128
    base_steps: int = 600
    base_rate: float = 4e-3
    base_share: float = 0.25
    expert_steps: int = 200
    expert_rate: float = 1e-3
    batch: int = 16
    decay: float = 0.05

    def steps(self, model: str) -> int:
        """Steps that training ``"base"`` or an expert takes."""
        return self.base_steps if model == "base" else self.expert_steps


def config_of(training: Training) -> dict[str, Any]:
    """config.json of the checkpoints, in the form the transformers library writes."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": training.vocabulary,
        "hidden_size": training.hidden,
        "intermediate_size": 3 * training.hidden,
        "num_hidden_layers": training.layers,
        "num_attention_heads": training.heads,
        "num_key_value_heads": training.heads,
        "max_position_embeddings": training.window,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
        "use_cache": False,
        "dtype": "float32",
    }
