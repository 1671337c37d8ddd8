"""Keys and values kept from token to token: the same texts as without, and less work."""

import numpy as np
import pytest
import torch
from torch import nn

from solera.context import QuietContext
from solera.errors import TaskError
from solera.models.network import Network
from solera.tasks.cache import Cached, Whole, keeps_keys
from solera.tasks.greedy import Stopping, greedy_texts

transformers = pytest.importorskip("transformers")

SIZE = 31
RNG = np.random.default_rng(5)
PROMPTS = [tuple(RNG.integers(1, SIZE, n).tolist()) for n in (3, 11, 1, 7, 7, 2)]
COMMON = {"vocab_size": SIZE, "bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0, "initializer_range": 0.4}
LLAMA = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64,
}  # fmt: skip
KINDS = {
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", {"n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2}),
    "llama": ("LlamaConfig", "LlamaForCausalLM", LLAMA),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", LLAMA),
    "gpt_neox": (
        "GPTNeoXConfig", "GPTNeoXForCausalLM",
        {key: value for key, value in LLAMA.items() if key != "num_key_value_heads"},
    ),
}  # fmt: skip


def made(kind, **more):
    config, cls, options = KINDS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        found = getattr(transformers, config)(**COMMON, **options, use_cache=False, **more)
        return getattr(transformers, cls)._from_config(found, attn_implementation="eager").eval()


def words(tokens):
    return " ".join(map(str, tokens))


def texts(network, cached, **options):
    with torch.inference_mode():
        return greedy_texts(network, PROMPTS, words, Stopping(**options), "quiz", QuietContext(), cached=cached)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_the_same_with_keys_kept_and_without(kind):
    network = Network(made(kind))
    assert keeps_keys(network)
    whole = texts(network, cached=False, most=20)
    assert len(set(whole)) > 2
    assert texts(network, cached=True, most=20) == whole
    # Texts that are complete leave the batch one by one.
    ends = {int(text.split()[place]) for place, text in enumerate(whole[:3])}
    assert texts(network, cached=True, most=20, tokens=ends) == texts(network, cached=False, most=20, tokens=ends)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_agree_to_rounding_whatever_stands_beside_a_text(kind):
    network = made(kind)
    tokens, ends = torch.zeros(3, 12, dtype=torch.int64), [3, 9, 1]
    for row, end in zip(tokens, ends, strict=True):
        row[:end] = torch.from_numpy(RNG.integers(1, SIZE, end))
    kept, whole = Cached(network, "quiz"), Whole(network, "quiz")
    with torch.inference_mode():
        for busy in ([0, 1, 2], [0, 2], [0, 2]):
            found = kept.next(tokens, ends, busy)
            torch.testing.assert_close(found, whole.next(tokens, ends, busy), rtol=1e-4, atol=1e-4)
            for row, best in zip(busy, found.argmax(dim=1).tolist(), strict=True):
                tokens[row, ends[row]] = best
                ends[row] += 1


def test_only_what_is_new_is_read():
    network, widths = made("gpt2"), []
    network.register_forward_pre_hook(lambda module, args: widths.append(args[0].shape[1]))
    texts(network, cached=True, most=6)
    assert widths == [11, 1, 1, 1, 1, 1]
    widths.clear()
    texts(network, cached=False, most=3)
    assert widths == [11, 12, 13]


def test_networks_that_see_a_window_or_keep_no_keys_are_read_whole():
    class Bare(nn.Module):
        def forward(self, inputs):
            return torch.zeros(*inputs.shape, SIZE)

    assert not keeps_keys(Bare())
    assert keeps_keys(made("qwen2"))
    mistral = transformers.MistralConfig(**COMMON, **LLAMA, sliding_window=8)
    assert not keeps_keys(transformers.MistralForCausalLM(mistral))
    mixed = transformers.MiniMaxConfig(**COMMON, **LLAMA, num_local_experts=2, head_dim=4)
    assert not keeps_keys(transformers.MiniMaxForCausalLM(mixed))
    mamba = transformers.MambaConfig(vocab_size=SIZE, hidden_size=8, num_hidden_layers=1)
    assert not keeps_keys(transformers.MambaForCausalLM(mamba))


def test_a_network_that_gives_no_keys_after_all_is_a_sentence():
    class Forgetful(nn.Module):
        config = transformers.GPT2Config()

        def forward(self, inputs, attention_mask, position_ids, past_key_values, use_cache):
            return torch.zeros(*inputs.shape, SIZE)

    class Keyless(Forgetful):
        def forward(self, inputs, attention_mask, position_ids, past_key_values, use_cache):
            return transformers.modeling_outputs.CausalLMOutputWithPast(logits=torch.zeros(*inputs.shape, SIZE))

    with pytest.raises(TaskError, match="needs logits of every token"):
        texts(Forgetful(), cached=True, most=2)
    with pytest.raises(TaskError, match="keys and values and gave NoneType"):
        texts(Keyless(), cached=True, most=2)
