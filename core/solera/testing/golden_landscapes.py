"""Fixtures of landscapes and of random subspaces: directions, lines, surfaces, trajectories, curves, Fastfood."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.execution.memory import Materialiser
from solera.families.curves import shares
from solera.families.trajectories import principal
from solera.landscapes.along import along
from solera.landscapes.barriers import barriers
from solera.methods.directions import normalised
from solera.methods.fastfood import Fastfood
from solera.models.layout import FlatLayout
from solera.models.network import Network
from solera.params import Var
from solera.recipes.nodes import CheckpointNode, Recipe, SumNode, Term
from solera.statistics.recalibration import Recalibration
from solera.tasks.examples import Examples
from solera.testing.golden_analysis import AnalysisCase, Findings
from solera.testing.goldens import Unsupported

_State = dict[str, Tensor]


def run_landscape(case: AnalysisCase, found: Findings) -> None:
    """Run a case of kind ``landscape``, told by what it holds."""
    facts, tensors = case.facts, _beside(case)
    if "coefficients" in facts:
        _coefficients(case, found)
    elif "barrier_loss" in facts:
        _line(case, tensors, found)
    elif "explained_variance_ratio" in facts:
        _trajectory(case, tensors, found)
    elif "bend" in case.arguments and "int" in facts:
        _curve(case, found)
    elif any(key.startswith("raw.") for key in tensors):
        _directions(case, tensors, found)
    elif {"alphas", "betas", "loss_eval"} <= set(tensors):
        _surface(case, tensors, found)
    elif any("planar" in key for key in facts):
        raise Unsupported("it records what the peer gets wrong (its grid is shifted), which is not to be reproduced")
    else:
        raise Unsupported(f"no form of landscape is known with {', '.join(sorted(facts))}")


def run_intrinsic_dim(case: AnalysisCase, found: Findings) -> None:
    """Run a case of kind ``intrinsic_dim``: maps with their drawn numbers, and what such maps are like on average."""
    tensors = _beside(case)
    if "cases" not in case.facts:
        raise Unsupported(f"no form of subspace is known with {', '.join(sorted(case.facts))}")
    rtol, atol = case.tolerance("rtol", 1e-5), case.tolerance("atol", 1e-6)
    for name, facts in case.facts["cases"].items():
        signs, order, gains, x, y, columns = (tensors[f"{name}.{key}"] for key in ("B", "Pi", "G", "x", "y", "P"))
        fastfood = Fastfood(signs.double(), order, gains.double(), len(y))
        found.equal(f"{name}: L", len(signs), facts["LL"])
        found.near(f"{name}: y", fastfood.project(x), y, atol, rtol)
        ours = torch.stack([fastfood.project(row) for row in torch.eye(len(x))], dim=1)
        found.near(f"{name}: P", ours, columns, atol, rtol)
        found.near(f"{name}: column norms", ours.norm(dim=0), facts["column_norms"], atol, rtol)
    for numel, facts in (case.facts.get("random_statistics") or {}).items():
        _spread(int(numel), facts, found)


def _spread(numel: int, facts: Any, found: Findings) -> None:
    """Our own draws are like the source's: lengths and cosines of columns, within what 24 columns can tell."""
    count = min(24, numel)
    drawn = Fastfood.drawn(numel, seed=numel)
    columns = torch.stack([drawn.project(row) for row in torch.eye(count)], dim=1)
    lengths = columns.norm(dim=0)
    wanted = facts["fastfood"]
    found.near(f"{numel}: mean length", float(lengths.mean()), wanted["norm_mean"], 1e-6 + 4 * wanted["norm_std"])
    unit = columns / lengths
    cosines = (unit.T @ unit)[torch.triu_indices(count, count, 1).unbind()]
    spread = float(cosines.pow(2).mean().sqrt())
    found.near(f"{numel}: spread of cosines", spread, wanted["cos_std"], 0.0, 5 / math.sqrt(len(cosines)))


def _beside(case: AnalysisCase) -> _State:
    try:
        return case.tensors()
    except Unsupported:
        return {}


def _part(tensors: _State, prefix: str) -> _State:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _coefficients(case: AnalysisCase, found: Findings) -> None:
    kinds = {"Bezier": "bezier", "PolyChain": "polyline"}
    for name, rows in case.facts["coefficients"].items():
        kind, _, count = name.partition("_")
        for t, wanted in rows.items():
            ours = shares(kinds[kind], float(t), int(count))
            found.near(f"{name} at {t}", ours, wanted, case.tolerance("", 1e-6))


def _directions(case: AnalysisCase, tensors: _State, found: Findings) -> None:
    weights, raw = _part(tensors, "w."), _part(tensors, "raw.")
    rtol, atol = case.tolerance("rtol", 1e-6), case.tolerance("atol", 1e-7)
    for rule in case.arguments["norm"]:
        for ignore, vectors in (("biasbn", "zero"), ("none", "weight")):
            for name, wanted in _part(tensors, f"{rule}.{ignore}.").items():
                ours = normalised(raw[name], weights[name], rule, vectors)  # type: ignore[arg-type]
                found.near(f"{rule}, {ignore}: {name}", ours, wanted, atol, rtol)


def _trajectory(case: AnalysisCase, tensors: _State, found: Findings) -> None:
    rows = tensors["checkpoints"].double()
    rows = rows - rows[-1]
    ours = principal((rows @ rows.T).numpy())
    rtol = case.tolerance("rtol", 1e-8)
    found.near("explained variance", ours.variance, case.facts["explained_variance_ratio"], 0.0, rtol)
    found.near("energy", ours.energy[:3], case.facts["uncentred_energy_ratio"], 0.0, rtol)
    wanted = np.asarray(case.facts["coords"])
    turned = np.sign((wanted * ours.coords).sum(axis=0))  # the sign of a component is free
    scale = float(np.abs(wanted).max())
    found.near("coordinates", ours.coords * turned, wanted, rtol * scale)
    components, theirs = torch.from_numpy(ours.coefficients) @ rows, tensors["components"].double()
    found.near("projection", components.T @ components, theirs.T @ theirs, rtol)


def _line(case: AnalysisCase, tensors: _State, found: Findings) -> None:
    t, x, y = tensors["t"], tensors["x"], tensors["y"]
    for key in ("loss", "error"):
        wanted = case.facts[f"barrier_{key}"]
        ours = barriers(t.numpy(), tensors[key].double().numpy())
        for name, field in (
            ("chord", "entezari_max_minus_chord"), ("instability", "frankle_max_minus_mean_ends"),
            ("worst_end", "max_minus_max_ends"), ("mode_connectivity", "yang_mc_signed"),
        ):  # fmt: skip
            found.near(f"{key}: {field}", ours[name].height, wanted[field], case.tolerance("float64", 1e-10))  # type: ignore[index]
    network = Network(_mlp(_part(tensors, "A.")))
    ends = {side: _part(tensors, f"{side}.") for side in "AB"}
    values = list(_evaluated(network, ends, [("A", 1.0)], [("B", "A", "t")], [(float(each),) for each in t], x, y))
    rtol = case.tolerance("float32", 2e-5)
    found.near("loss", [loss for loss, _ in values], tensors["loss"], 0.0, rtol)
    found.near("error", [error for _, error in values], tensors["error"], 1e-12)


def _curve(case: AnalysisCase, found: Findings) -> None:
    """A Bezier curve in float64, as its source: losses, and what our statistics make of them."""
    tensors = case.tensors(str(case.arguments["ends"]).rpartition(" ")[2])
    x, y = tensors["x"].double(), tensors["y"]
    models = {side: {k: v.double() for k, v in _part(tensors, f"{side}.").items()} for side in "ABC"}
    said = list(_terms(case.arguments["bend"]))
    bend = {name: torch.stack([share * models[side][name] for share, side in said]).sum(0) for name in models["A"]}
    points = [
        {n: a * models["A"][n] + b * bend[n] + c * models["B"][n] for n in bend}
        for a, b, c in (shares("bezier", float(t), 3) for t in np.linspace(0, 1, int(case.arguments["points"])))
    ]
    module = _mlp(models["A"])
    losses = [float(F.cross_entropy(torch.func.functional_call(module, each, (x,)), y)) for each in points]
    flat = [torch.cat([each[name].flatten() for name in bend]) for each in points]
    steps = [float((later - earlier).norm()) for earlier, later in pairwise(flat)]
    tolerance = case.tolerance("", 1e-9)
    found.near("loss", losses, case.facts["loss"], tolerance)
    found.near("dl", [0.0, *steps], case.facts["dl"], tolerance)
    ours = along(losses, steps)
    named = {"min": ours.least, "max": ours.most, "avg": ours.mean, "int": ours.integral, "length": ours.length}
    for key, value in named.items():
        found.near(key, value, case.facts[key], tolerance)


def _terms(text: str) -> Iterator[tuple[float, str]]:
    """``"0.3A+0.1B"`` as numbers and letters."""
    for term in text.replace(" ", "").split("+"):
        yield float(term[:-1]), term[-1]


def _surface(case: AnalysisCase, tensors: _State, found: Findings) -> None:
    centre = _part(tensors, "w.") | _part(tensors, "buf.")
    zero = {name: torch.zeros_like(tensor) for name, tensor in centre.items()}
    states = {"w": centre, "zero": zero, "d0": zero | _part(tensors, "d0."), "d1": zero | _part(tensors, "d1.")}
    network = Network(_conv(centre))
    x, y = tensors["x"], tensors["y"]
    grid = [(float(a), float(b)) for a in tensors["alphas"] for b in tensors["betas"]]
    shape = (len(tensors["alphas"]), len(tensors["betas"]))
    axes = [("d0", "zero", "alpha"), ("d1", "zero", "beta")]
    recalibration = Recalibration(Examples(x, y, len(x)), batch=len(x))
    for mode, after in (("eval", None), ("recal", recalibration)):
        if f"loss_{mode}" not in tensors:
            continue
        values = list(_evaluated(network, states, [("w", 1.0)], axes, grid, x, y, after))
        rtol = case.tolerance("float32", 2e-5)
        found.near(f"loss, {mode}", np.reshape([v for v, _ in values], shape), tensors[f"loss_{mode}"], 0.0, rtol)
        found.near(f"error, {mode}", np.reshape([e for _, e in values], shape), tensors[f"err_{mode}"], 1e-12)


def _evaluated(
    network: Network, states: dict[str, _State], start: Sequence[tuple[str, float]],
    axes: Sequence[tuple[str, str, str]], points: Sequence[tuple[float, ...]], x: Tensor, y: Tensor,
    after: Callable[[Network, Any], None] | None = None,
) -> Iterator[tuple[float, float]]:  # fmt: skip
    """Loss and error at points of ``start + sum of variable * (a - b)``, by our own path in float32."""
    leaves = [CheckpointNode(name, f"memory:{name}") for name in states]
    deltas = [SumNode(f"{v}_axis", (Term(a), Term(b, -1.0))) for a, b, v in axes]
    point = SumNode("point", (*(Term(n, c) for n, c in start), *(Term(f"{v}_axis", Var(v)) for _, _, v in axes)))
    recipe = Recipe((*leaves, *deltas, point), "point")
    checkpoints = {name: MemoryCheckpoint.from_state_dict(state, name) for name, state in states.items()}
    layout: FlatLayout = network.layout
    materialiser = Materialiser(recipe, checkpoints, {}, layout)
    context = QuietContext()
    with torch.inference_mode():
        for coords in points:
            materialiser.at({v: c for (_, _, v), c in zip(axes, coords, strict=True)}, network.flat)
            if after is not None:
                after(network, context)
            logits = network(x).double()
            yield float(F.cross_entropy(logits, y)), float((logits.argmax(1) != y).double().mean())


def _mlp(state: _State) -> nn.Module:
    """Linear layers ``l0``, ``l1`` ... with ReLU between."""
    count = sum(name.endswith(".weight") for name in state)
    module = nn.Sequential()
    for i in range(count):
        outputs, inputs = state[f"l{i}.weight"].shape
        module.add_module(f"l{i}", nn.Linear(inputs, outputs, dtype=state[f"l{i}.weight"].dtype))
        if i < count - 1:
            module.add_module(f"relu{i}", nn.ReLU())
    module.load_state_dict(state)
    return module.eval().requires_grad_(False)


def _conv(state: _State) -> nn.Module:
    """Convolutions ``c0``, ``c1`` ... of stride 1, then 2, each with BatchNorm and ReLU; the mean; ``fc``."""
    module = nn.Sequential(nn.Unflatten(1, (1, 8, 8)))
    for i in range(sum(name.startswith("c") and name.endswith(".weight") for name in state)):
        outputs, inputs = state[f"c{i}.weight"].shape[:2]
        module.add_module(f"c{i}", nn.Conv2d(inputs, outputs, 3, 1 + (i > 0), 1, bias=f"c{i}.bias" in state))
        module.add_module(f"b{i}", nn.BatchNorm2d(outputs))
        module.add_module(f"relu{i}", nn.ReLU())
    module.add_module("pool", nn.AdaptiveAvgPool2d(1))
    module.add_module("flatten", nn.Flatten())
    classes, features = state["fc.weight"].shape
    module.add_module("fc", nn.Linear(features, classes))
    module.load_state_dict(state)
    return module.eval().requires_grad_(False)
