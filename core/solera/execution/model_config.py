"""The config of a result: the reference's, where it stays true; mended where the weights are not what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solera.execution.plan import Plan
from solera.tensors.specs import FLOATING

#: Keys under which configs of the field say in what dtype the weights are: older and newer ones.
_DTYPE_KEYS = ("torch_dtype", "dtype")

#: Whether the output layer is the embedding.
_TIED_KEY = "tie_word_embeddings"

#: Parts of the names of output layers.
_HEADS = ("lm_head", "embed_out", "output_projection", "head.weight")


def result_config(plan: Plan) -> dict[str, Any]:
    """What config.json of a result says; empty if the reference has none.

    The dtype is that of most of the written numbers, wherever the config speaks of it, also in the parts of a composed
    model. A config of a language model says whether head and embedding are one tensor: what is written once is, what is
    written apart is not.

    Args:
        plan: The merge.
    """
    config = plan.reference.config
    if not config:
        return {}
    dtype, tied = _dtype(plan), _tied(plan)
    mended = _mended(config, dtype, tied)
    if dtype and "model_type" in config and not any(key in config for key in _DTYPE_KEYS):
        mended[_DTYPE_KEYS[0]] = dtype
    if tied is not None and "model_type" in config:
        mended[_TIED_KEY] = tied
    return mended


def _mended(config: Mapping[str, Any], dtype: str, tied: bool | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key in _DTYPE_KEYS and isinstance(value, str) and dtype:
            found[key] = dtype
        elif key == _TIED_KEY and tied is not None:
            found[key] = tied
        elif key.endswith("_config") and isinstance(value, Mapping) and key != "quantization_config":
            found[key] = _mended(value, dtype, tied)
        else:
            found[key] = value
    return found


def _dtype(plan: Plan) -> str:
    """The floating dtype of most of the written numbers; empty if none is floating."""
    counts: dict[str, int] = {}
    for target in plan.targets:
        if target.dtype in FLOATING:
            counts[target.dtype] = counts.get(target.dtype, 0) + target.numel
    return max(counts, key=lambda name: (counts[name], name)) if counts else ""


def _tied(plan: Plan) -> bool | None:
    """Whether the result's head is its embedding; None where the files do not tell."""
    written = {target.name for target in plan.targets}
    for alias, name in plan.reference.ties.items():
        if any(head in pair for head in _HEADS for pair in (alias, name)):
            return not {alias, name} <= written
    return None
