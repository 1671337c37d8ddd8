"""Fixtures of analysis: landscapes, sharpness, Hessians, similarity. Which adapter runs a case, and what it finds.

A case is ``NAME.json`` with its data in the ``.safetensors`` or ``.npz`` beside it, or in those of another case that it
names. Its kind is the folder it lies in; several adapters may share a kind. An adapter tells a case by what the file
holds, never by its name, and raises :class:`~solera.testing.goldens.Unsupported` for a form it does not know.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from solera.errors import SoleraError
from solera.testing.goldens import Result, Unsupported

if TYPE_CHECKING:
    from solera.probes.spec import ProbeSpec


@dataclass(frozen=True, slots=True)
class AnalysisCase:
    """A fixture of analysis.

    Attributes:
        name: ``"sharpness/tiny_tanh"``.
        kind: The folder it lies in.
        file: Its JSON.
        facts: What is in that.
        probes: The registered probes.
    """

    name: str
    kind: str
    file: Path
    facts: Mapping[str, Any]
    probes: Mapping[str, ProbeSpec] = field(default_factory=dict)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What the source was called with."""
        found = self.facts.get("arguments")
        return found if isinstance(found, Mapping) else {}

    def tolerance(self, key: str, otherwise: float) -> float:
        """The tolerance of this name, or the case's only one, or another."""
        found = self.facts.get("tolerance")
        told = found.get(key, otherwise) if isinstance(found, Mapping) else found
        return float(told) if isinstance(told, (int, float)) and not isinstance(told, bool) else otherwise

    def tensors(self, other: str = "") -> dict[str, Tensor]:
        """Everything in the safetensors and npz files beside the case, by name, as it is stored.

        Args:
            other: The case whose data are wanted, ``"hessian/tiny_tanh"`` or ``"interp1d_mlp"``; this one if empty.

        Raises:
            Unsupported: There are none.
        """
        from safetensors.torch import load_file

        kind, _, stem = (other or self.name).rpartition("/")
        folder = self.file.parent.parent / kind if kind and kind != self.kind else self.file.parent
        tensors: dict[str, Tensor] = {}
        if (folder / f"{stem}.safetensors").is_file():
            tensors |= load_file(folder / f"{stem}.safetensors")
        if (folder / f"{stem}.npz").is_file():
            with np.load(folder / f"{stem}.npz", allow_pickle=False) as arrays:
                tensors |= {key: torch.from_numpy(arrays[key]) for key in arrays}
        if not tensors:
            raise Unsupported(f"the data of '{other or self.name}' are not beside it")
        return tensors


@dataclass(slots=True)
class Findings:
    """What an adapter compared.

    Attributes:
        worst: Largest absolute difference.
        notes: A complaint for everything that is off.
        left: What of the case was left out, by name and reason: it has no counterpart here.
        compared: How many things were compared.
    """

    worst: float = 0.0
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    compared: int = 0

    def near(
        self, what: str, got: Any, wanted: Any, atol: float, rtol: float = 0.0, *, estimate: bool = False
    ) -> None:  # fmt: skip
        """Compare numbers, or arrays of numbers of one shape.

        Args:
            what: Their name.
            got: Ours: a number, a tensor, an array or nested lists.
            wanted: The source's.
            atol: Absolute tolerance.
            rtol: Tolerance relative to the source's.
            estimate: Whether ours was drawn at random: its difference is not counted among the largest.
        """
        ours, theirs = (_array(each) for each in (got, wanted))
        self.compared += 1
        if ours.shape != theirs.shape:
            self.notes.append(f"{what} has shape {ours.shape} instead of {theirs.shape}")
            return
        if not ours.size:
            return
        apart = np.abs(ours - theirs)
        if not estimate:
            self.worst = max(self.worst, float(np.nanmax(apart)) if not np.isnan(apart).all() else float("inf"))
        off = ~(apart <= atol + rtol * np.abs(theirs))
        if not off.any():
            return
        place = int(np.argmax(off.reshape(-1)))
        mine, yours = float(ours.reshape(-1)[place]), float(theirs.reshape(-1)[place])
        where = f" (first of {int(off.sum())} of {ours.size} elements)" if ours.size > 1 else ""
        self.notes.append(f"{what} is {mine:.9g} instead of {yours:.9g}{where}")

    def equal(self, what: str, got: Any, wanted: Any) -> None:
        """Compare things that are equal or not: names, whole numbers, orders."""
        self.compared += 1
        if got != wanted:
            self.notes.append(f"{what} is {got!r} instead of {wanted!r}")

    def at_least(self, what: str, got: float, wanted: float) -> None:
        """Compare with a lower bound."""
        self.compared += 1
        if not got >= wanted:
            self.notes.append(f"{what} is {got:.9g}, below {wanted:.9g}")

    def at_most(self, what: str, got: float, wanted: float) -> None:
        """Compare with an upper bound."""
        self.compared += 1
        if not got <= wanted:
            self.notes.append(f"{what} is {got:.9g}, above {wanted:.9g}")


#: Compares a case and writes down what it found.
Adapter = Callable[[AnalysisCase, Findings], None]

#: By kind, the adapters that know cases of it, ``"module:function"``; the first that does not refuse runs the case.
ADAPTERS: dict[str, tuple[str, ...]] = {
    "eval_noise": ("solera.testing.golden_noise:run_pareto", "solera.testing.golden_noise:run_bootstrap"),
    "map_bayesian": ("solera.testing.golden_map:run_bayesian",),
    "map_nsga3": ("solera.testing.golden_map:run_nsga3",),
    "map_surrogate": ("solera.testing.golden_map:run_surrogate",),
    "landscape": ("solera.testing.golden_landscapes:run_landscape",),
    "intrinsic_dim": ("solera.testing.golden_landscapes:run_intrinsic_dim",),
    "symmetry": (
        "solera.testing.golden_alignment:run_symmetry",
        "solera.testing.golden_similarity:run_dimension",
    ),
    "hessian": ("solera.testing.golden_hessian:run_hessian",),
    "function_space": ("solera.testing.golden_similarity:run_distance",),
    "sharpness": ("solera.testing.golden_sharpness:run_bowl", "solera.testing.golden_sharpness:run_network"),
    "similarity": ("solera.testing.golden_similarity:run_cka", "solera.testing.golden_similarity:run_ranks"),
}

#: Kinds of analysis; cases of those for which there is no probe are reported by name.
KINDS = (
    "eval_noise", "function_space", "hessian", "importance", "intrinsic_dim", "landscape", "llc", "map_bayesian",
    "map_nsga3", "map_surrogate", "scaling_law", "sharpness", "similarity", "symmetry",
)  # fmt: skip


def run_analysis(file: Path, facts: Mapping[str, Any], probes: Mapping[str, ProbeSpec]) -> Result:
    """Run one case.

    Args:
        file: Its JSON.
        facts: What is in it.
        probes: The registered probes.
    """
    kind = file.parent.name
    case = AnalysisCase(f"{kind}/{file.stem}", kind, file, facts, probes)
    refused = f"no probe measures '{kind}' yet"
    for target in ADAPTERS.get(kind, ()):
        module, _, function = target.partition(":")
        adapter: Adapter = getattr(importlib.import_module(module), function)
        found = Findings()
        try:
            adapter(case, found)
        except Unsupported as error:
            refused = str(error)
            continue
        except SoleraError as error:
            return Result(case.name, "failed", note=f"refused: {error}")
        if not found.compared:
            return Result(case.name, "failed", note="nothing to compare")
        left = [f"left out: {', '.join(found.left)}"] if found.left else []
        return Result(case.name, "failed" if found.notes else "passed", found.worst, "; ".join(found.notes + left))
    return Result(case.name, "unsupported", note=refused)


def _array(value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        value = value.detach().cpu().double().numpy()
    return np.asarray(value, dtype=np.float64)
