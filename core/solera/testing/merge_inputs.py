"""Models to merge in benchmarks: a base and fine-tunes in the shape of a Llama, in bfloat16, in sharded files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from solera.execution.writer import ShardWriter, lay_out
from solera.tensors.specs import TensorSpec

#: The base, and what was tuned from it.
NAMES = ("base", "ft1", "ft2", "ft3")

#: Standard deviation of weights, and of what tuning changed.
_WEIGHT, _CHANGE = 0.02, 0.001


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a Llama.

    Attributes:
        layers: Number of layers.
        width: Hidden size.
        inner: Width of the feed-forward network.
        keys: Width of keys and values.
        vocabulary: Number of tokens.
        shard_bytes: Most bytes in a file.
    """

    layers: int = 22
    width: int = 2048
    inner: int = 5632
    keys: int = 256
    vocabulary: int = 32000
    shard_bytes: int = 10**9


#: 1.1 billion parameters, 2.2 GB a model; and a tenth of that for quick runs.
LARGE = Shape()
SMALL = Shape(layers=2, vocabulary=8000)


def merge_inputs(folder: Path, shape: Shape) -> dict[str, Path]:
    """Write the models, unless they are there from an earlier run.

    Weights are normal; what tuning changed has heavy tails, and a part of it is common to all tunes, so that the task
    vectors correlate as real ones do.

    Args:
        folder: Where they are kept.
        shape: How large they are.

    Returns:
        The folders by name: the base and three tunes.
    """
    paths = {name: folder / name for name in NAMES}
    mark, wanted = folder / "shape.json", json.dumps(asdict(shape))
    if mark.exists() and mark.read_text("utf-8") == wanted:
        return paths
    specs = [TensorSpec(name, sizes, "bfloat16") for name, sizes in _tensors(shape)]
    shards = lay_out(specs, {"format": "pt"}, shape.shard_bytes)
    writers = {}
    for name, path in paths.items():
        path.mkdir(parents=True, exist_ok=True)
        (path / "config.json").write_text(json.dumps(_config(shape), indent=1), encoding="utf-8")
        writers[name] = ShardWriter(path, shards)
    for i, spec in enumerate(specs):
        for name, tensor in _made(spec, i):
            writers[name].write(spec.name, 0, tensor.view(torch.uint8).numpy().data)
    for writer in writers.values():
        writer.close()
        writer.write_index()
    mark.write_text(wanted, encoding="utf-8")
    return paths


def _tensors(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "model.embed_tokens.weight", (shape.vocabulary, shape.width)
    for layer in range(shape.layers):
        at = f"model.layers.{layer}"
        yield f"{at}.input_layernorm.weight", (shape.width,)
        yield f"{at}.post_attention_layernorm.weight", (shape.width,)
        yield f"{at}.mlp.down_proj.weight", (shape.width, shape.inner)
        for part in ("gate", "up"):
            yield f"{at}.mlp.{part}_proj.weight", (shape.inner, shape.width)
        for part, rows in (("q", shape.width), ("k", shape.keys), ("v", shape.keys), ("o", shape.width)):
            yield f"{at}.self_attn.{part}_proj.weight", (rows, shape.width)
    yield "model.norm.weight", (shape.width,)
    yield "lm_head.weight", (shape.vocabulary, shape.width)


def _made(spec: TensorSpec, seed: int) -> Iterator[tuple[str, torch.Tensor]]:
    """One tensor of every model, flat bfloat16."""
    generator = torch.Generator().manual_seed(seed)

    def heavy() -> torch.Tensor:
        return torch.randn(spec.numel, generator=generator).mul_(torch.randn(spec.numel, generator=generator))

    base = torch.randn(spec.numel, generator=generator).mul_(_WEIGHT)
    if len(spec.shape) == 1:
        base += 1.0
    yield NAMES[0], base.bfloat16()
    common = heavy()
    for name in NAMES[1:]:
        yield name, heavy().mul_(0.8).add_(common, alpha=0.6).mul_(_CHANGE).add_(base).bfloat16()


def _config(shape: Shape) -> dict[str, object]:
    heads = shape.width // 64
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": shape.width,
        "intermediate_size": shape.inner, "num_hidden_layers": shape.layers, "num_attention_heads": heads,
        "num_key_value_heads": shape.keys * heads // shape.width, "vocab_size": shape.vocabulary,
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip


def numel(shape: Shape) -> int:
    """How many parameters a model has."""
    return sum(math.prod(sizes) for _, sizes in _tensors(shape))
