"""Soups, against the callback form of the greedy soup and by counting."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solera.errors import InputError
from solera.families.coords import Coord
from solera.landscapes.explorer import History, Space
from solera.methods.greedy import greedy_soup
from solera.seeds import Seed
from solera.tasks.scores import Column, Difference, aggregate
from solera.tasks.scores import difference as paired_difference
from solera_plugins.explorers.greedy import GreedySoup
from solera_plugins.explorers.soups import ExhaustiveSoup, UniformSoup

SEED = Seed(0)


def pool(count, metric="accuracy", paired=True):
    coords = tuple(Coord(f"m{i}", 0.0, 1.0) for i in range(count))
    labels = {f"model {i}": tuple(float(i == j) for j in range(count)) for i in range(count)}
    return Space(coords, (Column("task", metric, "selection", 50),), labels, (0,), paired)


def members(row):
    """The models at coordinates."""
    return tuple(np.flatnonzero(row).tolist())


def drive(explorer, space, score, paired=None, stop=10**6):
    """Asks and answers until the explorer has enough; returns the history and what was remarked."""
    history, remarks = History.empty(space), []
    while len(history) < stop:
        asks = explorer.ask(space, history, 1, SEED)
        if not asks:
            break
        values = [[score(tuple(i for i, x in enumerate(ask.coords) if x))] for ask in asks]
        history = History(
            np.vstack([history.coords, [ask.coords for ask in asks]]), np.vstack([history.values, values]), (), paired
        )
        remarks.append(explorer.remark(space, history))
    return history, remarks


def table(scores, count):
    subsets = [s for size in range(1, count + 1) for s in combinations(range(count), size)]
    return dict(zip(subsets, scores, strict=True))


@given(st.integers(2, 5), st.sampled_from(["not_worse", "better"]), st.data())
def test_a_greedy_soup_is_that_of_the_callback_form(count, accept, data):
    found = table(data.draw(st.lists(st.integers(0, 4), min_size=2**count - 1, max_size=2**count - 1)), count)
    history, remarks = drive(GreedySoup(accept=accept), pool(count), lambda s: found[s])
    twin = greedy_soup(
        [found[(i,)] for i in range(count)], lambda s: found[tuple(sorted(s))],
        accept="ge" if accept == "not_worse" else "gt",
    )  # fmt: skip
    assert len(history) == 2 * count - 1
    tried = [members(row) for row in history.coords[count:]]
    assert tried == [tuple(sorted(candidate)) for candidate, _, _ in twin.tried]
    assert [bool(remark.numbers["soup:taken"]) for remark in remarks[count:]] == [taken for _, _, taken in twin.tried]
    assert remarks[-1].numbers["soup:score"] == twin.score
    assert remarks[-1].numbers["soup:size"] == len(twin.ingredients)
    chosen = GreedySoup(accept=accept).chosen(pool(count), history)
    assert [members(at) for at in chosen] == [
        tuple(sorted(twin.ingredients[:size])) for size in range(1, len(twin.ingredients) + 1)
    ]


def noisy(count, seed=0):
    """Per-sample hits of every subset, and what pairs them."""
    rng = np.random.default_rng(seed)
    easy = rng.random(200)
    column = pool(count).columns[0]
    subsets = table([0] * (2**count - 1), count)
    return {s: aggregate(column, (easy + 0.3 * rng.random(200) < 0.7 + 0.02 * len(s)) * 1.0) for s in subsets}


@pytest.mark.parametrize("accept", ["surely_better", "not_surely_worse"])
@pytest.mark.parametrize("seed", range(4))
def test_noise_is_told_by_the_paired_error(accept, seed):
    count, scores = 4, noisy(4, seed)
    asked: list[tuple[int, ...]] = []

    def score(subset):
        asked.append(subset)
        return scores[subset].value

    def paired(a, b, columns):
        return paired_difference(scores[asked[a]], scores[asked[b]])

    history, remarks = drive(GreedySoup(accept=accept), pool(count), score, paired)
    best = asked[max(range(count), key=lambda i: (history.values[i, 0], i))]
    for candidate, remark in zip(asked[count:], remarks[count:], strict=True):
        x, y = scores[candidate].samples, scores[best].samples
        gap = x.astype(float) - y
        bound = 2 * gap.std(ddof=1) / np.sqrt(gap.size)
        wanted = gap.mean() > bound if accept == "surely_better" else gap.mean() >= -bound
        assert bool(remark.numbers["soup:taken"]) == wanted
        best = candidate if wanted else best


def test_an_aggregate_has_no_paired_error_and_the_run_says_so():
    space = pool(3, paired=False)
    found = table([0.5, 0.6, 0.7, 0.6, 0.8, 0.7, 0.7], 3)
    aggregate_only = GreedySoup(accept="surely_better")
    history, remarks = drive(aggregate_only, space, lambda s: found[s])
    plain, _ = drive(GreedySoup(accept="better"), space, lambda s: found[s])
    assert history.coords.tolist() == plain.coords.tolist()
    assert "'better' is used" in remarks[2].text


def test_a_model_without_a_score_is_left_out_and_named():
    found = table([0.5, np.nan, 0.7, 0.6, 0.8, 0.7, 0.7], 3)
    history, remarks = drive(GreedySoup(), pool(3), lambda s: found[s])
    assert [members(row) for row in history.coords[3:]] == [(0, 2)]
    assert "Left out, for want of a score: model 1." in remarks[2].text


def test_without_any_score_there_is_no_soup():
    history, remarks = drive(GreedySoup(), pool(2), lambda s: np.nan)
    assert len(history) == 2
    assert "nothing to make a soup of" in remarks[-1].text
    assert GreedySoup().chosen(pool(2), history) == []


def test_smaller_is_better_where_the_metric_says_so():
    found = table([1.0, 3.0, 2.0, 0.9, 5.0, 5.0, 0.95], 3)
    history, remarks = drive(GreedySoup(), pool(3, "cross_entropy"), lambda s: found[s])
    assert [members(row) for row in history.coords[3:]] == [(0, 2), (0, 1)]
    assert remarks[-1].numbers["soup:score"] == 0.9


def test_the_score_of_several_objectives_is_their_mean_if_they_are_of_one_metric():
    space = pool(2)
    columns = (
        *space.columns,
        Column("other", "accuracy", "selection", 50),
        Column("task", "cross_entropy", "selection"),
    )
    both = Space(space.coords, columns, space.labels, (0, 1))
    assert GreedySoup().plan(both).total == 3
    with pytest.raises(InputError, match="of one metric"):
        GreedySoup().plan(Space(space.coords, columns, space.labels, (0, 2)))


@pytest.mark.parametrize("explorer", [UniformSoup(), GreedySoup(), ExhaustiveSoup()])
def test_a_pool_of_one_or_coordinates_that_are_no_shares_are_refused(explorer):
    with pytest.raises(InputError, match="two models or more"):
        explorer.plan(pool(1))
    odd = pool(3)
    with pytest.raises(InputError, match="m1 cannot be both"):
        explorer.plan(Space((odd.coords[0], Coord("m1", 0.2, 1), odd.coords[2]), odd.columns, {}, (0,)))


def test_a_uniform_soup_is_told_beside_the_best_model():
    found = table([0.5, 0.6, 0.7, 0.0, 0.0, 0.0, 0.75], 3)
    history, remarks = drive(UniformSoup(), pool(3), lambda s: found[s])
    assert len(history) == 4
    assert remarks[-1].numbers == pytest.approx({"soup:size": 3, "soup:gain": 0.05})
    assert UniformSoup().chosen(pool(3), history) == [(1.0, 1.0, 1.0)]


@pytest.mark.parametrize(("count", "largest"), [(4, 0), (4, 2), (5, 3)])
def test_an_exhaustive_soup_scores_every_subset_once(count, largest):
    history, _ = drive(ExhaustiveSoup(largest=largest), pool(count), lambda s: float(len(s)))
    found = [members(row) for row in history.coords]
    assert found == [s for size in range(1, (largest or count) + 1) for s in combinations(range(count), size)]
    assert ExhaustiveSoup(largest=largest).plan(pool(count)).total == len(found)


def test_a_pool_too_large_to_exhaust_is_refused_with_its_size():
    with pytest.raises(InputError, match="1,048,575 averages"):
        ExhaustiveSoup().plan(pool(20))


def test_a_history_nobody_pairs_gives_differences_without_an_error():
    space = pool(2)
    history = History(np.eye(2), np.array([[0.5], [0.75]]))
    assert history.difference(1, 0, (0,)).value == 0.25
    assert np.isnan(history.difference(1, 0, (0,)).stderr)
    assert isinstance(history.difference(1, 0, space.objectives), Difference)
