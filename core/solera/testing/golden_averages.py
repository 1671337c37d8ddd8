"""The fixtures of averages: soups, Karcher mean, Model Stock, variance correction, the flag aggregator."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch

from solera.methods.greedy import greedy_soup
from solera.params import PerModel, Rules, Value
from solera.testing.golden_formulas import zscl_losses
from solera.testing.golden_recipes import find, included, merge
from solera.testing.goldens import Case, Made, Methods, Tensors, Unsupported


def variance_corrected(case: Case, methods: Methods) -> Made:
    """Variance-corrected averaging: the receiving model first, then those it hears."""
    hyper = case.hyper
    modes = {"FollowOthers": "others", "FollowConservative": "conservative", "FollowSelfVariance": "self"}
    if hyper.get("type") not in modes:
        raise Unsupported(f"following '{hyper.get('type')}'")
    params: dict[str, Value] = {
        "mode": modes[hyper["type"]], "conservative": float(hyper["conservative"]), "compat": "authors",
        "epsilon": float(hyper["epsilon"]),
    }  # fmt: skip
    models = [case.inputs["self_model"], *case.models]
    return Made({"merged": merge("variance_corrected", models, None, params, methods)})


def flag_aggregator(case: Case, methods: Methods) -> Made:
    """The flag aggregator as released: from a given start, after one step and after fifty."""
    hyper, loose = case.hyper, case.inputs[""]
    names = sorted((name for name in loose if re.fullmatch(r"g\d+", name)), key=lambda name: int(name[1:]))
    vectors = [loose[name] for name in names]
    directions = torch.stack([vector / (float(vector.norm()) or 1.0) for vector in vectors], dim=1)
    start = loose["init_Y_torch_seed1"].double().T @ directions.double()
    spec = find("flag_aggregator", methods)
    # Of fifty steps the source takes as many as its float32 objective falls: its trace tells how many.
    most = max(len(case.outputs[""].get("objective_50its", range(51))) - 1, 1)
    made: Tensors = {}
    for key, steps in (("aggregate", int(hyper["n_irls_iterations"])), ("aggregate_from_50its", most)):
        found = spec.function(
            vectors, start, rank=int(hyper["r_col"]), penalty=float(hyper["lambda_"]), scale=1.0, iterations=steps,
            output="released", scope="tensor",
        )  # fmt: skip
        made[key] = found.unsqueeze(1)
    return Made({"": made})


def karcher(case: Case, methods: Methods) -> Made:
    """The Karcher mean as mergekit has it: lengths are added with the shares as they are."""
    hyper = case.hyper
    alphas = [float(alpha) for alpha in hyper.get("alphas") or [1.0 / len(case.models)] * len(case.models)]
    params: dict[str, Value] = {
        "weight": PerModel(tuple(alphas)), "iterations": int(hyper.get("max_iter", 10)),
        "tolerance": float(hyper.get("tol", 1e-5)),
    }  # fmt: skip
    merged = merge("karcher", case.models, None, params, methods)
    if abs(sum(alphas) - 1) > 1e-6 and len(alphas) > 1:
        merged = merge("passthrough", [merged], None, {"scale": sum(alphas)}, methods)
    return Made({"merged": merged})


def model_stock(case: Case, methods: Methods) -> Made:
    """Model Stock as mergekit and fusion_bench have it."""
    hyper = case.hyper
    params: dict[str, Value] = {"by": "row" if hyper.get("filter_wise") else "tensor"}
    params["compat"] = "fusion_bench" if "EPS" in hyper else "mergekit"
    return Made({"merged": merge("model_stock", case.models, case.base, params, methods)})


def _greedy(case: Case, methods: Methods) -> Made:
    """The greedy soup of the released code (an equal score is not enough), with the case's own held-out score."""
    evaluate = _scorer(case)
    individual = case.inputs[""]["individual_scores"].tolist()

    def soup(ingredients: tuple[int, ...]) -> Tensors:
        return merge("linear", [case.models[i] for i in ingredients], None, {}, methods)

    found = greedy_soup(individual, lambda ingredients: evaluate(soup(ingredients)), accept="gt")
    chosen, score = torch.tensor(found.ingredients), torch.tensor(found.score, dtype=torch.float64)
    return Made({"merged": soup(found.ingredients), "": {"ingredients": chosen, "best_score": score}})


def _scorer(case: Case) -> Callable[[Tensors], float]:
    """The held-out score as the case's text says it: a constant, or minus the squared distance to a target."""
    text = str(case.hyper["eval"])
    constant = re.search(r"always (-?[\d.]+)", text)
    if constant:
        number = float(constant[1])
        return lambda _: number
    if "eval_target" not in text or "squared distance" not in text:
        raise Unsupported(f"the score '{text}'")
    target, decimals = case.inputs["eval_target"], re.search(r"(\d+) decimal", text)

    def score(model: Tensors) -> float:
        found = -sum(float((model[name].double() - wanted.double()).square().sum()) for name, wanted in target.items())
        return round(found, int(decimals[1])) if decimals else found

    return score


def zscl(case: Case, methods: Methods) -> Made:
    """ZSCL: the weight ensemble, its variant that is pulled back to the start, the moving average; the losses."""
    called, pull = str(case.facts.get("called", "")), 1.0
    if called.startswith("moving"):
        decay = float(case.hyper.get("decay", case.hyper.get("alpha", 0.999)))
        return Made({"merged": merge("ema", [case.base, *case.models], None, {"decay": decay}, methods)})
    if "alpha" in case.hyper:
        pull = float(case.hyper["alpha"])
    elif not called.startswith("merge_we"):
        return zscl_losses(case)
    weights = [1.0] + [0.0] * len(case.models)
    for n in range(1, len(weights)):
        weights = [pull * (n * w + (i == n)) / (n + 1) + (1 - pull) * (i == 0) for i, w in enumerate(weights)]
    params: dict[str, Value] = {"weight": PerModel(tuple(weights)), "normalize": False}
    return Made({"merged": merge("linear", [case.base, *case.models], None, params, methods)})


def soups(case: Case, methods: Methods) -> Made:
    """Averages: uniform, weighted, and with one softmax row per tensor."""
    case = included(case)
    hyper = case.hyper
    if "eval" in hyper:
        return _greedy(case, methods)
    params: dict[str, Value] = {}
    if "weights" in hyper:
        params["weight"] = PerModel(tuple(float(weight) for weight in hyper["weights"]))
        params["normalize"] = bool(hyper.get("normalize", True))
    if "tensor_order" in hyper:
        shares = torch.softmax(case.inputs[""]["alpha_raw"].double(), dim=-1)
        rows = [
            Rules(tuple((name, float(shares[j, i])) for j, name in enumerate(hyper["tensor_order"])), 0.0)
            for i in range(len(case.models))
        ]
        params |= {"weight": PerModel(tuple(rows)), "normalize": False}
    return Made({"merged": merge("linear", case.models, None, params, methods)})
