import pytest

from solera.events import Progress
from solera.jobs.meter import Meter


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def some(progress: Progress | None) -> Progress:
    """What was told, which must be something."""
    assert progress is not None
    return progress


@pytest.fixture
def clock():
    return Clock()


def test_a_steady_rate_is_right_from_the_second_call(clock):
    meter = Meter("j", clock)
    first = some(meter.update(0, 100, "points", ""))
    assert (first.rate, first.left) == (None, None)
    for i in range(1, 50):
        clock.now += 0.5
        meter.update(i, 100, "points", "")
        assert some(meter.latest).rate == pytest.approx(2.0)
        assert some(meter.latest).left == pytest.approx((100 - i) / 2)


def test_the_rate_follows_a_job_that_slows_down(clock):
    meter = Meter("j", clock)
    for i in range(100):
        clock.now += 0.1
        meter.update(i, None, "", "")
    assert some(meter.latest).rate == pytest.approx(10)
    for i in range(100, 120):
        clock.now += 1.0
        meter.update(i, None, "", "")
    assert some(meter.latest).rate == pytest.approx(1, abs=0.25)
    assert some(meter.latest).left is None


def test_bursts_are_smoothed(clock):
    meter = Meter("j", clock)
    done = 0
    for _ in range(200):
        clock.now += 0.5
        meter.update(done, None, "", "")
        clock.now += 0.0001
        done += 8
        meter.update(done, None, "", "")
    assert some(meter.latest).rate == pytest.approx(16, rel=0.25)


def test_what_is_told_is_coalesced_but_stages_and_the_end_are_not(clock):
    meter = Meter("j", clock)
    told = []
    for i in range(1000):
        clock.now += 0.001
        event = meter.update(i, 1000, "points", "")
        told += [event] if event else []
    assert 15 <= len(told) <= 22
    assert some(meter.update(1000, 1000, "points", "")).done == 1000
    assert some(meter.update(0, 10, "B", "saving")).rate is None


def test_a_pause_does_not_count(clock):
    meter = Meter("j", clock)
    for i in range(10):
        clock.now += 1.0
        meter.update(i, 100, "", "")
    meter.pause()
    clock.now += 1000.0
    meter.update(9, 100, "", "")
    clock.now += 1.0
    meter.update(10, 100, "", "")
    assert some(meter.latest).rate == pytest.approx(1.0)
