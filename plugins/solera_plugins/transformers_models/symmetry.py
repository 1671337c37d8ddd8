"""Which units of the library's language models may change places: its modules branch too much to be traced.

Heads move as blocks. Where positions are rotated (RoPE), the dimensions of queries and keys keep their order in a head,
while those of values may change places; query heads that share a key head stay in their order.
"""

from __future__ import annotations

from typing import Any

#: ``{"groups": {name: size | [size, cells]}, "axes": {tensor: [null | group | [group, factor, ...]]}}``.
Plain = dict[str, Any]

_LLAMA_LIKE = frozenset({"llama", "mistral", "qwen2", "qwen3"})


def symmetry(config: dict[str, Any]) -> Plain | None:
    """The permutations of a config's network, as plain data; None if they are not known.

    Args:
        config: A config.json whose ``architectures`` name a class for causal language modelling.
    """
    named = str((config.get("architectures") or [""])[0])
    if config.get("model_type") in _LLAMA_LIKE and named.endswith("ForCausalLM"):
        return _llama(config)
    return _gpt2(config) if named == "GPT2LMHeadModel" else None


def _llama(config: dict[str, Any]) -> Plain:
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    pairs = int(config.get("num_key_value_heads") or heads)
    width = int(config.get("head_dim") or hidden // heads)
    groups: dict[str, Any] = {"stream": hidden}
    axes: dict[str, Any] = {
        "model.embed_tokens.weight": [None, "stream"],
        "lm_head.weight": [None, "stream"],
        "model.norm.weight": ["stream"],
    }
    for i in range(int(config["num_hidden_layers"])):
        layer, attention, hidden_units = f"model.layers.{i}", f"layers.{i}.heads", f"layers.{i}.mlp"
        groups |= {attention: [pairs * width, pairs], hidden_units: int(config["intermediate_size"])}
        queries, keys = [attention, "cell", heads // pairs * width], [attention, "cell", width]
        axes |= {f"{layer}.{name}.weight": ["stream"] for name in ("input_layernorm", "post_attention_layernorm")}
        for name, out in (("q", queries), ("k", keys), ("v", attention)):
            axes |= {f"{layer}.self_attn.{name}_proj.weight": [out, "stream"]}
            axes |= {f"{layer}.self_attn.{name}_proj.bias": [out]}
        values = [attention, "cell", heads // pairs, "unit"]
        axes |= {f"{layer}.self_attn.o_proj.weight": ["stream", values], f"{layer}.self_attn.o_proj.bias": ["stream"]}
        for name in ("gate_proj", "up_proj"):
            axes |= {f"{layer}.mlp.{name}.weight": [hidden_units, "stream"], f"{layer}.mlp.{name}.bias": [hidden_units]}
        axes |= {f"{layer}.mlp.down_proj.weight": ["stream", hidden_units], f"{layer}.mlp.down_proj.bias": ["stream"]}
    return {"groups": groups, "axes": axes}


def _gpt2(config: dict[str, Any]) -> Plain:
    hidden, heads = int(config.get("n_embd", 768)), int(config.get("n_head", 12))
    inner = int(config.get("n_inner") or 4 * hidden)
    groups: dict[str, Any] = {"stream": hidden}
    axes: dict[str, Any] = {
        f"{name}.weight": [None, "stream"] for name in ("transformer.wte", "transformer.wpe", "lm_head")
    }
    axes |= {f"transformer.ln_f.{leaf}": ["stream"] for leaf in ("weight", "bias")}
    for i in range(int(config.get("n_layer", 12))):
        block, attention, units = f"transformer.h.{i}", f"layers.{i}.heads", f"layers.{i}.mlp"
        groups |= {attention: [heads, heads], units: inner}
        fused, joined = [attention, 3, "cell", hidden // heads], [attention, "cell", hidden // heads]
        axes |= {f"{block}.{name}.{leaf}": ["stream"] for name in ("ln_1", "ln_2") for leaf in ("weight", "bias")}
        # Weights of these layers are (in, out).
        for name, into, out in (
            ("attn.c_attn", "stream", fused), ("attn.c_proj", joined, "stream"),
            ("mlp.c_fc", "stream", units), ("mlp.c_proj", units, "stream"),
        ):  # fmt: skip
            axes |= {f"{block}.{name}.weight": [into, out], f"{block}.{name}.bias": [out]}
    return {"groups": groups, "axes": axes}
