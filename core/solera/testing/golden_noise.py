"""Fixtures of evaluation noise: bootstrap intervals, and the indicators of Pareto sets."""

from __future__ import annotations

import numpy as np

from solera.landscapes import indicators
from solera.landscapes.pareto import contributions, hypervolume, nondominated
from solera.landscapes.resampling import interval, wilson
from solera.tasks.scores import standard_error
from solera.testing.golden_analysis import AnalysisCase, Findings
from solera.testing.goldens import Unsupported


def run_pareto(case: AnalysisCase, found: Findings) -> None:
    """Hypervolume, contributions, distances and epsilon of several sets of points."""
    cases = case.facts.get("cases")
    if not isinstance(cases, list) or not all("hypervolume" in each for each in cases):
        raise Unsupported("no sets of points")
    within = case.tolerance("", 1e-10)
    for each in cases:
        points, reference, front = each["points"], each["ref"], each["reference_front"]
        m = len(reference)
        found.near(f"hypervolume in {m}", hypervolume(points, reference), each["hypervolume"], within)
        found.near(f"contributions in {m}", contributions(points, reference), each["hv_contribution"], within)
        found.equal(f"front in {m}", np.flatnonzero(nondominated(points)).tolist(), each["nondominated"])
        for name, function in (
            ("igd", indicators.inverted_distance), ("igd_plus", indicators.inverted_distance_plus),
            ("gd", indicators.distance), ("eps_additive", indicators.epsilon),
            ("eps_multiplicative", indicators.epsilon_ratio),
        ):  # fmt: skip
            found.near(f"{name} in {m}", function(points, front), each[name], within, within)


def run_bootstrap(case: AnalysisCase, found: Findings) -> None:
    """Intervals of a mean and of a paired difference, with the source's own resamples."""
    facts = case.facts
    if "percentile95" not in facts or "RandomState(100+i)" not in str(case.arguments.get("rng", "")):
        raise Unsupported("resamples that are not described")
    x, y = np.asarray(facts["x"], dtype=np.float64), np.asarray(facts["y"], dtype=np.float64)
    times = int(case.arguments["resamples"])
    draws = [np.random.RandomState(100 + i).randint(0, x.size, x.size) for i in range(times)]
    within = case.tolerance("exact_rng", 1e-12)
    for kind in ("percentile", "basic"):
        got = interval(x, draws, kind="percentile" if kind == "percentile" else "basic")
        found.near(kind, [got.low, got.high], facts[f"{kind}95"], within)
    paired = interval(x - y, draws)
    for name, value in (
        ("mean", float(x.mean())), ("paired_diff", paired.value), ("paired_percentile95", [paired.low, paired.high]),
        ("wilson95", list(wilson(float(x.mean()), x.size))), ("paired_se", standard_error(x - y)),
    ):  # fmt: skip
        found.near(name, value, facts[name], within)
