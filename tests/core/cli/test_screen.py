import math

import pytest

from solera.cli.screen import in_bytes, in_count, in_time, show_table, with_error


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (in_bytes(0), "0 B"),
        (in_bytes(999), "999 B"),
        (in_bytes(1500), "1.5 kB"),
        (in_bytes(2.2e9), "2.2 GB"),
        (in_bytes(5e13), "50 TB"),
        (in_count(103130), "103 K"),
        (in_time(3.21), "3.2 s"),
        (in_time(125), "2 min 5 s"),
        (in_time(7322), "2 h 2 min"),
        (with_error(0.8421, 0.0113), "0.842 ± 0.011"),
        (with_error(0.8421, 0.0113, percent=True), "84.2 ± 1.1 %"),
        (with_error(12.3456, math.nan), "12.35"),
        (with_error(0.5, 0.0), "0.5"),
    ],
)
def test_figures_as_people_read_them(shown: str, text: str) -> None:
    assert shown == text


def test_a_table_without_a_terminal_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name", "n"), [("long name", 1), ("b", 22)])
    assert capsys.readouterr().out == "name       n\nlong name  1\nb          22\n"
