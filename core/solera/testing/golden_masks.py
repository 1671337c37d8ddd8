"""The fixtures of methods that mask or weigh merged task vectors: Consensus, EMR, LiNeS, PCB-Merging."""

from __future__ import annotations

import torch

from solera.params import PerModel, Value
from solera.testing.golden_recipes import change, merge, vectors
from solera.testing.goldens import Case, Made, Methods, Tensors, Unsupported


def consensus(case: Case, methods: Methods) -> Made:
    """Consensus, and the TALL masks, read off the models they bring back where the sum is not 0."""
    hyper = case.hyper
    threshold: Value = float(hyper["tall_mask_lambda"])
    params: dict[str, Value] = {"threshold": threshold, "agree": int(hyper["prun_thre_k"])}
    merged = merge("consensus", case.models, case.base, {**params, "scale": float(hyper["alpha"])}, methods)
    deltas = vectors(case)
    total = change("consensus", deltas, {"agree": 0, "scale": 1.0}, methods)
    blank = _flat(total) == 0
    kept = _flat(change("consensus", deltas, {**params, "scale": 1.0}, methods)) != 0
    tall = [
        _flat(change("tall_mask", deltas, {"threshold": threshold, "task": i + 1}, methods)) != 0
        for i in range(len(deltas))
    ]
    return Made(
        {"merged": merged, "": {"consensus_mask": kept, "tall_masks": torch.stack(tall)}},
        {"consensus_mask": blank, "tall_masks": blank.expand(len(tall), -1)},
    )


def _flat(model: Tensors) -> torch.Tensor:
    return torch.cat([model[name].reshape(-1) for name in sorted(model)])


def emr(case: Case, methods: Methods) -> Made:
    """EMR: the unified vector, and every model rebuilt from it."""
    deltas = vectors(case)
    groups: dict[str, Tensors] = {"unified_tv": change("emr", deltas, {"task": 0}, methods)}
    for i in range(len(deltas)):
        groups[f"reconstructed_m{i}"] = merge("emr", case.models, case.base, {"task": i + 1}, methods)
    return Made(groups)


def lines(case: Case, methods: Methods) -> Made:
    """LiNeS on a merged task vector."""
    hyper = case.hyper
    params: dict[str, Value] = {"blocks": int(hyper["num_blocks"])}
    if "alpha" not in hyper:
        return Made({"": change("lines", [case.inputs[""]], params, methods)})
    params |= {"alpha": float(hyper["alpha"]), "beta": float(hyper["beta"])}
    made = change("lines", [case.inputs["tv"]], params, methods)
    groups = {"scaled_tv": made, "merged": {name: case.base[name] + delta for name, delta in made.items()}}
    if hyper.get("alpha_rule") in {"sum", "half"}:  # alpha was computed from the norms: so do we
        own = {**params, "rule": "norms"}
        groups["scaled_tv"] = change("lines", [case.inputs["tv"], *vectors(case)], own, methods)
    return Made(groups)


def pcb(case: Case, methods: Methods) -> Made:
    """PCB-Merging in its three released variants."""
    hyper = case.hyper
    variants = {"pcb-merging.py": "readme", "pcb.py": "vision", "pcb_ES.py": "search"}
    script = str(hyper.get("variant", "pcb-merging.py")).rpartition("/")[2]
    if script not in variants:
        raise Unsupported(f"the variant '{script}'")
    lams = hyper.get("lams") or [1.0] * len(case.models)
    params: dict[str, Value] = {
        "density": float(hyper["pcb_ratio"]), "variant": variants[script],
        "scale": PerModel(tuple(float(lam) for lam in lams)),
    }  # fmt: skip
    merged = merge("pcb", case.models, case.base, params, methods)
    return Made({"merged": merged, "merged_tv": change("pcb", vectors(case), params, methods)})
