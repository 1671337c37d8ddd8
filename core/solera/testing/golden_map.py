"""Fixtures of MAP: its quadratic surrogates, its sampling and bins, its search for a front."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from solera.errors import InputError
from solera.landscapes import genetic, map_published
from solera.landscapes.map_published import front_of
from solera.landscapes.pareto import hypervolume
from solera.landscapes.quadratic import Link, LinkedQuadratic, fit_linked
from solera.testing.golden_analysis import AnalysisCase, Findings
from solera.testing.goldens import Unsupported

_LINKS: dict[str, Link] = {"identity": "identity", "sigmoid": "sigmoid", "softplus": "softplus"}


def run_surrogate(case: AnalysisCase, found: Findings) -> None:
    """A quadratic under a link, fitted to points: predictions, and an error no larger than the source's."""
    arrays, hyper = _arrays(case), case.facts.get("hyper") or {}
    link = _LINKS.get(str(hyper.get("activation")))
    if link is None or "in.X" not in arrays:
        raise Unsupported(f"a surrogate of the form {sorted(hyper)}")
    if case.facts.get("expected_error"):
        try:
            fit_linked(arrays["in.X"], arrays["in.y"], link)
        except InputError:
            found.equal("what too few points give", "an error", "an error")
            return
        found.equal("what too few points give", "a fit", "an error")
        return
    fit = fit_linked(arrays["in.X"], arrays["in.y"], link)
    within = case.tolerance("pred", 1e-5)
    found.near("pred_train", fit(arrays["in.X"]), arrays["out.pred_train"], within)
    found.near("pred_test", fit(arrays["in.X_test"]), arrays["out.pred_test"], within)
    found.at_most("sse", fit.error, float(arrays["out.sse"]) * (1 + 1e-3) + 1e-12)


def run_bayesian(case: AnalysisCase, found: Findings) -> None:
    """Hyperspherical coordinates, bins' probabilities, a preference's pick, the first sample."""
    arrays, within = _arrays(case), case.tolerance("atol", 1e-12)
    if "out.phi" in arrays:
        radii, angles = map_published.hyperspherical(arrays["in.X"])
        found.near("r", radii, arrays["out.r"], within)
        found.near("phi", angles, arrays["out.phi"], within)
        if "out.roundtrip" in arrays:
            found.near("roundtrip", map_published.cartesian(radii, angles), arrays["out.roundtrip"], within)
    elif "out.prob" in arrays:
        temperature = float((case.facts.get("hyper") or {}).get("temperature", 0.07))
        found.near("prob", map_published.probabilities(arrays["in.scores"], temperature), arrays["out.prob"], within)
    elif "in.preference" in arrays:
        for name, higher in (("high", True), ("low", False)):
            row = map_published.preferred(arrays["in.pareto_points"], arrays["in.preference"], higher=higher)
            found.near(f"picked_{name}", arrays["in.decision"][row], arrays[f"out.picked_{name}"], within)
    elif "in.n" in arrays:
        _same_structure(arrays["out.points"], int(arrays["in.n"][0]), found)
    else:
        raise Unsupported(f"a case of the form {sorted(arrays)}")


def run_nsga3(case: AnalysisCase, found: Findings) -> None:
    """Reference points, and a front whose hypervolume is the source's."""
    arrays, hyper = _arrays(case), case.facts.get("hyper") or {}
    if "out.ref" in arrays:
        wanted = arrays["out.ref"]
        got = genetic.reference_points(wanted.shape[1], [int(p) for p in arrays["in.p"]], (1.0, 0.5))
        found.near("reference points", got, wanted, case.tolerance("atol", 1e-12))
        return
    if "in.params" not in arrays:
        raise Unsupported(f"a front of the form {sorted(hyper)}")
    models = [LinkedQuadratic(row, "sigmoid", 0.0) for row in arrays["in.params"]]
    low, high = (np.full(arrays["out.decision"].shape[1], bound, dtype=np.float64) for bound in hyper["bounds"])
    made = [
        genetic.nsga3(lambda points: -front_of(models, points), low, high, np.random.default_rng(seed))
        for seed in range(3)
    ]
    volume = hypervolume(-arrays["out.points"], np.zeros(len(models)))
    volumes = [hypervolume(values, np.zeros(len(models))) for _, values in made]
    found.near("hypervolume", float(np.median(volumes)), volume, 0.01 * volume)
    inside = all((points >= low).all() and (points <= high).all() for points, _ in made)
    found.equal("whether all points lie within the bounds", inside, True)


def _same_structure(theirs: NDArray[np.float64], n: int, found: Findings) -> None:
    """Both samples hold the models alone, equal ones, and points of the same grid but those that are left out."""
    tasks = theirs.shape[1]
    ours = map_published.sample(tasks, n, np.random.default_rng(0))
    for name, points in (("theirs", theirs), ("ours", ours)):
        rows = {tuple(np.round(row, 9)) for row in points}
        found.equal(f"models alone ({name})", all(tuple(row) in rows for row in np.eye(tasks)), True)
        found.equal(f"equal ones ({name})", bool((np.ptp(points, axis=1) < 1e-9).any()), True)
        found.equal(f"inside ({name})", bool((points >= 0).all() and (points <= 1).all()), True)
    per_axis = int(np.ceil((n / 0.5) ** (1 / tasks) - 1e-9))
    grid = np.array(list(itertools.product(np.linspace(0, 1, per_axis), repeat=tasks)))
    known = {tuple(np.round(row, 9)) for row in grid[map_published.on_grid(grid)]}
    from_grid = [sum(tuple(np.round(row, 9)) in known for row in points) for points in (theirs, ours)]
    found.at_least("points off the grid (ours)", from_grid[1], from_grid[0] - 1)


def _arrays(case: AnalysisCase) -> dict[str, NDArray[np.float64]]:
    return {name: np.asarray(tensor.double().numpy()) for name, tensor in case.tensors().items()}
