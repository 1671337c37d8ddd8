"""MAP as published: fitted once, with points drawn where it errs, or nested pair by pair."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from solera.api import METRICS, Ask, Extent, History, InputError, Remark, Seed, Space, genetic, map_published, quadratic
from solera_plugins.explorers.box import Box, named_points

Floats = NDArray[np.float64]
Models = list[quadratic.LinkedQuadratic]

#: Points of a round of the Bayesian variant, and how many such rounds there are.
_DRAWN, _ROUNDS = 8, 2
#: Points of a pair in the nested variant, the share of them that is isotropic, generations of the front's search.
_PAIR, _GENERATIONS = 20, 25


class Published:
    """The published variants of MAP; coefficients are shares of the way from low to high of each coordinate.

    Args:
        variant: ``"plain"``, ``"bayesian"`` or ``"nested"``.
        points: How many points to score; 0 is what the variant needs and as many as the front's.
        preference: Nested: weights of the objectives.
        extrapolate: Whether the front is looked for in [-3, 3].

    Raises:
        InputError: The preference is no list of numbers above 0.
    """

    def __init__(self, variant: str, points: int, preference: str, extrapolate: bool) -> None:
        self._variant: Literal["plain", "bayesian", "nested"] = variant  # type: ignore[assignment]
        self._points = points
        self._preference = _weights(preference)
        self._reach = (-3.0, 3.0) if extrapolate else (0.0, 1.0)

    def plan(self, space: Space) -> Extent:
        """Where it starts from, what it draws, what it verifies."""
        d, m = len(space.coords), len(space.objectives)
        if self._variant == "nested":
            return self._nested_plan(d, m)
        first = self._first(d)
        drawn = (_DRAWN,) * _ROUNDS if self._variant == "bayesian" else ()
        least = first + sum(drawn) + 1
        total = self._points or first + sum(drawn) + 50
        if total < least:
            raise InputError(
                f"MAP fits {quadratic.coefficients(d)} coefficients to {least - 1} points and verifies what they "
                f"promise; {total} were given. Give {least} points or more.",
                needed=least,
                points=total,
            )
        named = len(named_points(space))
        rounds = (first, *drawn, total - first - sum(drawn), 1)
        return Extent(total, initial=named if named >= 2 else first, rounds=rounds, least=least)

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The points of the round that begins here."""
        d, box = len(space.coords), Box(space)
        if self._variant == "nested":
            return [Ask(box.point(row)) for row in self._nested(space, history, seed)[:n]]
        first = self._first(d)
        if len(history) < first:
            rows = map_published.sample(d, first, seed.child("map", "sample").numpy())
            return [Ask(box.point(row)) for row in rows[len(history) : len(history) + n]]
        shares, models = box.shares(history.coords), _fitted(space, box, history)
        if self._variant == "bayesian" and len(history) < first + _DRAWN * _ROUNDS:
            rows = self._drawn(space, shares, models, history, n, seed.child("map", str(len(history))).numpy())
        else:
            rows = self._promised(space, models, n, seed.child("map", "front").numpy())
        return [Ask(box.point(row)) for row in rows]

    def remark(self, space: Space, history: History) -> Remark:
        """How far the fit is off at the points that verify it."""
        extent = self.plan(space)
        fitted = sum(extent.rounds[:-2]) if self._variant != "nested" else 0
        if not fitted or len(history) != extent.total:
            return Remark()
        box = Box(space)
        models = _fitted(space, box, history.until(fitted))
        gaps = map_published.front_of(models, box.shares(history.coords[fitted:])) - _values(space, history)[fitted:]
        names = [space.columns[column].name for column in space.objectives]
        found = {name: float(np.sqrt(np.nanmean(gap**2))) for name, gap in zip(names, gaps.T, strict=True)}
        said = ", ".join(f"{name} {error:.3g}" for name, error in found.items())
        return Remark(
            {f"held-out:{name}": error for name, error in found.items()},
            f"At the {len(history) - fitted} points of the predicted front the fit was wrong by {said}.",
        )

    def _first(self, d: int) -> int:
        needed = quadratic.coefficients(d)
        return map_published.budget(d) if self._variant == "plain" else needed + max(d, needed // 3)

    def _promised(self, space: Space, models: Models, n: int, generator: np.random.Generator) -> Floats:
        """An even choice of the predicted front."""
        points, values = _front(space, models, self._reach, generator)
        points = np.clip(points, 0.0, 1.0)
        if len(points) <= n:
            return points
        scaled = (values - values.min(axis=0)) / np.maximum(np.ptp(values, axis=0), 1e-12)
        chosen = list(dict.fromkeys(int(i) for i in scaled.argmin(axis=0)))
        while len(chosen) < n:
            apart = np.linalg.norm(scaled[:, None] - scaled[chosen], axis=2).min(axis=1)
            chosen.append(int(np.argmax(apart)))
        return np.asarray(points[chosen])

    def _drawn(
        self, space: Space, shares: Floats, models: Models, history: History, n: int,
        generator: np.random.Generator,
    ) -> Floats:  # fmt: skip
        """Points in the directions where the surrogates err, objective by objective in turn."""
        d, values = len(space.coords), _values(space, history)
        there = np.isfinite(values).all(axis=1) & (shares.sum(axis=1) > 0)
        bins = map_published.bins_of(map_published.hyperspherical(shares[there])[1], d)
        rows = []
        for k in range(n):
            j = k % len(models)
            scores = map_published.bin_scores(bins, models[j](shares[there]) - values[there, j], generator)
            rows.append(map_published.draw(scores, d, 1, generator)[0])
        return np.asarray(np.clip(np.array(rows), 0.0, 1.0))

    # --- nested -----------------------------------------------------------------------------------------------------

    def _nested_plan(self, d: int, m: int) -> Extent:
        if d != m:
            raise InputError(
                f"Nested MAP has one coordinate and one objective for each model; there are {d} coordinates and {m} "
                "objectives."
            )
        if len(self._preference) not in (0, m):
            raise InputError(f"A preference has a number for each of the {m} objectives, not {len(self._preference)}.")
        total = d + (d - 1) * (_PAIR - 2 + 1)
        if self._points and self._points < total:
            raise InputError(f"Nested MAP of {d} models takes {total} points; {self._points} were given.", needed=total)
        return Extent(total, initial=d, rounds=(d, *((_PAIR - 2, 1) * (d - 1)), 1), least=total)

    def _nested(self, space: Space, history: History, seed: Seed) -> Floats:
        """The next round: the models alone; then for each pair what is sampled between them, and what is picked."""
        d = len(space.coords)
        if len(history) < d:
            return np.eye(d)
        values = _values(space, history)
        weights = np.array(self._preference or (1.0,) * d)
        # Coefficients, members, row of the history.
        nodes: list[tuple[Floats, tuple[int, ...], int]] = [(np.eye(d)[i], (i,), i) for i in range(d)]
        at = d
        for stage in range(d - 1):
            alone = [float(np.mean(values[row, list(members)])) for _, members, row in nodes]
            first, second = map_published.nearest_pair(alone)
            pair = (nodes[first], nodes[second])
            basis = np.stack([pair[0][0], pair[1][0]])
            plane = map_published.sample(2, _PAIR, seed.child("map", f"pair{stage}").numpy())
            plane = np.vstack([np.eye(2), plane[~((plane == 0) | (plane == 1)).all(axis=1) | (plane.sum(axis=1) != 1)]])
            if len(history) < at + _PAIR - 2:
                return np.asarray(np.clip(plane[2:] @ basis, 0.0, 1.0))
            rows = [pair[0][2], pair[1][2], *range(at, at + _PAIR - 2)]
            groups = [list(node[1]) for node in pair]
            scores = np.stack([values[rows][:, group].mean(axis=1) for group in groups], axis=1)
            wanted = np.array([weights[group].sum() for group in groups])
            picked = self._picked(space, plane[: len(rows)], scores, wanted, seed.child("map", f"front{stage}").numpy())
            at += _PAIR - 2
            merged = np.clip(picked @ basis, 0.0, 1.0)
            if len(history) < at + 1:
                return np.asarray(merged[None])
            nodes = [node for i, node in enumerate(nodes) if i not in (first, second)]
            nodes.append((merged, pair[0][1] + pair[1][1], at))
            at += 1
        return np.empty((0, d))

    def _picked(
        self, space: Space, plane: Floats, scores: Floats, weights: Floats, generator: np.random.Generator
    ) -> Floats:
        """The point of the predicted front between two models that the preference picks."""
        there = np.isfinite(scores).all(axis=1)
        link, higher = _link(space, space.objectives[0]), _higher(space, space.objectives[0])
        models = [quadratic.fit_linked(plane[there], column, link) for column in scores[there].T]
        points, values = _front_of(models, -1.0 if higher else 1.0, 2, self._reach, generator)
        return np.asarray(points[map_published.preferred(values, weights, higher=False)])


def _fitted(space: Space, box: Box, history: History) -> Models:
    shares, values = box.shares(history.coords), _values(space, history)
    there = np.isfinite(values).all(axis=1)
    return [
        quadratic.fit_linked(shares[there], y, _link(space, column))
        for column, y in zip(space.objectives, values[there].T, strict=True)
    ]


def _values(space: Space, history: History) -> Floats:
    """The objectives as they are, shape (n, m)."""
    return np.asarray(history.values[:, list(space.objectives)])


def _link(space: Space, column: int) -> quadratic.Link:
    kind = METRICS[space.columns[column].metric]
    if kind.low == 0 and kind.high == 1:
        return "sigmoid"
    return "softplus" if kind.low == 0 else "identity"


def _higher(space: Space, column: int) -> bool:
    return METRICS[space.columns[column].metric].better == "higher"


def _front(
    space: Space, models: Models, reach: tuple[float, float], generator: np.random.Generator
) -> tuple[Floats, Floats]:
    signs = np.array([-1.0 if _higher(space, column) else 1.0 for column in space.objectives])
    return _front_of(models, signs, len(space.coords), reach, generator)


def _front_of(
    models: Models, signs: Floats | float, d: int, reach: tuple[float, float],
    generator: np.random.Generator,
) -> tuple[Floats, Floats]:  # fmt: skip
    """The predicted front by NSGA-III: points (k, d) and minimised objectives (k, m)."""
    low, high = (np.full(d, bound) for bound in reach)
    return genetic.nsga3(
        lambda points: signs * map_published.front_of(models, points), low, high, generator, generations=_GENERATIONS
    )


def _weights(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise InputError(f"A preference is written like 0.5,0.3,0.2; got '{text}'.") from error
    if any(not weight > 0 for weight in found):
        raise InputError(f"The weights of a preference are above 0; got '{text}'.")
    return found
