"""Language models of a few thousand numbers in the shape of Llama, with config and tokenizer for transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from solera.execution.writer import write_checkpoint

#: Sizes; small enough for many merges in a second, odd enough that axes cannot be mistaken for each other.
WIDTH, INNER, HEADS, KV_HEADS = 16, 24, 4, 2

#: The words every vocabulary begins with.
WORDS = ("<unk>", "<s>", "</s>", "the", "of", "sherry", "cask", "oak", "year", "blend", "taste", "sweet")


def write_tiny_llama(
    folder: Path,
    seed: int,
    *,
    base: Path | None = None,
    layers: int = 3,
    spread: float = 0.02,
    dtype: str = "float32",
    words: Sequence[str] = WORDS,
    tied: bool = False,
    tokenizer: bool = True,
    shard_bytes: int = 10**9,
) -> Path:
    """Write a model, or what fine-tuning a model might have made of it.

    Args:
        folder: Where.
        seed: Of the numbers.
        base: A model of the same shape that its numbers are added to, with a tenth of the spread.
        layers: How many.
        spread: Standard deviation of the weights.
        dtype: Of the file.
        words: Its vocabulary.
        tied: Whether the head is the embedding.
        tokenizer: Whether a tokenizer is written too.
        shard_bytes: Most bytes in a file.

    Returns:
        The folder.
    """
    from solera.checkpoints.opening import open_checkpoint

    generator = torch.Generator().manual_seed(seed)
    shapes = tiny_llama_shapes(layers, len(words), tied=tied)
    made = {name: torch.randn(shape, generator=generator) * spread for name, shape in shapes.items()}
    if base is not None:
        with open_checkpoint(base) as known:
            made = {name: known[name].read().float() + 0.1 * tensor for name, tensor in made.items()}
    else:
        made = {name: tensor + 1.0 if name.endswith("norm.weight") else tensor for name, tensor in made.items()}
    target = getattr(torch, dtype)
    config = tiny_llama_config(layers, len(words), dtype, tied=tied)
    write_checkpoint({k: v.to(target) for k, v in made.items()}, folder, config=config, shard_bytes=shard_bytes)
    if tokenizer:
        write_tiny_tokenizer(folder, words)
    return folder


def tiny_llama_shapes(layers: int, vocabulary: int, *, tied: bool = False) -> dict[str, tuple[int, ...]]:
    """The tensors of such a model, in the order of its module."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocabulary, WIDTH)}
    narrow = WIDTH // HEADS * KV_HEADS
    for layer in range(layers):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{part}_proj.weight": (narrow, WIDTH) for part in "kv"}
        shapes |= {f"{at}.self_attn.{part}_proj.weight": (WIDTH, WIDTH) for part in "qo"}
        shapes |= {f"{at}.mlp.{part}_proj.weight": (INNER, WIDTH) for part in ("gate", "up")}
        shapes[f"{at}.mlp.down_proj.weight"] = (WIDTH, INNER)
        shapes |= {f"{at}.{part}_layernorm.weight": (WIDTH,) for part in ("input", "post_attention")}
    shapes["model.norm.weight"] = (WIDTH,)
    return shapes if tied else {**shapes, "lm_head.weight": (vocabulary, WIDTH)}


def tiny_llama_config(layers: int, vocabulary: int, dtype: str, *, tied: bool = False) -> dict[str, object]:
    """What its config.json says."""
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "intermediate_size": INNER,
        "num_hidden_layers": layers, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
        "head_dim": WIDTH // HEADS, "vocab_size": vocabulary, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "hidden_act": "silu", "tie_word_embeddings": tied, "torch_dtype": dtype, "bos_token_id": 1, "eos_token_id": 2,
        "attention_bias": False, "mlp_bias": False,
    }  # fmt: skip


def write_tiny_tokenizer(folder: Path, words: Sequence[str]) -> None:
    """Write a tokenizer of whole words; the first three of them are special."""
    vocabulary = {word: number for number, word in enumerate(words)}
    special = [
        {"id": vocabulary[word], "content": word, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True} for word in words[:3]
    ]  # fmt: skip
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": words[0]},
    }  # fmt: skip
    said = {
        "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": words[0], "bos_token": words[1],
        "eos_token": words[2], "model_max_length": 64,
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, indent=1, ensure_ascii=False), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(said, indent=1, ensure_ascii=False), "utf-8")
