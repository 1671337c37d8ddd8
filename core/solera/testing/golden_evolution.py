"""The fixtures of evolutionary merging and of averaging by blocks of layers."""

from __future__ import annotations

import math
import re

import torch

from solera.checkpoints.layers import after_layers
from solera.families.genome import METHODS, Genome, decoded
from solera.methods.coefficients import block_ratios
from solera.params import Curve, PerModel, Rules, Value
from solera.testing.golden_recipes import merge
from solera.testing.goldens import Case, Made, Methods, Tensors, Unsupported


def evolve_genome(case: Case, methods: Methods) -> Made:
    """A genome of mergekit-evolve, decoded and merged."""
    hyper = case.hyper
    models = [case.inputs[name] for name in sorted(case.inputs) if name not in {"", "base"}]
    genome = Genome.of(
        models[0], int(hyper["layer_granularity"]), tuple(hyper.get("filters") or ()), bool(hyper.get("smooth"))
    )
    method = str(hyper["merge_method"])
    names = ("t",) if method == "slerp" else METHODS[method].genes if method in METHODS else ()
    if not names or hyper.get("normalize") is not None:
        raise Unsupported(f"a genome of '{method}' with normalize {hyper.get('normalize')}")
    raw = case.inputs[""]["genotype"].reshape(len(genome.groups), -1, genome.sets, len(names)).tolist()
    if method == "slerp":
        return Made({"merged": merge("slerp", models[:2], None, {"t": _turns(genome, raw)}, methods)})
    negative = bool(hyper.get("allow_negative_weights"))
    genes = [
        [[[decoded(x, name, negative) for x, name in zip(s, names, strict=True)] for s in sets] for sets in group]
        for group in raw
    ]
    evolved = METHODS[method]
    found = genome.params(genes, names)
    if genome.smooth:
        found = {name: _late_as_first(value, after_layers(models[0])) for name, value in found.items()}
    params = {**evolved.fixed, **found}
    return Made({"merged": merge(evolved.method, models, case.base if evolved.base else None, params, methods)})


def _late_as_first(value: Value, late: list[str]) -> Value:
    """Mergekit gives what comes after the layers the first knot of a gradient, where ours takes the last."""
    assert isinstance(value, PerModel)
    curves = [item for item in value.values if isinstance(item, Curve)]
    return PerModel(tuple(Rules(tuple((name, curve.values[0]) for name in late), curve) for curve in curves))


def _turns(genome: Genome, raw: list[list[list[list[float]]]]) -> Value:
    """How far from the first model to the second: from the one with the larger gene, by a softmax of both."""
    if len(raw[0]) != 2:
        raise Unsupported("a genome of slerp between more than two models")
    genes = []
    for (first,), (second,) in raw:
        away = 1.0 / (1.0 + math.exp(abs(first[0] - second[0])))
        genes.append([[[away if first[0] >= second[0] else 1.0 - away]]])
    (value,) = genome.params(genes, ("t",))["t"].values  # type: ignore[union-attr]
    return value


def ama(case: Case, methods: Methods) -> Made:
    """Averages of the models before and after alignment, with a ratio for each block of layers."""
    before, after = (case.inputs[name] for name in sorted(name for name in case.inputs if name))
    if case.facts.get("called") == "merge_split":
        return _by_ratio(before, after, _split_ratios(before, case), methods)
    if "epsilon" not in case.hyper:
        raise Unsupported(f"a call of the form {sorted(case.hyper)}")
    mean = float(case.hyper["init_val"])
    raw = case.inputs[""]["raw_alpha"].double()
    ratios = block_ratios(raw.tolist(), mean, float(case.hyper["epsilon"]))
    size = int(re.search(r"(\d+) layers? per block", str(case.hyper["blocks"]))[1])  # type: ignore[index]
    by_name = {name: mean for name in before if name.startswith("lm_head")}
    for name in before:
        layer = _layer(name)
        if layer is not None and "norm" not in name:
            by_name[name] = ratios[layer // size]
    made = _by_ratio(before, after, by_name, methods)
    return Made({"merged": {name: made.groups["merged"][name] for name in by_name}})


def _split_ratios(names: Tensors, case: Case) -> dict[str, float]:
    """``split|1#3|0.4|0.3|0.2``: the ratios of the blocks that end at layers 1 and 3, and of the rest."""
    kind, cuts, *ratios = str(case.hyper["merge_method"]).split("|")
    if kind != "split":
        raise Unsupported(f"merging by '{kind}'")
    ends, values = [int(cut) for cut in cuts.split("#")], [float(ratio) for ratio in ratios]
    overall = float(case.hyper["alpha"])
    found = {}
    for name in names:
        layer = _layer(name)
        if layer is not None:
            found[name] = values[sum(layer > end for end in ends)]
        else:
            found[name] = overall if "lm_head" in name or "norm" in name else values[0]
    return found


def _layer(name: str) -> int | None:
    number = re.search(r"\.layers\.(\d+)\.", name)
    return int(number[1]) if number else None


def _by_ratio(before: Tensors, after: Tensors, ratios: dict[str, float], methods: Methods) -> Made:
    """The ratio multiplies the model before alignment."""
    params: dict[str, Value] = {"alpha": Rules(tuple((name, 1.0 - ratio) for name, ratio in ratios.items()), 0.0)}
    both = [{name: model[name].to(torch.float32) for name in before} for model in (before, after)]
    return Made({"merged": merge("wise_ft", both[1:], both[0], params, methods)})
