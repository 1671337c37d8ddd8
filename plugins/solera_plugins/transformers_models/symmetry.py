"""Which units of the library's transformers may change places: its modules branch too much to be traced.

Heads move as blocks, and within a head the dimensions of values change places, and those of queries and keys together.
Where positions are rotated (RoPE), queries and keys keep their order in a head; query heads that share a key head stay
in their order.
"""

from __future__ import annotations

from typing import Any

#: ``{"groups": {name: size | [size, cells(, along)]}, "axes": {tensor: [null | group | [group, factor, ...]]}}``.
Plain = dict[str, Any]

#: Where the layers of encoders lie: of a model type its prefix, that of a layer, and in a layer the four projections of
#: attention, the two layers after it, and the normalisations.
_ENCODERS = {
    "bert": (
        "bert", "encoder.layer", tuple(f"attention.self.{name}" for name in ("query", "key", "value")),
        "attention.output.dense", "intermediate.dense", "output.dense",
        ("attention.output.LayerNorm", "output.LayerNorm"),
    ),
    "distilbert": (
        "distilbert", "transformer.layer", tuple(f"attention.{name}_lin" for name in "qkv"), "attention.out_lin",
        "ffn.lin1", "ffn.lin2", ("sa_layer_norm", "output_layer_norm"),
    ),
    "vit": (
        "vit", "layers", tuple(f"attention.{name}_proj" for name in "qkv"), "attention.o_proj", "mlp.fc1", "mlp.fc2",
        ("layernorm_before", "layernorm_after"),
    ),
}  # fmt: skip
#: Classes with a layer between the first token and the classifier.
_POOLED = ("ForSequenceClassification", "ForMultipleChoice", "ForNextSentencePrediction", "ForPreTraining")

_ENCODERS["roberta"] = ("roberta", *_ENCODERS["bert"][1:])

_LLAMA_LIKE = frozenset({"llama", "mistral", "qwen2", "qwen3"})


def symmetry(config: dict[str, Any]) -> Plain | None:
    """The permutations of a config's network, as plain data; None if they are not known.

    Args:
        config: A config.json whose ``architectures`` name a class of the library.
    """
    named = str((config.get("architectures") or [""])[0])
    if config.get("model_type") in _LLAMA_LIKE and named.endswith("ForCausalLM"):
        return _llama(config)
    if config.get("model_type") in _ENCODERS and not named.endswith("Model"):  # such a one hands its stream out
        return _encoder(config, pooled=named.endswith(_POOLED))
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
    axes |= _along("stream", "transformer.ln_f")
    for i in range(int(config.get("n_layer", 12))):
        block, values, keys, units = f"transformer.h.{i}", f"layers.{i}.heads", f"layers.{i}.keys", f"layers.{i}.mlp"
        groups |= {values: [hidden, heads], keys: [hidden, heads, values], units: inner}
        axes |= _along("stream", f"{block}.ln_1", f"{block}.ln_2")
        # Weights of these layers are (in, out).
        for name, into, out in (
            ("attn.c_attn", "stream", [[keys], [keys], [values]]), ("attn.c_proj", values, "stream"),
            ("mlp.c_fc", "stream", units), ("mlp.c_proj", units, "stream"),
        ):  # fmt: skip
            axes |= {f"{block}.{name}.weight": [into, out], f"{block}.{name}.bias": [out]}
    return {"groups": groups, "axes": axes}


def _encoder(config: dict[str, Any], *, pooled: bool) -> Plain:
    """BERT, RoBERTa, DistilBERT and vision transformers with whatever head; what is declared need not be there."""
    kind = str(config["model_type"])
    prefix, layers, queries, output, up, down, norms = _ENCODERS[kind]

    def size(*names: str, usual: int) -> int:
        return next((int(config[name]) for name in names if config.get(name)), usual)

    hidden, heads = size("hidden_size", "dim", usual=768), size("num_attention_heads", "n_heads", usual=12)
    groups: dict[str, Any] = {"stream": hidden}
    axes = _embeddings(prefix) | _head(kind, groups, hidden if pooled else 0)
    for i in range(size("num_hidden_layers", "n_layers", usual=6 if kind == "distilbert" else 12)):
        layer = f"{prefix}.{layers}.{i}"
        values, keys, units = (f"layers.{i}.{leaf}" for leaf in ("heads", "keys", "mlp"))
        inner = size("intermediate_size", "hidden_dim", usual=4 * hidden)
        groups |= {values: [hidden, heads], keys: [hidden, heads, values], units: inner}
        made = dict(zip(queries, (keys, keys, values), strict=True)) | {up: units}
        axes |= _along("stream", *(f"{layer}.{name}" for name in norms))
        for name, out in made.items():
            axes |= {f"{layer}.{name}.weight": [out, "stream"], f"{layer}.{name}.bias": [out]}
        for name, into in ((output, values), (down, units)):
            axes |= {f"{layer}.{name}.weight": ["stream", into], f"{layer}.{name}.bias": ["stream"]}
    return {"groups": groups, "axes": axes}


def _embeddings(prefix: str) -> dict[str, Any]:
    """What the stream of an encoder comes from, and the normalisations at its ends."""
    axes: dict[str, Any] = {
        f"{prefix}.embeddings.{name}_embeddings.weight": [None, "stream"] for name in ("word", "position", "token_type")
    }
    axes |= _along("stream", f"{prefix}.embeddings.LayerNorm", f"{prefix}.layernorm")
    patches = f"{prefix}.embeddings.patch_embeddings.projection"
    axes |= {f"{patches}.weight": ["stream", None, None, None], f"{patches}.bias": ["stream"]}
    named = ("cls_token", "position_embeddings", "mask_token")
    return axes | {f"{prefix}.embeddings.{name}": [None, None, "stream"] for name in named}


def _head(kind: str, groups: dict[str, Any], pooled: int) -> dict[str, Any]:
    """What is made of the stream: of tokens (a layer whose outputs meet the embeddings again), or of the first one."""
    axes: dict[str, Any] = {}
    for before, norm, decoder in (
        ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.decoder"),
        ("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder"),
        ("vocab_transform", "vocab_layer_norm", "vocab_projector"),
    ):
        axes |= {f"{before}.weight": ["stream", "stream"], f"{before}.bias": ["stream"]}
        axes |= _along("stream", norm) | {f"{decoder}.weight": [None, "stream"]}
    dense = {"bert": "bert.pooler.dense", "roberta": "classifier.dense", "distilbert": "pre_classifier"}.get(kind)
    last = "stream"
    if pooled and dense is not None:
        last = "pooled"
        groups[last] = pooled
        axes |= {f"{dense}.weight": [last, "stream"], f"{dense}.bias": [last]}
    classifiers = ("classifier", "classifier.out_proj", "cls.seq_relationship")
    return axes | {f"{name}.weight": [None, last] for name in classifiers} | {"qa_outputs.weight": [None, "stream"]}


def _along(group: str, *norms: str) -> dict[str, Any]:
    """Normalisations that follow a group."""
    return {f"{name}.{leaf}": [group] for name in norms for leaf in ("weight", "bias")}
