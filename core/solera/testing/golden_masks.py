"""The fixtures of methods that mask or weigh merged task vectors: AMA, Consensus, EMR, LiNeS, PCB-Merging."""

from __future__ import annotations

import re

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


def ama(case: Case, methods: Methods) -> Made:
    """AMA at given ratios (PMA), and at logits, whose ratios are read off a change of ones."""
    before, after = (next(iter(case.inputs[n] for n in case.inputs if n.startswith(f"m{i}"))) for i in (0, 1))
    split, hyper = str(case.hyper.get("merge_method", "")).split("|"), case.hyper
    if split[0] == "split":
        cuts, ratios = [int(cut) for cut in split[1].split("#")], [float(ratio) for ratio in split[2:]]
        if not 1 <= len(cuts) <= 2 or len(ratios) != len(cuts) + 1:
            raise Unsupported(f"a split in {len(ratios)} parts")
        low, middle, high = ratios if len(cuts) == 2 else (ratios[0], ratios[1], ratios[1])
        params: dict[str, Value] = {
            "rule": "given", "ratio": float(hyper["alpha"]), "low": low, "middle": middle, "high": high,
            "first": cuts[0], "second": cuts[-1],
        }  # fmt: skip
        return Made({"merged": merge("ama", [after], before, params, methods)})
    logits = case.inputs.get("", {}).get("raw_alpha")
    told = re.match(r"(\d+) layers per block, 3 blocks", str(hyper.get("blocks", "")))
    if logits is None or logits.numel() != 3 or told is None:
        raise Unsupported(f"a call of the form {sorted(hyper)}")
    size = int(told[1])
    low, middle, high = (float(logit) for logit in logits)
    params = {
        "ratio": float(hyper["init_val"]), "epsilon": float(hyper["epsilon"]), "low": low, "middle": middle,
        "high": high, "first": size - 1, "second": 2 * size - 1, "others": "base",
    }  # fmt: skip
    probe = {f"layers.{part * size}.weight": torch.ones(1, 1) for part in range(3)}
    ratio = 1 - torch.cat([change("ama", [{name: each}], params, methods)[name] for name, each in probe.items()])
    return Made({"merged": merge("ama", [after], before, params, methods), "": {"ratio": ratio.view(-1)}})


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
