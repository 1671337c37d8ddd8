"""Intervals, places on a front, signal and noise."""

import json
from pathlib import Path

import numpy as np
import pytest

from solera.errors import InputError
from solera.landscapes import indicators
from solera.landscapes.resampling import (
    front_shares,
    interval,
    paired_interval,
    resamples,
    score_interval,
    signal_to_noise,
)  # fmt: skip
from solera.seeds import Seed
from solera.tasks.scores import Column, Score, aggregate, standard_error

GOLDEN = json.loads((Path(__file__).parent / "golden" / "pareto.json").read_text())
COLUMN = Column("t", "cross_entropy", "report", 400)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{len(case['ref'])} objectives")
def test_indicators_of_the_golden(case):
    points, front = case["points"], case["reference_front"]
    assert indicators.inverted_distance(points, front) == pytest.approx(case["igd"], abs=1e-10)
    assert indicators.inverted_distance_plus(points, front) == pytest.approx(case["igd_plus"], abs=1e-10)
    assert indicators.distance(points, front) == pytest.approx(case["gd"], abs=1e-10)
    assert indicators.epsilon(points, front) == pytest.approx(case["eps_additive"], abs=1e-10)
    assert indicators.epsilon_ratio(points, front) == pytest.approx(case["eps_multiplicative"], rel=1e-10)


def test_a_front_is_at_no_distance_from_itself_and_shapes_are_checked():
    front = [[0.0, 1.0], [0.5, 0.2]]
    assert indicators.epsilon(front, front) == indicators.inverted_distance(front, front) == 0
    with pytest.raises(InputError, match="same objectives"):
        indicators.epsilon(front, [[1.0]])
    with pytest.raises(InputError, match="above 0"):
        indicators.epsilon_ratio(front, front)


def test_resamples_of_groups_take_whole_documents():
    groups = np.repeat([5, 2, 9], [3, 1, 2])
    for rows in resamples(6, groups, Seed(0), 50):
        for document in (5, 2, 9):
            taken = np.bincount(rows[groups[rows] == document], minlength=6)[groups == document]
            assert len(set(taken.tolist())) == 1


def test_an_interval_by_document_is_wider_where_documents_differ():
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)
    samples = generator.standard_normal(40)[groups] + 0.1 * generator.standard_normal(400)
    by_document = score_interval(aggregate(COLUMN, samples, groups), Seed(1))
    alone = score_interval(aggregate(COLUMN, samples), Seed(1))
    assert by_document.stderr == pytest.approx(standard_error(samples, groups), rel=0.1)
    assert alone.stderr == pytest.approx(standard_error(samples), rel=0.1)
    assert by_document.high - by_document.low > 2 * (alone.high - alone.low)


def test_paired_differences_leave_out_what_the_samples_share():
    generator = np.random.default_rng(0)
    hard = 3 * generator.random(400)
    a, b = (aggregate(COLUMN, hard + shift + 0.01 * generator.standard_normal(400)) for shift in (0.02, 0.0))
    found = paired_interval(a, b, Seed(0))
    assert 0 < found.low < found.value < found.high < 0.04
    with pytest.raises(InputError, match="no samples in common"):
        paired_interval(a, Score(COLUMN, 1.0, float("nan"), 400), Seed(0))


def test_perplexities_have_intervals_in_their_own_unit():
    nats = np.random.default_rng(0).normal(2.0, 0.5, 400)
    found = score_interval(aggregate(Column("t", "perplexity", "report", 400), nats), Seed(0))
    assert found.low < np.exp(nats.mean()) < found.high
    with pytest.raises(InputError, match="samples"):
        interval([1.0], [])


def test_places_on_a_front_are_shares_of_resamples():
    generator = np.random.default_rng(3)
    hard = generator.random((2, 300))
    columns = [Column("l", "cross_entropy", "report", 300), Column("r", "accuracy", "report", 300)]

    def row(left, right):
        return [aggregate(columns[0], hard[0] + left), aggregate(columns[1], (hard[1] < right).astype(float))]

    rows = [row(0.0, 0.4), row(0.5, 0.9), row(0.6, 0.89), row(0.001, 0.4)]
    shares = front_shares(rows, Seed(0), 200)
    assert shares[0] == shares[1] == 1  # nothing that moves all points alike moves them
    assert shares[2] == 0
    assert shares[3] == 0
    noisy = [aggregate(columns[0], hard[0] + 0.5 * generator.standard_normal(300)) for _ in range(2)]
    both = front_shares([[noisy[0], rows[0][1]], [noisy[1], rows[0][1]]], Seed(0), 400)
    assert both.sum() == pytest.approx(1, abs=0.05)
    assert 0 < both.min() < 1
    bare = [[Score(c, 0.5, float("nan"), 300) for c in columns]]
    np.testing.assert_array_equal(front_shares([*rows, *bare], Seed(0), 200), [*shares, np.nan])
    assert np.isnan(front_shares(bare, Seed(0), 10)).all()


def test_tasks_of_the_same_samples_are_resampled_together():
    generator = np.random.default_rng(4)
    hard, gained = generator.random(200), generator.standard_normal(200)
    columns = [Column(name, "cross_entropy", "report", 200) for name in ("as it is", "mirrored")]
    # What one gains on a sample of one task it loses on the same sample of the other: a trade in every resample.
    rows = [[aggregate(c, hard) for c in columns], [aggregate(c, hard + s * gained) for c, s in zip(columns, (1, -1))]]
    np.testing.assert_array_equal(front_shares(rows, Seed(0), 200, ["digits", "digits"]), [1.0, 1.0])
    assert front_shares(rows, Seed(0), 200).max() < 1


def test_signal_and_noise_by_model_and_as_published():
    generator = np.random.default_rng(0)
    curves = [level + 0.01 * generator.standard_normal(20) for level in (0.4, 0.5, 0.6)]
    own, pooled = signal_to_noise(curves), signal_to_noise(curves, pooled=True)
    assert own.signal == pytest.approx((curves[2][-1] - curves[0][-1]) / np.mean([c[-1] for c in curves]))
    assert own.noise == pytest.approx(np.mean([c[-5:].std() / c[-5:].mean() for c in curves]))
    ends = np.concatenate([c[-5:] for c in curves])
    assert pooled.noise == pytest.approx(ends.std() / ends.mean())
    assert pooled.signal == pytest.approx(np.ptp([c[-5:].mean() for c in curves]) / np.mean(ends))
    assert own.ratio == own.signal / own.noise
    assert pooled.ratio < 4 < own.ratio  # the spread between models counts as noise
    with pytest.raises(InputError, match="two models or more"):
        signal_to_noise(curves[:1])
