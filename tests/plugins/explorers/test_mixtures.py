"""Data ablation by averages, with scipy as the twin of the correlations."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from solera.errors import InputError
from solera.families.coords import Coord
from solera.landscapes.explorer import History, Space
from solera.seeds import Seed
from solera.tasks.scores import Column
from solera_plugins.explorers.agreement import agreement, ranks
from solera_plugins.explorers.mixtures import Mixtures

NAMES = ("law", "code", "news", "prose")


def pool(metric="perplexity", kind="real"):
    coords = tuple(Coord(name, 0.0, 1.0, kind=kind) for name in NAMES)
    labels = {name: tuple(float(i == j) for j in range(4)) for i, name in enumerate(NAMES)}
    return Space(coords, (Column("eval", metric, "selection"),), labels, (0,))


def score(coords):
    """Perplexity of an average, by its shares."""
    shares = np.array(coords) / np.sum(coords)
    return float(np.exp(2.0 - 0.5 * shares[1] - 0.2 * shares[0] + 0.3 * (shares**2).sum()))


def run(explorer, space):
    history, remark = History.empty(space), None
    extent = explorer.plan(space)
    while len(history) < extent.total:
        asks = explorer.ask(space, history, 5, Seed(0))
        new = np.array([ask.coords for ask in asks])
        values = np.array([[score(row)] for row in new])
        history = History(np.vstack([history.coords, new]), np.vstack([history.values, values]))
        remark = explorer.remark(space, history)
    return history, remark


@pytest.fixture
def truths(tmp_path):
    """True scores of all mixtures of two parts: the proxy's, bent and noisy."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(4):
        for j in range(i):
            proxy = score([float(k in (i, j)) for k in range(4)])
            rows.append(
                {"mixture": [NAMES[i], NAMES[j]], "scores": {"eval.perplexity": proxy**1.1 + rng.normal() * 0.1}}
            )
    file = tmp_path / "truths.json"
    file.write_text(json.dumps(rows))
    return file, rows


def test_mixtures_of_the_sizes_wanted_are_scored_after_the_parts():
    history, remark = run(Mixtures(sizes="2-3"), pool())
    sizes = history.coords.sum(axis=1)
    assert sizes.tolist() == [1] * 4 + [2] * 6 + [3] * 4
    assert len({tuple(row) for row in history.coords}) == 14
    best = min(range(4, 14), key=lambda i: history.values[i, 0])
    assert ", ".join(NAMES[i] for i in np.flatnonzero(history.coords[best])) in remark.text
    assert remark.numbers == {}


def test_averages_go_by_tokens_where_shares_are_numbers():
    history, _ = run(Mixtures(sizes="2", tokens="1, 2, 4, 4"), pool())
    assert history.coords[4].tolist() == [0.5, 1.0, 0.0, 0.0]
    assert history.coords[5].tolist() == [0.25, 0.0, 1.0, 0.0]
    with pytest.raises(InputError, match="shares: "):
        Mixtures(sizes="2", tokens="1, 2, 4, 4").plan(pool(kind="whole"))
    with pytest.raises(InputError, match="one number above 0 for each of 4 parts"):
        Mixtures(tokens="1, 2").plan(pool())


def test_the_agreement_with_the_truth_is_told_beside_that_of_single_models(truths):
    file, rows = truths
    explorer = Mixtures(truths=file)
    history, remark = run(explorer, pool())
    assert len(history) == 10
    true = np.log([row["scores"]["eval.perplexity"] for row in rows])
    places = [sorted(NAMES.index(part) for part in row["mixture"]) for row in rows]
    averages = np.log([score([float(k in place) for k in range(4)]) for place in places])
    singles = np.log([score(np.eye(4)[k]) for k in range(4)])
    assert remark.numbers["pearson:eval.perplexity"] == pytest.approx(stats.pearsonr(averages, true)[0])
    assert remark.numbers["spearman:eval.perplexity"] == pytest.approx(stats.spearmanr(averages, true)[0])
    means = [singles[place].mean() for place in places]
    assert remark.numbers["pearson of means:eval.perplexity"] == pytest.approx(stats.pearsonr(means, true)[0])
    low, high = (remark.numbers[f"pearson {end}:eval.perplexity"] for end in ("low", "high"))
    assert -1 <= low < remark.numbers["pearson:eval.perplexity"] <= high <= 1
    assert "against the truth" in remark.text


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([{"mixture": ["law", "tax"], "scores": {"eval.perplexity": 1}}], "cannot be read.*the parts are law, code"),
        ([{"mixture": ["law", "code"]}], "Wanted is a list"),
        ([{"mixture": ["law", "code"], "scores": {}}, {"mixture": ["code", "law"], "scores": {}}], "a mixture twice"),
    ],
)
def test_truths_that_do_not_fit_are_refused_in_a_sentence(rows, match, tmp_path):
    file = tmp_path / "truths.json"
    file.write_text(json.dumps(rows))
    with pytest.raises(InputError, match=match):
        Mixtures(truths=file).plan(pool())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=30))
def test_correlations_are_those_of_scipy(pairs):
    x, y = (np.array(values, dtype=np.float64) for values in zip(*pairs, strict=True))
    np.testing.assert_array_equal(ranks(x), stats.rankdata(x))
    found = agreement(x, y)
    if np.ptp(x) and np.ptp(y):
        assert found.pearson.value == pytest.approx(stats.pearsonr(x, y)[0], abs=1e-12)
        assert found.spearman.value == pytest.approx(stats.spearmanr(x, y)[0], abs=1e-12)
        assert found.spearman.low <= found.spearman.high
    else:
        assert np.isnan(found.pearson.value)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(40):
        x = rng.normal(size=40)
        y = 0.6 * x + 0.8 * rng.normal(size=40)
        found = agreement(x, y).pearson
        inside += found.low <= 0.6 <= found.high
    assert 33 <= inside <= 40
