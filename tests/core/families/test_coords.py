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
