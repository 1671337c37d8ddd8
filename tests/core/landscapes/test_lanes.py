"""Points scored at once: however many lanes, the run is the same."""

import dataclasses
import threading

import numpy as np
import pytest

from solera.context import QuietContext
from solera.errors import Cancelled, InputError, Interrupted
from solera.events import Indicator, Logged, PointScored
from solera.landscapes.explore import explore
from solera.landscapes.explorer import Ask, Extent
from solera.landscapes.lanes import Lanes
from solera.seeds import Seed


class Doubling:
    """A round of named models and draws on few samples, then the better ones on more."""

    name = "doubling"

    def plan(self, space):
        return Extent(9, rounds=(6, 3), partial=True)

    def ask(self, space, history, n, seed):
        if not len(history):
            draws = seed.numpy().random((3, len(space.coords)))
            places = [*space.labels.values(), *(tuple(c.at(x) for c, x in zip(space.coords, row)) for row in draws)]
            return [Ask(tuple(map(float, at)), samples=100) for at in places[:n]]
        best = np.argsort(space.minimised(history.values)[:, 0])[:n]
        return [Ask(tuple(map(float, history.coords[row]))) for row in best]


def told(events):
    kept: list = [event for event in events if isinstance(event, (PointScored, Indicator, Logged))]
    still = [{"time": 0.0, "seconds": 0.0} if isinstance(event, PointScored) else {"time": 0.0} for event in kept]
    return [dataclasses.replace(event, **fixed) for event, fixed in zip(kept, still, strict=True)]


def run(build, lanes, explorer=None):
    context = QuietContext()
    over = [build("ABC", tasks=2) for _ in range(lanes)]
    report = [build("ABC", "report", tasks=2, shared=each.network) for each in over]
    result = explore(over, explorer or Doubling(), run="r", seed=Seed(3), context=context, report=report)
    return result, told(context.events)


def test_one_two_and_three_lanes_record_the_same_run(build):
    (one, first), (two, second), (three, third) = (run(build, lanes) for lanes in (1, 2, 3))
    assert first == second == third
    assert len([e for e in first if isinstance(e, PointScored)]) == 9 + len(one.chosen)
    assert one.chosen == two.chosen == three.chosen
    np.testing.assert_array_equal(one.history.values, three.history.values)
    np.testing.assert_array_equal(one.history.counts, three.history.counts)


def test_points_on_part_of_the_samples_are_not_chosen_and_go_on_from_what_they_have(build):
    result, _ = run(build, 2)
    assert result.history.counts[:, 0].tolist() == [100] * 6 + [512] * 3
    whole = result.history.whole(build("ABC", tasks=2).space())
    assert whole.tolist() == [False] * 6 + [True] * 3
    named = set(build("ABC").family.labels.values())
    assert {at for at in result.chosen if at not in named} <= {tuple(at) for at in result.history.coords[6:]}


def test_a_part_and_the_rest_are_the_whole(build):
    over, whole = build("ABC", tasks=2), build("ABC", tasks=2)
    at, context = (0.3, 0.2), QuietContext()
    few = over.evaluate(at, context, 100)
    more = over.evaluate(at, context, 300)
    full, want = over.evaluate(at, context), whole.evaluate(at, context)
    assert [score.count for score in (*few, *more, *full)] == [100] * 4 + [300] * 4 + [512] * 4
    for a, b in zip(few, more, strict=True):
        np.testing.assert_array_equal(a.samples, b.samples[:100])
    for a, b in zip(full, want, strict=True):
        np.testing.assert_allclose(a.samples, b.samples, rtol=1e-5, atol=1e-7)
        assert (a.value, a.stderr) == pytest.approx((b.value, b.stderr), rel=1e-6)


def test_what_was_scored_is_not_scored_again(build):
    over, calls = build("ABC"), []
    evaluator = over.measures[0].evaluator
    part = evaluator.part
    evaluator.part = lambda rows: calls.append(len(rows)) or part(rows)
    for samples in (100, 100, 50, 300, 0):
        over.evaluate((0.5, 0.1), QuietContext(), samples)
    assert calls == [100, 200, 212]


def test_a_lane_that_fails_stops_the_others_and_says_why(build):
    lanes = [build("ABC") for _ in range(3)]
    at_work = threading.active_count()
    places = [(0.1 * i, 0.0) for i in range(8)] + [(0.0, float("nan"))] + [(0.2, 0.1 * i) for i in range(8)]
    asks = [Ask(at) for at in places]
    with pytest.raises(InputError, match="2 finite numbers"):
        list(Lanes(lanes).score(asks, QuietContext()))
    assert threading.active_count() == at_work


def test_a_cancelled_job_leaves_no_lane_at_work(build):
    class Stopping(QuietContext):
        checks = 0

        def check(self):
            self.checks += 1
            if self.checks > 20:
                raise Cancelled("enough")

    at_work = threading.active_count()
    with pytest.raises(Cancelled, match="enough"):
        list(Lanes([build("ABC"), build("ABC")]).score([Ask((0.01 * i, 0.0)) for i in range(200)], Stopping()))
    assert threading.active_count() == at_work


def test_lanes_that_differ_or_share_a_network_are_refused(build):
    one = build("ABC")
    with pytest.raises(InputError, match="a network of its own"):
        Lanes([one, build("ABC", shared=one.network)])
    with pytest.raises(InputError, match="the same tasks"):
        Lanes([one, build("ABC", tasks=2)])


def test_objectives_that_are_the_same_are_refused(build):
    over = build("ABC", tasks=2)
    over.measures[1].evaluator._x = over.measures[0].evaluator._x
    with pytest.raises(
        InputError, match=r"as-is\.cross_entropy and reversed\.cross_entropy are the same at all 6 points"
    ):
        explore(over, Doubling(), run="r", seed=Seed(3), context=QuietContext())


def test_no_lane_is_at_work_after_the_time_is_up(build):
    at_work = threading.active_count()
    over = [build("ABC", tasks=2) for _ in range(2)]
    with pytest.raises(Interrupted, match="after 1 points") as caught:
        explore(over, Doubling(), run="r", seed=Seed(3), context=QuietContext(), until=0.0)
    assert threading.active_count() == at_work
    assert caught.value is not None  # it holds the frames that it came through
