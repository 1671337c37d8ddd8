"""MAP: the trade-offs between merged models from few evaluations, by surrogates that are checked where they point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from solera.api import Ask, Extent, History, InputError, Param, Remark, Seed, Space, front_search, pareto, surrogate
from solera_plugins.explorers.box import Box, corners, named_points, sobol
from solera_plugins.explorers.map_published import Published

Floats = NDArray[np.float64]
Variant = Literal["verified", "plain", "bayesian", "nested"]

#: Points of a round after the first.
ROUND = 8
#: Most coordinates whose cross products are fitted, and most that surrogates are used for at all.
CROSSED, MODELLED = 6, 20
#: Points this near to one another, in shares of the box's diagonal, are the same.
_SAME = 2e-3
#: How an error is said on each scale: of a logarithm it is a share of the objective.
_SPOKEN = {"log": "{0:.2g} %", "logit": "{1:.2g} in log-odds", "identity": "{1:.2g}"}
#: Even draws that a front is looked for from.
_DRAWS = 1024


class Map:
    """Find the trade-offs between objectives by surrogates, from few evaluations.

    ``"verified"`` starts from the named models (base and experts) and even draws, 1.35 points for each coefficient of
    a quadratic; fits each objective by a ridge quadratic of its logarithm (of a share its log-odds; of the objective
    itself, where left-out points are likelier so) and a Gaussian process on what that leaves; and scores what the fit
    promises, eight points a round, always both predicted ends among them. Then it fits again. With each round it says
    the leave-one-out error of the fit, and how wrong the last one was at the new points before it saw them.

    Beyond 6 coordinates cross products are left to the process, for their number grows with the square of the
    coordinates; beyond 20 it refuses.

    The others are MAP as published (Li et al. 2024, arXiv 2406.07529): ``"plain"`` fits once, then scores an even
    choice of the predicted front; ``"bayesian"`` draws where the fit errs, bin by bin of directions, before it fits for
    good; ``"nested"`` merges the two models nearest in score, again and again, with one coordinate and one objective
    for each model.

    It needs no more than an aggregate score.

    Args:
        variant: Which of them.
        points: How many points to score; 0 is twice the coefficients and 50 (nested: as many as it takes).
        preference: For ``"nested"``: how much each objective counts, such as ``"0.5,0.3,0.2"``; equal if empty.
        extrapolate: For the published ones: look for the front in [-3, 3] as the source does, not within the bounds.
    """

    name = "map"

    def __init__(
        self,
        *,
        variant: Annotated[Variant, Param(help="One that verifies and refits, or MAP as published.")] = "verified",
        points: Annotated[int, Param(0, 100_000, help="Points to score; 0 is what the surrogate needs.")] = 0,
        preference: Annotated[str, Param(help="Nested: weights of the objectives, such as 0.5,0.3,0.2.")] = "",
        extrapolate: Annotated[bool, Param(help="Published variants: look beyond the bounds, as the source.")] = False,
    ) -> None:
        self._variant: Variant = variant
        self._points = points
        self._published = Published(variant, points, preference, extrapolate) if variant != "verified" else None
        self._fits: dict[int, _Fit] = {}
        self._fitted: tuple[Space, Seed | None] | None = None

    def plan(self, space: Space) -> Extent:
        """As many points as were asked for, or as the surrogate needs.

        Raises:
            InputError: There are fewer than two objectives, too many coordinates, a choice, or too few points.
        """
        if len(space.objectives) < 2:
            names = ", ".join(space.columns[i].name for i in space.objectives) or "none"
            raise InputError(f"A search for trade-offs needs two objectives or more, from two tasks; got {names}.")
        Box(space)
        d = len(space.coords)
        if d > MODELLED:
            raise InputError(
                f"A surrogate of {d} coordinates needs more points than a genetic search; use pareto (nsga2 or tpe), "
                f"or {MODELLED} coordinates at most.",
                coords=d,
            )
        if self._published is not None:
            return self._published.plan(space)
        first, least = first_round(space), first_round(space) + len(space.objectives)
        total = self._points or 2 * surrogate.coefficients(d, trend_of(d)) + 50
        if total < least:
            raise InputError(
                f"A surrogate of {d} coordinates needs {first} points and {len(space.objectives)} to verify it; "
                f"{total} were given. Give {least} points or more.",
                needed=least,
                points=total,
            )
        named = len(named_points(space))
        return Extent(total, initial=named if named >= 2 else first, rounds=(first, ROUND), least=least)

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The first round's points, then what the surrogates promise."""
        total = self.plan(space).total
        n = n if total is None else min(n, total - len(history))
        if self._published is not None:
            return self._published.ask(space, history, n, seed)
        first = first_round(space)
        if len(history) < first:
            return [Ask(at) for at in _start(space, seed)[len(history) : len(history) + n]]
        return [Ask(at) for at in _proposed(space, self._fit(space, history), n, seed.child("map", str(len(history))))]

    def remark(self, space: Space, history: History) -> Remark:
        """At the end of a round: the leave-one-out error, and the error at the points that were not seen before."""
        if self._published is not None:
            return self._published.remark(space, history)
        first, seen = first_round(space), len(history)
        if seen < first or (seen - first) % ROUND:
            return Remark()
        fit = self._fit(space, history)
        numbers = {f"left-out:{name}": error for name, error in fit.errors(space).items()}
        said = [f"Leave-one-out error of the fit to {seen} points: {_spoken(fit.errors(space), fit)}."]
        if seen > first:
            held = self._fit(space, history.until(seen - ROUND)).held_out(space, history)
            numbers |= {f"held-out:{name}": error for name, error in held.items()}
            said.append(f"At {ROUND} new points the fit before was wrong by {_spoken(held, fit)}.")
        elif trend_of(len(space.coords)) == "squares":
            d = len(space.coords)
            said.append(
                f"With {d} coordinates a full quadratic has {surrogate.coefficients(d)} coefficients; beyond {CROSSED} "
                "only squares and linear terms are fitted, and the process learns the rest."
            )
        return Remark(numbers, " ".join(said))

    def _fit(self, space: Space, history: History) -> _Fit:
        """The fit to a history; the last two are kept."""
        kept = self._fits.get(len(history))
        if kept is None or not kept.of(space, history):
            kept = self._fits[len(history)] = _Fit.to(space, history)
            for old in sorted(self._fits)[:-2]:
                del self._fits[old]
        return kept


def trend_of(coords: int) -> surrogate.Trend:
    """Which terms are fitted to so many coordinates."""
    return "quadratic" if coords <= CROSSED else "squares"


def first_round(space: Space) -> int:
    """Points before the first fit: 1.35 for each coefficient, and at least the named ones."""
    d = len(space.coords)
    return max(math.ceil(1.35 * surrogate.coefficients(d, trend_of(d))), len(named_points(space)) + 1)


def _start(space: Space, seed: Seed) -> list[tuple[float, ...]]:
    """Named models (corners, where there are none), then even draws."""
    named, n = named_points(space), first_round(space)
    known = named if len(named) >= 2 else list(dict.fromkeys([*named, *corners(space)]))
    box = Box(space)
    drawn = [box.point(row) for row in sobol(len(space.coords), n, seed.child("map", "start"))]
    return [*known, *drawn][:n]


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Surrogates of all objectives on one history.

    Attributes:
        space, coords, values: What it was fitted to.
        points: Shape (n, d), in [-1, 1]: the points without a missing value.
        objectives: Shape (n, m), minimised.
        models: One for each objective.
    """

    space: Space
    coords: Floats
    values: Floats
    points: Floats
    objectives: Floats
    models: tuple[surrogate.Surrogate, ...]

    @staticmethod
    def to(space: Space, history: History) -> _Fit:
        objectives = space.minimised(history.values)
        there = np.isfinite(objectives).all(axis=1)
        d = len(space.coords)
        if there.sum() < d + 2:
            raise InputError(
                f"Only {int(there.sum())} of {len(history)} points have a score for every objective; a surrogate "
                f"of {d} coordinates needs {d + 2}. Narrow the bounds to where models work."
            )
        points = 2 * Box(space).shares(history.coords[there]) - 1
        models = tuple(
            surrogate.fit_surrogate(points, y, _transforms(space, column), trend_of(d))
            for column, y in zip(space.objectives, objectives[there].T, strict=True)
        )
        return _Fit(space, history.coords.copy(), history.values.copy(), points, objectives[there], models)

    def of(self, space: Space, history: History) -> bool:
        return (
            space == self.space
            and np.array_equal(self.coords, history.coords)
            and np.array_equal(self.values, history.values, equal_nan=True)
        )

    def __call__(self, points: Floats) -> Floats:
        """Predicted objectives (n, m) of points (n, d) in [-1, 1]."""
        return np.stack([model(points) for model in self.models], axis=1)

    def errors(self, space: Space) -> dict[str, float]:
        names = [space.columns[column].name for column in space.objectives]
        return dict(zip(names, (model.error for model in self.models), strict=True))

    def held_out(self, space: Space, history: History) -> dict[str, float]:
        """Root mean square error, on each surrogate's scale, at the points of a history that this has not seen."""
        new = slice(len(self.coords), None)
        points = 2 * Box(space).shares(history.coords[new]) - 1
        found = {}
        for column, model, y in zip(space.objectives, self.models, space.minimised(history.values[new]).T, strict=True):
            gaps = model.there(points) - model.transform.there(y)
            gaps = gaps[np.isfinite(gaps)]
            found[space.columns[column].name] = float(np.sqrt((gaps**2).mean())) if len(gaps) else math.nan
        return found


def _transforms(space: Space, column: int) -> tuple[surrogate.Transform, ...]:
    count = space.counts[column] if space.counts else space.columns[column].count
    return surrogate.transforms_of(space.columns[column], count)


def _spoken(errors: dict[str, float], fit: _Fit) -> str:
    said = []
    for (name, error), model in zip(errors.items(), fit.models, strict=True):
        said.append(f"{name} {_SPOKEN[model.transform.scale].format(100 * error, error)}")
    return ", ".join(said)


def _proposed(space: Space, fit: _Fit, n: int, seed: Seed) -> list[tuple[float, ...]]:
    """Both predicted ends, then what adds most to the hypervolume, then where the fit knows least."""
    box, d = Box(space), len(space.coords)
    draws = 2 * sobol(d, _DRAWS, seed.child("draws")) - 1
    points, values = front_search.predicted_front(fit, fit.points, draws, seed.child("mutations").numpy())
    seen = fit.objectives[pareto.nondominated(fit.objectives)]
    both = np.vstack([seen, values])
    both = both[pareto.nondominated(both)]
    reference = both.max(axis=0) + 0.1 * np.maximum(np.ptp(both, axis=0), 1e-9)
    picks = _Picks(box, fit.points)
    for end in range(min(len(space.objectives), len(points))):
        picks.take(points[end])
    taken = values[: len(space.objectives)]
    open_ = np.array([picks.fresh(point) for point in points])
    candidates, promised = points[open_], values[open_]
    for place in front_search.greedy_gain(promised, seen, reference, n, taken):
        picks.take(candidates[place])
    if len(picks.found) < n:
        doubt = np.zeros(len(draws))
        for model in fit.models:
            if model.process is not None:
                doubt += model.process.deviation(draws) / model.process.amplitude
        for place in np.argsort(-doubt, kind="stable"):
            if len(picks.found) >= n:
                break
            picks.take(draws[place])
    return picks.found[:n]


class _Picks:
    """Points chosen for a round; none is nearly another, or one that was scored."""

    def __init__(self, box: Box, known: Floats) -> None:
        self._box = box
        self._known = known
        self.found: list[tuple[float, ...]] = []

    def fresh(self, point: Floats) -> bool:
        apart = np.abs(self._known - point).max(axis=1) if len(self._known) else np.array([np.inf])
        return bool(apart.min() > 2 * _SAME)

    def take(self, point: Floats) -> None:
        if self.fresh(point):
            self._known = np.vstack([self._known, point])
            self.found.append(self._box.point((point + 1) / 2))
