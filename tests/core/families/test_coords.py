"""Coordinates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solera.errors import InputError
from solera.families.coords import Coord


def test_ends_are_exact_and_logarithmic_steps_are_ratios():
    plain, log = Coord("t", -0.2, 1.2), Coord("rate", 1e-3, 10.0, log=True)
    assert [plain.at(0.0), plain.at(1.0)] == [-0.2, 1.2]
    assert plain.at(0.5) == pytest.approx(0.5)
    assert log.at(0.5) == pytest.approx(0.1)


@given(st.floats(-10, 10), st.floats(0.1, 10), st.booleans())
def test_plain_form_comes_back(low, width, log):
    low = abs(low) + 0.1 if log else low
    coord = Coord("x", low, low + width, "The x", "nats", log)
    assert Coord.from_plain(coord.to_plain()) == coord


@pytest.mark.parametrize(("low", "high", "log"), [(1, 1, False), (2, 1, False), (0, float("inf"), False), (0, 1, True)])
def test_what_is_no_range_is_refused(low, high, log):
    with pytest.raises(InputError, match="The coordinate 'x'"):
        Coord("x", low, high, log=log)


def test_whole_numbers_and_choices_can_be_counted_and_have_equal_parts_of_the_way():
    whole, choice = Coord("n", 2, 4, kind="whole"), Coord("m", 0, 1, kind="choice", choices=("ties", "dare"))
    assert (whole.values, choice.values, Coord("x", 0, 1).values) == ((2, 3, 4), (0, 1), ())
    assert [whole.at(share) for share in (0.0, 0.33, 0.34, 0.66, 0.67, 1.0)] == [2, 2, 3, 3, 4, 4]
    assert [choice.at(share) for share in (0.0, 0.49, 0.5, 1.0)] == [0, 0, 1, 1]
    for coord in (whole, choice):
        assert Coord.from_plain(coord.to_plain()) == coord
    assert "kind" not in Coord("x", 0, 1).to_plain()


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "whole", "low": 0.5}, {"kind": "choice"}, {"kind": "choice", "choices": ("a", "b", "c")},
     {"choices": ("a", "b")}, {"kind": "whole", "low": 1, "high": 8, "log": True}, {"kind": "odd"}],
)  # fmt: skip
def test_what_is_no_kind_of_coordinate_is_refused(wrong):
    with pytest.raises(InputError, match="The coordinate 'x'"):
        Coord("x", **{"low": 0, "high": 1, **wrong})
