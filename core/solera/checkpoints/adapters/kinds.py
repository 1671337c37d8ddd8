"""Which kind of adapter is computed how."""

from __future__ import annotations

from collections.abc import Collection

from solera.checkpoints.adapters.change import Kind
from solera.checkpoints.adapters.hadamard import loha
from solera.checkpoints.adapters.kronecker import lokr
from solera.checkpoints.adapters.low_rank import adalora, lora, vera
from solera.checkpoints.adapters.rotation import boft, hra, oft
from solera.checkpoints.adapters.scaling import ia3
from solera.checkpoints.adapters.tokens import PART, tokens

#: ``peft_type`` -> what its modules change; the keys are those of :data:`solera.checkpoints.adapters.config.KINDS`.
FORMULAS: dict[str, Kind] = {
    "LORA": lora, "ADALORA": adalora, "LOHA": loha, "LOKR": lokr, "OFT": oft, "BOFT": boft, "IA3": ia3, "VERA": vera,
    "HRA": hra, "TRAINABLE_TOKENS": tokens,
}  # fmt: skip


def kind_of(kind: str, parts: Collection[str]) -> Kind:
    """What computes a module of these parameters; a LoRA adapter may train single tokens beside."""
    return tokens if PART in parts else FORMULAS[kind]
