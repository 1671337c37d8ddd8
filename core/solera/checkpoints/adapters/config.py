"""What adapter_config.json says: the kind of an adapter, its numbers, and what of it Solera does not read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solera.checkpoints.parts import unique_object
from solera.errors import CheckpointError, NotFoundError

#: The file that makes a folder an adapter's.
CONFIG_FILE = "adapter_config.json"

#: A config larger than this is none.
MAX_CONFIG = 16_000_000

#: A pattern of module names longer than this is none.
MAX_PATTERN = 500

#: ``peft_type`` -> what a person reads.
KINDS = {
    "LORA": "LoRA", "ADALORA": "AdaLoRA", "LOHA": "LoHa", "LOKR": "LoKr", "OFT": "OFT", "BOFT": "BOFT",
    "IA3": "IA3", "VERA": "VeRA", "HRA": "HRA", "TRAINABLE_TOKENS": "trained tokens",
}  # fmt: skip

#: Options that do not change which weights an adapter stands for.
_HARMLESS = frozenset({
    "peft_type", "peft_version", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "task_type",
    "target_modules", "exclude_modules", "modules_to_save", "layers_to_transform", "layers_pattern", "bias",
    "fan_in_fan_out", "ensure_weight_tying",
})  # fmt: skip

#: The options of each kind that are read, or that only training looks at.
_READ: Mapping[str, frozenset[str]] = {
    "LORA": frozenset({
        "r", "lora_alpha", "use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "lora_bias", "lora_dropout",
        "init_lora_weights", "megatron_core", "qalora_group_size", "loftq_config", "eva_config", "corda_config",
        "lora_ga_config", "trainable_token_indices", "velora_config", "monteclora_config", "runtime_config",
    }),
    "ADALORA": frozenset({
        "r", "init_r", "target_r", "lora_alpha", "rank_pattern", "lora_dropout", "init_lora_weights", "tinit", "tfinal",
        "deltaT", "beta1", "beta2", "orth_reg_weight", "total_step", "megatron_core", "qalora_group_size",
        "loftq_config", "runtime_config",
    }),
    "LOHA": frozenset({
        "r", "alpha", "rank_pattern", "alpha_pattern", "rank_dropout", "module_dropout", "init_weights",
        "use_effective_conv2d",
    }),
    "LOKR": frozenset({
        "r", "alpha", "rank_pattern", "alpha_pattern", "rank_dropout", "module_dropout", "rank_dropout_scale",
        "init_weights", "use_effective_conv2d", "decompose_both", "decompose_factor",
    }),
    "OFT": frozenset({
        "r", "oft_block_size", "module_dropout", "init_weights", "coft", "eps", "block_share", "use_cayley_neumann",
        "num_cayley_neumann_terms",
    }),
    "BOFT": frozenset({
        "boft_block_size", "boft_block_num", "boft_n_butterfly_factor", "boft_dropout", "init_weights",
    }),
    "IA3": frozenset({"feedforward_modules", "init_ia3_weights"}),
    "VERA": frozenset({"r", "projection_prng_key", "save_projection", "vera_dropout", "d_initial", "init_weights"}),
    "HRA": frozenset({"r", "apply_GS", "init_weights"}),
    "TRAINABLE_TOKENS": frozenset({"token_indices", "init_weights"}),
}  # fmt: skip

#: Starts of training that leave the base as it is. The others (PiSSA, OLoRA, CorDA, LoftQ ...) put other weights in
#: its place, so that what is saved is no change to the base that was named.
_STARTS = frozenset({"gaussian", "eva", "orthogonal"})


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """The config of an adapter, of a kind that is read, with no option that is not.

    Attributes:
        path: The file.
        kind: A key of :data:`KINDS`.
        plain: All it says.
    """

    path: Path
    kind: str
    plain: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What a person reads: ``"LoRA"``, ``"rsLoRA"``, ``"DoRA"``, ``"LoHa"`` ..."""
        if self.kind == "LORA" and self.flag("use_dora"):
            return "DoRA"
        return "rsLoRA" if self.kind == "LORA" and self.flag("use_rslora") else KINDS[self.kind]

    @property
    def rank(self) -> int:
        """The rank most modules have; 0 for kinds without one."""
        key = {"ADALORA": "init_r", "IA3": "", "BOFT": "", "TRAINABLE_TOKENS": ""}.get(self.kind, "r")
        return self.integer(key, 8) if key else 0

    @property
    def base(self) -> str:
        """Path or hub id of the base it was trained on; empty if it does not say."""
        value = self.plain.get("base_model_name_or_path")
        return value if isinstance(value, str) else ""

    def flag(self, key: str) -> bool:
        """Whether an option is on.

        Raises:
            CheckpointError: It is neither true nor false.
        """
        value = self.plain.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise self._wrong(key, "true or false")

    def integer(self, key: str, default: int) -> int:
        """A whole number from 0 on; the default if it is absent or null.

        Raises:
            CheckpointError: It is none.
        """
        value = self.plain.get(key)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._wrong(key, "a whole number from 0 on")
        return value

    def number(self, key: str, default: float) -> float:
        """A number; the default if it is absent or null.

        Raises:
            CheckpointError: It is none.
        """
        value = self.plain.get(key)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(key, "a number")
        return float(value)

    def at(self, pattern_key: str, module: str, otherwise: float) -> float:
        """What a mapping of name patterns (``rank_pattern``) says of a module; the first pattern that fits counts.

        Raises:
            CheckpointError: It is no mapping of patterns to numbers.
        """
        patterns = self.plain.get(pattern_key) or {}
        if not isinstance(patterns, Mapping):
            raise self._wrong(pattern_key, "a mapping of module names to numbers")
        for pattern, value in patterns.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or len(pattern) > MAX_PATTERN:
                raise self._wrong(pattern_key, "a mapping of module names to numbers")
            try:
                fits = re.match(rf"(.*\.)?({pattern})$", module)
            except re.error:
                raise self._wrong(pattern_key, "a mapping of module names or regular expressions to numbers") from None
            if fits:
                return float(value)
        return otherwise

    def _wrong(self, key: str, wanted: str) -> CheckpointError:
        return CheckpointError(
            f"{self.path}: '{key}' should be {wanted}, not {self.plain.get(key)!r}.", path=str(self.path), key=key
        )


def read_config(folder: Path) -> AdapterConfig:
    """Read a folder's adapter_config.json; nothing it names is imported or run.

    Raises:
        NotFoundError: There is none.
        CheckpointError: It is no JSON object, of a kind that is not read, or uses an option that is not.
    """
    path = folder / CONFIG_FILE
    plain = _read(path)
    kind = plain.get("peft_type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise CheckpointError(
            f"{folder} is an adapter of the type {kind!r}, which Solera cannot turn into a change of weights; it reads "
            f"{', '.join(KINDS.values())}. Merge it into its base with peft (merge_and_unload), if that can, and open "
            "the result.",
            path=str(path), peft_type=kind if isinstance(kind, str) else None,
        )  # fmt: skip
    config = AdapterConfig(path, kind, plain)
    _refuse_unread(config)
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG:
            raise CheckpointError(f"{path} is larger than any config is ({MAX_CONFIG:,} bytes).", path=str(path))
        plain = json.loads(path.read_text("utf-8"), object_pairs_hook=unique_object)
    except FileNotFoundError:
        raise NotFoundError(f"There is no {path}; a folder without it is no adapter.", path=str(path)) from None
    except CheckpointError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}.", path=str(path)) from None
    if not isinstance(plain, dict):
        raise CheckpointError(f"{path} should hold a JSON object, not {type(plain).__name__}.", path=str(path))
    return plain


def _refuse_unread(config: AdapterConfig) -> None:
    """Refuse an option that would change the numbers in a way that is not known here."""
    known = _HARMLESS | _READ[config.kind]
    unread = [key for key, value in config.plain.items() if key not in known and value not in (None, False, "", [], {})]
    if unread:
        raise CheckpointError(
            f"{config.path}: this {config.title} adapter uses {', '.join(repr(key) for key in unread)}, which Solera "
            "does not read, so its weights would come out wrong. Merge it into its base with peft and open the result.",
            path=str(config.path), options=unread,
        )  # fmt: skip
    start = config.plain.get("init_lora_weights")
    if isinstance(start, str) and start.lower() not in _STARTS:
        raise CheckpointError(
            f"{config.path}: the adapter began as '{start}', which puts other weights in the base's place, so it is no "
            "change to that base. Save it again with save_pretrained(path_initial_model_for_weight_conversion=...), "
            "which makes it one.",
            path=str(config.path), init_lora_weights=start,
        )  # fmt: skip
