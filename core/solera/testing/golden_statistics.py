"""Fixtures of methods that need statistics: Fisher information, its averages, RegMean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.execution.memory import materialise
from solera.methods.coefficients import pairwise_grid
from solera.models.network import Network
from solera.params import PerModel, Value
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe, StatisticNode
from solera.statistics.collect import collect, collector_of
from solera.tasks.examples import Examples
from solera.testing.golden_recipes import find
from solera.testing.goldens import Case, Made, Methods, Tensors, Unsupported


def fisher(case: Case, methods: Methods) -> Made:
    """Fisher information of the authors' small network, averages by it, and the grid of shares."""
    called = str(case.facts.get("called", ""))
    if called.startswith("create_pairwise_grid_coeffs"):
        return _grids(case)
    if called.startswith("compute_fisher_for_model"):
        return _estimate(case)
    if not called.startswith("generate_merged_for_coeffs_set"):
        raise Unsupported(f"a call of '{called}'")
    hyper = case.hyper
    models, importances = _numbered(case, "m"), _numbered(case, "fisher")
    params: dict[str, Value] = {
        "weight": PerModel(tuple(float(share) for share in hyper["coefficients"])),
        "normalize": bool(hyper.get("normalize_fishers", True)),
        "floor": float(hyper.get("fisher_floor", 1e-6)),
        "favor_target": bool(hyper.get("favor_target_model", True)),
    }
    if hyper.get("isometric"):
        importances = [{name: torch.ones_like(t) for name, t in importance.items()} for importance in importances]
    return Made({"": measured_merge("fisher", models, importances, params, methods)})


def _numbered(case: Case, stem: str) -> list[Tensors]:
    """Tensors called ``<stem>0.W``, ``<stem>1.W`` ..., by number."""
    found: dict[int, Tensors] = {}
    for key, tensor in case.inputs.get("", {}).items():
        group, dot, name = key.partition(".")
        if dot and group.removeprefix(stem).isdigit() and group.startswith(stem):
            found.setdefault(int(group.removeprefix(stem)), {})[name] = tensor
    return [found[number] for number in sorted(found)]


def _grids(case: Case) -> Made:
    if "grids" in case.facts:
        return Made({"": {size: _rows(pairwise_grid(int(size))) for size in case.facts["grids"]}})
    return Made({"": {"grid": _rows(pairwise_grid(int(case.hyper["n"])))}})


def _rows(shares: Sequence[tuple[float, float]]) -> Tensor:
    return torch.tensor(shares, dtype=torch.float64)


class _Small(nn.Module):
    """``relu(tanh(x W1 + b1) W2) H``, weights stored (in, out)."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.W1, self.b1, self.W2, self.H = (nn.Parameter(weights[name].clone()) for name in ("W1", "b1", "W2", "H"))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(torch.tanh(x @ self.W1 + self.b1) @ self.W2) @ self.H


def _estimate(case: Case) -> Made:
    given = case.inputs[""]
    if not {"W1", "b1", "W2", "H", "x"} <= set(given):
        raise Unsupported("Fisher information of a network other than the fixtures' own")
    x = given["x"].float()
    examples = Examples(x, torch.zeros(len(x), dtype=torch.int64), int(case.hyper.get("batch", 64)))
    collector = collector_of("fisher", examples, {"labels": "exact"})
    found = collect(Network(_Small(given)), examples, collector, QuietContext())
    return Made({"": {f"fisher_{name}": tensor for name, tensor in found.items()}})


def regmean(case: Case, methods: Methods) -> Made:
    """RegMean as MergeLM has it; Gram matrices are called ``gram_<layer>_m<i>``."""
    hyper = case.hyper
    if "reduce_non_diagonal_ratio" not in hyper:
        raise Unsupported(f"a call of the form {sorted(hyper)}")
    models = case.models
    grams: list[Tensors] = [{} for _ in models]
    for key, tensor in case.inputs.get("", {}).items():
        layer, _, number = key.removeprefix("gram_").rpartition("_m")
        if key.startswith("gram_") and number.isdigit():
            grams[int(number)][f"{layer}.weight"] = tensor
    params: dict[str, Value] = {"off_diagonal": float(hyper["reduce_non_diagonal_ratio"])}
    return Made({"merged": measured_merge("regmean", models, grams, params, methods)})


def measured_merge(
    method: str,
    models: Sequence[Tensors],
    measured: Sequence[Tensors],
    params: Mapping[str, Value],
    methods: Methods,
) -> Tensors:
    """Run a method that needs statistics on whole models, as a user would whose statistics are computed.

    Args:
        method: Its name.
        models: State dicts.
        measured: One statistic per model, by name of tensor.
        params: By name.
        methods: The registered methods.
    """
    kind = find(method, methods).needs
    ids, names = [f"m{i}" for i in range(len(models))], [f"{kind}{i}" for i in range(len(models))]
    nodes: list[Node] = [CheckpointNode(id_, f"memory:{id_}") for id_ in ids]
    nodes += [
        StatisticNode(name, "", model=id_, statistic=kind, task="data") for name, id_ in zip(names, ids, strict=True)
    ]
    nodes.append(MethodNode("merged", method, tuple(ids), "", params, statistics=tuple(names)))
    states = dict(zip([*ids, *names], [*models, *measured], strict=True))
    checkpoints = {id_: MemoryCheckpoint.from_state_dict(state, id_) for id_, state in states.items()}
    return materialise(Recipe(tuple(nodes), "merged"), checkpoints, methods)
