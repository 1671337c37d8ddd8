import math

import pytest

from solera_app.plots.numerals import counted, error_decimals, listed, measured, number, short


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (2.957, 0.0093, "2.957 ± 0.009"),
        (2.0401, 0.0183, "2.040 ± 0.018"),
        (1.7734, 0.011, "1.773 ± 0.011"),
        (-0.0421, 0.0093, "−0.042 ± 0.009"),
        (1319.4, 12.0, "1,319 ± 12"),
        (12345.0, 250.0, "12,340 ± 250"),
        (0.5, 0.0962, "0.50 ± 0.10"),
        (1.0, math.nan, "1.000"),
        (1.0, 0.0, "1.000"),
    ],
)
def test_a_value_is_written_to_the_digits_of_its_error(value: float, error: float, text: str) -> None:
    assert measured(value, error) == text


def test_percent_scales_value_and_error() -> None:
    assert measured(0.9322, 0.0061, percent=True) == "93.2 ± 0.6 %"
    assert measured(0.9322, percent=True) == "93.2 %"


def test_what_is_not_finite_is_said() -> None:
    assert (number(math.nan), number(math.inf), number(-math.inf)) == ("–", "∞", "−∞")
    assert measured(math.nan, 0.1) == "–"


def test_no_minus_before_a_rounded_nought() -> None:
    assert number(-0.0001, 2) == "0.00"
    assert number(-0.01, 2) == "−0.01"


def test_extreme_sizes_use_powers_of_ten() -> None:
    assert number(1.25e-8) == "1.25 × 10⁻⁸"
    assert number(3.2e12) == "3.20 × 10¹²"


def test_three_digits_where_the_error_is_said_elsewhere() -> None:
    assert (short(0.1704), short(3.3), short(0.0), short(21.57)) == ("0.170", "3.30", "0", "21.6")


@pytest.mark.parametrize("error", [1e-6, 0.00995, 0.0355, 0.949, 0.96, 1.0, 3.6, 99.0, 1e5])
def test_an_error_keeps_one_or_two_digits(error: float) -> None:
    written = round(error, error_decimals(error))
    assert abs(written - error) <= 0.15 * error
    assert len(f"{written:.9e}".split("e")[0].replace(".", "").rstrip("0")) <= 2


def test_words() -> None:
    assert (counted(1, "point"), counted(1319, "point")) == ("1 point", "1,319 points")
    assert (listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])) == ("a", "a and b", "a, b and c")
