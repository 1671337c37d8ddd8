import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solera_app.plots.contours import contour


def bilinear(grid: np.ndarray, column: float, row: float) -> float:
    """The slow obvious twin: the value of a grid between its points."""
    i, j = min(int(column), grid.shape[1] - 2), min(int(row), grid.shape[0] - 2)
    s, t = column - i, row - j
    return (
        grid[j, i] * (1 - s) * (1 - t)
        + grid[j, i + 1] * s * (1 - t)
        + grid[j + 1, i] * (1 - s) * t
        + grid[j + 1, i + 1] * s * t
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1, 1))
def test_every_end_of_a_segment_lies_on_the_level(seed: int, level: float) -> None:
    grid = np.random.default_rng(seed).normal(size=(5, 7))
    for segment in contour(grid, level):
        for column, row in segment:
            assert bilinear(grid, column, row) == pytest.approx(level, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1, 1))
def test_lines_end_only_at_the_border(seed: int, level: float) -> None:
    grid = np.random.default_rng(seed).normal(size=(6, 5))
    ends = [tuple(np.round(point, 9)) for segment in contour(grid, level) for point in segment]
    for point in set(ends):
        column, row = point
        border = column in (0, grid.shape[1] - 1) or row in (0, grid.shape[0] - 1)
        assert ends.count(point) == (1 if border else 2)


def test_an_asymmetric_bowl_is_ringed_where_it_is_lowest() -> None:
    rows, cols = np.mgrid[0:21, 0:41]
    grid = (cols - 31.0) ** 2 + 3 * (rows - 4.0) ** 2
    middle = contour(grid, 9.0).reshape(-1, 2).mean(axis=0)
    assert middle == pytest.approx((31.0, 4.0), abs=0.2)


def test_cells_that_touch_what_is_not_finite_have_no_line() -> None:
    grid = np.tile(np.arange(6.0), (5, 1))
    grid[2, 2] = np.nan
    rows = contour(grid, 2.5)[:, :, 1]
    assert not ((rows > 1) & (rows < 3)).any()
    assert len(rows) == 2


def test_nothing_crosses_a_level_out_of_reach_or_a_grid_of_one_line() -> None:
    assert contour(np.zeros((4, 4)), 1.0).shape == (0, 2, 2)
    assert contour(np.arange(4.0)[None], 1.5).shape == (0, 2, 2)
