"""The search benchmark: what it counts, what it says, on problems that cost nothing."""

import math

import numpy as np
import pytest

from solera.testing import bench_search
from solera.testing.bench import report
from solera.testing.bench_search import Curve, Method, rows, search
from solera.testing.bench_search_page import chart, text, write_page


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            bench_search,
            "METHODS",
            (
                Method("MAP", "map", {}, lambda d: 40),
                Method("NSGA-II", "pareto", {"sampler": "nsga2"}, lambda d: 60),
                Method("random", "pareto", {"sampler": "random"}, lambda d: 40),
            ),
        )
        names = [name for name, _ in bench_search._problems(folder, print)[:2]]
        return search(lambda said: None, folder=folder, seeds=3, only=names)


def test_shares_grow_and_are_of_the_best_that_is_known(curves):
    assert [(curve.problem.partition(",")[0], curve.method) for curve in curves] == [
        (problem, method) for problem in ("waves", "noise") for method in ("MAP", "NSGA-II", "random")
    ]
    for curve in curves:
        assert (np.diff(curve.shares, axis=1) > -1e-12).all()
        assert curve.shares.max() <= 1 + 1e-12
        for share, needed in curve.needed.items():
            for row, n in zip(curve.shares, needed, strict=True):
                assert math.isinf(n) == (row.max() < share)
                assert math.isinf(n) or (row[int(n) - 1] >= share and (n == 1 or row[int(n) - 2] < share))


def test_surrogates_beat_chance_under_noise(curves):
    by = {(curve.problem.partition(",")[0], curve.method): curve for curve in curves}
    assert np.median(by["noise", "MAP"].shares[:, -1]) > np.median(by["noise", "random"].shares[:, -1])
    assert by["noise", "MAP"].thought < 0.05


def made(problem, method, needed, n=100):
    shares = np.tile(np.linspace(0.5, 0.98, n), (3, 1))
    return Curve(problem, method, shares, {0.97: needed, 0.99: needed}, 0.004)


def test_promises_are_judged_by_the_median_and_what_was_not_reached_is_a_miss():
    curves = [
        made("digits, 4 coordinates", "MAP", (44.0, 40.0, math.inf)),
        made("digits, 4 coordinates", "NSGA-II", (math.inf,) * 3, 200),
        made("digits, 2 coordinates, error rates", "MAP", (math.inf,) * 3),
        made("digits, 2 coordinates, error rates", "NSGA-II", (math.inf,) * 3),
    ]
    judged = {(row.case, row.metric): row for row in rows(curves)}
    first = judged["digits, 4 coordinates", "evaluations to 97%"]
    assert (first.ours, first.target, first.met) == (44, 48, True)
    beside = judged["digits, 4 coordinates", "evaluations to 97%, beside NSGA-II"]
    assert (beside.peer, beside.ratio, beside.met) == (200, 0.22, True)
    assert judged["digits, 2 coordinates, error rates", "evaluations to 97%"].target is None
    assert judged["digits, 2 coordinates, error rates", "share at 100 evaluations below NSGA-II's"].met


def test_the_page_has_a_table_and_a_chart_and_names_what_was_missed(tmp_path):
    curves = [
        made("digits, 4 coordinates", "MAP", (90.0,) * 3),
        made("digits, 4 coordinates", "NSGA-II", (math.inf,) * 3),
    ]
    plain = {**report("search", rows(curves)), "curves": [curve.to_plain() for curve in curves]}
    said = text(plain, "search.svg")
    assert "| digits, 4 coordinates | MAP | 90 (90-90) |" in said
    assert ">100 (>100->100)" in said
    assert "**no**" in said
    drawn = chart(plain["curves"])
    assert drawn.count("<polyline") == 2
    write_page(plain, tmp_path / "search.md")
    assert (tmp_path / "search.svg").read_text() == drawn
