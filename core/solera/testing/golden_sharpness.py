"""Fixtures of sharpness: closed forms on a quadratic bowl, and what was computed on a small network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from solera.probes.objective import Part
from solera.probes.subject import Probed, Subject
from solera.testing.golden_analysis import AnalysisCase, Findings
from solera.testing.golden_hessian import net_subject
from solera.testing.golden_networks import numbers_of, probe, subject_of
from solera.testing.goldens import Unsupported

#: Ascents on a bowl, so that every corner of a small box is found.
_STARTS = 24


class Bowl:
    """``loss0 + d^T H d / 2`` around a place, as an objective of one sample."""

    def __init__(self, theta: Tensor, hessian: Tensor, loss0: float) -> None:
        self.theta, self._hessian, self._loss0 = theta, hessian, loss0
        self.count = 1
        self.parts = (Part("w", slice(0, theta.numel()), tuple(theta.shape)),)

    def loss(self, theta: Tensor, rows: slice | None = None) -> float:
        """The height."""
        gap = theta - self.theta
        return self._loss0 + float(gap @ self._hessian @ gap) / 2

    def gradient(self, theta: Tensor, rows: slice | None = None) -> Tensor:
        """The slope."""
        return self._hessian @ (theta - self.theta)

    def hvp(self, theta: Tensor, vector: Tensor, rows: slice | None = None, **_: Any) -> Tensor:
        """The curvature along a vector."""
        return self._hessian @ vector


class Bowls(Subject):
    """A subject whose only model is a bowl."""

    bowl: Bowl

    def objectives(self, **_: Any) -> Iterator[Any]:
        """The bowl."""
        yield 0, "bowl", self.bowl, self.bowl.loss(self.bowl.theta)


class Drawn(Subject):
    """A subject whose normal numbers are those that a case stores, row by row."""

    noise: Tensor

    def normal(self, name: str, count: int) -> Tensor:
        """The row of the draw that a name ends with, for what is stored."""
        told = re.search(r"/noise/(\d+)$", name)
        if told is None or int(told[1]) >= len(self.noise) or self.noise.shape[1] != count:
            return super().normal(name, count)
        return self.noise[int(told[1])].double()


def run_bowl(case: AnalysisCase, found: Findings) -> None:
    """Closed forms: worst case in balls and boxes, averages over noise and spheres, Keskar's sharpness.

    Raises:
        Unsupported: The case is of another form.
    """
    if not {"theta0", "H"} <= set(case.arguments):
        raise Unsupported(f"a case of the form {sorted(case.facts)}")
    theta, hessian = (torch.tensor(case.arguments[key], dtype=torch.float64) for key in ("theta0", "H"))
    told = re.search(r"L0\s*=\s*([\d.]+)", str(case.facts.get("source", "")))
    subject = Bowls([Probed("bowl", {})], subject_of({}).context, examples=lambda: None)  # type: ignore[arg-type, return-value]
    subject.bowl = Bowl(theta, hessian, float(told[1]) if told else 0.0)
    exact = case.tolerance("exact", 1e-10)
    for key, wanted in case.facts.items():
        if isinstance(wanted, Mapping) and key not in ("arguments", "tolerance"):
            _bowl(case, found, subject, key, wanted, exact)


def _bowl(
    case: AnalysisCase, found: Findings, subject: Subject, key: str, wanted: Mapping[str, Any], exact: float
) -> None:
    size = _number_in(key)
    if key.startswith(("worst_", "adaptive_")):
        scale = "weights" if key.startswith("adaptive") else "one"
        norm = "linf" if "linf" in key else "l2"
        result, _ = _worst(case, subject, rho=size, norm=norm, scale=scale)
        found.near(key, numbers_of(result, "sharpness")[0], wanted["value"], exact)
    elif key.startswith("avg_"):
        how = {"where": "sphere" if "sphere" in key else "gaussian", "adaptive": "adaptive" in key, "size": size}
        result, _ = probe(case, "average_sharpness", subject, draws=400, second_order=True, dtype="float64", **how)
        found.near(key, numbers_of(result, "second_order")[0], wanted["value"], exact)
        error = float(result.errors[0, 0])
        found.near(f"{key}, drawn", numbers_of(result, "sharpness")[0], wanted["value"], 4 * error, estimate=True)
    elif key.startswith("keskar"):
        result, _ = _worst(case, subject, rho=size, norm="linf", scale="weights_plus_one")
        found.near(f"{key} max_increase", numbers_of(result, "sharpness")[0], wanted["max_increase"], exact)
        found.near(f"{key} phi_percent", numbers_of(result, "percent")[0], wanted["phi_percent"], 100 * exact)
    else:
        found.left.append(key)


def _worst(case: AnalysisCase, subject: Subject, **how: Any) -> Any:
    return probe(case, "worst_sharpness", subject, starts=_STARTS, steps=60, dtype="float64", **how)


def _number_in(key: str) -> float:
    """``0.1`` of ``"worst_l2_rho0p1"``, ``0.001`` of ``"keskar_eps_1e3"`` (the minus has no place in a name)."""
    plain = re.search(r"(\d+)p(\d+)$", key)
    if plain:
        return float(f"{plain[1]}.{plain[2]}")
    power = re.search(r"(\d+)e(\d+)$", key)
    if power:
        return float(power[1]) * 10.0 ** -int(power[2])
    raise Unsupported(f"no size is told in '{key}'")


def run_network(case: AnalysisCase, found: Findings) -> None:
    """Sharpness of a small network: one step, groups, worst case, averages over stored noise.

    Raises:
        Unsupported: The case is of another form.
    """
    values = case.facts.get("values")
    if not isinstance(values, Mapping) or not any(str(key).startswith("sam_") for key in values):
        raise Unsupported(f"a case of the form {sorted(case.facts)}")
    told = re.search(r"\b(\w+/\w+)\b\s*$", str(case.facts.get("source", "")))
    data = told[1] if told else "hessian/tiny_tanh"
    subject = net_subject(case, data, Drawn)
    assert isinstance(subject, Drawn)
    subject.noise = case.tensors().get("noise", torch.empty(0, 0))
    for key, wanted in values.items():
        if key.startswith("sam_"):
            _sam(case, found, subject, key, wanted)
        elif key.startswith("m_sharpness"):
            rho = float(re.search(r"rho([\d.]+)$", key)[1])  # type: ignore[index]
            for m, value in wanted.items():
                result, _ = probe(case, "sam_sharpness", subject, rho=rho, m=int(m), dtype="float64")
                found.near(f"m {m}", numbers_of(result, "sharpness")[0], value, case.tolerance("sam", 1e-8))
        elif key.startswith("worst_case_l2"):
            for rho, value in wanted.items():
                how: dict[str, Any] = {"starts": 3, "steps": 40, "dtype": "float64"}
                result, _ = probe(case, "worst_sharpness", subject, rho=float(rho), **how)
                found.at_least(f"worst case, rho {rho}", numbers_of(result, "sharpness")[0], value * (1 - 1e-3))
        elif key == "gaussian_avg":
            for sigma, each in wanted.items():
                _gaussian(case, found, subject, float(sigma), each)
        else:
            found.left.append(key)


def _sam(case: AnalysisCase, found: Findings, subject: Subject, key: str, wanted: Mapping[str, float]) -> None:
    told = re.search(r"adaptive=(\w+)_rho=([\d.]+)", key)
    if told is None:
        raise Unsupported(f"'{key}' does not say how it was measured")
    result, _ = probe(case, "sam_sharpness", subject, adaptive=told[1] == "True", rho=float(told[2]), dtype="float64")
    names = {"eps_norm": "step", "eps_norm_in_T": "relative_step", "loss": "perturbed", "sharpness": "sharpness"}
    for name, value in wanted.items():
        if name == "eps_norm_in_T" and told[1] != "True":
            continue  # plain steps are measured plainly
        found.near(f"{key} {name}", numbers_of(result, names[name])[0], value, case.tolerance("sam", 1e-8))


def _gaussian(case: AnalysisCase, found: Findings, subject: Drawn, sigma: float, wanted: Mapping[str, float]) -> None:
    draws = len(subject.noise)
    for name, antithetic in (("mean", False), ("antithetic", True)):
        if name in wanted:
            how: dict[str, Any] = {"size": sigma, "draws": draws, "antithetic": antithetic, "dtype": "float64"}
            result, _ = probe(case, "average_sharpness", subject, **how)
            got = numbers_of(result, "sharpness")[0]
            found.near(f"sigma {sigma:g} {name}", got, wanted[name], case.tolerance("gaussian", 1e-9))
    if "second_order" in wanted:
        size = int(subject.noise.shape[1])
        how = {"size": sigma, "draws": size, "antithetic": False, "second_order": True, "dtype": "float64"}
        result, _ = probe(case, "average_sharpness", subject, **how)
        got = numbers_of(result, "second_order")[0]
        found.near(f"sigma {sigma:g} second_order", got, wanted["second_order"], case.tolerance("gaussian", 1e-9))
