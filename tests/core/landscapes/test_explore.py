"""The loop, with the real explorers."""

import dataclasses
import itertools

import numpy as np
import pytest

from solera.context import QuietContext
from solera.errors import Cancelled, InputError
from solera.events import Indicator, Logged, PointScored
from solera.landscapes.explore import explore
from solera.landscapes.explorer import Ask, Extent, History, Remark
from solera.landscapes.pareto import hypervolume
from solera.landscapes.volume import reference_of
from solera.seeds import Seed
from solera.tasks.scores import difference


class Walk:
    """Steps along every coordinate at once; starts from the named models."""

    name = "walk"

    def __init__(self, points: int | None = 9, initial: int = 0, rounds=(1,)) -> None:
        self.points, self.initial, self.rounds = points, initial, rounds

    def plan(self, space):
        return Extent(self.points, (), self.initial, rounds=self.rounds)

    def ask(self, space, history, n, seed):
        start = np.random.default_rng([seed.integer(), len(history)])
        named = list(space.labels.values())
        asks = []
        for number in range(len(history), min(len(history) + n, self.points or 10**9)):
            if number < len(named):
                asks.append(Ask(tuple(named[number])))
            else:  # depends on the history and on where the batch began
                drift = float(np.nansum(history.values)) % 1
                asks.append(Ask(tuple(c.low + (c.high - c.low) * ((start.random() + drift) % 1) for c in space.coords)))
        return asks


def points(context, phase="search"):
    return [event for event in context.events if isinstance(event, PointScored) and event.phase == phase]


def indicators(context, name):
    return [
        (event.index, event.value) for event in context.events if isinstance(event, Indicator) and event.name == name
    ]


def bare(event):
    return dataclasses.replace(event, time=0.0, seconds=0.0)


def history_of(events, landscape):
    rows = [event for event in events if isinstance(event, PointScored)]
    search = [event for event in rows if event.phase == "search"]
    return History(
        np.array([event.coords for event in search]).reshape(-1, len(landscape.family.coords)),
        np.array([event.values for event in search]).reshape(-1, len(landscape.columns)),
        tuple(event.coords for event in rows if event.phase == "report"),
    )


def run(build, context, history=None, explorer=None, rounds=(1,), **options):
    landscape = build("ABC", tasks=2)
    report = build("ABC", "report", tasks=2, shared=landscape.network)
    return explore(
        landscape, explorer or Walk(initial=3, rounds=rounds), run="r", history=history, seed=Seed(1), context=context,
        report=report, **options,
    )  # fmt: skip


def test_every_point_is_told_in_order_and_named_ones_by_name(build, context):
    result = run(build, context)
    search, report = points(context), points(context, "report")
    assert [event.index for event in [*search, *report]] == list(range(len(search) + len(report)))
    assert [event.label for event in search[:4]] == ["A", "B", "C", ""]
    assert result.history.coords.tolist() == [list(event.coords) for event in search]
    assert result.history.values.tolist() == [list(event.values) for event in search]
    assert all(event.counts == (512,) * 4 and min(event.stderrs) > 0 for event in search)
    assert all(event.counts == (200,) * 4 for event in report)
    assert search[0].samples is None


def test_named_models_the_best_and_the_front_are_scored_again_once_each(build, context):
    result = run(build, context)
    report = [event.coords for event in points(context, "report")]
    assert result.chosen == tuple(report)
    assert len(set(report)) == len(report)
    assert report[:3] == [tuple(at) for at in build("ABC").family.labels.values()]
    losses = result.history.values[:, [0, 2]]
    for column in losses.T:
        assert tuple(result.history.coords[int(np.argmin(column))]) in report
    assert [score.column.split for score in result.reported[0]] == ["report"] * 4
    (text,) = [event.text for event in context.events if isinstance(event, Logged)]
    assert f"of {len(report)} chosen points are on the front beyond noise" in text
    shares = indicators(context, "front-share")
    assert [index for index, _ in shares] == list(range(9, 9 + len(report)))
    assert all(0 <= share <= 1 for _, share in shares)
    assert sum(share for _, share in shares) >= 1  # some point is on the front of every resample


def test_the_hypervolume_grows_against_a_reference_fixed_from_the_first_points(build, context):
    result = run(build, context)
    losses = result.history.values[:, [0, 2]]
    reference = reference_of(losses[:3])
    assert indicators(context, "reference:as-is.cross_entropy") == [(3, reference[0])]
    assert indicators(context, "reference:reversed.cross_entropy") == [(3, reference[1])]
    told = indicators(context, "hypervolume")
    assert told == [(n, pytest.approx(hypervolume(losses[:n], reference), rel=1e-12)) for n in range(3, 10)]
    assert all(b >= a for (_, a), (_, b) in itertools.pairwise(told))
    assert result.summary.startswith(f"hypervolume {told[-1][1]:.4g}, ")


def test_objectives_that_are_better_high_count_downwards(build, context):
    result = run(build, context, objectives=["as-is.accuracy", "reversed.accuracy"])
    scores = result.history.values[:, [1, 3]]
    reference = reference_of(-scores[:3])
    assert indicators(context, "reference:as-is.accuracy") == [(3, -reference[0])]
    assert indicators(context, "hypervolume")[-1] == (9, pytest.approx(hypervolume(-scores, reference)))


@pytest.mark.parametrize("rounds", [(1,), (4,), (3, 2)])
@pytest.mark.parametrize("cut", [0, 1, 2, 6, 9, 10, 12])
def test_a_resumed_exploration_is_the_uninterrupted_one_bit_for_bit(build, cut, rounds):
    whole, rest = QuietContext(), QuietContext()
    want = run(build, whole, rounds=rounds)
    told = [i for i, event in enumerate(whole.events) if isinstance(event, PointScored)]
    kept = whole.events[: told[cut - 1] + 1 if cut else 0]  # stopped between a point and its hypervolume
    result = run(build, rest, history_of(kept, build("ABC", tasks=2)), rounds=rounds)
    before, after = ([bare(e) for e in events if isinstance(e, PointScored)] for events in (kept, rest.events))
    assert before + after == [bare(event) for event in whole.events if isinstance(event, PointScored)]
    assert result.summary == want.summary
    assert result.chosen == want.chosen
    for name in ("hypervolume", "reference:as-is.cross_entropy"):
        before = [(e.index, e.value) for e in kept if isinstance(e, Indicator) and e.name == name]
        assert dict(before) | dict(indicators(rest, name)) == dict(indicators(whole, name))


def test_a_budget_ends_it_and_so_does_an_explorer_with_nothing_to_ask(build, context):
    assert len(run(build, context, budget=5).history) == 5
    with pytest.raises(InputError, match="give a budget"):
        run(build, context, explorer=Walk(points=None))
    assert len(run(build, context, explorer=Walk(points=None), budget=4).history) == 4


def test_samples_are_kept_on_request(build, context):
    run(build, context, keep_samples=True, budget=1)
    (event,) = points(context)
    assert [sample.shape for sample in event.samples] == [(512,)] * 4
    assert event.values[1] == pytest.approx(float(event.samples[1].mean()))


def test_a_cancelled_exploration_has_told_whole_points_only(build):
    class Stopping(QuietContext):
        def check(self) -> None:
            if len(points(self)) == 4:
                raise Cancelled("Cancelled.")

    context = Stopping()
    with pytest.raises(Cancelled):
        run(build, context)
    assert [event.index for event in points(context)] == [0, 1, 2, 3]


def test_a_line_tells_its_barriers_and_a_report_needs_the_same_columns(build, context):
    class Ends(Walk):
        def ask(self, space, history, n, seed):
            return [Ask((i / 8,)) for i in range(9)][len(history) : len(history) + n]

    result = explore(build(), Ends(), run="r", seed=Seed(0), context=context)
    loss = result.history.values[:, 0]
    assert indicators(context, "barrier:chord:as-is.cross_entropy") == [
        (9, pytest.approx(float(np.max(loss - np.linspace(loss[0], loss[-1], 9)))))
    ]
    assert len({e.name for e in context.events if isinstance(e, Indicator)}) == 4
    assert "best as-is.cross_entropy" in result.summary
    assert "barrier of as-is.cross_entropy 0.6" in result.summary
    assert result.reported == ()
    with pytest.raises(InputError, match="same tasks and metrics"):
        explore(build(), Ends(), run="r", seed=Seed(0), context=context, report=build("AB", "report", tasks=2))


def test_a_history_of_another_landscape_is_refused(build, context):
    with pytest.raises(InputError, match="this landscape wants"):
        run(build, context, history=History(np.zeros((2, 1)), np.zeros((2, 4))))


def test_the_reference_is_finite_where_points_are_equal_or_missing():
    assert reference_of(np.array([[1.0, 0.0], [1.0, 0.0]])).tolist() == pytest.approx([1.1, 0.1])
    assert reference_of(np.array([[1.0, 2.0], [np.nan, 9.0], [np.inf, 1.0]])).tolist() == pytest.approx([1.1, 2.2])
    assert np.isnan(reference_of(np.array([[np.nan, 1.0]]))).all()


class Remarking(Walk):
    """A walk that says how much better than the first point each one is, and wants its third scored again."""

    def remark(self, space, history):
        gap = history.difference(len(history) - 1, 0, space.objectives[:1])
        return Remark({"gain": gap.value, "error": gap.stderr}, f"point {len(history)}")

    def chosen(self, space, history):
        return [tuple(history.coords[3])]


def test_remarks_are_kept_and_pair_points_by_sample(build, context):
    run(build, context, explorer=Remarking(initial=3))
    landscape = build("ABC", tasks=2)
    first, *_, last = points(context)
    a, b = (landscape.evaluate(event.coords, context)[0] for event in (last, first))
    gap = difference(a, b)
    assert indicators(context, "gain")[-1] == (9, pytest.approx(gap.value))
    assert indicators(context, "error")[-1] == (9, pytest.approx(gap.stderr))
    said = [event.text for event in context.events if isinstance(event, Logged)]
    assert [text for text in said if text.startswith("point")] == [f"point {n}" for n in range(1, 10)]
    assert points(context)[3].coords in [event.coords for event in points(context, "report")]


def test_remarks_of_a_resumed_run_are_those_of_a_whole_one(build, context):
    whole = run(build, context, explorer=Remarking(initial=3))
    second = QuietContext()
    half = history_of(points(context)[:5], build("ABC", tasks=2))
    again = run(build, second, history=half, explorer=Remarking(initial=3))
    assert whole.chosen == again.chosen
    assert dict(indicators(second, "gain")) == {n: x for n, x in indicators(context, "gain") if n >= 5}


def test_a_budget_below_what_an_explorer_needs_is_refused_with_the_number(build, context):
    class Careful(Walk):
        def plan(self, space):
            return Extent(9, (), 0, 7)

    with pytest.raises(InputError, match="needs 7 points or more here; the budget is 4"):
        run(build, context, explorer=Careful(), budget=4)
    assert not points(context)
