"""A PEFT adapter folder: which tensor of a layer has which name there, the config, and the files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Literal

import torch
from torch import Tensor

from solera.checkpoints.adapters.adapter import WEIGHT_FILES
from solera.checkpoints.adapters.config import CONFIG_FILE
from solera.checkpoints.checkpoint import Checkpoint
from solera.execution.card import folder_name
from solera.execution.output import Output
from solera.execution.writer import ShardWriter, lay_out, write_text
from solera.tensors.dtypes import dtype_name
from solera.tensors.specs import TensorSpec

#: What peft puts before the model's own names.
PREFIX = "base_model.model."

#: Last names of modules that look rows up: their weight is a table, not a map of inputs.
_TABLES = re.compile(
    r"(?:embed(?:_?tokens|_?positions|dings?)?|\w*_embeddings?|wte|wpe|shared|tok_embeddings|word_embedding)"
)

#: Models whose linear layers keep their weight transposed, and what those layers are called.
_TRANSPOSED_MODELS = ("gpt2", "openai-gpt", "imagegpt", "decision_transformer")
_TRANSPOSED_LAYERS = ("c_attn", "c_proj", "c_fc", "q_attn")


@dataclass(frozen=True, slots=True)
class Layer:
    """What kind of layer a weight belongs to, as far as names and shapes tell.

    Attributes:
        kind: ``"linear"``; ``"transposed"`` for a weight of (inputs, outputs); ``"embedding"``; ``"conv"``.
        shape: The weight's.
    """

    kind: Literal["linear", "transposed", "embedding", "conv"]
    shape: tuple[int, ...]

    def parts(self, up: Tensor, down: Tensor) -> dict[str, Tensor]:
        """The factors of the weight, ``up @ down``, under the names and in the shapes peft expects.

        Args:
            up: (rows, rank).
            down: (rank, columns).
        """
        match self.kind:
            case "embedding":
                return {"lora_embedding_A": up.T.contiguous(), "lora_embedding_B": down.T.contiguous()}
            case "transposed":
                return {"lora_A.weight": up.T.contiguous(), "lora_B.weight": down.T.contiguous()}
            case "conv":
                one = (1,) * (len(self.shape) - 2)
                return {
                    "lora_A.weight": down.reshape(-1, *self.shape[1:]),
                    "lora_B.weight": up.reshape(*up.shape, *one),
                }
            case _:
                return {"lora_A.weight": down, "lora_B.weight": up}


def layer_of(name: str, shape: tuple[int, ...], config: Mapping[str, Any]) -> Layer | None:
    """What a tensor is the weight of; None if it is no matrix of a layer that peft adapts.

    Args:
        name: The tensor's.
        shape: Its shape.
        config: The model's config, which says whether its linear layers are transposed.
    """
    module, _, leaf = name.rpartition(".")
    if leaf != "weight" or not module or not 2 <= len(shape) <= 5 or 0 in shape:
        return None
    if len(shape) > 2:
        return Layer("conv", shape)
    last = module.rpartition(".")[2]
    if _TABLES.fullmatch(last):
        return Layer("embedding", shape)
    if config.get("model_type") in _TRANSPOSED_MODELS and last in _TRANSPOSED_LAYERS:
        return Layer("transposed", shape)
    return Layer("linear", shape)


def write_adapter(
    tensors: Mapping[str, Tensor],
    out: Path,
    base: Checkpoint,
    *,
    layers: Mapping[str, Layer],
    ranks: Mapping[str, int],
    saved: Sequence[str],
    inputs: Mapping[str, Checkpoint],
    fingerprints: Mapping[str, str],
    share: float,
    force: bool,
) -> None:
    """Write a LoRA adapter's folder, which appears all at once.

    Args:
        tensors: By name, without peft's prefix; on the CPU.
        out: The folder to make.
        base: What it changes.
        layers: The modules with factors.
        ranks: Their ranks; alpha is the same, so that the scale is 1.
        saved: Modules that are kept whole.
        inputs: For the card: what it was made from.
        fingerprints: Their content hashes, where known.
        share: Share of the squared change that is held.
        force: Replace what is there.

    Raises:
        OutputError: It exists and ``force`` is off, or it cannot be written.
    """
    named = {f"{PREFIX}{name}": tensor.contiguous() for name, tensor in tensors.items()}
    specs = [TensorSpec(name, tuple(tensor.shape), dtype_name(tensor.dtype)) for name, tensor in named.items()]
    shards = lay_out(specs, {"format": "pt"}, sum(spec.nbytes for spec in specs) + 1)
    with Output(out, force=force) as folder:
        writer = ShardWriter(folder, [replace(shards[0], file=WEIGHT_FILES[0])])
        try:
            for name, tensor in named.items():
                writer.write(name, 0, tensor.view(-1).view(torch.uint8).numpy().data)
        finally:
            writer.close()
        biased = any(name.endswith(".base_layer.bias") for name in tensors)
        write_text(folder / CONFIG_FILE, json.dumps(_config(base, layers, ranks, saved, biased), indent=2) + "\n")
        write_text(folder / "README.md", _card(folder_name(folder), base, ranks, inputs, fingerprints, share))


def _config(
    base: Checkpoint, layers: Mapping[str, Layer], ranks: Mapping[str, int], saved: Sequence[str], biased: bool
) -> dict[str, Any]:
    counts = sorted(ranks.values())
    usual = max(set(counts), key=lambda rank: (counts.count(rank), rank))
    # peft takes a pattern that fits the end of a name; the mark makes it fit the whole one only.
    others = {f"^{re.escape(module)}": rank for module, rank in ranks.items() if rank != usual}
    architectures = base.config.get("architectures") or [""]
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM" if str(architectures[0]).endswith("ForCausalLM") else None,
        "base_model_name_or_path": _base_name(base),
        "r": usual, "lora_alpha": usual, "rank_pattern": others, "alpha_pattern": others,
        "target_modules": list(layers),
        "fan_in_fan_out": any(layer.kind == "transposed" for layer in layers.values()),
        "bias": "lora_only" if biased else "none", "modules_to_save": list(saved) or None,
        "lora_dropout": 0.0, "use_rslora": False, "use_dora": False, "init_lora_weights": True, "inference_mode": True,
    }  # fmt: skip


def _base_name(base: Checkpoint) -> str:
    """What the base calls itself, unless that is a place on some machine."""
    said = base.config.get("_name_or_path")
    return said if isinstance(said, str) and said and not PurePath(said).is_absolute() else base.name


def _card(
    title: str, base: Checkpoint, ranks: Mapping[str, int], inputs: Mapping[str, Checkpoint],
    fingerprints: Mapping[str, str], share: float,
) -> str:  # fmt: skip
    low, high, count = min(ranks.values()), max(ranks.values()), len(ranks)
    rows = "\n".join(f"| {role} | {item.name} | {fingerprints.get(role, '')} |" for role, item in inputs.items())
    return (
        f"---\nlibrary_name: peft\nbase_model: {_base_name(base)}\ntags:\n- lora\n- solera\n---\n# {title}\n\n"
        f"A low-rank adapter extracted with Solera: the change from {base.name} to {inputs['tuned'].name}, rank "
        f"{low if low == high else f'{low} to {high}'} in {count} module{'' if count == 1 else 's'}. It holds "
        f"{100 * share:.2f} % of the squared change.\n\n"
        f"## Inputs\n\n| role | name | fingerprint |\n| --- | --- | --- |\n{rows}\n"
    )
