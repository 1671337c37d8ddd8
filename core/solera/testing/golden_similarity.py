"""Fixtures of similarity: CKA of given representations, ranks of given matrices, distance in function space."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.probes.subject import Probed, Subject
from solera.testing.golden_analysis import AnalysisCase, Findings
from solera.testing.golden_networks import ACTIVATIONS, chain, layers_of, numbers_of, probe, subject_of
from solera.testing.goldens import Unsupported


class Given(nn.Module):
    """A network whose representation of sample i is row i of what it holds."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows.double())

    def forward(self, index: Tensor) -> Tensor:
        """The rows of these samples."""
        found: Tensor = self.rows[index]  # type: ignore[index]
        return found


def _of_rows(**sides: Tensor) -> Subject:
    count = len(next(iter(sides.values())))
    return subject_of({name: Given(rows) for name, rows in sides.items()}, torch.arange(count))


def run_cka(case: AnalysisCase, found: Findings) -> None:
    """CKA in its variants, of two stored representations.

    Raises:
        Unsupported: The case is of another form.
    """
    values = case.facts.get("values")
    if not isinstance(values, Mapping) or not any(re.match("(biased|debiased)_|minibatch", str(key)) for key in values):
        raise Unsupported(f"a case of the form {sorted(case.facts)}")
    tensors = case.tensors()
    exact = case.tolerance("exact", 1e-9)
    for key, wanted in values.items():
        if isinstance(wanted, Mapping):
            sides = {name.rpartition("_")[2]: rows for name, rows in tensors.items() if name.startswith(key[:3])}
            for estimator, value in wanted.items():
                if estimator in ("biased", "debiased") and len(sides) == 2:
                    found.near(f"{key} {estimator}", _cka(case, sides, estimator=estimator), value, exact)
            continue
        how = _variant(str(key))
        if how is None:
            found.left.append(str(key))
            continue
        measure = how.pop("measure", "cka")
        sides = {name: tensors[name] for name in ("X", "Y")}
        if how.pop("rotated", False):
            turn = torch.linalg.qr(torch.arange(1.0, sides["X"].shape[1] ** 2 + 1).double().sin().view(
                sides["X"].shape[1], -1)).Q  # fmt: skip
            sides["X"] = 2.5 * sides["X"].double() @ turn
        found.near(str(key), _cka(case, sides, measure=measure, **how), wanted, exact * max(abs(float(wanted)), 1.0))


def _variant(key: str) -> dict[str, Any] | None:
    """The parameters that a number's name stands for; None where there is no counterpart."""
    if key.startswith("biased_mean_of_batches"):
        return None  # the mean of ratios, which is no estimate of the ratio
    told = re.fullmatch(r"(biased|debiased)_(gram|feature)", key)
    if told:
        return {"estimator": told[1]}
    told = re.fullmatch(r"minibatch_(\d+)", key)
    if told:
        return {"estimator": "debiased", "batch": int(told[1])}
    told = re.fullmatch(r"rbf_(\d+)p(\d+)", key)
    if told:
        return {"estimator": "biased", "kernel": "rbf", "width": float(f"{told[1]}.{told[2]}")}
    if key == "hsic1_full":
        return {"estimator": "debiased", "measure": "hsic"}
    return {"estimator": "biased", "rotated": True} if key == "invariance_rotation_scale" else None


def _cka(case: AnalysisCase, sides: Mapping[str, Tensor], measure: str = "cka", **how: Any) -> float:
    result, _ = probe(case, "cka", _of_rows(**sides), dtype="float64", **how)
    return float(result.grid(measure)[0, 1])


#: What the cases call our measures of a matrix.
_RANKS = {
    "effective_rank": "effective_rank", "per": "proportional", "stable_rank": "stable_rank",
    "nuclear_over_spectral": "nuclear_over_spectral", "entropy_of_squared": "entropy_rank",
    "participation_ratio": "participation", "numerical_rank": "numerical_rank", "per_authors": "proportional",
}  # fmt: skip


def run_ranks(case: AnalysisCase, found: Findings) -> None:
    """Effective and other ranks of stored matrices.

    Raises:
        Unsupported: The case is of another form.
    """
    values = case.facts.get("values")
    if not isinstance(values, Mapping) or not any(
        isinstance(each, Mapping) and "effective_rank" in each for each in values.values()
    ):
        raise Unsupported(f"a case of the form {sorted(case.facts)}")
    tensors = {name: tensor for name, tensor in case.tensors().items() if tensor.ndim >= 2}
    subject = Subject([Probed("model", MemoryCheckpoint.from_state_dict(tensors, "model"))], QuietContext())
    result, _ = probe(case, "matrix_ranks", subject)
    labels = result.axes[1].labels
    exact = case.tolerance("effective_rank", 1e-6)
    for name, wanted in values.items():
        if not isinstance(wanted, Mapping) or name not in labels:
            continue
        row = labels.index(name)
        for key, value in wanted.items():
            if key == "top3":
                got = [result.grid(f"top_{k + 1}")[0, row] for k in range(len(value))]
                found.near(f"{name} top3", got, value, exact, exact)
            elif key in _RANKS:
                loose = case.tolerance("per_authors", 1e-4) if key == "per_authors" else exact
                found.near(f"{name} {key}", float(result.grid(_RANKS[key])[0, row]), value, loose, loose)
            else:
                found.left.append(f"{name} {key}")


def run_distance(case: AnalysisCase, found: Findings) -> None:
    """Distance in function space of two perceptrons: exact, linearised, with old gates, LAFTR, KL.

    Raises:
        Unsupported: The case is of another form.
    """
    facts, tensors = case.facts, case.tensors()
    if "true_fsd" not in facts or "X" not in tensors:
        raise Unsupported(f"a case of the form {sorted(facts)}")
    nets = {side: chain(_layers(tensors, side), ACTIVATIONS["relu"]) for side in ("p0", "p1")}
    subject = subject_of(nets, tensors["X"], chunk=128)
    result, _ = probe(case, "function_space_distance", subject, laftr=True, diagonal=True, draws=60000, dtype="float64")
    ours = {
        "true_fsd": "distance", "ntk_linearised": "linearised", "fixed_gates_on_data": "gates", "kl": "kl",
        "softmax_normalised_true": "softmax", "diag_gauss_newton": "diagonal",
    }  # fmt: skip
    for key, measure in ours.items():
        if key in facts:
            found.near(key, float(result.grid(measure)[0, 1]), facts[key], case.tolerance("exact", 1e-9))
    if "laftr_stochastic_mean" in facts:
        got, error = (float(result.grid("laftr", errors=each)[0, 1]) for each in (False, True))
        spread = (error**2 + float(facts.get("laftr_stochastic_se", 0.0)) ** 2) ** 0.5
        found.near("laftr_stochastic_mean", got, facts["laftr_stochastic_mean"], 4 * spread, estimate=True)
    known = {*ours, "laftr_stochastic_mean", "laftr_stochastic_se"}
    found.left += [key for key, value in facts.items() if isinstance(value, float) and key not in known]


def _layers(tensors: Mapping[str, Tensor], side: str) -> list[tuple[Tensor, Tensor | None]]:
    """Weights and biases of a perceptron whose tensors are numbered, ``p0.0`` a weight and ``p0.1`` its bias."""
    if f"{side}.0" not in tensors:
        return layers_of(tensors, f"{side}.")
    layers: list[tuple[Tensor, Tensor | None]] = []
    while f"{side}.{2 * len(layers)}" in tensors:
        at = 2 * len(layers)
        layers.append((tensors[f"{side}.{at}"], tensors.get(f"{side}.{at + 1}")))
    return layers


def run_dimension(case: AnalysisCase, found: Findings) -> None:
    """Functional dimension of small ReLU networks.

    Raises:
        Unsupported: The case is of another form.
    """
    cases = case.facts.get("cases")
    if not isinstance(cases, list) or not all("rank" in each and "weights" in each for each in cases):
        raise Unsupported(f"a case of the form {sorted(case.facts)}")
    arrays = case.tensors()
    for each in cases:
        weights = {name: torch.tensor(rows, dtype=torch.float64) for name, rows in each["weights"].items()}
        net = chain(layers_of(weights), ACTIVATIONS["relu"])
        subject = subject_of({"net": net}, arrays[each["key"]], chunk=64)
        result, _ = probe(case, "functional_dimension", subject)
        got = {name: numbers_of(result, name)[0] for name in ("rank", "parameters", "bound", "smallest", "next")}
        what = "-".join(map(str, each["arch"])) + (" with a dead unit" if each.get("dead_unit") else "")
        found.equal(f"{what} rank", got["rank"], float(each["rank"]))
        for key, name in (("params", "parameters"), ("upper_bound", "bound")):
            if key in each:
                found.equal(f"{what} {name}", got[name], float(each[key]))
        if "gap" in each:
            found.near(f"{what} gap", got["smallest"], each["gap"][0], 1e-9, 1e-9)
            found.at_most(f"{what} rest", got["next"], 1e-10 * got["smallest"])
