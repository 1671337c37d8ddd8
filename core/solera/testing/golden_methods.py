"""How the fixtures' parameters are said in ours: one small function per method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from solera.params import PerModel, Value
from solera.testing import (
    golden_averages,
    golden_evolution,
    golden_formulas,
    golden_masks,
    golden_sparse,
    golden_spectral,
    golden_statistics,
)
from solera.testing.golden_recipes import added, change, included, merge, norm, vectors
from solera.testing.goldens import Case, Made, Methods, Runner, Tensors, Unsupported


def ties(case: Case, methods: Methods) -> Made:
    """TIES in the forms of its authors, of mergekit and of MergeLM."""
    case = included(case)
    hyper = case.hyper
    if "reset_type" in hyper:
        return _ties_authors(case, methods)
    if "tensor_parameters" in hyper:
        return _generalised(case, methods)
    if "param_value_mask_rate" in hyper:
        numel = sum(tensor.numel() for tensor in case.base.values())
        mask = mergelm_ties(numel, float(hyper["param_value_mask_rate"]), hyper)
        return Made({"merged": _from_base("ties", case, mask, methods)})
    if case.facts.get("called") == "magnitude" and "delta" in case.inputs:
        delta, density = case.inputs["delta"], float(hyper["density"])
        given: dict[str, Value] = {"density": density, "elect": "none", "merge": "sum", "rescale": norm(hyper)}
        made = change("ties", [delta], given, methods)
        return Made({"sparsified": made}, _open_ties([delta], [density]))
    raise Unsupported(f"a call of the form {sorted(hyper)}")


def mergelm_ties(numel: int, rate: float, hyper: Mapping[str, Any]) -> dict[str, Value]:
    """TIES that drops a share of so many entries, counted as MergeLM does."""
    return {
        "density": max(1 - (int(numel * rate) + 0.5) / numel, 0.0), "scope": "model", "compat": "mergelm",
        "scale": float(hyper.get("scaling_coefficient", 1.0)),
    }  # fmt: skip


def _from_base(method: str, case: Case, params: Mapping[str, Value], methods: Methods) -> Tensors:
    """The Weights form, unless the source subtracted in a narrower dtype than ours."""
    if all(tensor.dtype == torch.float32 for tensor in case.base.values()):
        return merge(method, case.models, case.base, params, methods)
    return added(case.base, change(method, vectors(case), params, methods))


def _open_ties(deltas: Sequence[Tensors], density: Sequence[float]) -> Tensors:
    """Elements on the threshold of some model's tensor, where only some of its equals are kept."""
    found: Tensors = {}
    for delta, share in zip(deltas, density, strict=True):
        for name, tensor in delta.items():
            size, kept = tensor.float().abs().reshape(-1), int(tensor.numel() * share)
            mask = found.setdefault(name, torch.zeros_like(tensor, dtype=torch.bool))
            if 0 < kept < size.numel():
                tied = size == size.sort(descending=True).values[kept - 1]
                if int((size > size[tied][0]).sum()) + int(tied.sum()) > kept:
                    mask |= tied.view(tensor.shape)
    return found


def _ties_authors(case: Case, methods: Methods) -> Made:
    """TIES as released: trimming, election, and a merge of what agrees (``dis-mean``) or of everything (``mean``)."""
    hyper, count = case.hyper, len(case.models)
    params = _trimming(hyper.get("reset_type", "none"), hyper.get("reset_thresh"))
    elect, function = str(hyper.get("resolve_method", "none")), str(hyper["merge_func"])
    if elect not in {"mass", "normfrac", "normmass", "none"}:
        raise Unsupported(f"electing by '{elect}'")
    disjoint, kind = "dis" in function, function.rpartition("-")[2]
    if kind not in ({"mean", "sum", "max"} if disjoint else {"mean", "sum", "magnitude"}):
        raise Unsupported(f"merging by '{function}'")
    # Their plain mean counts trimmed entries.
    divisor = 1.0 if disjoint or kind != "mean" else float(count)
    how = kind if disjoint else {"mean": "sum", "sum": "sum", "magnitude": "max"}[kind]
    plain = {**params, "elect": elect if disjoint else "none", "merge": how, "scale": 1.0 / divisor}
    vector = change("ties", vectors(case), plain, methods)
    scale = float(hyper.get("lam", 1.0))
    if disjoint or elect == "none":
        merged = _from_base("ties", case, {**plain, "scale": scale / divisor}, methods)
        return Made({"merged": merged, "merged_tv": vector})
    # What was merged without an election takes the elected sign, which is that of everything that agrees with it.
    signs = change("ties", vectors(case), {**params, "elect": elect, "merge": "sum"}, methods)
    vector = {name: tensor.abs() * signs[name].sign() for name, tensor in vector.items()}
    return Made({"merged": added(case.base, {n: t * scale for n, t in vector.items()}), "merged_tv": vector})


def _trimming(kind: object, threshold: object) -> dict[str, Value]:
    """What the released code trims by."""
    params: dict[str, Value] = {"scope": "model", "compat": "authors"}
    if kind == "none" or threshold in {None, "none"}:
        return {**params, "density": 1.0}
    share = float(str(threshold))
    match kind:
        case "topk":
            return {**params, "density": share / 100 if share > 1 else share}
        case "nf":
            return {**params, "density": share, "share": "energy"}
        case "std":
            return {**params, "deviations": share, "share": "deviation"}
        case other:
            raise Unsupported(f"trimming by '{other}'")


def _generalised(case: Case, methods: Methods) -> Made:
    """Generalised task arithmetic as mergekit has it: trimming by tensor, weights before the election."""
    hyper = case.hyper
    method = str(hyper.get("method", case.method))
    rows = hyper["tensor_parameters"]
    if method not in {"ties", "task_arithmetic"}:
        raise Unsupported(f"'{method}' is not implemented")
    params: dict[str, Value] = {
        "weight": PerModel(tuple(float(row.get("weight", 1.0)) for row in rows)),
        "scale": float(hyper.get("lambda", 1.0)),
    }
    normalize = bool(hyper.get("normalize", method == "ties"))
    if method == "task_arithmetic":
        return Made({"merged": _from_base(method, case, {**params, "normalize": normalize}, methods)})
    density = [float(row.get("density", 1.0)) for row in rows]
    params |= {"density": PerModel(tuple(density)), "zero_sign": "plus", "merge": "mean" if normalize else "sum"}
    params["rescale"] = norm(hyper)
    return Made({"merged": _from_base(method, case, params, methods)}, _open_ties(vectors(case), density))


def task_arithmetic(case: Case, methods: Methods) -> Made:
    """Task arithmetic in the forms of its authors (TaskVector), of mergekit and of MergeLM."""
    hyper = case.hyper
    if "tensor_parameters" in hyper:
        return _generalised(case, methods)
    if "scaling_coef" in hyper:
        signs = hyper.get("signs") or [1.0] * len(case.models)
        scale: Value = float(hyper["scaling_coef"])
        params: dict[str, Value] = {"scale": scale, "weight": PerModel(tuple(float(sign) for sign in signs))}
        merged = merge("task_arithmetic", case.models, case.base, params, methods)
        return Made(
            {"merged": merged, "tv_sum": change("task_arithmetic", vectors(case), {**params, "scale": 1.0}, methods)}
        )
    if "scaling_coefficient" in hyper:
        scale = float(hyper["scaling_coefficient"])
        case = included(case)
        return Made({"merged": merge("task_arithmetic", case.models, case.base, {"scale": scale}, methods)})
    raise Unsupported(f"a call of the form {sorted(hyper)}")


def slerp(case: Case, methods: Methods) -> Made:
    """SLERP from the base to the other model."""
    if "t" not in case.hyper:
        raise Unsupported(f"a call of the form {sorted(case.hyper)}")
    params: dict[str, Value] = {"t": float(case.hyper["t"])}
    if "DOT_THRESHOLD" in case.hyper:
        params["colinear"] = float(case.hyper["DOT_THRESHOLD"])
    return Made({"merged": merge("slerp", [case.base, case.models[0]], None, params, methods)})


#: By the fixtures' ``method``.
RUNNERS: dict[str, Runner] = {
    "ties": ties,
    "task_arithmetic": task_arithmetic,
    "slerp": slerp,
    "soups": golden_averages.soups,
    "checkpoint_average": golden_averages.soups,
    "sparse_soup": golden_averages.soups,
    "zscl": golden_averages.zscl,
    "darex_q": golden_formulas.darex_q,
    "darex_adamr": golden_formulas.adamr,
    "karcher": golden_averages.karcher,
    "model_stock": golden_averages.model_stock,
    "variance_corrected": golden_averages.variance_corrected,
    "flag_aggregator": golden_averages.flag_aggregator,
    "dare": golden_sparse.dare,
    "della": golden_sparse.della,
    "breadcrumbs": golden_sparse.breadcrumbs,
    "consensus": golden_masks.consensus,
    "emr": golden_masks.emr,
    "lines": golden_masks.lines,
    "pcb": golden_masks.pcb,
    "iso_c": golden_spectral.iso_c,
    "iso_cts": golden_spectral.iso_cts,
    "tsv_m": golden_spectral.tsv_m,
    "knots": golden_spectral.knots,
    "wudi": golden_spectral.wudi,
    "fisher": golden_statistics.fisher,
    "regmean": golden_statistics.regmean,
    "evolve_genome": golden_evolution.evolve_genome,
    "ama": golden_evolution.ama,
}
