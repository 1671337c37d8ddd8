"""Fixtures of the Hessian: exact spectrum and trace, and what estimates may differ by."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from solera.probes.subject import Subject
from solera.testing.golden_analysis import AnalysisCase, Findings
from solera.testing.golden_networks import activation_of, chain, layers_of, numbers_of, probe, subject_of
from solera.testing.goldens import Unsupported

#: Random vectors for what is estimated.
_DRAWS = 40


def run_hessian(case: AnalysisCase, found: Findings) -> None:
    """Run one case.

    Raises:
        Unsupported: It is of another form.
    """
    if "eigenvalues" not in case.facts or "trace" not in case.facts:
        raise Unsupported(f"a case of the form {sorted(case.facts)}")
    subject = net_subject(case)
    exact = case.tolerance("exact", 1e-8)
    (size,) = probe(case, "hessian_trace", subject, draws=1, dtype="float64")[0].column("parameters")
    _spectrum(case, found, subject, int(size), exact)
    _traces(case, found, subject, int(size), exact)
    _density(case, found, subject, int(size))
    objective = subject.objective(subject.models[0], dtype="float64")
    if "loss" in case.facts:
        found.near("loss", objective.loss(objective.theta), case.facts["loss"], exact)
    if "grad_norm" in case.facts:
        found.near("grad_norm", float(objective.gradient(objective.theta).norm()), case.facts["grad_norm"], exact)


def net_subject(case: AnalysisCase, data: str = "", cls: type[Subject] = Subject, **more: Any) -> Subject:
    """The network of a case with its samples ``x`` and labels ``y``."""
    tensors = case.tensors(data)
    if not {"x", "y"} <= set(tensors):
        raise Unsupported("the case has no samples x and y")
    net = chain(layers_of(tensors), activation_of(case, "tanh"))
    return subject_of({"net": net}, tensors["x"], tensors["y"], cls=cls, **more)


def _spectrum(case: AnalysisCase, found: Findings, subject: Subject, size: int, exact: float) -> None:
    facts = case.facts
    wanted = sorted(facts["eigenvalues"])
    count = min(10, size // 2)
    full, _ = probe(case, "hessian_eigenvalues", subject, top=count, steps=size, dtype="float64")
    ends = numbers_of(full, "eigenvalue")
    found.near("largest eigenvalues", ends[:count], wanted[::-1][:count], exact)
    found.near("smallest eigenvalues", ends[count:], wanted[:count], exact)
    found.at_most("residual", max(numbers_of(full, "residual")), exact)
    loose = case.tolerance("lanczos_top5_rel", 1e-4)
    few = min(size, 40)
    fast, _ = probe(case, "hessian_eigenvalues", subject, top=5, steps=few, dtype="float32")
    found.near("top 5 in float32", numbers_of(fast, "eigenvalue")[:5], wanted[::-1][:5], 0.0, loose)
    published = (facts.get("pyhessian") or {}).get("top5")
    if published:
        found.near("top 5 as published", ends[: len(published)], published, 0.0, loose)
    for name, block in (facts.get("block") or {}).items():
        told, _ = probe(case, "hessian_eigenvalues", subject, top=1, steps=size, only=name, dtype="float64")
        found.near(f"{name} top", numbers_of(told, "eigenvalue")[0], block["top"], exact)
    if "ggn_top" in facts:
        told, _ = probe(case, "hessian_eigenvalues", subject, top=1, steps=size, matrix="ggn", dtype="float64")
        found.near("ggn_top", numbers_of(told, "eigenvalue")[0], facts["ggn_top"], exact)


def _traces(case: AnalysisCase, found: Findings, subject: Subject, size: int, exact: float) -> None:
    facts = case.facts
    for key, matrix in (("trace", "hessian"), ("ggn_trace", "ggn"), ("empirical_fisher_trace", "fisher")):
        if key in facts:
            told, _ = probe(case, "hessian_trace", subject, draws=size, matrix=matrix, dtype="float64")
            found.near(key, numbers_of(told, "trace"), [facts[key]], exact)
    if "block" in facts:
        told, _ = probe(case, "hessian_layer_traces", subject, draws=size, dtype="float64")
        for name, block in facts["block"].items():
            row = told.axes[1].labels.index(name)
            found.near(f"{name} trace", told.grid("trace")[0, row], block["trace"], exact)
    for key, kind in (("rademacher_var", "signs"), ("gaussian_var", "normal")):
        if key in facts and size > _DRAWS:
            told, _ = probe(case, "hessian_trace", subject, draws=_DRAWS, kind=kind, dtype="float64")
            error = math.sqrt(facts[key] / _DRAWS)
            found.near(f"trace by {kind}", numbers_of(told, "trace"), [facts["trace"]], 4 * error, estimate=True)
            ratio = float(told.errors[0, 0]) / error
            found.near(f"standard error by {kind}, relative", ratio, 1.0, 0.6, estimate=True)


def _density(case: AnalysisCase, found: Findings, subject: Subject, size: int) -> None:
    facts = case.facts
    hessian = case.tensors().get("H")
    if hessian is None or "slq_moments" not in facts:
        return
    vectors = 8
    told, moments = probe(case, "hessian_density", subject, vectors=vectors, steps=30, dtype="float64")
    for power, key in ((1, "mean"), (2, "second")):
        error = math.sqrt(_variance(torch.linalg.matrix_power(hessian.double(), power)) / vectors) / size
        got, wanted = moments[f"moment {power}: net"], facts["slq_moments"][key]
        found.near(f"{key} of the density", got, wanted, 4 * error, estimate=True)
    (places, density), *_ = told.lines("density").values()
    area = float(((density[1:] + density[:-1]) / 2 * (places[1:] - places[:-1])).sum())
    found.near("area under the density", area, 1.0, 1e-2, estimate=True)


def _variance(matrix: Tensor) -> float:
    """Of ``v^T M v`` for a vector of signs."""
    return 2 * float(matrix.square().sum() - matrix.diagonal().square().sum())
