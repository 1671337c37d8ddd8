"""An adapter folder as it is on disk: its config, and its tensors by the module they change."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from solera.checkpoints.adapters.config import CONFIG_FILE, AdapterConfig, read_config
from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.formats.format import Format
from solera.checkpoints.opening import open_checkpoint
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import CheckpointError

#: The files peft writes, the safer first.
WEIGHT_FILES = ("adapter_model.safetensors", "adapter_model.bin")

#: What peft puts before the base's own names.
_PREFIX = re.compile(r"^(?:module\.)?base_model\.(?:model\.)?")

#: ``<module>.<parameter>[.<adapter's name>][.weight|.bias]`` for every parameter of every kind that is read.
_PARAMETER = re.compile(
    r"^(?P<module>.+)\.(?P<parameter>lora_(?:embedding_)?[AB]|lora_E|lora_magnitude_vector|hada_(?:w[12]_[ab]|t[12])|"
    r"lokr_(?:w[12](?:_[ab])?|t2)|oft_(?:embedding_)?R|boft_[Rs]|ia3_l|vera_lambda_[bd]|hra_u|trainable_tokens_delta)"
    r"(?:\.(?!weight$|bias$)[^.]+)?(?:\.(?P<leaf>weight|bias))?$"
)

#: Marks of a parameter that some kind of adapter has.
_FOREIGN = re.compile(r"\.(?:lora_|hada_|lokr_|oft_|boft_|ia3_|vera_|hra_|trainable_tokens)")


@dataclass(frozen=True)
class Adapter:
    """An opened adapter: headers only.

    Attributes:
        path: Its folder.
        config: What adapter_config.json says.
        file: Its tensors as they lie in the file.
        modules: Name of the module -> parameter (``"lora_A"``, ``"lora_B.bias"``) -> tensor.
        full: Tensors that replace the base's whole, by the base's name: saved modules, biases, resized embeddings.
        shared: Tensors all modules share (``"vera_A"``).
    """

    path: Path
    config: AdapterConfig
    file: Checkpoint
    modules: Mapping[str, Mapping[str, TensorRef]]
    full: Mapping[str, TensorRef]
    shared: Mapping[str, TensorRef]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name or self.path.resolve().name

    @property
    def description(self) -> str:
        """Kind and rank: ``"LoRA, rank 16"``."""
        rank = self.config.rank
        return f"{self.config.title}, rank {rank}" if rank else self.config.title

    @cached_property
    def salt(self) -> str:
        """Hash of what the config says about the numbers: part of the adapter's content beside its tensors."""
        aside = {"base_model_name_or_path", "revision", "inference_mode", "auto_mapping", "peft_version", "task_type"}
        said = {key: value for key, value in self.config.plain.items() if key not in aside}
        # peft writes sets as lists, in any order.
        said = {k: sorted(v, key=str) if isinstance(v, list) else v for k, v in said.items()}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def is_adapter(path: str | Path) -> bool:
    """Whether a folder looks like an adapter's: it holds an adapter_config.json."""
    return (Path(path).expanduser() / CONFIG_FILE).is_file()


def open_adapter(path: str | Path, *, formats: Mapping[str, Format] | None = None) -> Adapter:
    """Open an adapter folder as peft writes it; reads headers only, runs nothing.

    Args:
        path: A folder with adapter_config.json and adapter_model.safetensors (or .bin).
        formats: The formats to open the weights with; the built-in ones if None.

    Raises:
        NotFoundError: There is no such folder, or no config in it.
        CheckpointError: It is of a kind, or uses an option, that is not read; or its weights are missing or damaged.
    """
    folder = Path(path).expanduser()
    config = read_config(folder)
    found = next((folder / name for name in WEIGHT_FILES if (folder / name).is_file()), None)
    if found is None:
        raise CheckpointError(
            f"{folder} has a config but no weights; one of {' and '.join(WEIGHT_FILES)} should lie beside it.",
            path=str(folder),
        )
    file = open_checkpoint(found, formats=formats)
    modules: dict[str, dict[str, TensorRef]] = {}
    full: dict[str, TensorRef] = {}
    shared: dict[str, TensorRef] = {}
    for name, ref in file.items():
        _sort_in(_PREFIX.sub("", name), ref, modules, full, shared, config)
    return Adapter(folder, config, file, modules, full, shared)


def _sort_in(
    name: str,
    ref: TensorRef,
    modules: dict[str, dict[str, TensorRef]],
    full: dict[str, TensorRef],
    shared: dict[str, TensorRef],
    config: AdapterConfig,
) -> None:
    if name.partition(".")[0] in {"vera_A", "vera_B"}:
        shared[name.partition(".")[0]] = ref
        return
    match = _PARAMETER.match(name)
    if match:
        leaf = ".bias" if match["leaf"] == "bias" else ""
        modules.setdefault(_base_name(match["module"]), {})[match["parameter"] + leaf] = ref
    elif _FOREIGN.search(name):
        raise CheckpointError(
            f"{config.path.parent}: the tensor '{ref.stored_name}' is of a kind that Solera does not read in a "
            f"{config.title} adapter. Merge it into its base with peft and open the result.",
            path=str(config.path.parent), tensor=ref.stored_name,
        )  # fmt: skip
    else:
        full[_base_name(name)] = ref


def _base_name(name: str) -> str:
    """A module's or tensor's name without the wrappers that peft puts around it."""
    name = re.sub(r"\.modules_to_save\.[^.]+(?=\.)", "", name)
    return re.sub(r"\.(?:base_layer|token_adapter)(?=\.|$)", "", name)
