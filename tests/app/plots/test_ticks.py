import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solera_app.plots.ticks import GrowingRange, log_ticks, tick_labels, ticks

numbers = st.floats(-1e6, 1e6, allow_nan=False)
widths = st.floats(1e-3, 1e6)


@settings(max_examples=100)
@given(numbers, widths, st.integers(2, 8))
def test_there_are_never_more_ticks_than_asked_for_and_all_lie_inside(low: float, width: float, most: int) -> None:
    high = low + width
    found = ticks(low, high, most)
    assert len(found) <= most
    assert all(low - 1e-6 * width <= value <= high + 1e-6 * width for value in found)


def test_labels_have_equal_decimals_and_a_true_minus() -> None:
    assert tick_labels(ticks(-0.3, 1.05)) == ["−0.25", "0.00", "0.25", "0.50", "0.75", "1.00"]
    assert tick_labels(ticks(0.5, 1.0), percent=True) == ["50", "60", "70", "80", "90", "100"]
    assert tick_labels([0.0, 5000.0]) == ["0", "5,000"]


def test_log_ticks_are_round_and_few() -> None:
    assert log_ticks(0.8, 40) == [1.0, 2.0, 5.0, 10.0, 20.0]
    assert len(log_ticks(1e-8, 1e8)) <= 6
    assert log_ticks(-1, 3) == []


def test_an_axis_grows_by_whole_ticks_and_never_shrinks() -> None:
    axis = GrowingRange()
    assert axis.cover(math.nan, math.nan) == (0.0, 1.0)
    first = axis.cover(2.93, 3.18)
    assert first == pytest.approx((2.9, 3.2))
    assert axis.cover(3.0, 3.1) == first
    low, high = axis.cover(3.0, 3.9)
    assert low <= first[0]
    assert high == pytest.approx(4.0)
    axis.reset()
    assert axis.cover(0.0, 1.0) == (0.0, 1.0)


@settings(max_examples=50)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8))
def test_the_range_always_holds_everything_it_was_given(pieces: list[tuple[float, float]]) -> None:
    axis = GrowingRange()
    before = (math.inf, -math.inf)
    for a, b in pieces:
        low, high = axis.cover(min(a, b), max(a, b))
        slack = 1e-6 * (high - low)
        assert low <= min(a, b) + slack
        assert high >= max(a, b) - slack
        assert low <= before[0] + slack
        assert high >= before[1] - slack
        before = (low, high)


def test_a_fraction_ends_at_one() -> None:
    axis = GrowingRange(floor=0.0, ceiling=1.0)
    assert axis.cover(0.03, 0.98)[1] <= 1.0
    assert axis.cover(0.03, 0.98)[0] >= 0.0


def test_a_single_value_gets_room() -> None:
    low, high = GrowingRange().cover(2.0, 2.0)
    assert low < 2.0 < high
