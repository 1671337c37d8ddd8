"""Fixtures of alignment: weight matching, activation matching, REPAIR. Told apart by what they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solera.alignment.activations import Kind, match_activations
from solera.alignment.permutations import Permutations, permuted
from solera.alignment.repair import repair
from solera.alignment.symmetry import Axis, Group, Symmetry
from solera.alignment.tracing import trace_symmetry
from solera.alignment.weights import match_weights
from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.seeds import Seed
from solera.testing.golden_analysis import AnalysisCase, Findings
from solera.testing.goldens import Unsupported

_Tensors = dict[str, Tensor]


def run_symmetry(case: AnalysisCase, found: Findings) -> None:
    """Run one case.

    Raises:
        Unsupported: It is of another form.
    """
    file, facts = case.file, case.facts
    if "objective_after" in facts or any("visit_order" in run for run in facts.get("runs", ())):
        found.worst = _weights(file, facts, found.notes)
    elif any(isinstance(each, dict) and "corr" in each for each in facts.values()):
        found.worst = _activations(file, facts, found.notes)
    elif "loss_repaired" in facts:
        found.worst = _repair(file, facts, found.notes)
    else:
        raise Unsupported(f"a case of the form {sorted(facts)}")
    found.compared += 1


def _weights(file: Path, facts: Mapping[str, Any], complaints: list[str]) -> float:
    reference, model = _ends(file)
    symmetry = _symmetry(reference, facts.get("arguments") or {}, facts)
    ours, theirs = (MemoryCheckpoint.from_state_dict(each) for each in (reference, model))
    worst = 0.0
    for run in facts.get("runs") or [facts]:
        found = match_weights(
            symmetry, ours, theirs, QuietContext(), seed=Seed(0), orders=run.get("visit_order") or [["P_0"]] * 2
        )
        _same_places(found.permutations, run["perm"], complaints)
        for key, got in (("objective_before", found.before), ("objective_after", found.after)):
            worst = max(worst, _apart(key, got, run.get(key, got), 1e-9, complaints))
    return worst


def _symmetry(tensors: _Tensors, arguments: Mapping[str, Any], facts: Mapping[str, Any]) -> Symmetry:
    """As the case declares it, or that of a chain of layers ``Dense_i`` with weights (in, out)."""
    if "axes_to_perm" not in arguments:
        last = max(int(name[6:].partition(".")[0]) for name in tensors)
        axes: dict[str, Any] = {}
        for i in range(last + 1):
            into, out = (f"P_{i - 1}" if i else None), (f"P_{i}" if i < last else None)
            axes |= {f"Dense_{i}.kernel": [into, out], f"Dense_{i}.bias": [out]}
    else:
        axes = dict(arguments["axes_to_perm"])
    perms = (facts.get("runs") or [facts])[0]["perm"]
    groups = {name: Group(len(places)) for name, places in perms.items()}
    made = {}
    for name, names in axes.items():
        # A weight that is viewed with more axes than it has: its last ones go along with the one before.
        shape = tensors[name].shape
        made[name] = tuple(
            None if group is None else _axis(group, groups[group].size, shape[i])
            for i, group in enumerate(names[: len(shape)])
        )
    return Symmetry(groups, made)


def _axis(group: str, size: int, length: int) -> Axis:
    return Axis(group, ("cell", "unit", length // size)) if length > size else Axis(group)


def _activations(file: Path, facts: Mapping[str, Any], complaints: list[str]) -> float:
    reference, model, x, _ = _networks(file, facts)
    symmetry = trace_symmetry(reference, x[:2])
    names = {f"P_{i}": group for i, group in enumerate(symmetry.groups)}
    worst = 0.0
    kinds: tuple[tuple[Kind, str], ...] = (("correlation", "perm"), ("inner", "perm_inner_product"))
    for kind, key in kinds:
        found = match_activations(symmetry, reference, model, lambda module: module(x), kind=kind)
        _same_places(
            {p: found.permutations[group] for p, group in names.items()}, {p: facts[p][key] for p in names}, complaints
        )
        if kind == "correlation":
            total = sum(float(facts[p]["sum_corr"]) for p in names)
            worst = _apart("sum_corr", found.after, total, 1e-9, complaints)
    return worst


def _repair(file: Path, facts: Mapping[str, Any], complaints: list[str]) -> float:
    reference, model, x, y = _networks(file, {"arguments": {"checkpoints": "weight_matching_mlp"}})
    symmetry = trace_symmetry(reference, x[:2])
    found = match_activations(symmetry, reference, model, lambda module: module(x))
    state = {
        key: permuted(each, symmetry.axes.get(key, (None,) * each.ndim), symmetry, found.permutations)
        for key, each in model.state_dict().items()
    }
    model.load_state_dict(state)
    alpha = float(facts["arguments"]["alpha"])
    blend = _mlp(file.with_suffix(".safetensors"), "")
    wanted = {key: each.clone() for key, each in blend.state_dict().items()}
    blend.load_state_dict(
        {key: (1 - alpha) * each + alpha * state[key] for key, each in reference.state_dict().items()}
    )
    worst = _apart("loss_mid", float(F.cross_entropy(blend(x), y)), facts["loss_mid"], 1e-7, complaints)
    repair(blend, [reference, model], [1 - alpha, alpha], lambda module: module(x))
    for key, each in blend.state_dict().items():
        worst = max(worst, _apart(key, float((each - wanted[key]).abs().max()), 0.0, 1e-7, complaints))
    loss = float(F.cross_entropy(blend(x), y))
    return max(worst, _apart("loss_repaired", loss, facts["loss_repaired"], 1e-7, complaints))


def _networks(file: Path, facts: Mapping[str, Any]) -> tuple[nn.Module, nn.Module, Tensor, Tensor]:
    """The two ends and the data, which lie in files of other cases beside this one."""
    told = re.search(r"\w+$", str(facts["arguments"]["checkpoints"]))
    ends = file.with_name(f"{told[0] if told else ''}.safetensors")
    with np.load(file.with_name("activation_matching_mlp.npz")) as data:
        x, y = torch.from_numpy(data["x"]).double(), torch.from_numpy(data["y"])
    return _mlp(ends, "A."), _mlp(ends, "B."), x, y


def _mlp(file: Path, side: str) -> nn.Module:
    from safetensors.torch import load_file

    tensors = load_file(file)
    layers: list[nn.Module] = []
    while f"{side}Dense_{len(layers) // 2}.kernel" in tensors:
        kernel, bias = (tensors[f"{side}Dense_{len(layers) // 2}.{leaf}"] for leaf in ("kernel", "bias"))
        layer = nn.Linear(kernel.shape[0], kernel.shape[1], dtype=torch.float64, device="meta").to_empty(device="cpu")
        layer.load_state_dict({"weight": kernel.T, "bias": bias})
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval().requires_grad_(False)


def _ends(file: Path) -> tuple[_Tensors, _Tensors]:
    from safetensors.torch import load_file

    tensors = load_file(file.with_suffix(".safetensors"))
    a, b = ({key[2:]: each for key, each in tensors.items() if key.startswith(side)} for side in ("A.", "B."))
    return a, b


def _same_places(found: Permutations, wanted: Mapping[str, Any], complaints: list[str]) -> None:
    complaints += [f"{name} differs" for name, places in wanted.items() if found[name].tolist() != list(places)]


def _apart(what: str, got: float, wanted: float, tolerance: float, complaints: list[str]) -> float:
    error = abs(got - float(wanted))
    if not error <= tolerance:
        complaints.append(f"{what} is {got:.9g} instead of {float(wanted):.9g}")
    return error
