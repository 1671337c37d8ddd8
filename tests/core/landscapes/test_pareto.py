"""Pareto sets against brute force."""

import itertools
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import InputError
from solera.landscapes.pareto import contributions, hypervolume, membership, nondominated, ranks
from solera.tasks.scores import Column, Score, aggregate

GOLDEN = json.loads((Path(__file__).parent / "golden" / "pareto.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{len(case['ref'])} objectives")
def test_golden(case):
    points, reference, tolerance = np.array(case["points"]), case["ref"], GOLDEN["tolerance"]
    assert np.flatnonzero(nondominated(points)).tolist() == case["nondominated"]
    assert hypervolume(points, reference) == pytest.approx(case["hypervolume"], abs=tolerance)
    assert contributions(points, reference) == pytest.approx(np.array(case["hv_contribution"]), abs=tolerance)


def covered(points: list[tuple[int, ...]], reference: tuple[int, ...]) -> int:
    """Unit cubes covered, counted one by one."""
    cells = itertools.product(*(range(limit) for limit in reference))
    return sum(any(all(p <= c for p, c in zip(point, cell, strict=True)) for point in points) for cell in cells)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4).flatmap(lambda m: st.lists(st.tuples(*[st.integers(0, 6)] * m), min_size=1, max_size=9)))
def test_counted_by_unit_cubes(points):
    reference = (5,) * len(points[0])
    assert hypervolume(points, reference) == pytest.approx(covered(points, reference), abs=1e-9)
    slow = [
        not any(all(a <= b for a, b in zip(q, p, strict=True)) and q != p for q in points) for p in points
    ]  # fmt: skip
    assert nondominated(points).tolist() == slow
    for i, lost in enumerate(contributions(points, reference)):
        rest = points[:i] + points[i + 1 :]
        assert lost == pytest.approx(covered(points, reference) - covered(rest, reference), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5).flatmap(lambda m: st.lists(st.tuples(*[st.integers(0, 5)] * m), max_size=25)))
def test_ranks_are_the_fronts_that_can_be_taken_off(points):
    def beats(q, p):
        return q != p and all(a <= b for a, b in zip(q, p, strict=True))

    left, level, want = list(range(len(points))), 0, [0] * len(points)
    while left:
        front = [i for i in left if not any(beats(points[j], points[i]) for j in left)]
        for i in front:
            want[i] = level
        left, level = [i for i in left if i not in front], level + 1
    table = np.array(points, dtype=float) if points else np.empty((0, 2))
    assert ranks(table).tolist() == want
    assert nondominated(table).tolist() == [level == 0 for level in want]


@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_volume_by_inclusion_and_exclusion(m):
    points, corner = np.random.default_rng(m).random((9, m)), np.full(m, 1.1)
    total = 0.0
    for k in range(1, 10):
        for some in itertools.combinations(range(9), k):
            total -= (-1) ** k * float(np.prod(corner - points[list(some)].max(axis=0)))
    assert hypervolume(points, corner) == pytest.approx(total, rel=1e-10)


def hundred_thousand(m: int) -> list[np.ndarray]:
    """Draws, a front of nothing but front, and one chain."""
    generator = np.random.default_rng(m)
    sphere = -np.abs(generator.standard_normal((100_000, m)))
    line = np.linspace(0, 1, 100_000)
    along = np.stack([line] * (m - 1) + [1 - line if m == 2 else line], axis=1)
    return [generator.random((100_000, m)), sphere / np.linalg.norm(sphere, axis=1, keepdims=True), along]


@pytest.mark.heavy
@pytest.mark.parametrize("points", hundred_thousand(2), ids=["draws", "sphere", "line"])
def test_full_ranks_of_a_hundred_thousand_points_within_a_second(points):
    began = time.process_time()
    found = ranks(points)
    assert time.process_time() - began < 1
    assert (found >= 0).all()


@pytest.mark.heavy
@pytest.mark.parametrize("points", hundred_thousand(3), ids=["draws", "sphere", "line"])
def test_the_front_of_a_hundred_thousand_points_with_three_objectives_within_a_second(points):
    began = time.process_time()
    found = nondominated(points)
    assert time.process_time() - began < 1
    assert found.any()


def test_nan_is_on_no_front_and_covers_nothing():
    points = [(0.0, math.nan), (0.5, 0.5), (math.nan, math.nan), (math.inf, 0.1)]
    assert nondominated(points).tolist() == [False, True, False, True]
    assert hypervolume(points, (1, 1)) == 0.25
    assert hypervolume([(math.nan, 0)], (1, 1)) == 0
    assert nondominated(np.empty((0, 2))).tolist() == []


def test_shapes_are_checked():
    with pytest.raises(InputError, match="table"):
        nondominated([1.0, 2.0])
    with pytest.raises(InputError, match="2 objectives, the points 3"):
        hypervolume([(1.0, 2.0, 3.0)], (1, 1))


def scored(metric: str, centre: float, seed: int) -> Score:
    """Samples that share their noise, so that pairing takes it away."""
    shared = np.random.default_rng(0).normal(0, 1.0, 400)
    own = np.random.default_rng(seed).normal(0, 0.01, 400)
    return aggregate(Column("task", metric, "report"), centre + shared + own)


def test_membership_is_judged_by_paired_differences():
    rows = [
        (scored("cross_entropy", 0.00, 1), scored("accuracy", 0.50, 2)),
        (scored("cross_entropy", 0.50, 3), scored("accuracy", 0.90, 4)),
        (scored("cross_entropy", 0.60, 5), scored("accuracy", 0.80, 6)),
        (scored("cross_entropy", 1e-5, 7), scored("accuracy", 0.50, 8)),
    ]
    assert rows[0][0].stderr > 0.04  # far more than what tells the points apart
    assert membership(rows) == ("possible", "front", "dominated", "possible")
    assert membership(rows[:2]) == ("front", "front")
    assert membership(rows[:1]) == ("front",)
    assert membership([]) == ()


def test_a_model_without_a_score_takes_nobody_from_the_front():
    rows = [
        (scored("cross_entropy", 0.00, 1), scored("accuracy", 0.50, 2)),
        (scored("cross_entropy", 0.50, 3), scored("accuracy", 0.90, 4)),
        (scored("cross_entropy", math.nan, 5), scored("accuracy", 0.95, 6)),
        (scored("cross_entropy", math.inf, 7), scored("accuracy", 0.10, 8)),
    ]
    assert membership(rows) == ("front", "front", "dominated", "dominated")
    assert membership([rows[2]]) == ("dominated",)
