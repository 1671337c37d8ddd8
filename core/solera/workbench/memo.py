"""Which finished run an experiment already has: equal experiment, equal inputs, equal tasks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from solera.files import replace_text

#: Goes up whenever the same experiment on the same inputs would give other numbers.
SEMANTICS = 1

#: What an experiment says that changes none of its numbers, or that the semantic hashes say better.
_BESIDE = frozenset({"title", "solera", "device", "family", "entries", "base"})


def experiment_key(plain: Mapping[str, Any], inputs: Any, versions: Any, device: str) -> str:
    """SHA-256 of everything that decides a run's numbers.

    Args:
        plain: ``Experiment.to_plain()``.
        inputs: Semantic hashes of the recipes, JSON-ready.
        versions: Tasks with version, split and samples, JSON-ready.
        device: What kind of device it ran on: numbers may differ between kinds.
    """
    said = {key: value for key, value in plain.items() if key not in _BESIDE}
    told = [SEMANTICS, _torch(), device.partition(":")[0], said, inputs, versions]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def scores_key(plain: Mapping[str, Any], inputs: Any, versions: Any, device: str, evaluator: Mapping[str, Any]) -> str:
    """SHA-256 of everything that decides the score of a point, whoever asks for it: less than a run's numbers need.

    Args:
        plain: As for :func:`experiment_key`, and so are the others.
        inputs: See there; with it come the coordinates and their ranges.
        versions: See there.
        device: See there.
        evaluator: How points are evaluated, ``Way.to_plain()``: bytes are equal for one way alone.
    """
    kept = {key: plain[key] for key in ("split", "dtype", "limit", "tasks", "factory") if key in plain}
    kept["batchnorm"] = plain.get("batchnorm", "frozen")
    drawn = bool(plain.get("limit"))
    if kept["batchnorm"] != "frozen":
        kept["batchnorm_samples"] = plain.get("batchnorm_samples", 0)
        drawn = drawn or bool(kept["batchnorm_samples"])
    if drawn:
        kept["seed"] = plain.get("seed", 0)  # which samples a preview takes, and which examples BatchNorm is shown
    told = ["scores", SEMANTICS, _torch(), device.partition(":")[0], kept, inputs, versions, dict(evaluator)]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


class Memo:
    """Key -> run, one small file each.

    Args:
        folder: Made when the first is remembered.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> str:
        """Id of the run with this key; empty if there is none."""
        try:
            return (self.folder / key).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def remember(self, key: str, run: str) -> None:
        """Note a finished run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_text(self.folder / key, run)


def _torch() -> str:
    from importlib.metadata import version

    return version("torch")
