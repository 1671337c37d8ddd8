import math

import numpy as np
import pytest

from solera.errors import InputError
from solera.tasks.means import mean_difference, mean_over_tasks
from solera.tasks.scores import Column, aggregate


def scores(samples, metric="accuracy", groups=None):
    return [
        aggregate(Column(f"t{i}", metric, "report", len(values)), np.asarray(values, dtype=float), groups)
        for i, values in enumerate(samples)
    ]


RNG = np.random.default_rng(0)


def test_every_task_counts_the_same():
    mean = mean_over_tasks(scores([np.zeros(10), np.ones(1000)]), ["", ""])
    assert mean.value == 0.5


def test_independent_tasks_add_their_variances():
    a, b = scores([RNG.normal(size=50), RNG.normal(size=80)])
    mean = mean_over_tasks([a, b], ["", ""])
    assert mean.stderr == pytest.approx(math.hypot(a.stderr, b.stderr) / 2, rel=1e-5)


def test_the_same_samples_twice_carry_the_information_of_one():
    values = RNG.normal(size=60)
    a, b = scores([values, values])
    assert mean_over_tasks([a, b], ["u", "u"]).stderr == pytest.approx(a.stderr, rel=1e-5)
    # Taken for independent they would promise too much.
    assert mean_over_tasks([a, b], ["", ""]).stderr == pytest.approx(a.stderr / math.sqrt(2), rel=1e-5)


def test_shared_samples_equal_the_error_of_the_mean_per_sample():
    samples = RNG.normal(size=(4, 40))
    mean = mean_over_tasks(scores(samples), ["u"] * 4)
    assert mean.stderr == pytest.approx(samples.mean(axis=0).std(ddof=1) / math.sqrt(40), rel=1e-4)


def test_differences_are_paired():
    hard = RNG.normal(0, 10, size=(2, 100))
    a, b = scores(hard + 0.5 + RNG.normal(0, 0.1, size=hard.shape)), scores(hard)
    gap = mean_difference(a, b, ["", ""])
    assert gap.value == pytest.approx(0.5, abs=0.05)
    assert gap.stderr < 0.02
    assert not gap.within_noise
    assert mean_difference(a, a, ["", ""]).within_noise


def test_documents_are_the_clusters():
    groups = np.repeat(np.arange(5), 10)
    values = np.repeat(RNG.normal(size=5), 10)
    (score,) = scores([values], groups=groups)
    assert mean_over_tasks([score], [""]).stderr == pytest.approx(score.stderr, rel=1e-5)


def test_perplexity_uses_the_delta_method():
    a, b = scores(RNG.uniform(1, 3, size=(2, 30)), metric="perplexity")
    mean = mean_over_tasks([a, b], ["", ""])
    assert mean.stderr == pytest.approx(math.hypot(a.stderr, b.stderr) / 2, rel=1e-4)


def test_unknown_errors_stay_unknown():
    a, b = scores([np.ones(1), RNG.normal(size=9)])
    assert math.isnan(mean_over_tasks([a, b], ["", ""]).stderr)


def test_different_things_have_no_mean():
    with pytest.raises(InputError):
        mean_over_tasks([*scores([np.ones(3)]), *scores([np.ones(3)], metric="cross_entropy")], ["", ""])
    with pytest.raises(InputError):
        mean_over_tasks([], [])
    with pytest.raises(InputError):
        mean_difference(scores([np.ones(3)]), scores([np.ones(4)]), [""])
