"""The fixtures of methods that thin task vectors out: DARE, DELLA, Model Breadcrumbs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from solera.methods.spec import Piece
from solera.params import PerModel, Value
from solera.testing.golden_recipes import added, change, find, included, merge, norm, vectors
from solera.testing.goldens import Case, Made, Methods, Tensors, Unsupported


def dare(case: Case, methods: Methods) -> Made:
    """DARE in the forms of MergeLM and of mergekit, with the masks they drew."""
    hyper, case = case.hyper, included(case)
    if "tensor_parameters" in hyper:
        return _generalised(case, methods, "dare")
    if _called(case) == "bernoulli" and "delta" in case.inputs:
        return _one(case, "dare", {"density": float(hyper["density"]), "rescale": norm(hyper)}, methods)
    if "mask_strategy" not in hyper:
        return _dare_statistics(case, methods)
    whole = hyper.get("weight_format") == "finetuned_weight"
    base = {name: torch.zeros_like(tensor) if whole else tensor for name, tensor in case.base.items()}
    deltas = case.models if whole else vectors(case)
    params: dict[str, Any] = {
        "density": 1.0 - float(hyper["mask_rate"]), "strategy": hyper["mask_strategy"],
        "rescale": "inverse" if hyper.get("use_rescale") else "none",
    }  # fmt: skip
    masks = _masks(case) if hyper["mask_strategy"] == "random" else None
    thin = thinned("dare", deltas, params, masks, methods)
    groups = {f"masked_m{i}": added(base, delta) for i, delta in enumerate(thin)}
    match hyper.get("combine"):
        case "average":
            merged = change("task_arithmetic", thin, {"normalize": True}, methods)
        case "task_arithmetic":
            merged = change("task_arithmetic", thin, {"scale": float(hyper["scaling_coefficient"])}, methods)
        case "ties":
            from solera.testing.golden_methods import mergelm_ties

            numel = sum(tensor.numel() for tensor in base.values())
            merged = change("ties", thin, mergelm_ties(numel, hyper["ties_param_value_mask_rate"], hyper), methods)
        case None:
            return Made(groups)
        case other:
            raise Unsupported(f"combining by '{other}'")
    return Made({**groups, "merged": added(base, merged)})


def _dare_statistics(case: Case, methods: Methods) -> Made:
    """Our own masks over ones: what is kept, and the mean."""
    if "ones_shape" not in case.inputs.get("", {}):
        raise Unsupported(f"a call of the form {sorted(case.hyper)}")
    ones = torch.ones(case.inputs[""]["ones_shape"].tolist())
    params = {
        "density": 1.0 - float(case.hyper["mask_rate"]),
        "rescale": "inverse" if case.hyper.get("use_rescale", True) else "none",
    }
    kept = thinned("dare", [{"ones": ones}], params, None, methods)[0]["ones"]
    share = (kept != 0).float().mean()
    return Made({"": {"kept_fraction": share, "kept_value": kept.max(), "mean": kept.mean()}})


def della(case: Case, methods: Methods) -> Made:
    """DELLA in the forms of its authors and of mergekit, with the masks they drew."""
    hyper = case.hyper
    if "tensor_parameters" in hyper:
        return _generalised(case, methods, "della")
    ranks = {"rank_magnitude": "row", "rank_magnitude_layer": "tensor", "magnitude_sample": "magnitude"}
    called = _called(case)
    if called == "della_magprune" and "delta" in case.inputs:
        share = float(hyper["density"])
        given = {
            "density": share,
            "rescale": norm(hyper),
            "window": 2 * float(hyper["epsilon"]) if 0 < share < 1 else 0,
        }
        return _one(case, "della", given, methods)
    if called not in ranks:
        raise Unsupported(f"sampling by '{called}'")
    params: dict[str, Any] = {
        "density": float(hyper["density"]), "window": 2 * float(hyper["epsilon"]), "rank": ranks[called],
        "rescale": "inverse" if hyper.get("rescale", True) else "none",
    }  # fmt: skip
    if "delta" not in case.inputs:
        return _della_statistics(case, params, methods)
    (thin,) = thinned("della", [case.inputs["delta"]], params, [_bools(case.outputs["keepmask"])], methods)
    groups = {"sparsified": thin}
    if params["rescale"] == "inverse":  # ones divided by their own chances tell the chances
        groups["keepprob"] = _chances(case.inputs["delta"], params, methods)
    # The order of equal magnitudes decides their ranks; the sources leave it to chance.
    return Made(groups, {} if params["rank"] == "magnitude" else _equals(case.inputs["delta"], params["rank"] == "row"))


def _chances(delta: Tensors, params: Mapping[str, Any], methods: Methods) -> Tensors:
    """The probabilities of keeping, read off where a change is not 0."""
    every = [{name: torch.ones_like(tensor, dtype=torch.bool) for name, tensor in delta.items()}]
    (whole,) = thinned("della", [delta], params, every, methods)
    found = {}
    for name, tensor in delta.items():
        # A change of exactly 0 says nothing; it is the smallest, with the smallest chance.
        found[name] = torch.where(tensor == 0, params["density"] - params["window"] / 2, tensor / whole[name])
    return found


def _della_statistics(case: Case, params: Mapping[str, Any], methods: Methods) -> Made:
    """Our own masks over normal numbers: what is kept, over all and by decile of size."""
    from solera.tensors.hashing import normal

    if "shape" not in case.inputs.get("", {}):
        raise Unsupported(f"a call of the form {sorted(case.hyper)}")
    shape = case.inputs[""]["shape"].tolist()
    delta = normal(1, "", 0, 0, math.prod(shape)).view(shape)
    (thin,) = thinned("della", [{"": delta}], params, None, methods)
    kept, size = (thin[""] != 0).float(), delta.abs()
    rank = size.argsort(dim=1).argsort(dim=1)
    tenth = shape[1] // 10
    return Made(
        {
            "": {
                "kept": kept.mean(),
                "kept_highest_decile": kept[rank >= shape[1] - tenth].mean(),
                "kept_lowest_decile": kept[rank < tenth].mean(),
                "mean_ratio": thin[""].abs().mean() / size.mean(),
            }
        }
    )


def _called(case: Case) -> str:
    """The first word of what was called: the source's function."""
    return re.split(r"[^\w.]", str(case.facts.get("called", "")), maxsplit=1)[0]


def _one(case: Case, method: str, params: Mapping[str, Any], methods: Methods) -> Made:
    """One task vector thinned out by mergekit's function, with the mask it drew."""
    mask = case.outputs.get("keepmask") or case.inputs.get("mask")
    if mask is None and 0 < params["density"] < 1:
        raise Unsupported("numbers were drawn, and the mask is not in the case")
    (thin,) = thinned(method, [case.inputs["delta"]], params, [_bools(mask)] if mask else None, methods)
    return Made({"sparsified": thin})


def breadcrumbs(case: Case, methods: Methods) -> Made:
    """Model Breadcrumbs in the forms of its authors (rows) and of mergekit (tensors)."""
    hyper = case.hyper
    if "tensor_parameters" in hyper:
        return _generalised(case, methods, "breadcrumbs")
    if "delta" in case.inputs:
        params: dict[str, Any] = {
            "density": float(hyper["density"]), "gamma": float(hyper.get("gamma", 0.01)), "scale": 1.0,
            "rescale": norm(hyper),
        }  # fmt: skip
        made = thinned("breadcrumbs", [case.inputs["delta"]], params, None, methods)
        return Made({"sparsified": made[0]}, _tied([case.inputs["delta"]], made, rows=False))
    params = {
        "density": float(hyper["top_k_keep"]), "gamma": float(hyper["top_k_remove"]), "scope": "row",
        "order": "remove_first" if hyper["remove_first"] else "keep_first", "compat": "authors",
    }  # fmt: skip
    deltas = vectors(case)
    thin = thinned("breadcrumbs", deltas, {**params, "scale": 1.0}, None, methods)
    merged = merge("breadcrumbs", case.models, case.base, {**params, "scale": float(hyper["alpha"])}, methods)
    groups = {f"masked_tv{i}": delta for i, delta in enumerate(thin)}
    return Made({**groups, "merged": merged}, _tied(deltas, thin, rows=True))


def _generalised(case: Case, methods: Methods, method: str) -> Made:
    """Generalised task arithmetic as mergekit has it: thin each tensor, weigh, elect signs or add."""
    hyper, rows = case.hyper, case.hyper["tensor_parameters"]
    deltas = vectors(case)
    masks = _masks(case) if "keepmask_m0" in case.outputs else None
    thin: list[Tensors] = []
    for i, row in enumerate(rows):
        params: dict[str, Any] = {"density": float(row.get("density", 1.0))}
        if method == "breadcrumbs":
            old = "source_version" not in case.facts
            params |= {"gamma": float(row.get("gamma", 0.0)), "scale": 1.0, "compat": "mergekit014" if old else "none"}
        params["rescale"] = norm(hyper)
        if method == "della":
            params["window"] = 2 * float(row.get("epsilon", 0.0)) if 0 < params["density"] < 1 else 0.0
        thin += thinned(method, [deltas[i]], params, masks and [masks[i]], methods)
    elects = str(hyper["method"]).endswith("_ties") or hyper["method"] == "della"
    weights: dict[str, Value] = {
        "weight": PerModel(tuple(float(row.get("weight", 1.0)) for row in rows)), "scale": float(hyper["lambda"]),
    }  # fmt: skip
    if elects:
        how = "mean" if hyper.get("normalize") else "sum"
        given: dict[str, Value] = {**weights, "density": 1.0, "zero_sign": "plus", "merge": how}
        merged = change("ties", thin, given, methods)
    else:
        merged = change("task_arithmetic", thin, {**weights, "normalize": bool(hyper.get("normalize"))}, methods)
    open_ = _tied(deltas, thin, rows=False) if masks is None else {}
    return Made({"merged": added(case.base, merged)}, open_)


def thinned(
    method: str, deltas: Sequence[Tensors], params: Mapping[str, Any], masks: Sequence[Tensors] | None, methods: Methods
) -> list[Tensors]:
    """Each task vector thinned out on its own, by the method's function; with masks where they are given.

    Masks go to the function itself, for a recipe has no place to write them down.
    """
    spec = find(method, methods)
    arguments = (
        {param.name: param.default for param in spec.params} | {"combine_by": "sum", "scale": 1.0} | dict(params)
    )
    lists = {param.name for param in spec.params if param.param.per_model}
    arguments = {key: (value,) if key in lists else value for key, value in arguments.items()}
    function: Callable[..., Tensor] = spec.function
    made: list[Tensors] = []
    for i, delta in enumerate(deltas):
        made.append({})
        for name, tensor in delta.items():
            given = () if masks is None else ([masks[i].get(name, torch.ones_like(tensor, dtype=torch.bool))],)
            extra = {"piece": Piece(name)} if "piece" in spec.arguments else {}
            made[-1][name] = function([tensor.float()], *given, **arguments, **extra)
    return made


def _masks(case: Case) -> list[Tensors]:
    return [_bools(case.outputs[f"keepmask_m{i}"]) for i in range(len(case.models))]


def _bools(tensors: Tensors) -> Tensors:
    return {name: tensor.bool() for name, tensor in tensors.items()}


def _tied(deltas: Sequence[Tensors], thin: Sequence[Tensors], *, rows: bool) -> Tensors:
    """Elements of which an equal one of the same tensor (or row) fared otherwise: the source may choose another."""
    found: Tensors = {}
    for delta, kept in zip(deltas, thin, strict=True):
        for name, tensor in delta.items():
            size, stays = _lines(tensor.float().abs(), rows), _lines(kept[name] != 0, rows)
            same = size.unsqueeze(-1) == size.unsqueeze(-2)
            other = stays.unsqueeze(-1) != stays.unsqueeze(-2)
            tied = (same & other & (size > 0).unsqueeze(-1)).any(-1).view(tensor.shape)
            found[name] = found.get(name, torch.zeros_like(tied)) | tied
    return found


def _equals(delta: Tensors, rows: bool) -> Tensors:
    """Elements that have an equal one in the same tensor (or row)."""
    found: Tensors = {}
    for name, tensor in delta.items():
        size = _lines(tensor.float().abs(), rows)
        found[name] = ((size.unsqueeze(-1) == size.unsqueeze(-2)).sum(-1) > 1).view(tensor.shape)
    return found


def _lines(tensor: Tensor, rows: bool) -> Tensor:
    return tensor.reshape(-1, tensor.shape[-1] if rows and tensor.dim() else tensor.numel())
