import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import InputError
from solera.tasks.scores import METRICS, Column, aggregate, difference, metric, standard_error

COLUMN = Column("t", "cross_entropy", "selection", 4)
PERPLEXITY = Column("t", "perplexity", "selection", 4)


def test_mean_and_error_are_the_textbook_ones():
    score = aggregate(COLUMN, np.array([1.0, 2.0, 3.0, 6.0]))
    assert score.value == 3.0
    assert score.stderr == pytest.approx(np.std([1, 2, 3, 6], ddof=1) / 2)
    assert score.count == 4


def test_perplexity_is_exp_of_the_mean_of_nats():
    nats = np.array([1.0, 2.0, 3.0])
    score = aggregate(PERPLEXITY, nats)
    assert score.value == pytest.approx(math.exp(2.0))
    assert score.stderr == pytest.approx(math.exp(2.0) * nats.std(ddof=1) / math.sqrt(3))


@settings(max_examples=30)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=20))
def test_groups_of_one_sample_change_nothing(values):
    samples = np.array(values)
    alone = standard_error(samples)
    grouped = standard_error(samples, np.arange(samples.size))
    assert grouped == pytest.approx(alone, abs=1e-12)


def test_correlated_groups_widen_the_error():
    samples = np.repeat([0.0, 1.0, 2.0, 5.0], 10)
    groups = np.repeat(np.arange(4), 10)
    # Ten copies of each value carry the information of four values.
    assert standard_error(samples, groups) == pytest.approx(standard_error(np.array([0.0, 1.0, 2.0, 5.0])))
    assert standard_error(samples) < standard_error(samples, groups)


def test_nan_stays_nan():
    score = aggregate(COLUMN, np.array([1.0, np.nan, 2.0]))
    assert math.isnan(score.value)
    assert math.isnan(score.stderr)


def test_infinity_stays_infinite_and_has_no_error():
    score, other = aggregate(COLUMN, np.array([1.0, np.inf, 2.0])), aggregate(COLUMN, np.array([1.0, 1.0, 2.0]))
    assert score.value == math.inf
    assert math.isnan(score.stderr)
    assert difference(score, other).value == math.inf
    assert difference(score, other).within_noise


def test_no_samples_is_refused():
    with pytest.raises(InputError, match="no samples"):
        aggregate(COLUMN, np.array([]))


def test_one_sample_has_no_error():
    assert math.isnan(aggregate(COLUMN, np.array([1.0])).stderr)


def test_pairing_removes_what_the_samples_share():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 10, 200)
    a, b = (aggregate(COLUMN, shared + rng.normal(shift, 0.1, 200)) for shift in (0.0, -1.0))
    gap = difference(a, b)
    assert gap.value == pytest.approx(1.0, abs=0.05)
    assert gap.stderr < 0.02 < a.stderr
    assert not gap.within_noise
    assert difference(a, a).value == 0.0


def test_within_noise_when_the_error_is_unknown_or_large():
    a, b = aggregate(COLUMN, np.array([1.0, 9.0])), aggregate(COLUMN, np.array([2.0, 0.0]))
    assert difference(a, b).within_noise
    assert difference(aggregate(COLUMN, np.array([1.0])), aggregate(COLUMN, np.array([9.0]))).within_noise


def test_different_columns_cannot_be_paired():
    with pytest.raises(InputError):
        difference(aggregate(COLUMN, np.ones(3)), aggregate(PERPLEXITY, np.ones(3)))


def test_columns_round_trip_and_name_split_and_unit():
    assert Column.from_plain(COLUMN.to_plain()) == COLUMN
    assert COLUMN.title == "t, cross-entropy (nats), selection"
    assert {"accuracy", "cross_entropy", "loss", "perplexity"} <= set(METRICS)
    with pytest.raises(InputError, match="known"):
        metric("f1")
