"""A tiny causal language model of the transformers library, with random weights."""

import pytest
import torch


@pytest.fixture(scope="session")
def gpt2():
    transformers = pytest.importorskip("transformers")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.GPT2Config(
            vocab_size=31, n_positions=48, n_embd=16, n_layer=2, n_head=2, initializer_range=0.4, bos_token_id=0,
            eos_token_id=None, pad_token_id=0, use_cache=False,
        )  # fmt: skip
        return transformers.GPT2LMHeadModel(config).eval()
