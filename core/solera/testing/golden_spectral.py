"""The fixtures of methods on singular values: Iso-C, Iso-CTS, TSV-M, KnOTS; and of WUDI."""

from __future__ import annotations

from solera.params import Value
from solera.testing.golden_recipes import change, merge, vectors
from solera.testing.goldens import Case, Made, Methods, Tensors, Unsupported


def iso_c(case: Case, methods: Methods) -> Made:
    """Iso-C: the merged model and its change."""
    return _both("iso_c", case, {}, methods)


def iso_cts(case: Case, methods: Methods) -> Made:
    """Iso-CTS: the merged model and its change."""
    return _both("iso_cts", case, {"common": float(case.hyper["common_space_fraction"])}, methods)


def tsv_m(case: Case, methods: Methods) -> Made:
    """TSV-M, with each task's share of the directions or (lossless) all of them."""
    return _both("tsv_m", case, {"lossless": "lossless" in str(case.facts.get("called", ""))}, methods)


def _both(method: str, case: Case, params: dict[str, Value], methods: Methods) -> Made:
    scale = float(case.hyper.get("scaling_coef", 1.0))
    merged = merge(method, case.models, case.base, {**params, "scale": scale}, methods)
    return Made({"merged": merged, "merged_tv": change(method, vectors(case), params, methods)})


def knots(case: Case, methods: Methods) -> Made:
    """KnOTS with TIES on bare changes of one matrix."""
    share = float(case.hyper["topK"])
    params: dict[str, Value] = {
        "density": share / 100 if share > 1 else share, "merge": str(case.hyper["merging_type"]), "compat": "authors",
        "side": "input" if "column" in str(case.hyper.get("concat", "column")) else "output",
    }  # fmt: skip
    loose = case.inputs.get("", {})
    names = sorted((name for name in loose if name.startswith("delta")), key=lambda name: int(name[5:]))
    made = change("knots", [{"delta": loose[name]} for name in names], params, methods)
    return Made({"": {"merged_delta": made["delta"]}})


def wudi(case: Case, methods: Methods) -> Made:
    """WUDI on bare task vectors of one matrix."""
    if case.hyper.get("optimizer", "Adam") != "Adam":
        raise Unsupported(f"the optimiser {case.hyper['optimizer']}")
    params: dict[str, Value] = {"iterations": int(case.hyper["iters"]), "rate": float(case.hyper["lr"])}
    deltas: list[Tensors] = [{"matrix": delta} for delta in case.inputs[""]["task_vectors"]]
    made = change("wudi", deltas, params, methods)["matrix"]
    total = change("wudi", deltas, {**params, "iterations": 0}, methods)["matrix"]
    return Made({"": {"merged_tv": made, "sum": total}})
